#!/usr/bin/env bats
# wait: how a container has ended, for those who are not its parent. The test's
# shell is not either: what a detached container leaves, somebody above collects.

load helpers

setup_test() { ours "its own command"; }

# wait_for N [ID]: a waiter in the background; its output is in the files
# wait.N and wait.err.N.
wait_for() {
	"$RUNTIME" --root "$ROOT" wait "${2:-$ID}" >"wait.$1" 2>"wait.err.$1" 3>&- </dev/null &
	waiter[$1]=$!
}

# waits N: the waiter has a pidfd, so it sees whatever comes.
waits() { [[ $(ls -l "/proc/${waiter[$1]}/fd" 2>/dev/null) == *pidfd* ]]; }

# waited N CODE REGEX: how the waiter ended and what it said.
waited() {
	local code=0
	wait "${waiter[$1]}" || code=$?
	eq "$code" "$2" "exit code of waiter $1, which said $(cat "wait.err.$1")"
	matches "$(cat "wait.$1")" "$3"
}

STAMP='"finished_at":"20[0-9-]{8}T[0-9:]{8}(\.[0-9]+)?Z"'

@test "wait: the exit code, for several at once and for who comes later" {
	need exits
	script 'read x <>/gate; exit 77'
	mkfifo "$BASE/gate"
	create
	ok
	wait_for 1
	wait_for 2
	eventually waits 1
	eventually waits 2
	rt start "$ID"
	ok
	wait_for 3
	eventually waits 3
	eq "$(state /status)" running
	echo >"$BASE/gate"
	for n in 1 2 3; do waited $n 77 "^\{\"exit_code\":77,$STAMP\}\$"; done
	stopped
	rt wait "$ID"
	eq "$status" 77
	eq "$output" "$(cat wait.1)" "what is on record"
	eq "$(state /mesoc/termination/exit_code)" 77
	matches "\"finished_at\":\"$(state /mesoc/termination/finished_at)\"" "$STAMP"
	rt list --format json
	ok
	eq "$("$RIG" get "$out_file" /0/mesoc/termination/exit_code)" 77
	rt recover
	eq "$(state /mesoc/termination/exit_code)" 77 "after recover"
	rt delete "$ID"
	ok
}

@test "wait: an end by a signal is 128 and the signal" {
	need exits
	script 'sleep 1000'
	start_box
	wait_for 1
	eventually waits 1
	rt kill "$ID" KILL
	ok
	waited 1 137 "^\{\"signal\":9,$STAMP\}\$"
	eq "$(state /mesoc/termination/signal)" 9
}

@test "wait: exit code 0 is printed, and is the exit status" {
	need exits
	script 'read x <>/gate'
	mkfifo "$BASE/gate"
	start_box
	wait_for 1
	eventually waits 1
	echo >"$BASE/gate"
	waited 1 0 "^\{\"exit_code\":0,$STAMP\}\$"
}

@test "wait: a created container that is killed, and a paused one is waited for" {
	need exits
	script 'sleep 1000'
	create
	ok
	wait_for 1
	eventually waits 1
	rt kill "$ID" KILL
	ok
	waited 1 137 '"signal":9'
	rt delete "$ID"
	ok
	start_box
	rt pause "$ID"
	ok
	wait_for 1
	eventually waits 1
	rt resume "$ID"
	ok
	rt kill "$ID" KILL
	ok
	waited 1 137 '"signal":9'
}

@test "wait: delete --force while it waits" {
	need exits
	script 'sleep 1000'
	start_box
	wait_for 1
	eventually waits 1
	rt delete --force "$ID"
	ok
	waited 1 137 '^\{"signal":9'
	eq "$(cat wait.err.1)" ""
	clean
}

@test "wait: the end of an attached run, which collects and deletes it" {
	need exits
	script 'echo up; read x <>/gate; exit 3'
	mkfifo "$BASE/gate"
	"$RUNTIME" --root "$ROOT" run --bundle "$BUNDLE" "$ID" >out 2>err 3>&- </dev/null &
	runtime=$!
	eventually grep -q up out
	wait_for 1
	eventually waits 1
	echo >"$BASE/gate"
	waited 1 3 '^\{"exit_code":3,'
	code=0
	wait $runtime || code=$?
	eq "$code" 3
}

