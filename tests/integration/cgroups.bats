#!/usr/bin/env bats
# Cgroups: the tree, the limits and where they are written, and what remains.

load helpers

CG=/sys/fs/cgroup

# limits EDIT… creates the container and sets LIMITS and LEAF to its directories.
limits() {
	edit "$@"
	create
	ok
	LIMITS=$(cgroup)
	LEAF=$(leaf)
}

# limit FILE VALUE: in the container's cgroup and mirrored in the leaf.
limit() {
	eq "$(cat "$LIMITS/$1")" "$2" "$1"
	eq "$(cat "$LEAF/$1")" "$2" "$1 of the leaf"
}

@test "the tree: limits above, processes in the leaf" {
	ours "the leaf"
	limits
	pid=$(state /pid)
	eq "$(tail -n 1 "/proc/$pid/cgroup")" "0::/mesos/$ID/leaf"
	eq "$(cat "$CG/mesos/$ID/cgroup.procs")" ""
	eq "$(cat "$CG/mesos/$ID/leaf/cgroup.procs")" "$pid"
	eq "$(cat "$CG/mesos/$ID/leaf/cgroup.subtree_control")" ""
	rt delete "$ID"
	ok
	[ -d "$CG/mesos" ]
	[ ! -e "$CG/mesos/$ID" ]
	clean
}

@test "the process is born in its cgroup" {
	in_box 'tail -n 1 /proc/self/cgroup' /linux/namespaces/@cgroup!
	has "$output" "$ID"
	clean
}

@test "cgroupsPath: relative and absolute, of several components" {
	for p in "$ID/a/b" "/$ID/a/b"; do
		edit "/linux/cgroupsPath:=$p"
		create
		ok
		pid=$(state /pid)
		cg=$(tail -n 1 "/proc/$pid/cgroup")
		if is_mesoc; then eq "$cg" "0::/$ID/a/b/leaf"; else eq "$cg" "0::/$ID/a/b"; fi
		rt delete "$ID"
		ok
		[ ! -e "$CG/$ID/a/b" ]
		# Parents are nobody's business.
		[ -d "$CG/$ID/a" ]
		rmdir "$CG/$ID/a" "$CG/$ID"
	done
	clean
}

@test "cgroupsPath: of a create that fails nothing is left but what was there before, or is in use since" {
	ours "runc leaves the directories above"
	for was in '' "$ID" "$ID/a"; do
		[ -z "$was" ] || mkdir "$CG/$was"
		edit "/linux/cgroupsPath:=$ID/a/b"
		edit "/hooks={\"createRuntime\":[{\"path\":\"/bin/sh\",\"args\":[\"sh\",\"-c\",\"[ -z '$was' ] || mkdir $CG/$ID/a/other; exit 1\"]}]}"
		create
		fails "createRuntime"
		if [ -z "$was" ]; then
			[ ! -e "$CG/$ID" ]
		else
			eq "$(find "$CG/$ID" -mindepth 1 -type d)" "$CG/$ID/a
$CG/$ID/a/other"
			rmdir "$CG/$ID/a/other"
			[ "$was" = "$ID/a" ] || rmdir "$CG/$ID/a"
		fi
		edit /hooks!
	done
	rmdir "$CG/$ID/a" "$CG/$ID"
	clean
}

@test "cgroupsPath: a directory that was there before survives" {
	ours "runc deletes it"
	mkdir "$CG/$ID"
	edit "/linux/cgroupsPath:=/$ID"
	create
	ok
	rt delete "$ID"
	ok
	[ -d "$CG/$ID" ]
	[ ! -e "$CG/$ID/leaf" ]
	rmdir "$CG/$ID"
}

@test "cgroupsPath: one with processes in it, or frozen, does not fit" {
	ours "runc 1.1 warns"
	mkdir "$CG/$ID"
	undo "rmdir $CG/$ID"
	sleep 1000 3>&- &
	sleeper=$!
	echo $sleeper >"$CG/$ID/cgroup.procs"
	edit "/linux/cgroupsPath:=/$ID"
	create
	kill $sleeper
	wait $sleeper || :
	fails "$ID"
	echo 1 >"$CG/$ID/cgroup.freeze"
	create
	fails "$ID"
	has "$stderr" fr
	[ -d "$CG/$ID" ]
	echo 0 >"$CG/$ID/cgroup.freeze"
}

@test "cgroupsPath: does not climb" {
	ours "runc cleans the path"
	for p in ../x a/../../x /../x "a//../b/../.." .. /; do
		edit "/linux/cgroupsPath:=$p"
		create
		fails cgroupsPath
		clean
	done
}

