#!/usr/bin/env bats
# create, start, state, kill, delete: the statuses, who may do what when, and
# the words that engines look for.

load helpers

@test "create, start, kill, delete: one container through all its statuses" {
	script 'trap "exit 0" TERM; echo ran; echo 1 >/ran; while :; do sleep 0.1; done' '/annotations={"org.example.a":"b","empty":""}'
	create
	ok
	eq "$output$stderr" ""

	rt state "$ID"
	ok
	run -0 "$RIG" keys "$out_file"
	eq "$(head -n 9 <<<"$output")" $'ociVersion\nid\npid\nstatus\nbundle\nrootfs\ncreated\nannotations\nowner' "keys in order"
	run -0 "$RIG" get "$out_file" /ociVersion /id /status /bundle /rootfs /annotations
	eq "$output" "1.0.2-dev
$ID
created
$BUNDLE
$BASE
{\"empty\":\"\",\"org.example.a\":\"b\"}"
	eq "$("$RIG" get "$out_file" /owner)" "" owner
	matches "$("$RIG" get "$out_file" /created)" '^20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-9:]{8}\.[0-9]{1,9}Z$'
	eq "$(sed -n 2p "$out_file")" '  "ociVersion": "1.0.2-dev",' "second line"
	eq "$(tail -c 1 "$out_file")" "}" "last byte"
	pid=$("$RIG" get "$out_file" /pid)
	kill -0 "$pid"
	[ ! -e "$BASE/ran" ]

	rt start "$ID"
	ok
	eq "$output$stderr" ""
	eventually test -s "$BASE/ran"
	eq "$(state /status)" running
	eq "$(state /pid)" "$pid"
	rt start "$ID"
	fails "cannot start" running

	rt kill "$ID" TERM
	ok
	eq "$output$stderr" ""
	stopped
	eq "$(state /pid)" 0
	rt kill "$ID" TERM
	fails "container not running"
	rt start "$ID"
	fails "cannot start" stopped
	eq "$(cat "$INIT_OUT")" ran

	rt delete "$ID"
	ok
	eq "$output$stderr" ""
	clean
	rt state "$ID"
	fails "does not exist"
}

@test "an id can be used again at once" {
	for i in 1 2 3; do
		create
		ok
		rt delete "$ID"
		ok
	done
	clean
}

@test "delete: a created container needs no force" {
	create
	ok
	pid=$(state /pid)
	rt delete "$ID"
	ok
	eventually dead "$pid"
	clean
}

@test "delete: a running container needs --force" {
	script 'sleep 1000'
	start_box
	pid=$(state /pid)
	rt delete "$ID"
	fails "is not stopped"
	eq "$(state /status)" running
	eq "$(state /pid)" "$pid"
	rt delete --force "$ID"
	ok
	eq "$output$stderr" ""
	eventually dead "$pid"
	clean
}

@test "unknown id: the words are 'does not exist', and delete --force is content" {
	for c in state start kill delete; do
		rt $c "$ID"
		fails "does not exist"
		eq "$output" ""
	done
	for f in -f --force; do
		rt delete $f "$ID"
		ok
		eq "$output$stderr" ""
	done
	clean
}

@test "ids: which are good" {
	for id in "$ID" "$ID.B_c+d-9" "$ID..x" "$ID-" "$(printf '%s%0150d' "$ID" 0)"; do
		rt create --bundle "$BUNDLE" "$id"
		ok
		eq "$(state /id "$id")" "$id"
		rt delete "$id"
		ok
	done
	clean
}

@test "ids: which are not, for every command" {
	mkdir victim
	for id in "" . .. ../victim a/b /abs "a b" $'a\nb' $'a\n' ü 'a*' 'a@b' 'a:b' "$(printf %01025d 0)"; do
		rt create --bundle "$BUNDLE" "$id"
		fails
		! is_mesoc || eq "$(wc -l <<<"$stderr")" 1 "lines of error for one"
		for c in state start delete; do
			rt $c "$id"
			fails
		done
		rt kill "$id" KILL
		fails
	done
	[ -d victim ]
	clean
}

@test "ids: delete --force of a bad one is an error, not success" {
	ours "runc 1.1 takes it for unknown"
	mkdir victim
	for id in "" . .. ../victim "a b"; do
		rt delete --force "$id"
		fails "invalid container ID"
	done
	[ -d victim ]
}

@test "create: an id that is in use is refused, and its owner left alone" {
	create
	ok
	pid=$(state /pid)
	create
	fails "already exists"
	eq "$(state /status)" created
	eq "$(state /pid)" "$pid"
	rt run --bundle "$BUNDLE" "$ID"
	fails "already exists"
	rt start "$ID"
	ok
	stopped
}

@test "create: --bundle defaults to the working directory, and may be relative" {
	cd "$BUNDLE"
	rt create "$ID"
	ok
	eq "$(state /bundle)" "$BUNDLE"
	eq "$(state /rootfs)" "$BASE"
	cd "$T"
	rt create -b ./bundle/../bundle "${ID}b"
	ok
	eq "$(state /bundle "${ID}b")" "$BUNDLE"
}

@test "create: changes to config.json afterwards mean nothing" {
	script 'echo first'
	create
	ok
	script 'echo second' /hostname:=other
	rt start "$ID"
	ok
	stopped
	eq "$(cat "$INIT_OUT")" first
	rm "$BUNDLE/config.json"
	rt delete "$ID"
	ok
	clean
}

@test "kill: names, numbers, with and without SIG; default TERM" {
	script 'for s in TERM HUP USR1 USR2 WINCH INT; do trap "echo $s >>/got" $s; done; echo up >/got; while :; do sleep 0.02; done'
	start_box
	got() { [ "$(tail -n 1 "$BASE/got" 2>/dev/null)" = "$1" ]; }
	eventually got up
	rt kill "$ID"
	ok
	eventually got TERM
	rt kill "$ID" HUP
	ok
	eventually got HUP
	rt kill "$ID" SIGUSR1
	ok
	eventually got USR1
	rt kill "$ID" 12
	ok
	eventually got USR2
	rt kill "$ID" sigwinch
	ok
	eventually got WINCH
	rt kill "$ID" NOSIG
	fails NOSIG
	eq "$(cat "$BASE/got")" $'up\nTERM\nHUP\nUSR1\nUSR2\nWINCH'
	rt kill "$ID" KILL
	ok
	stopped
}

@test "kill: a created container" {
	create
	ok
	pid=$(state /pid)
	rt kill "$ID" 9
	ok
	stopped
	rt start "$ID"
	fails stopped
	rt delete "$ID"
	ok
	clean
}

@test "kill --all: every process, where killing init does not" {
	script 'sleep 1000 & sleep 1000 & echo up; wait' /linux/namespaces/@pid!
	start_box
	eventually grep -q up "$INIT_OUT"
	dir=$(leaf)
	eventually test "$(wc -l <"$dir/cgroup.procs")" -ge 3
	rt kill --all "$ID" KILL
	ok
	unpopulated() { grep -q '^populated 0' "$dir/cgroup.events"; }
	eventually unpopulated
	stopped
	rt delete "$ID"
	ok
	clean
}

@test "kill --all on a container that has stopped" {
	create
	ok
	rt start "$ID"
	ok
	stopped
	rt kill --all "$ID" KILL
	# containerd asks for it on every exit; either answer means "gone" to it.
	[ "$status" -eq 0 ] || fails "container not running"
}

@test "delete: processes that outlive an init without a pid namespace" {
	ours "runc 1.1 may leave the cgroup"
	script 'sleep 1000 & echo $! >/left; exit 0' /linux/namespaces/@pid!
	start_box
	stopped
	left=$(cat "$BASE/left")
	kill -0 "$left"
	rt delete --force "$ID"
	ok
	eventually dead "$left"
	clean
}

@test "an init that dies before start: stopped, and start says so at once" {
	create
	ok
	pid=$(state /pid)
	kill -KILL "$pid"
	stopped
	eq "$(state /pid)" 0
	rt start "$ID"
	fails stopped
	rt delete "$ID"
	ok
	clean
}

@test "state: without annotations there is no such key" {
	create
	ok
	rt state "$ID"
	run ! "$RIG" get "$out_file" /annotations
	rt delete "$ID"
}

@test "state: the object mesoc names the two cgroups" {
	ours "its own object"
	create
	ok
	rt state "$ID"
	run -0 "$RIG" get "$out_file" /mesoc/cgroup/path /mesoc/cgroup/leaf
	eq "$output" "mesos/$ID
mesos/$ID/leaf"
}

@test "a bundle without process: create works, start refuses" {
	ours "runc wants a process at create"
	edit /process!
	create
	ok
	eq "$(state /status)" created
	rt start "$ID"
	fails process
	eq "$(state /status)" created
	rt delete "$ID"
	ok
	clean
}

@test "two containers of one bundle do not disturb each other" {
	script 'sleep 1000'
	create
	ok
	rt create --bundle "$BUNDLE" "${ID}b"
	ok
	rt start "${ID}b"
	ok
	eq "$(state /status)" created
	eq "$(state /status "${ID}b")" running
	rt delete --force "${ID}b"
	ok
	eq "$(state /status)" created
}

@test "delete --force twice, and delete of an id that delete has removed" {
	create
	ok
	rt delete --force "$ID"
	ok
	rt delete --force "$ID"
	ok
	rt delete "$ID"
	fails "does not exist"
	clean
}
