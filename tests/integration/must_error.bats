#!/usr/bin/env bats
# What the specification says a runtime must answer with an error: one test
# each, which wants the exit status, the words, and that nothing is left, or
# that what was there is as it was.

load helpers

# refused TEXT…: of what rt did. The words are ours, all else is everybody's.
refused() {
	fails
	eq "$output" "" "on stdout"
	! is_mesoc || fails "$@"
}

# not_created TEXT… [EDIT…] after --: no container comes of the usual config with edits.
not_created() {
	local texts=()
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		texts+=("$1")
		shift
	done
	shift
	cp "$BATS_TEST_DIRNAME/testdata/config.json" "$BUNDLE/config.json"
	edit "$@"
	create
	refused "${texts[@]}"
	clean
}

# untouched STATUS: the container is as it was when PID was taken.
untouched() {
	eq "$(state /status)" "$1"
	eq "$(state /pid)" "$PID"
}

# hook KIND SCRIPT: one on the host, but for startContainer's.
hook() {
	local file=$T/$1.hook
	[ "$1" != startContainer ] || file=$BASE/$1.hook
	printf '#!/bin/sh\n%s\n' "$2" >"$file"
	chmod +x "$file"
	edit "/hooks/$1+={\"path\":\"${file#"$BASE"}\"}"
}

@test "must error 1: state, start, kill, delete of an id that is unknown or empty" {
	for c in state start kill delete; do
		rt $c "$ID"
		refused "does not exist"
		rt $c ""
		refused "invalid container ID"
		rt $c
		fails # and its help is on stdout
	done
	clean
}

@test "must error 2: create with an id that is in use, invalid or missing, or without a bundle" {
	script 'sleep 1000'
	start_box
	PID=$(state /pid)
	mkdir other
	cp "$BUNDLE/config.json" other
	edit "/root/path:=$BASE"
	cp "$BUNDLE/config.json" other
	for b in "$BUNDLE" other; do
		rt create --bundle "$b" "$ID"
		refused "already exists"
		untouched running
	done
	rt delete --force "$ID"
	ok
	for id in "" . .. a/b "a b" "$ID/.."; do
		rt create --bundle "$BUNDLE" "$id"
		refused "invalid container ID"
	done
	rt create --bundle "$BUNDLE"
	fails
	rt create --bundle "$T/none" "$ID"
	refused "open $T/none/config.json: no such file or directory"
	clean
}

@test "must error 3: create with a property that cannot be applied" {
	not_created "set sysctl net.ipv4.ip_forward to perhaps: invalid argument" -- '/linux/sysctl={"net.ipv4.ip_forward":"perhaps"}'
	not_created nosuchfs /mnt "no such device" -- '/mounts+={"type":"nosuchfs","source":"x","destination":"/mnt"}'
	not_created RLIMIT_NOFILE "operation not permitted" -- '/process/rlimits=[{"type":"RLIMIT_NOFILE","soft":4294967295,"hard":4294967295}]'
	not_created /usr/bin/nothing "no such file or directory" -- '/process/args=["/usr/bin/nothing"]'
	ours "runc ignores the rest"
	not_created /linux/resources/network/classID -- '/linux/resources/network={"classID":1048577}'
	not_created /windows "this is a runtime for Linux" -- '/windows={"layerFolders":[]}'
}

@test "must error 4: start of a container that is not created, or that has no process" {
	script 'echo ran >>/ran; sleep 1000'
	start_box
	PID=$(state /pid)
	eventually test -s "$BASE/ran"
	rt start "$ID"
	refused "cannot start" "already running"
	untouched running
	rt kill "$ID" KILL
	ok
	stopped
	rt start "$ID"
	refused "cannot start" "has stopped"
	eq "$(<"$BASE/ran")" ran
	rt delete "$ID"
	ok
	clean
	ours "runc wants a process at create"
	edit /process!
	create
	ok
	PID=$(state /pid)
	rt start "$ID"
	refused "cannot start" "no process"
	untouched created
	rt delete "$ID"
	ok
	clean
}

