#!/usr/bin/env bats
# What a process keeps when it executes a program: scheduler, I/O priority,
# personality, memory policy.

load helpers

setup_test() { ours "runc 1.1 has none of them"; }

# created EDIT…: a container whose init stands at the gate; its pid is in $PID.
created() {
	script 'sleep 1000' "$@"
	create
	ok
	PID=$(state /pid)
}

# scheduled JSON WANT: what the kernel says of the created process.
scheduled() {
	created "/process/scheduler=$1"
	has "$("$RIG" sched "$PID")" "policy $2"
	rt delete --force "$ID"
	ok
}

executed() { [ "$(tr '\0' ' ' <"/proc/$PID/cmdline")" = "sleep 1000 " ]; }

@test "scheduler: every policy" {
	scheduled '{"policy":"SCHED_OTHER","nice":-3}' "0 flags 0x0 nice -3 "
	scheduled '{"policy":"SCHED_BATCH","nice":5}' "3 flags 0x0 nice 5 "
	scheduled '{"policy":"SCHED_IDLE"}' "5 flags 0x0 "
	scheduled '{"policy":"SCHED_RR","priority":1}' "2 flags 0x0 nice 0 priority 1 "
	scheduled '{"policy":"SCHED_FIFO","priority":50,"flags":["SCHED_FLAG_RESET_ON_FORK"]}' "1 flags 0x1 nice 0 priority 50 "
	deadline="6 flags 0x1 nice 0 priority 0 runtime 2000000 deadline 5000000 period 10000000"
	created '/process/scheduler={"policy":"SCHED_DEADLINE","runtime":2000000,"deadline":5000000,"period":10000000,"flags":["SCHED_FLAG_RESET_ON_FORK"]}'
	has "$("$RIG" sched "$PID")" "policy $deadline"
	rt start "$ID"
	ok
	eventually executed
	has "$("$RIG" sched "$PID")" "policy $deadline"
}

@test "scheduler: none is set unless asked for" {
	created
	has "$("$RIG" sched "$PID")" "policy 0 flags 0x0 nice 0 "
}

@test "scheduler: the container's children have it, unless reset on fork" {
	for flags in '' '"SCHED_FLAG_RESET_ON_FORK"'; do
		in_box 'rig sched $$; sh -c "rig sched \$\$"; true' \
			"/process/scheduler={\"policy\":\"SCHED_RR\",\"priority\":7,\"flags\":[$flags]}"
		want=2
		[ -z "$flags" ] || want=0
		matches "$output" $'^policy 2 .* priority 7 [^\n]*\n[^\n]*\npolicy '$want' '
	done
	clean
}

@test "scheduler: without the right to it, the error names what was asked for" {
	printf '#!/bin/sh\nexec setpriv --bounding-set -sys_nice -- %s "$@"\n' "$RUNTIME" >"$T/weak"
	chmod +x "$T/weak"
	script true '/process/scheduler={"policy":"SCHED_FIFO","priority":50}'
	RUNTIME=$T/weak rt create --bundle "$BUNDLE" "$ID"
	fails "create container $ID: set scheduler SCHED_FIFO, priority 50: operation not permitted"
	# A policy that the spec knows, and the kernel only reserves the number of.
	edit '/process/scheduler={"policy":"SCHED_ISO"}'
	create
	fails "set scheduler SCHED_ISO: invalid argument"
	clean
}

@test "scheduler and I/O priority: a program without rights has them all the same" {
	created '/process/scheduler={"policy":"SCHED_RR","priority":9}' '/process/ioPriority={"class":"IOPRIO_CLASS_RT","priority":2}' \
		/process/user/uid=1000 /process/capabilities! /process/noNewPrivileges=true
	matches "$("$RIG" sched "$PID")" $'^policy 2 .* priority 9 .*\nioprio class 1 level 2$'
}

@test "scheduler and I/O priority: in a user namespace, whose root may set neither" {
	chmod 755 "$T" "${T%/*}" "${T%/*/*}"
	created '/process/scheduler={"policy":"SCHED_RR","priority":9}' '/process/ioPriority={"class":"IOPRIO_CLASS_RT","priority":2}' \
		'/linux/namespaces+={"type":"user"}' '/linux/uidMappings=[{"containerID":0,"hostID":100000,"size":1000}]' \
		'/linux/gidMappings=[{"containerID":0,"hostID":100000,"size":1000}]'
	matches "$("$RIG" sched "$PID")" $'^policy 2 .* priority 9 .*\nioprio class 1 level 2$'
}

