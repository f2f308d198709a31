#!/usr/bin/env bats
# --supervise: a small process stays as the container's parent and records how
# it ends.

load helpers

setup_test() { ours "its own flag"; }

SHELTER=/sys/fs/cgroup/mesos/@supervisors
STAMP='"finished_at":"20[0-9-]{8}T[0-9:]{8}(\.[0-9]+)?Z"'

# supervise [FLAG…]: create and start; the supervisor is in $supervisor.
supervise() {
	create --supervise "$@"
	ok
	supervisor=$("$RIG" get "$ROOT/$ID/state.json" /supervisor_pid)
	rt start "$ID"
	ok
}

# sheltered: the supervisors' cgroup is gone, or somebody is in it. Other tests, which run
# side by side, may be about to enter or to remove it.
sheltered() { [ ! -e "$SHELTER" ] || [ -n "$(cat "$SHELTER/cgroup.procs" 2>/dev/null)" ]; }

parent_of() { sed 's/.*) . \([0-9]*\) .*/\1/' "/proc/$1/stat"; }

@test "supervise: the end is on record, for whoever asks and however late" {
	script 'read x <>/gate; exit 77'
	mkfifo "$BASE/gate"
	supervise
	pid=$(state /pid)
	eq "$(parent_of "$pid")" "$supervisor"
	rt state "$ID"
	hasnt "$output" termination
	echo >"$BASE/gate"
	stopped
	eq "$(state /mesoc/termination/exit_code)" 77 "as soon as it has stopped"
	eventually dead "$supervisor"
	rt wait "$ID"
	eq "$status" 77
	matches "$output" "^\{\"exit_code\":77,$STAMP\}\$"
	rt list --format json
	eq "$("$RIG" get "$out_file" /0/mesoc/termination/exit_code)" 77
	rt delete "$ID"
	ok
	clean
}

@test "supervise: it holds nothing of its caller's" {
	script 'sleep 1000'
	exec 7<"$BUNDLE/config.json"
	supervise
	exec 7<&-
	eventually test ! -e "/proc/$supervisor/fd/2" # where it has told the runtime that it waits
	fds=$(cd "/proc/$supervisor/fd" && for f in *; do echo "$f $(readlink "$f")"; done)
	eq "$fds" "0 $ROOT/$ID/end
1 $(cgroup)"
	eq "$(readlink "/proc/$supervisor/cwd")" /
	eq "$(sed -n 's/^0:://p' "/proc/$supervisor/cgroup")" /mesos/@supervisors
	eq "$(tr '\0' ' ' <"/proc/$supervisor/environ")" "GOMAXPROCS=1 GOGC=off "
	eq "$(cat "/proc/$supervisor/comm")" mesoc-supervise
	has "$(tr '\0' ' ' <"/proc/$supervisor/cmdline")" " $ID "
	# pid, session: of its own. Nothing but SIGKILL and SIGSTOP reaches it.
	IFS=' ' read -r -a stat <"/proc/$supervisor/stat"
	eq "${stat[5]}" "$supervisor" session
	kill -TERM "$supervisor"
	kill -HUP "$supervisor"
	eq "$(state /status)" running
	for n in mnt net ipc uts pid cgroup user; do
		eq "$(readlink "/proc/$supervisor/ns/$n")" "$(readlink "/proc/self/ns/$n")" "$n namespace"
	done
	eq "$(sed -n 's/^Threads:\t//p' "/proc/$supervisor/status")" 1
	pss=$(sed -n 's/^Pss: *\([0-9]*\) kB/\1/p' "/proc/$supervisor/smaps_rollup")
	echo "# $pss kB" >&3
	((pss < 200)) || die "the supervisor has $pss kB"
	rt stats "$ID"
	eq "$("$RIG" get "$out_file" /statistics/processes)" 1
	rt kill --all "$ID" TERM
	rt pause "$ID"
	ok
	rt resume "$ID"
	ok
	dead "$supervisor" && die "it has not outlived the signals"
	rt delete --force "$ID"
	ok
	[ ! -e "/proc/$supervisor" ] || dead "$supervisor"
	eventually sheltered
	clean
}

