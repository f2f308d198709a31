#!/usr/bin/env bats
# pause and resume.

load helpers

# ticking starts a container that writes as long as it may.
ticking() {
	script 'while :; do echo x >>/tmp/ticks; sleep 0.01; done'
	start_box
	eventually test -s "$BASE/tmp/ticks"
}

ticks() { wc -c <"$BASE/tmp/ticks"; }
more_ticks() { [ "$(ticks)" -gt "$1" ]; }

paused() {
	rt pause "$ID"
	ok
	eq "$output$stderr" ""
}

@test "pause: everything stops, until resume" {
	ticking
	rt exec -d "$ID" sh -c 'while :; do echo x >>/tmp/more; sleep 0.01; done'
	ok
	eventually test -s "$BASE/tmp/more"
	paused
	before=$(ticks) more=$(wc -c <"$BASE/tmp/more")
	eq "$(state /status)" paused
	matches "$(state /pid)" '^[1-9][0-9]*$'
	rt list
	has "$output" " paused "
	for ((i = 0; i < 10; i++)); do pause; done
	eq "$(ticks) $(wc -c <"$BASE/tmp/more")" "$before $more"
	rt resume "$ID"
	ok
	eq "$(state /status)" running
	eventually more_ticks "$before"
}

@test "pause and resume: where they mean nothing" {
	rt pause nobody
	fails "does not exist"
	rt resume nobody
	fails "does not exist"
	ticking
	rt resume "$ID"
	fails "not paused"
	paused
	rt pause "$ID"
	fails
	rt resume "$ID"
	ok
	rt kill "$ID" KILL
	ok
	stopped
	rt pause "$ID"
	fails "not running"
	rt resume "$ID"
	fails "not paused"
}

@test "pause: a created container" {
	script 'exit 0'
	create
	ok
	paused
	eq "$(state /status)" paused
	rt start "$ID"
	fails paused
	rt resume "$ID"
	ok
	eq "$(state /status)" created
	rt start "$ID"
	ok
	stopped
}

@test "a paused container can be killed" {
	ticking
	paused
	rt kill "$ID" KILL
	ok
	stopped
	rt delete "$ID"
	ok
	clean
}

@test "a paused container can be killed with all its processes" {
	ticking
	rt exec -d "$ID" sleep 1000
	ok
	paused
	rt kill --all "$ID" KILL
	ok
	stopped
	rt delete "$ID"
	ok
	clean
}

@test "a signal to a paused container arrives when it is resumed" {
	script 'trap "exit 0" TERM; echo up >/tmp/up; while :; do sleep 0.01; done'
	start_box
	eventually test -s "$BASE/tmp/up"
	paused
	rt kill "$ID" TERM
	ok
	for ((i = 0; i < 10; i++)); do pause; done
	eq "$(state /status)" paused
	rt resume "$ID"
	ok
	stopped
}

@test "delete of a paused container: only by force" {
	ticking
	paused
	rt delete "$ID"
	fails "not stopped"
	eq "$(state /status)" paused
	rt delete --force "$ID"
	ok
	clean
}

@test "exec in a paused container" {
	ticking
	paused
	rt exec "$ID" true
	eq "$status" 255
	has "$stderr" "cannot exec in a paused container"
	# Whether the ticking shell had a sleep just then is chance; nothing comes or goes while all stand still.
	before=$(in_leaf)
	"$RUNTIME" --root "$ROOT" exec --ignore-paused "$ID" echo thawed >out 2>err 3>&- </dev/null &
	runtime=$!
	eventually in_leaf_more_than "$before"
	for ((i = 0; i < 5; i++)); do pause; done
	[ ! -s out ]
	rt resume "$ID"
	ok
	wait $runtime
	eq "$(cat out)" thawed
}
in_leaf() { wc -l <"$(leaf)/cgroup.procs"; }
in_leaf_more_than() { [ "$(in_leaf)" -gt "$1" ]; }