@test "I/O priority: every class, for the processes of the container" {
	in_box 'rig sched $$; sh -c "rig sched \$\$"; true' '/process/ioPriority={"class":"IOPRIO_CLASS_BE","priority":6}'
	eq "$(grep -c '^ioprio class 2 level 6$' <<<"$output")" 2 "processes"
	in_box 'rig sched $$' '/process/ioPriority={"class":"IOPRIO_CLASS_IDLE","priority":7}'
	lines "ioprio class 3 level 7"
	in_box 'rig sched $$' '/process/ioPriority={"class":"IOPRIO_CLASS_RT","priority":0}'
	lines "ioprio class 1 level 0"
	clean
}

@test "execCPUAffinity: is not for the container's own process" {
	in_box 'grep Cpus_allowed_list: /proc/self/status'
	free=$output
	in_box 'grep Cpus_allowed_list: /proc/self/status' '/process/execCPUAffinity={"initial":"0","final":"0"}'
	eq "$output" "$free"
}

@test "personality: the domain of the config, and nothing of the caller's" {
	in_box 'uname -m; cat /proc/self/personality' '/linux/personality={"domain":"LINUX32"}'
	matches "$output" $'^(i686|armv8l)\n0*8$'
	printf '#!/bin/sh\nexec setarch -R -- %s "$@"\n' "$RUNTIME" >"$T/strange"
	chmod +x "$T/strange"
	script 'cat /proc/self/personality' '/linux/personality={"domain":"LINUX"}'
	RUNTIME=$T/strange rt run --bundle "$BUNDLE" "$ID"
	ok
	eq "$output" 00000000
	clean
}

# policy JSON WANT: how the kernel describes where the program's memory comes from.
policy() {
	in_box 'cat /proc/self/numa_maps' "/linux/memoryPolicy=$1"
	matches "$output" "^[0-9a-f]+ $2 "
}

@test "memory policy: every mode" {
	policy '{"mode":"MPOL_DEFAULT"}' default
	policy '{"mode":"MPOL_LOCAL"}' local
	policy '{"mode":"MPOL_BIND","nodes":"0"}' bind:0
	policy '{"mode":"MPOL_BIND","nodes":"0","flags":["MPOL_F_STATIC_NODES"]}' bind=static:0
	policy '{"mode":"MPOL_INTERLEAVE","nodes":"0","flags":["MPOL_F_RELATIVE_NODES"]}' interleave=relative:0
	policy '{"mode":"MPOL_PREFERRED","nodes":"0"}' prefer:0
	policy '{"mode":"MPOL_PREFERRED"}' local
	policy '{"mode":"MPOL_PREFERRED_MANY","nodes":"0"}' 'prefer \(many\):0'
	clean
}

@test "memory policy: exec has it too, with a process of its own and without" {
	edit '/linux/memoryPolicy={"mode":"MPOL_INTERLEAVE","nodes":"0","flags":["MPOL_F_STATIC_NODES"]}' -- /bin/sleep 1000
	start_box
	rt exec "$ID" cat /proc/self/numa_maps
	ok
	matches "$output" "^[0-9a-f]+ interleave=static:0 "
	"$RIG" get "$BUNDLE/config.json" /process >process.json
	"$RIG" edit process.json '/args=["cat","/proc/self/numa_maps"]'
	rt exec --process process.json "$ID"
	ok
	matches "$output" "^[0-9a-f]+ interleave=static:0 "
	rt delete --force "$ID"
	ok
	clean
}

@test "memory policy: what the kernel does not have is named, with the kernel that has it" {
	script true '/linux/memoryPolicy={"mode":"MPOL_BIND","nodes":"900-901"}'
	create
	fails "create container $ID: set memory policy MPOL_BIND on nodes 900-901: invalid argument"
	edit '/linux/memoryPolicy={"mode":"MPOL_WEIGHTED_INTERLEAVE","nodes":"0"}'
	create
	if probe_kernel 6.9; then
		ok
	else
		fails "set memory policy MPOL_WEIGHTED_INTERLEAVE on nodes 0 [since Linux 6.9]: invalid argument"
	fi
}