@test "supervise: signals, the annotation, run and run --detach" {
	script 'sleep 1000' '/annotations/io.mesoc.supervise:=true'
	rt run --detach --bundle "$BUNDLE" "$ID"
	ok
	rt kill "$ID" KILL
	ok
	rt wait "$ID"
	eq "$status" 137
	matches "$output" "^\{\"signal\":9,$STAMP\}\$"
	rt delete "$ID"
	ok
	script 'exit 5'
	rt run --supervise --keep --bundle "$BUNDLE" "$ID"
	eq "$status" 5
	rt wait "$ID"
	eq "$status" 5
	rt delete "$ID"
	ok
	rt run --supervise --bundle "$BUNDLE" "$ID"
	eq "$status" 5
	clean
	script 'exit 6' '/annotations/io.mesoc.supervise:=yes'
	rt create --bundle "$BUNDLE" "$ID"
	fails io.mesoc.supervise "true or false"
	clean
}

@test "supervise: an attached run gets the signals through, and a terminal" {
	script 'trap "exit 9" TERM; echo up; while :; do sleep 0.1; done'
	"$RUNTIME" --root "$ROOT" run --supervise --bundle "$BUNDLE" "$ID" >out 2>err 3>&- </dev/null &
	runtime=$!
	eventually grep -q up out
	kill -TERM $runtime
	code=0
	wait $runtime || code=$?
	eq "$code" 9
	clean
}

@test "supervise: the end of the attached run is not the supervisor's" {
	script 'echo up; read x <>/gate; exit 8'
	mkfifo "$BASE/gate"
	"$RUNTIME" --root "$ROOT" run --supervise --bundle "$BUNDLE" "$ID" >out 2>err 3>&- </dev/null &
	runtime=$!
	eventually grep -q up out
	kill -KILL $runtime
	wait $runtime || :
	echo >"$BASE/gate"
	rt wait "$ID"
	eq "$status" 8
	matches "$output" "^\{\"exit_code\":8,$STAMP\}\$"
}

@test "supervise: several waiters, before the start and after it" {
	script 'read x <>/gate; exit 33'
	mkfifo "$BASE/gate"
	create --supervise
	ok
	local waiters=()
	for n in 1 2; do
		"$RUNTIME" --root "$ROOT" wait "$ID" >"wait.$n" 2>"wait.err.$n" 3>&- </dev/null &
		waiters+=($!)
	done
	rt start "$ID"
	ok
	"$RUNTIME" --root "$ROOT" wait "$ID" >wait.3 2>wait.err.3 3>&- </dev/null &
	waiters+=($!)
	echo >"$BASE/gate"
	for n in 1 2 3; do
		code=0
		wait "${waiters[n - 1]}" || code=$?
		eq "$code" 33 "$(cat "wait.err.$n")"
		eq "$(cat "wait.$n")" "$(cat wait.1)"
	done
	matches "$(cat wait.1)" "^\{\"exit_code\":33,$STAMP\}\$"
}

@test "supervise: without its supervisor a container goes on, and nobody makes an end up" {
	script 'read x <>/gate; exit 4'
	mkfifo "$BASE/gate"
	supervise
	pid=$(state /pid)
	kill -KILL "$supervisor"
	eventually dead "$supervisor"
	eq "$(state /status)" running
	rt exec "$ID" true
	ok
	echo >"$BASE/gate"
	stopped
	eventually test ! -e "/proc/$pid"
	rt wait "$ID"
	fails "how was not seen"
	rt state "$ID"
	hasnt "$output" termination
	rt delete "$ID"
	ok
	clean
}

