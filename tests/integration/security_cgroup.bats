#!/usr/bin/env bats
# Rights: over cgroups, over processes, and by records that somebody has planted.

load helpers
load security

setup_test() { watch; }

# CVE-2023-25809. Seen to fail without attributesOf in cgroupMount (libcontainer/compile/mounts.go).
@test "user namespace without a cgroup namespace: no cgroup can be written" {
	mkdir "/sys/fs/cgroup/victim-$ID"
	undo "! rmdir /sys/fs/cgroup/victim-$ID/new 2>/dev/null; rmdir /sys/fs/cgroup/victim-$ID"
	edit "/linux/cgroupsPath:=/victim-$ID/$ID"
	in_box "cd /sys/fs/cgroup/victim-$ID && for d in . $ID; do"' (echo 0 >$d/cgroup.procs) && echo "joined $d"; mkdir $d/new && echo "made $d"
		echo 1 >$d/cgroup.freeze && echo "froze $d"; done; echo end' \
		'/linux/namespaces+={"type":"user"}' '/linux/namespaces/@cgroup!' $(caps CAP_DAC_OVERRIDE CAP_CHOWN) \
		'/linux/uidMappings=[{"containerID":0,"hostID":0,"size":65536}]' '/linux/gidMappings=[{"containerID":0,"hostID":0,"size":65536}]'
	eq "$output" end
	unharmed
}

# CVE-2022-29162. Seen to fail with the inheritable set filled from the bounding one (plan.Capabilities).
@test "no capability is inheritable that was not asked for" {
	in_box 'grep -E "Cap(Inh|Amb)" /proc/self/status'
	eq "$output" $'CapInh:\t0000000000000000\nCapAmb:\t0000000000000000'
	rm "$BUNDLE/config.json"
	rt spec --bundle "$BUNDLE"
	ok
	hasnt "$(<"$BUNDLE/config.json")" inheritable
}

# Can fail: a frozen process ends by SIGKILL only because cgroup2 lets it; a kill or a delete
# that waited for a thaw first, as crun's did, would not come back.
@test "a frozen container is killed without a thaw, and deleted" {
	script 'sleep 1000'
	start_box
	pid=$(state /pid)
	echo 1 >"$(cgroup)/cgroup.freeze"
	eventually status_is paused
	rt kill "$ID" KILL
	ok
	"$RIG" wait "$pid" 60
	rt delete "$ID"
	ok
	clean
}

# A process that is none of the container's, and is not to be harmed.
bystander() {
	sleep 1000 3>&- &
	bystander=$!
	undo "kill $bystander; wait $bystander || :"
	# Its fields in /proc/PID/stat: the 22nd is when it started.
	read -r -a stat <"/proc/$bystander/stat"
	born=${stat[21]}
	# It counts ticks of 10 ms: what is born in the same one is not told apart by it.
	pause
}

# every COMMAND on the planted record leaves the bystander alone.
every() {
	local command
	for command in state "kill:KILL" "kill --all:KILL" start "delete" "delete --force"; do
		# shellcheck disable=SC2086
		rt ${command%%:*} "$ID" $(case $command in *:*) echo "${command#*:}" ;; esac)
	done
	kill -0 "$bystander" || die "the bystander was killed"
}

# Seen to fail without the comparison of start times in OpenProcess (libcontainer/internal/sys).
@test "planted: the pid of another process, one that is used again" {
	ours "its own record"
	local edits
	bystander
	for edits in "/pid=$bystander" "/pid=$bystander /pid_start_time=$((born + 1))" "/pid=$bystander /pid_start_time=0" \
		"/pid=$bystander /pid_start_time=$born /boot_id:=00000000-0000-0000-0000-000000000000" "/pid=-1" "/pid=0" "/pid=-$bystander"; do
		create
		ok
		pid=$(state /pid)
		# shellcheck disable=SC2086
		"$RIG" edit "$ROOT/$ID/state.json" $edits
		chmod 600 "$ROOT/$ID/state.json"
		every
		rm -rf "${ROOT:?}/$ID"
		kill -KILL "$pid" 2>/dev/null || :
		eventually dead "$pid"
		rmdir "$(leaf)" "$(cgroup)" 2>/dev/null || :
	done
	unharmed
}

# Everything in it is true, but somebody else can write it. Seen to fail without trusted (libcontainer/store).
@test "planted: a record or a directory that others can write, or own, or that is a link" {
	ours "its own record"
	local how
	for how in 'chmod 666 $ROOT/$ID/state.json' 'chown 1000 $ROOT/$ID/state.json' 'chmod 777 $ROOT/$ID' 'chown 1000 $ROOT/$ID' \
		'mv $ROOT/$ID/state.json $T/r; ln -s $T/r $ROOT/$ID/state.json' 'rm $ROOT/$ID/state.json; mkfifo $ROOT/$ID/state.json' \
		'mv $ROOT/$ID $T/d; ln -s $T/d $ROOT/$ID'; do
		bystander
		create
		ok
		pid=$(state /pid)
		"$RIG" edit "$ROOT/$ID/state.json" "/pid=$bystander" "/pid_start_time=$born"
		chmod 600 "$ROOT/$ID/state.json"
		eval "$how"
		every
		kill -KILL "$pid" 2>/dev/null || :
		eventually dead "$pid"
		rm -rf "$T/r" "$T/d" "${ROOT:?}/$ID"
		rmdir "$(leaf)" "$(cgroup)" 2>/dev/null || :
	done
	unharmed
}

# Seen to fail without checkPaths (libcontainer/store/record.go) and checkName (libcontainer/cgroup2):
# either alone holds.
@test "planted: cgroups that lead elsewhere" {
	ours "its own record"
	local edits
	mkdir "/sys/fs/cgroup/victim-$ID"
	bystander
	echo "$bystander" >"/sys/fs/cgroup/victim-$ID/cgroup.procs"
	undo "echo $bystander >/sys/fs/cgroup/cgroup.procs; rmdir /sys/fs/cgroup/victim-$ID"
	for edits in "/cgroup:=mesos/../victim-$ID" "/cgroup:=." "/cgroup:=.." "/cgroup_leaf:=../../victim-$ID" "/cgroup_leaf:=.." "/cgroup_mount:=sys/fs/cgroup"; do
		create
		ok
		pid=$(state /pid)
		"$RIG" edit "$ROOT/$ID/state.json" "$edits"
		chmod 600 "$ROOT/$ID/state.json"
		every
		[ -d "/sys/fs/cgroup/victim-$ID" ]
		rm -rf "${ROOT:?}/$ID"
		kill -KILL "$pid" 2>/dev/null || :
		eventually dead "$pid"
		rmdir "$(leaf)" "$(cgroup)" 2>/dev/null || :
	done
	unharmed
}
