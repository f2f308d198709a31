#!/usr/bin/env bats
# events: lack of memory as it happens, figures in runc's shape, until the end.

load helpers

# follow [FLAG…]: events in the background, into the file events.
follow() {
	"$RUNTIME" --root "$ROOT" events "$@" "$ID" >events 2>events.err 3>&- </dev/null &
	EVENTS=$!
	undo "kill -KILL $EVENTS 2>/dev/null || :"
}

# attached: it waits for what is going to happen, so it has looked at what has.
attached() { eventually polls; }
polls() { grep -qs 'do_poll\|do_sys_poll\|poll_schedule' "/proc/$EVENTS"/task/*/wchan; } # threads come and go

ended() {
	"$RIG" wait "$EVENTS" 60
	wait "$EVENTS" || die "events: status $?: $(<events.err)"
	eq "$(cat events.err)" ""
}

@test "--stats: one line in runc's shape" {
	script 'echo up; sleep 1000'
	is_mesoc || need controller:memory
	start_box
	rt events --stats "$ID"
	ok
	eq "$(wc -l <"$out_file")" 1
	run -0 "$RIG" get "$out_file" /type /id
	eq "$output" "stats
$ID"
	"$RIG" get "$out_file" /data >data
	for k in cpu cpuset memory pids blkio hugetlb intel_rdt network_interfaces; do
		has "$("$RIG" keys data)" "$k"
	done
	[ "$("$RIG" get "$out_file" /data/cpu/usage/total)" -gt 0 ]
	if is_mesoc && [ -e /proc/pressure/cpu ]; then
		for k in cpu memory blkio; do
			has "$("$RIG" get "$out_file" /data/$k/psi/some)" avg300
		done
	fi
}

@test "--stats: limits and what is used" {
	need controller:memory controller:pids
	script 'dd if=/dev/zero of=/dev/shm/x bs=1M count=10 2>/dev/null; echo up; sleep 1000' '/linux/resources={"memory":{"limit":104857600},"pids":{"limit":50}}'
	start_box
	eventually grep -q up "$INIT_OUT"
	rt events --stats "$ID"
	ok
	eq "$("$RIG" get "$out_file" /data/memory/usage/limit)" 104857600
	[ "$("$RIG" get "$out_file" /data/memory/usage/usage)" -gt 8000000 ]
	[ "$("$RIG" get "$out_file" /data/memory/raw/file)" -gt 8000000 ]
	eq "$("$RIG" get "$out_file" /data/pids/limit)" 50
	[ "$("$RIG" get "$out_file" /data/pids/current)" -ge 1 ]
}

@test "figures once an interval, until the container ends" {
	script 'echo up; sleep 1000'
	is_mesoc || need controller:memory
	start_box
	follow --interval 50ms
	twice() { [ "$(grep -c '"type":"stats"' events)" -ge 2 ]; }
	eventually twice
	rt kill "$ID" KILL
	ended
	stopped
	rt events "$ID"
	fails "not running"
	rt events --stats "$ID"
	fails "not running"
}

@test "waiting costs nothing, and the end is noticed at once" {
	ours "runc looks every so often"
	script 'echo up; sleep 1000'
	start_box
	follow --interval 1h
	attached
	ticks() {
		local f
		read -r -a f <"/proc/$EVENTS/stat"
		echo $((f[13] + f[14]))
	}
	before=$(ticks)
	read -r -t 1 <> <(:) || :
	[ $(($(ticks) - before)) -lt 20 ]
	rt kill "$ID" KILL
	ended
	eq "$(cat events)" ""
}

@test "--interval: what is no duration" {
	create
	ok
	rt events --interval 0 "$ID"
	fails "duration interval must be greater than 0"
	rt events --interval=-5s "$ID"
	fails "duration interval must be greater than 0"
	ours "its words"
	for d in 5 x ""; do
		rt events --interval "$d" "$ID"
		fails --interval
	done
	rt events "nobody$ID"
	fails "does not exist"
}

@test "out of memory: told as it happens, also of a child, once, and never again" {
	ours "runc tells of the past, too"
	need controller:memory
	script 'echo up; while :; do read -r line </go; rig burn 200; echo "burnt $?"; done' '/linux/resources/memory={"limit":33554432,"swap":33554432}'
	mkfifo "$BASE/go"
	start_box
	eventually grep -q up "$INIT_OUT"
	follow --interval 1h
	attached
	eq "$(cat events)" ""
	echo >"$BASE/go"
	eventually grep -q "burnt 137" "$INIT_OUT"
	eventually test -s events
	eq "$(cat events)" "{\"type\":\"oom\",\"id\":\"$ID\"}"
	one=$EVENTS
	cp events first
	follow --interval 1h
	attached
	rt kill "$ID" KILL
	ended
	eq "$(cat events)" ""
	wait "$one"
}

@test "out of memory: of init itself, which ends the events" {
	need controller:memory
	script 'read -r line </go; exec rig burn 200' '/linux/resources/memory={"limit":33554432,"swap":33554432}'
	mkfifo "$BASE/go"
	start_box
	follow --interval 1h
	if is_mesoc; then attached; else eventually test -d "/proc/$EVENTS"; fi
	echo >"$BASE/go"
	ended
	has "$(cat events)" "{\"type\":\"oom\",\"id\":\"$ID\"}"
}

@test "out of memory: of a container that was given a limit later" {
	ours "runc has the controllers from the beginning"
	need controller:memory
	script 'echo up; read -r line </go; rig burn 200; echo "burnt $?"; sleep 1000'
	mkfifo "$BASE/go"
	start_box
	eventually grep -q up "$INIT_OUT"
	follow --interval 2s # so long that it also waits
	rt update --memory 32m --memory-swap 32m "$ID"
	ok
	with_limit() { tail -n 1 events | grep -q '"usage":{"limit":33554432'; }
	eventually with_limit
	attached
	echo >"$BASE/go"
	eventually grep -q '"type":"oom"' events
	rt kill "$ID" KILL
	ended
}

@test "out of memory: where memory.events tells nothing of the cgroups below" {
	ours "runc has no cgroup below"
	need controller:memory
	local_memory_events
	# Of its own, because it gets a limit that others would not survive.
	export MESOC_CGROUPS_ROOT=$ID.root
	mkdir "/sys/fs/cgroup/$ID.root"
	undo "rmdir /sys/fs/cgroup/$ID.root"
	script 'echo up; while read -r line </go; do rig burn 200; echo "burnt $line $?"; done' '/linux/resources/memory={"limit":33554432,"swap":33554432}'
	mkfifo "$BASE/go"
	start_box
	eventually grep -q up "$INIT_OUT"
	follow --interval 1h
	attached
	told() { [ "$(wc -l <events)" -ge "$1" ]; }
	echo own >"$BASE/go"
	eventually grep -q "burnt own 137" "$INIT_OUT"
	eventually told 1
	# For a limit further up only the kill is counted: in the leaf.
	echo 16M >"/sys/fs/cgroup/$ID.root/memory.max"
	echo others >"$BASE/go"
	eventually grep -q "burnt others 137" "$INIT_OUT"
	eventually told 2
	rt kill "$ID" KILL
	ended
	eq "$(cat events)" "{\"type\":\"oom\",\"id\":\"$ID\"}
{\"type\":\"oom\",\"id\":\"$ID\"}"
}

@test "a parent: its figures have its children in them, and they run out of memory in it" {
	ours "its own annotations"
	need controller:memory controller:pids
	script 'sleep 1000' '/linux/resources={"memory":{"limit":209715200,"swap":209715200},"pids":{"limit":50}}'
	start_box
	script 'dd if=/dev/zero of=/dev/shm/x bs=1M count=10 2>/dev/null; echo up; read -r line </go; rm /dev/shm/x; rig burn 200; echo "burnt $?"; sleep 1000' \
		'/linux/resources={"memory":{"limit":33554432,"swap":33554432}}'
	mkfifo "$BASE/go"
	rt run --detach --parent "$ID" --bundle "$BUNDLE" "$ID.c"
	ok
	local child_out=$out_file
	eventually grep -q up "$child_out"
	rt events --stats "$ID"
	ok
	run -0 "$RIG" get "$out_file" /data/memory/usage/limit /data/pids/limit
	eq "$output" "209715200
50"
	[ "$("$RIG" get "$out_file" /data/memory/raw/file)" -gt 8000000 ]
	[ "$("$RIG" get "$out_file" /data/pids/current)" -gt "$(wc -l <"$(leaf)/cgroup.procs")" ]
	follow --interval 1h
	attached
	echo >"$BASE/go"
	eventually grep -q "burnt 137" "$child_out"
	eventually test -s events
	eq "$(state /status)" running
	rt delete --force "$ID"
	ok
	ended
	eq "$(cat events)" "{\"type\":\"oom\",\"id\":\"$ID\"}"
}