@test "must error 5: kill of a container that has stopped, delete of one that runs" {
	script 'sleep 1000'
	start_box
	PID=$(state /pid)
	rt delete "$ID"
	refused "is not stopped: running"
	untouched running
	rt kill "$ID" KILL
	ok
	stopped
	for s in TERM KILL; do
		rt kill "$ID" $s
		refused "container not running"
		eq "$(state /status)" stopped
	done
	rt delete "$ID"
	ok
	clean
}

@test "must error 6: a namespace path of another type, and a type twice" {
	not_created "/linux/namespaces/1/path" "not a network namespace, but a uts namespace" -- /linux/namespaces/@network/path:=/proc/self/ns/uts
	not_created '/linux/namespaces/6/type: "uts": is there twice' -- '/linux/namespaces+={"type":"uts"}'
	not_created '/linux/namespaces/6/type: "ipc": is there twice' -- '/linux/namespaces+={"type":"ipc","path":"/proc/self/ns/ipc"}'
}

@test "must error 7: another device where one is asked for" {
	ours "runc ignores that something is there"
	mknod "$BASE/thing" c 1 3
	not_created "see that /thing is the device that is asked for: file exists" -- '/linux/devices=[{"path":"/thing","type":"c","major":1,"minor":5}]'
	not_created "see that /thing is the device that is asked for: file exists" -- '/linux/devices=[{"path":"/thing","type":"b","major":1,"minor":3}]'
	not_created "see that /thing is the device that is asked for: file exists" -- '/linux/devices=[{"path":"/thing","type":"p"}]'
	eq "$(stat -c %t:%T "$BASE/thing")" 1:3
	rm "$BASE/thing"
	mkdir "$BASE/thing"
	not_created "/thing" -- '/linux/devices=[{"path":"/thing","type":"c","major":1,"minor":3}]'
}

@test "must error 8: a network device whose name is taken in the container" {
	ours "runc has it since 1.4"
	need veth
	ip netns add "$ID"
	undo "ip netns delete $ID"
	ip netns add "${ID}j"
	undo "ip netns delete ${ID}j"
	ip -n "$ID" link add nic1 type veth peer name peer1
	ip -n "${ID}j" link add net0 type veth peer name nic1
	printf '#!/bin/sh\nexec nsenter --net=/run/netns/%s "%s" "$@"\n' "$ID" "$RUNTIME" >runtime
	chmod +x runtime
	RUNTIME=$T/runtime
	joined=/linux/namespaces/@network/path:=/run/netns/${ID}j
	not_created "nic1 is taken there" -- "$joined" '/linux/netDevices={"nic1":{}}'
	not_created "net0 is taken there" -- "$joined" '/linux/netDevices={"nic1":{"name":"net0"}}'
	ip -n "$ID" link show nic1 >/dev/null
	edit '/linux/netDevices={"nic1":{"name":"net%d"}}'
	create
	ok
	rt delete "$ID"
	ok
	ip -n "${ID}j" link show net1 >/dev/null
	clean
}

probe_veth() { unshare --net ip link add nic1 type veth peer name peer1; }

@test "must error 9: a cgroup that does not fit, and a cgroupsPath that is none" {
	ours "runc 1.1 warns, and cleans the path"
	local cg=/sys/fs/cgroup/fit.$ID
	mkdir "$cg"
	undo "rmdir $cg"
	env -u MESOC_SUITE_TAG sleep 1000 3>&- &
	undo "kill $! && wait $! || :"
	echo $! >"$cg/cgroup.procs"
	not_created "use cgroup fit.$ID: it exists and holds processes" -- "/linux/cgroupsPath:=/fit.$ID"
	echo $! >/sys/fs/cgroup/cgroup.procs
	echo 1 >"$cg/cgroup.freeze"
	not_created "use cgroup fit.$ID: it exists and is frozen" -- "/linux/cgroupsPath:=/fit.$ID"
	for p in ../x /a/../../x / ..; do not_created /linux/cgroupsPath -- "/linux/cgroupsPath:=$p"; done
	[ -d "$cg" ]
	[ ! -e "$cg/leaf" ]
}