@test "supervise: one that was stopped does not keep anybody for long" {
	script 'sleep 1000'
	supervise
	kill -STOP "$supervisor"
	rt delete --force "$ID"
	ok
	dead "$supervisor"
	clean
}

@test "supervise: a user namespace, a joined pid namespace, and one process after another" {
	chown -R 100000:100000 "$BASE/tmp" "$BASE/root"
	chmod 755 "$T" "${T%/*}" "${T%/*/*}"
	env -u MESOC_SUITE_TAG unshare --net --pid --fork sh -c 'echo up >&5; exec sleep 1000' 5>held 3>&- </dev/null >/dev/null 2>&1 &
	outer=$!
	eventually test -s held
	other=$(cut -d ' ' -f 1 "/proc/$outer/task/$outer/children")
	undo "kill -KILL $other; wait $outer 2>/dev/null || :"
	cp "$BUNDLE/config.json" plain.json
	local user=('/linux/namespaces+={"type":"user"}' '/linux/uidMappings=[{"containerID":0,"hostID":100000,"size":1000}]'
		'/linux/gidMappings=[{"containerID":0,"hostID":100000,"size":1000}]'
		/mounts/@~1dev~1pts/options='["nosuid","noexec","newinstance","ptmxmode=0666","mode=0620"]')
	ends 21 "${user[@]}"
	ends 22 "/linux/namespaces/@pid/path:=/proc/$other/ns/pid"
	# The process that was cloned leaves the rest to another one.
	ends 23 "${user[@]}" "/linux/namespaces/@network/path:=/proc/$other/ns/net"
	kill -0 "$other"
	clean
}

# ends CODE EDIT…: a supervised container ends with that code, and nobody but it.
ends() {
	local code=$1
	shift
	cp plain.json "$BUNDLE/config.json"
	script "exit $code" "$@"
	supervise
	rt wait "$ID"
	eq "$status" "$code" "$stderr"
	rt delete "$ID"
	ok
}

@test "supervise: each step of its program, failing" {
	script 'sleep 1000'
	rt --debug create --supervise --bundle "$BUNDLE" "$ID"
	ok
	# The --debug of one that lives: what stands in its program is what it does.
	sed -n 's/^supervisor: step \([0-9]*\): /\1 /p' "$T/stderr.$N" >steps
	rt delete "$ID"
	ok
	n=$(wc -l <steps)
	[ "$n" -ge 35 ] || die "only $n steps"
	last=$(sed -n 's/^\([0-9]*\) .*  # end$/\1/p' steps)
	told=$(sed -n 's/^\([0-9]*\) .*  # tell the runtime that the supervisor waits;.*/\1/p' steps)
	[ "$told" -lt "$last" ]
	every=1
	if grep -q 'QEMU TCG' /proc/cpuinfo; then every=7; fi
	refused=0 lost=0 kept=0
	for ((i = 0; i < n; i += every)); do
		what=$(sed -n "s/^$i .*  # //p" steps)
		what=${what%%;*}
		export MESOC_TEST_SUPERVISOR_FAULT=$i
		create --supervise
		unset MESOC_TEST_SUPERVISOR_FAULT
		if [[ $(sed -n "$((i + 1))p" steps) == *":="* ]]; then
			# It only remembers something, and cannot fail but by order.
			rt delete --force "$ID"
			ok
		elif ((status != 0)); then
			fails "$what" "input/output error"
			[[ $stderr != *$'\n'* ]] || die "more than one line: $stderr"
			refused=$((refused + 1))
		elif ((i > told && i <= last)); then
			# It is out of our sight by then: the end is known, or nobody knows it once init has been reaped.
			pid=$(state /pid)
			rt kill "$ID" KILL
			ok
			eventually test ! -e "/proc/$pid"
			rt wait "$ID"
			if [[ $output == *'"signal":9'* ]]; then
				kept=$((kept + 1))
			else
				fails "how was not seen"
				lost=$((lost + 1))
			fi
			rt delete "$ID"
			ok
		else
			# The branch that is not taken.
			[[ $what == "reap the process that came first" ]] || die "step $i did not fail: $what"
			rt delete --force "$ID"
			ok
		fi
		clean
		eventually sheltered || die "the supervisors' cgroup is left by step $i"
	done
	echo "# of $n steps $refused fail create, $lost lose the end, $kept do not" >&3
	[ "$refused" -ge $((n / 2 / every)) ]
	[ "$lost" -ge 1 ]
	((every > 1 || kept >= 1)) # a sample can miss it: it is the last step
	clean
}