@test "wait: an attached run that keeps its container has seen the end" {
	script 'exit 5'
	rt run --keep --bundle "$BUNDLE" "$ID"
	eq "$status" 5
	rt wait "$ID"
	eq "$status" 5
	matches "$output" "^\{\"exit_code\":5,$STAMP\}\$"
	eq "$(state /mesoc/termination/exit_code)" 5
}

@test "wait: an attached run has seen that it was memory" {
	need controller:memory
	limits='/linux/resources={"memory":{"limit":16777216,"swap":16777216}}'
	memory='"reason":"REASON_CONTAINER_LIMITATION_MEMORY","message":"Memory limit exceeded: limit 16\.0MB,[^"]* processes killed 1","resources":\{"mem":16\}'
	script 'x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done' "$limits"
	rt run --keep --bundle "$BUNDLE" "$ID"
	eq "$status" 137
	rt wait "$ID"
	eq "$status" 137
	matches "$output" "^\{\"signal\":9,$memory,$STAMP\}\$"
	eq "$(state /mesoc/termination/resources/mem)" 16
	rt delete "$ID"
	ok
	# Of one that was nested its root remembers it.
	script 'sleep 1000' '/linux/resources={}'
	start_box
	script '(x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done); exit $?' "$limits"
	rt run --bundle "$BUNDLE" --parent "$ID" "$ID.in"
	eq "$status" 137
	rt wait "$ID.in"
	eq "$status" 137
	matches "$output" "^\{\"exit_code\":137,$memory,$STAMP\}\$"
	# Not for want of memory.
	script 'exit 137' "$limits"
	rt run --keep --bundle "$BUNDLE" --parent "$ID" "$ID.k"
	rt wait "$ID.k"
	eq "$status" 137
	hasnt "$output" reason
}

@test "wait: the limit for which a container was ended" {
	script 'exit 5'
	rt run --keep --bundle "$BUNDLE" "$ID"
	eq "$status" 5
	"$RIG" edit "$ROOT/$ID/state.json" '/limitation={"reason":"REASON_CONTAINER_LIMITATION_MEMORY","message":"too much","mem_bytes":50331648}'
	chmod 600 "$ROOT/$ID/state.json"
	rt wait "$ID"
	eq "$status" 5
	matches "$output" "^\{\"exit_code\":5,\"reason\":\"REASON_CONTAINER_LIMITATION_MEMORY\",\"message\":\"too much\",\"resources\":\{\"mem\":48},$STAMP\}\$"
	eq "$(state /mesoc/termination/reason)" REASON_CONTAINER_LIMITATION_MEMORY
	eq "$(state /mesoc/termination/resources/mem)" 48
}

@test "wait: an end that nobody has seen is an error, with no code made up" {
	script 'exit 0'
	create
	ok
	pid=$(state /pid)
	rt start "$ID"
	ok
	stopped
	eventually test ! -e "/proc/$pid"
	rt wait "$ID"
	fails "wait for container $ID" "how was not seen"
	eq "$output" ""
	rt state "$ID"
	ok
	hasnt "$output" termination
}

@test "wait: a record from before the last boot, a foreign pid, no container" {
	rt wait "$ID"
	fails "does not exist"
	script 'sleep 1000'
	start_box
	pid=$(state /pid)
	"$RIG" edit "$ROOT/$ID/state.json" /boot_id:=00000000-0000-0000-0000-000000000000
	chmod 600 "$ROOT/$ID/state.json"
	rt wait "$ID"
	fails "how was not seen"
	"$RIG" edit "$ROOT/$ID/state.json" "/boot_id:=$(cat /proc/sys/kernel/random/boot_id)" "/pid=$$"
	chmod 600 "$ROOT/$ID/state.json"
	rt wait "$ID"
	fails "how was not seen"
	"$RIG" edit "$ROOT/$ID/state.json" "/pid=$pid"
	chmod 600 "$ROOT/$ID/state.json"
	rt wait
	[ "$status" -ne 0 ]
}