@test "must error 10: a unified key whose controller is missing" {
	not_created "imaginary.max" "no imaginary controller" -- '/linux/resources/unified={"imaginary.max":"1"}'
	not_created "hugetlb.2MB.imaginary" -- '/linux/resources/unified={"hugetlb.2MB.imaginary":"1"}'
}

@test "must error 11: values of the first version of cgroups that have no equivalent" {
	ours "runc ignores them"
	local r=/linux/resources
	not_created "$r/memory/disableOOMKiller: true: has no equivalent on cgroup2" -- $r/memory='{"disableOOMKiller":true}'
	not_created "$r/memory/swappiness: 60: has no equivalent on cgroup2" -- $r/memory='{"swappiness":60}'
	not_created "$r/memory/kernel: 1048576: has no equivalent on cgroup2" -- $r/memory='{"kernel":1048576}'
	not_created "$r/memory/kernelTCP: 1048576: has no equivalent on cgroup2" -- $r/memory='{"kernelTCP":1048576}'
	not_created "$r/memory/useHierarchy: false: has no equivalent on cgroup2" -- $r/memory='{"useHierarchy":false}'
	not_created "$r/cpu/realtimeRuntime: 950000: has no equivalent on cgroup2" -- $r/cpu='{"realtimeRuntime":950000}'
	not_created "$r/cpu/realtimePeriod: 1000000: has no equivalent on cgroup2" -- $r/cpu='{"realtimePeriod":1000000}'
	not_created "$r/blockIO/leafWeight: 10: has no equivalent on cgroup2" -- $r/blockIO='{"leafWeight":10}'
	not_created "$r/blockIO/weightDevice/0/leafWeight: 10: has no equivalent on cgroup2" -- \
		$r/blockIO='{"weightDevice":[{"major":8,"minor":0,"leafWeight":10}]}'
	not_created "$r/network/priorities" -- $r/network='{"priorities":[{"name":"eth0","priority":1}]}'
	# What engines send for "not set", and what is so anyway, asks for nothing.
	cp "$BATS_TEST_DIRNAME/testdata/config.json" "$BUNDLE/config.json"
	edit $r/memory='{"kernel":0,"kernelTCP":-1,"swappiness":0,"useHierarchy":true,"disableOOMKiller":false}' $r/cpu='{"realtimeRuntime":0,"realtimePeriod":0}'
	create
	ok
	eq "$stderr" ""
	rt delete "$ID"
	ok
}

@test "must error 12: a memory limit below what is in use, with checkBeforeUpdate" {
	ours "runc 1.1 knows no cgroup that is there before"
	need controller:memory
	local cg=/sys/fs/cgroup/used.$ID
	mkdir "$cg"
	undo "rmdir $cg"
	echo +memory >/sys/fs/cgroup/cgroup.subtree_control
	# What a file holds that is written there stays charged when the writer has gone.
	mkdir big
	mount -t tmpfs big big
	undo "umount $T/big"
	(echo 0 >"$cg/cgroup.procs" && head -c 33554432 /dev/zero >big/file)
	[ "$(<"$cg/memory.current")" -gt 33000000 ]
	not_created "memory/limit to 16777216" "in use" -- "/linux/cgroupsPath:=/used.$ID" \
		'/linux/resources/memory={"limit":16777216,"checkBeforeUpdate":true}'
	eq "$(<"$cg/memory.max")" max
	[ ! -e "$cg/leaf" ]
	rm big/file
	edit '/linux/resources/memory={"limit":67108864,"checkBeforeUpdate":true}'
	create
	ok
	rt delete "$ID"
	ok
	clean
}