OOM_REASON=REASON_CONTAINER_LIMITATION_MEMORY

@test "supervise: a memory limit is the reason, also when the cgroup is gone" {
	need controller:memory
	script 'x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done' '/linux/resources={"memory":{"limit":16777216,"swap":16777216}}'
	supervise
	rt wait "$ID"
	eq "$status" 137
	matches "$output" "^\{\"signal\":9,\"reason\":\"$OOM_REASON\",\"message\":\"Memory limit exceeded: limit 16.0MB,[^\"]* processes killed 1\",\"resources\":\{\"mem\":16\},$STAMP\}\$"
	find "$(cgroup)" -depth -type d -exec rmdir {} +
	eq "$(state /mesoc/termination/reason)" $OOM_REASON
	eq "$(state /mesoc/termination/resources/mem)" 16
	rt delete "$ID"
	ok
	# A shell says of its command that it was killed: that is how init ended too.
	script '(x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done); exit $?' '/linux/resources={"memory":{"limit":16777216,"swap":16777216}}'
	supervise
	rt wait "$ID"
	eq "$status" 137
	has "$output" "\"exit_code\":137,\"reason\":\"$OOM_REASON\""
	rt delete "$ID"
	ok
	# Who comes over the death of a child has ended as he wanted to.
	script '(x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done); exit 3' '/linux/resources={"memory":{"limit":16777216,"swap":16777216}}'
	supervise
	rt wait "$ID"
	matches "$output" "^\{\"exit_code\":3,$STAMP\}\$"
	clean_up_and_kill
}

@test "supervise: a memory limit is the reason, where memory.events tells nothing of the cgroups below" {
	need controller:memory
	local_memory_events
	script 'x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done' '/linux/resources={"memory":{"limit":16777216,"swap":16777216}}'
	supervise
	rt wait "$ID"
	eq "$status" 137
	has "$output" "{\"signal\":9,\"reason\":\"$OOM_REASON\",\"message\":\"Memory limit exceeded: limit 16.0MB,"
	has "$output" " processes killed 1\""
	clean_up_and_kill
}

@test "supervise: the memory limit of a container inside is not the reason" {
	need controller:memory
	script 'sleep 1000' '/linux/resources={"memory":{"limit":67108864,"swap":67108864}}'
	supervise
	script 'x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done' '/linux/resources={"memory":{"limit":16777216,"swap":16777216}}'
	rt run --supervise --keep --parent "$ID" --bundle "$BUNDLE" "$ID.c"
	eq "$status" 137
	has "$(state /mesoc/termination "$ID.c")" $OOM_REASON
	grep -qx 'oom_kill 1' "$(cgroup)/memory.events"
	rt kill "$ID" KILL
	ok
	rt wait "$ID"
	matches "$output" "^\{\"signal\":9,$STAMP\}\$"
	rt delete --force "$ID"
	ok
	clean
}

# clean_up_and_kill: killed by somebody, with a limit that was never hit.
clean_up_and_kill() {
	rt delete "$ID"
	ok
	script 'sleep 1000' '/linux/resources={"memory":{"limit":16777216}}'
	supervise
	rt kill "$ID" KILL
	ok
	rt wait "$ID"
	matches "$output" "^\{\"signal\":9,$STAMP\}\$"
}