@test "two containers in one cgroupsPath do not fit" {
	ours "runc 1.1 warns"
	edit "/linux/cgroupsPath:=/$ID"
	create
	ok
	rt create --bundle "$BUNDLE" "${ID}b"
	fails "$ID"
	eq "$(state /status)" created
}

# delegated prints what belongs to a user in the container's cgroup and below.
delegated() { (cd "$(cgroup)" && find . -user "$1" | sort | tr '\n' ' '); }

# delegable is what is to belong to the user of a delegated leaf.
delegable() {
	local file
	{
		echo ./leaf
		for file in $(cat /sys/kernel/cgroup/delegate); do [ ! -e "$(leaf)/$file" ] || echo "./leaf/$file"; done
	} | sort | tr '\n' ' '
}

@test "ownership: the leaf of a writable cgroup mount is the user's, and nothing else" {
	ours "runc's systemd driver only"
	script 'cd /sys/fs/cgroup && mkdir own && echo $$ >own/cgroup.procs && cat /proc/self/cgroup && (echo 3 >cgroup.max.depth) 2>&1; sleep 1000' \
		'/mounts/@~1sys~1fs~1cgroup/options=["rw"]' '/process/user={"uid":4321,"gid":4321}'
	create
	ok
	eq "$(delegated 4321)" "$(delegable)"
	has "$(delegable)" "./leaf/cgroup.procs ./leaf/cgroup.subtree_control ./leaf/cgroup.threads "
	rt start "$ID"
	ok
	denied() { grep -q "Permission denied" "$INIT_OUT"; }
	eventually denied
	has "$(cat "$INIT_OUT")" 0::/own
	rt delete --force "$ID"
	ok
	clean
}

@test "ownership: in a user namespace, who the user is on the host" {
	ours "runc's systemd driver only"
	chmod -R a+rX "$T" "$BATS_RUN_TMPDIR"
	userns=('/linux/namespaces+={"type":"user"}' '/linux/uidMappings=[{"containerID":0,"hostID":100000,"size":65536}]'
		'/linux/gidMappings=[{"containerID":0,"hostID":100000,"size":65536}]')
	for uid in 0 1000; do
		cp "$BATS_TEST_DIRNAME/testdata/config.json" "$BUNDLE/config.json"
		edit "${userns[@]}" '/mounts/@~1sys~1fs~1cgroup/options=["rw"]' "/process/user={\"uid\":$uid,\"gid\":0}"
		create
		ok
		eq "$(delegated $((100000 + uid)))" "$(delegable)"
		rt delete "$ID"
		ok
	done
	clean
}

@test "ownership: nothing changes without a cgroup namespace made for it, or a writable mount of source cgroup in the usual place" {
	ours "runc's systemd driver only"
	m=/mounts/@~1sys~1fs~1cgroup
	owned_by_none() {
		cp "$BATS_TEST_DIRNAME/testdata/config.json" "$BUNDLE/config.json"
		edit '/process/user={"uid":4321,"gid":4321}' "$@"
		create
		ok
		eq "$(delegated 4321)" "" "$*"
		rt delete "$ID"
		ok
	}
	owned_by_none $m/options='["ro"]'
	owned_by_none $m/options='["rro"]'
	owned_by_none $m/options='["rw"]' /linux/namespaces/@cgroup!
	owned_by_none $m/options='[]' '/linux/namespaces/@cgroup={"type":"cgroup","path":"/proc/self/ns/cgroup"}'
	owned_by_none $m/options='[]' $m/source:=cgroup2
	owned_by_none $m/options='[]' $m/destination:=/cgroups
	owned_by_none $m!
	clean
}

@test "delete removes cgroups that the container made below its own" {
	script 'mkdir -p /sys/fs/cgroup/a/b/c /sys/fs/cgroup/d && echo $$ >/sys/fs/cgroup/a/b/c/cgroup.procs && echo made; sleep 1000' \
		'/mounts/@~1sys~1fs~1cgroup/options=["rw"]'
	start_box
	eventually grep -q made "$INIT_OUT"
	[ -d "$(leaf)/a/b/c" ]
	rt delete --force "$ID"
	ok
	clean
}

@test "delete --force ends a crowd" {
	ours "runc 1.1 leaves the cgroup"
	script 'i=0; while [ $i -lt 200 ]; do sleep 1000 & i=$((i+1)); done; echo up; wait' /linux/namespaces/@pid!
	start_box
	eventually grep -q up "$INIT_OUT"
	rt delete --force "$ID"
	ok
	clean
}

@test "delete --force of a frozen container" {
	script 'echo up; sleep 1000'
	start_box
	eventually grep -q up "$INIT_OUT"
	echo 1 >"$(cgroup)/cgroup.freeze"
	frozen() { grep -q "frozen 1" "$(cgroup)/cgroup.events"; }
	eventually frozen
	rt delete --force "$ID"
	ok
	clean
}