@test "must error 13: classes of service without resctrl, and one that is none" {
	ours "runc 1.1 ignores it where there is no resctrl"
	[ "$(stat -f -c %T /sys/fs/resctrl 2>/dev/null)" != resctrl ] || skip "this host has resctrl"
	for r in '{"closID":"gold"}' '{"closID":"/"}' '{"l3CacheSchema":"L3:0=f"}' '{"enableMonitoring":true}'; do
		not_created "/linux/intelRdt: needs a mounted resctrl file system" -- "/linux/intelRdt=$r"
	done
	not_created "/linux/intelRdt/closID" -- '/linux/intelRdt={"closID":"../gold"}'
}

@test "must error 14: an errno for an action that has none" {
	ours "runc 1.1 takes it"
	local s=/linux/seccomp=
	not_created "config.json: /linux/seccomp/defaultErrnoRet: 1: action SCMP_ACT_ALLOW takes no errno" -- $s'{"defaultAction":"SCMP_ACT_ALLOW","defaultErrnoRet":1}'
	for a in ALLOW LOG KILL KILL_THREAD KILL_PROCESS TRAP; do
		not_created "/linux/seccomp/syscalls/0/errnoRet: 1: action SCMP_ACT_$a takes no errno" -- \
			$s'{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_'$a'","errnoRet":1}]}'
	done
}

@test "must error 15: a listener that cannot be sent" {
	ours "the words, and runc knows no create without its agent"
	local seccomp='"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_NOTIFY"}]'
	not_created "$T/agent.sock" "no such file or directory" -- "/linux/seccomp={\"listenerPath\":\"$T/agent.sock\",$seccomp}"
	touch agent.sock
	not_created "$T/agent.sock" "connection refused" -- "/linux/seccomp={\"listenerPath\":\"$T/agent.sock\",$seccomp}"
	not_created /linux/seccomp/listenerPath -- "/linux/seccomp={$seccomp}"
	not_created /linux/seccomp/listenerMetadata -- '/linux/seccomp={"defaultAction":"SCMP_ACT_ALLOW","listenerMetadata":"m"}'
}

@test "must error 16: a resource limit that is unknown, or there twice" {
	ours "runc takes two of one type"
	not_created '/process/rlimits/0/type: "RLIMIT_FOO": unknown resource limit' -- '/process/rlimits=[{"type":"RLIMIT_FOO","soft":1,"hard":1}]'
	not_created '/process/rlimits/1/type: "RLIMIT_CPU": is there twice' -- \
		'/process/rlimits=[{"type":"RLIMIT_CPU","soft":1,"hard":1},{"type":"RLIMIT_CPU","soft":1,"hard":1}]'
}

@test "must error 17: a mapped mount without mappings, or with one of the two" {
	ours "the words"
	local m="{\"destination\":\"/a\",\"source\":\"$T\",\"options\":" map='[{"containerID":0,"hostID":1,"size":1}]'
	for o in '"bind","idmap"' '"rbind","ridmap"'; do
		not_created "/mounts/7/options: idmap needs uidMappings and gidMappings" -- "/mounts+=${m}[$o]}"
		not_created "/mounts/7/gidMappings: is required with uidMappings" -- "/mounts+=${m}[$o],\"uidMappings\":$map}"
		not_created "/mounts/7/uidMappings: is required with gidMappings" -- "/mounts+=${m}[$o],\"gidMappings\":$map}"
	done
}

@test "must error 18: a hook with a timeout that is not above zero, or a relative path" {
	ours "runc takes any timeout"
	for k in prestart createRuntime createContainer startContainer poststart poststop; do
		for t in 0 -1; do
			not_created "/hooks/$k/0/timeout: $t: must be greater than zero" -- "/hooks={\"$k\":[{\"path\":\"/x\",\"timeout\":$t}]}"
		done
		not_created "/hooks/$k/0/path: \"bin/x\": must be an absolute path" -- "/hooks={\"$k\":[{\"path\":\"bin/x\"}]}"
	done
}

