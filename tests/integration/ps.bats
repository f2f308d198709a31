#!/usr/bin/env bats
# ps: the processes of a container.

load helpers

box() {
	script "${1:-sleep 1001 & sleep 1002}"
	start_box
}

pids() { sort -n "$(leaf)/cgroup.procs" | tr '\n' ' '; }

listed() { tr -d '[] \n' <"$out_file" | tr , '\n' | sort -n | tr '\n' ' '; }

two() { [ "$(wc -l <"$(leaf)/cgroup.procs")" -eq 2 ]; }

@test "ps --format json: a list of process ids of the host" {
	box
	eventually two
	for f in "--format json" "-f json" --format=json; do
		rt ps $f "$ID"
		ok
		matches "$output" '^\[[0-9]+(,[0-9]+)*\]$'
		eq "$(listed)" "$(pids)"
	done
}

@test "ps: cgroups of the container's own count" {
	box
	eventually two
	mkdir "$(leaf)/deep" "$(leaf)/deep/er"
	rt exec -d --pid-file "$T/pid" --cgroup deep/er "$ID" sleep 1003
	ok
	rt ps --format json "$ID"
	ok
	eq "$(listed | wc -w)" 3
	has " $(listed)" " $(cat pid) "
}

@test "ps: the table of the host's ps" {
	box
	eventually two
	rt ps "$ID"
	ok
	eq "$(wc -l <"$out_file")" 3 "lines"
	matches "$(head -n 1 "$out_file")" '^UID +PID +PPID .*CMD$'
	has "$output" "sleep 1001"
	rt ps "$ID" -o pid,args -e
	ok
	eq "$(wc -l <"$out_file")" 3 "lines"
	matches "$(head -n 1 "$out_file")" '^ +PID +COMMAND$'
	rt ps --format table "$ID" -o args
	fails PID
	rt ps "$ID" --no-such-option
	fails
}

@test "ps: a ps that is not there" {
	ours "text"
	box
	PATH=/nowhere rt ps "$ID"
	fails "ps" "not found" "--format json"
	PATH=/nowhere rt ps --format json "$ID"
	ok
}

@test "ps: created, stopped and unknown containers" {
	script 'exit 0'
	create
	ok
	rt ps --format json "$ID"
	ok
	eq "$output" "[$(state /pid)]"
	rt start "$ID"
	ok
	stopped
	rt ps --format json "$ID"
	ok
	if is_mesoc; then eq "$output" "[]"; fi
	rt ps --format json nobody
	fails "does not exist"
	rt ps --format xml "$ID"
	fails "invalid format option"
}