@test "a limit whose controller is not there: both are named" {
	ours "runc names the file"
	edit '/linux/resources/unified={"imaginary.max":"1"}'
	create
	fails imaginary.max
	matches "$stderr" 'no imaginary controller'
	has "$stderr" /sys/fs/cgroup
	clean
	if probe_controller memory; then return; fi
	edit '/linux/resources={"memory":{"limit":100000000}}'
	create
	fails memory.max
	matches "$stderr" 'no memory controller'
	clean
}

@test "unified: keys do not climb" {
	ours "runc's words differ"
	for k in ../cgroup.kill cgroup/../x a/b "" .. memory; do
		edit "/linux/resources/unified={\"$k\":\"1\"}"
		create
		fails unified
		clean
	done
}

@test "hugepageLimits" {
	need controller:hugetlb hugepages
	limits '/linux/resources/hugepageLimits=[{"pageSize":"2MB","limit":4194304}]'
	limit hugetlb.2MB.max 4194304
	[ ! -e "$LIMITS/hugetlb.2MB.rsvd.max" ] || ! is_mesoc || limit hugetlb.2MB.rsvd.max 4194304
	has "$(cat "$LIMITS/../cgroup.subtree_control")" hugetlb
}

@test "hugepageLimits: a size that is none" {
	ours "runc 1.1 looks outside its cgroup"
	need controller:hugetlb
	for s in 3MB 2MB/../x ../hugetlb.2MB ""; do
		edit "/linux/resources/hugepageLimits=[{\"pageSize\":\"$s\",\"limit\":4194304}]"
		create
		fails
		has "$stderr" "${s:-pageSize}"
		clean
	done
}

@test "unified: written as given" {
	need controller:hugetlb hugepages
	limits '/linux/resources/unified={"hugetlb.2MB.max":"2097152"}'
	limit hugetlb.2MB.max 2097152
	rt delete "$ID"
	ok
	limits '/linux/resources={"unified":{"hugetlb.2MB.max":"2097152"},"hugepageLimits":[{"pageSize":"2MB","limit":8388608}]}'
	limit hugetlb.2MB.max 2097152
}

@test "memory: limit, reservation, swap" {
	need controller:memory
	limits '/linux/resources/memory={"limit":104857600,"reservation":52428800,"swap":157286400}'
	limit memory.max 104857600
	limit memory.low 52428800
	[ ! -e "$LIMITS/memory.swap.max" ] || limit memory.swap.max 52428800
}

@test "memory: -1 is no limit" {
	need controller:memory
	limits '/linux/resources/memory={"limit":-1}'
	limit memory.max max
}

@test "memory: swap below the limit, swap without a limit" {
	need controller:memory
	edit '/linux/resources/memory={"limit":104857600,"swap":1048576}'
	create
	fails swap
	clean
	edit '/linux/resources/memory={"swap":1048576}'
	create
	fails swap
	clean
}

@test "memory: what is over the limit is killed, and init's death is told as 137" {
	need controller:memory
	script 'rig burn 200; echo "child $?"' '/linux/resources/memory={"limit":33554432,"swap":33554432}'
	rt run --bundle "$BUNDLE" "$ID"
	ok
	eq "$output" "child 137"
	edit -- /bin/rig burn 200
	rt run --bundle "$BUNDLE" "$ID"
	eq "$status" 137
	clean
}

@test "memory: a limit that init itself does not survive is named in the error" {
	ours "runc says less"
	need controller:memory
	edit '/linux/resources/memory={"limit":4096,"swap":4096}'
	create
	if [ "$status" -eq 0 ]; then
		rt start "$ID"
	fi
	fails memory
}

@test "cpu: quota, period, cpuset" {
	need controller:cpu controller:cpuset
	limits '/linux/resources/cpu={"quota":50000,"period":200000,"cpus":"0","mems":"0"}'
	limit cpu.max "50000 200000"
	limit cpuset.cpus 0
	limit cpuset.mems 0
	eq "$(awk '/^Cpus_allowed_list/ { print $2 }' "/proc/$(state /pid)/status")" 0
}

@test "cpu: shares become a weight" {
	ours "runc 1.1 has the old formula"
	need controller:cpu
	for pair in 2:1 1024:100 262144:10000; do
		limits "/linux/resources/cpu={\"shares\":${pair%:*}}"
		limit cpu.weight "${pair#*:}"
		rt delete "$ID"
		ok
	done
}