@test "must error 19: a hook that fails, of each kind: the container is destroyed, and poststop has run" {
	ours "runc 1.1 runs no poststop, and survives startContainer and poststart"
	for k in prestart createRuntime createContainer startContainer poststart; do
		cp "$BATS_TEST_DIRNAME/testdata/config.json" "$BUNDLE/config.json"
		rm -f "$BASE/ran" last
		script 'echo ran >/ran; sleep 1000'
		hook $k 'echo the reason; exit 37'
		hook poststop "cat >$T/last"
		create
		case $k in
		startContainer | poststart)
			ok
			rt start "$ID"
			;;
		esac
		refused "run hook ${k}[0]" "exit status 37" "the reason"
		eq "$("$RIG" get last /status)" stopped "$k"
		[ $k = poststart ] || [ ! -e "$BASE/ran" ] || die "$k: the program has run"
		rt state "$ID"
		fails "does not exist"
		clean
	done
}

@test "must error 20: every word that is to be one of a list" {
	ours "runc takes several for nothing"
	local r=/linux/resources s='/linux/seccomp={"defaultAction":"SCMP_ACT_ALLOW",' new=/linux/namespaces+=
	not_created '/linux/namespaces/6/type: "disk"' -- $new'{"type":"disk"}'
	not_created /linux/timeOffsets/realtime -- $new'{"type":"time"}' '/linux/timeOffsets={"realtime":{"secs":1}}'
	not_created '/linux/rootfsPropagation: "rpublic"' -- /linux/rootfsPropagation:=rpublic
	not_created '/process/rlimits/0/type: "NOFILE"' -- '/process/rlimits=[{"type":"NOFILE","soft":1,"hard":1}]'
	not_created '/process/scheduler/policy: "SCHED_EXT"' -- '/process/scheduler={"policy":"SCHED_EXT"}'
	not_created '/process/scheduler/flags/0: "SCHED_FLAG_FOO"' -- '/process/scheduler={"policy":"SCHED_OTHER","flags":["SCHED_FLAG_FOO"]}'
	not_created '/process/ioPriority/class: "IOPRIO_CLASS_NONE"' -- '/process/ioPriority={"class":"IOPRIO_CLASS_NONE","priority":0}'
	not_created '/linux/personality/domain: "BSD"' -- '/linux/personality={"domain":"BSD"}'
	not_created '/linux/personality/flags/0: "SHORT_INODE"' -- '/linux/personality={"domain":"LINUX","flags":["SHORT_INODE"]}'
	not_created '/linux/memoryPolicy/mode: "MPOL_NONE"' -- '/linux/memoryPolicy={"mode":"MPOL_NONE"}'
	not_created '/linux/memoryPolicy/flags/0: "MPOL_F_NODE"' -- '/linux/memoryPolicy={"mode":"MPOL_BIND","nodes":"0","flags":["MPOL_F_NODE"]}'
	not_created '/linux/devices/0/type: "a"' -- '/linux/devices=[{"path":"/dev/x","type":"a"}]'
	not_created '/linux/resources/devices/0/type: "u"' -- $r/devices='[{"allow":true,"type":"u"}]'
	not_created '/linux/resources/devices/0/access: "rwx"' -- $r/devices='[{"allow":true,"access":"rwx"}]'
	not_created '/linux/seccomp/defaultAction: "SCMP_ACT_FLY": unknown action' -- '/linux/seccomp={"defaultAction":"SCMP_ACT_FLY"}'
	not_created '/linux/seccomp/architectures/0: "SCMP_ARCH_PDP11": unknown architecture' -- "$s"'"architectures":["SCMP_ARCH_PDP11"]}'
	not_created '/linux/seccomp/flags/0: "SECCOMP_FILTER_FLAG_FOO": unknown flag' -- "$s"'"flags":["SECCOMP_FILTER_FLAG_FOO"]}'
	not_created '/linux/seccomp/syscalls/0/action: "SCMP_ACT_FLY": unknown action' -- "$s"'"syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_FLY"}]}'
	not_created '/linux/seccomp/syscalls/0/args/0/op: "SCMP_CMP_FOO": unknown operator' -- \
		"$s"'"syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_ERRNO","args":[{"index":0,"value":1,"op":"SCMP_CMP_FOO"}]}]}'
}