@test "cpu: quota -1, burst, idle" {
	ours "runc has burst and idle since 1.2"
	need controller:cpu kernel:5.15
	limits '/linux/resources/cpu={"quota":-1,"period":100000}'
	limit cpu.max "max 100000"
	rt delete "$ID"
	ok
	limits '/linux/resources/cpu={"quota":50000,"period":100000,"burst":20000}'
	limit cpu.max.burst 20000
	rt delete "$ID"
	ok
	limits '/linux/resources/cpu={"idle":1}'
	limit cpu.idle 1
}

@test "cpu: a set that is not there" {
	need controller:cpuset
	edit '/linux/resources/cpu={"cpus":"4000"}'
	create
	fails cpuset.cpus
	clean
}

@test "pids: the limit holds" {
	need controller:pids
	script 'cat /sys/fs/cgroup/pids.max; for i in 1 2 3 4 5 6 7 8 9; do sleep 1000 & done; echo not reached' '/linux/resources/pids={"limit":5}'
	rt run --bundle "$BUNDLE" "$ID"
	has "$output$stderr" "can't fork"
	lines 5
	hasnt "$output" "not reached"
	clean
}

# Podman 4 asks so for none: its binding of the spec cannot leave the limit out.
@test "pids: 0 of a bundle before 1.3.0 is no limit" {
	in_box 'true & wait $! && echo two' '/linux/resources/pids={"limit":0}' /ociVersion:=1.2.1
	eq "$output" two
}

@test "pids: 0 is a limit, -1 is none" {
	ours "runc 1.1 takes 0 for none"
	need controller:pids
	limits '/linux/resources/pids={"limit":-1}'
	limit pids.max max
	rt delete "$ID"
	ok
	limits '/linux/resources/pids={"limit":0}' /ociVersion:=1.3.0
	limit pids.max 0
}

@test "blockIO: weight" {
	need controller:io
	if probe_bfq; then
		limits '/linux/resources/blockIO={"weight":500}'
		[ ! -e "$LIMITS/io.bfq.weight" ] || has "$(cat "$LIMITS/io.bfq.weight")" 500
	else
		ours "runc writes what is not there"
		edit '/linux/resources/blockIO={"weight":500}'
		create
		if [ "$status" -eq 0 ]; then
			# 10…1000 becomes 1…10000
			eq "$(cat "$(cgroup)/io.weight")" "default 4950"
		else
			fails io. weight
		fi
	fi
}

@test "blockIO: throttling, several of one device" {
	need controller:io
	dev=$(lsblk -dnro MAJ:MIN,TYPE 2>/dev/null | awk '$2 == "disk" || $2 == "loop" { print $1; exit }')
	[ -n "$dev" ] || skip "this host lacks a block device"
	d="\"major\":${dev%:*},\"minor\":${dev#*:}"
	limits "/linux/resources/blockIO={\"throttleReadBpsDevice\":[{$d,\"rate\":1048576}],\"throttleWriteIOPSDevice\":[{$d,\"rate\":100}]}"
	limit io.max "$dev rbps=1048576 wbps=max riops=max wiops=100"
}

@test "controllers are enabled down to the container, never in the leaf" {
	ours "the leaf"
	need controller:memory controller:pids
	limits '/linux/resources={"memory":{"limit":104857600},"pids":{"limit":100}}'
	for d in "$CG" "$CG/mesos" "$LIMITS"; do
		for c in memory pids; do has " $(cat "$d/cgroup.subtree_control") " " $c "; done
	done
	eq "$(cat "$LEAF/cgroup.subtree_control")" ""
	limit memory.max 104857600
	limit pids.max 100
}

@test "without limits all controllers are enabled, so that all is counted" {
	ours "the leaf"
	need controller:hugetlb
	script 'sleep 1000'
	create
	ok
	local all d
	all=$(cat /sys/fs/cgroup/cgroup.controllers)
	for d in "$CG" "$CG/mesos" "$CG/mesos/$ID"; do eq "$(cat "$d/cgroup.subtree_control")" "$all" "controllers on in $d"; done
	eq "$(cat "$CG/mesos/$ID/leaf/cgroup.controllers")" "$all"
	eq "$(cat "$CG/mesos/$ID/leaf/cgroup.subtree_control")" ""
}

@test "values that cgroup2 has no place for" {
	ours "runc ignores them"
	for r in '{"memory":{"disableOOMKiller":true}}' '{"cpu":{"realtimeRuntime":1000}}' '{"blockIO":{"leafWeight":10}}' \
		'{"network":{"classID":65537}}' '{"network":{"priorities":[{"name":"lo","priority":1}]}}'; do
		edit "/linux/resources=$r"
		create
		fails /linux/resources/
		clean
	done
	edit '/linux/resources={"memory":{"disableOOMKiller":false}}'
	create
	ok
}
