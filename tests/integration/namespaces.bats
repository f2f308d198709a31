#!/usr/bin/env bats
# Namespaces: new, joined by path, and the host's.

load helpers

ALL="mnt pid net ipc uts cgroup user time"

# ns prints each namespace of the program; NS=… of this shell.
NS='for n in mnt pid net ipc uts cgroup user time; do echo "$n $(readlink /proc/self/ns/$n)"; done'
host_ns() { readlink "/proc/self/ns/$1"; }

# hold FLAG…: a process that keeps namespaces; its pid in $HOLDER.
hold() {
	# Without the tag, because it is not the runtime's to end.
	env -u MESOC_SUITE_TAG unshare "$@" sh -c 'echo up >&5; exec sleep 1000' 5>held 3>&- </dev/null >/dev/null 2>&1 &
	local outer=$!
	eventually test -s held
	HOLDER=$outer
	# With --fork the holder is the child.
	if [[ " $* " == *" --fork "* ]]; then
		HOLDER=$(cut -d ' ' -f 1 "/proc/$outer/task/$outer/children")
	fi
	undo "kill -KILL $HOLDER; wait $outer 2>/dev/null || :"
	rm -f held
}

@test "new ones of every type that is listed" {
	in_box "$NS"
	for n in mnt pid net ipc uts cgroup; do
		hasnt "$output" "$n $(host_ns $n)"
	done
	for n in user time; do lines "$n $(host_ns $n)"; done
	clean
}

@test "those that are not listed are the host's" {
	in_box "$NS; echo pid \$\$" /linux/namespaces='[{"type":"mount"}]' /hostname!
	for n in pid net ipc uts cgroup user time; do lines "$n $(host_ns $n)"; done
	hasnt "$output" "mnt $(host_ns mnt)"
	clean
}

@test "each alone" {
	for t in pid:pid network:net ipc:ipc uts:uts cgroup:cgroup; do
		in_box "$NS" /hostname! "/linux/namespaces=[{\"type\":\"mount\"},{\"type\":\"${t%:*}\"}]"
		for n in pid net ipc uts cgroup; do
			if [ $n = "${t#*:}" ]; then
				hasnt "$output" "$n $(host_ns $n)"
			else
				lines "$n $(host_ns $n)"
			fi
		done
	done
	clean
}

@test "joined by path: network, ipc, uts, cgroup" {
	hold --net --ipc --uts --cgroup
	in_box "$NS" /hostname! "/linux/namespaces=[{\"type\":\"mount\"},{\"type\":\"pid\"},
		{\"type\":\"network\",\"path\":\"/proc/$HOLDER/ns/net\"},{\"type\":\"ipc\",\"path\":\"/proc/$HOLDER/ns/ipc\"},
		{\"type\":\"uts\",\"path\":\"/proc/$HOLDER/ns/uts\"}]"
	for n in net ipc uts; do lines "$n $(readlink "/proc/$HOLDER/ns/$n")"; done
	clean
}

@test "joined by path: cgroup" {
	ours "runc has it since 1.2"
	hold --cgroup
	in_box "$NS" "/linux/namespaces/@cgroup/path:=/proc/$HOLDER/ns/cgroup"
	lines "cgroup $(readlink "/proc/$HOLDER/ns/cgroup")"
	clean
}

@test "joined by path: pid" {
	hold --pid --fork
	in_box "$NS; echo \$\$" "/linux/namespaces/@pid/path:=/proc/$HOLDER/ns/pid"
	lines "pid $(readlink "/proc/$HOLDER/ns/pid")"
	hasnt "$output" $'\n1\n'
	# Deleting the container must not touch the one whose namespace it was.
	kill -0 "$HOLDER"
	script 'sleep 1000'
	start_box
	rt delete --force "$ID"
	ok
	kill -0 "$HOLDER"
	clean
}

@test "joined by path: the namespace survives the container, and an id can be reused in it" {
	hold --net --uts
	for i in 1 2; do
		in_box 'hostname' /hostname:="name$i" "/linux/namespaces/@uts/path:=/proc/$HOLDER/ns/uts" \
			"/linux/namespaces/@network/path:=/proc/$HOLDER/ns/net"
		eq "$output" "name$i"
	done
	eq "$(nsenter --uts="/proc/$HOLDER/ns/uts" hostname)" name2
	clean
}

@test "joined by path: of another type, not a namespace, not there" {
	edit "/linux/namespaces/@network/path:=/proc/$$/ns/uts"
	create
	fails
	clean
	edit "/linux/namespaces/@network/path:=$T/bundle/config.json"
	create
	fails
	clean
	edit "/linux/namespaces/@network/path:=$T/none"
	create
	fails "$T/none" "no such file or directory"
	clean
}

@test "joined by path: a wrong one is told with its path and type" {
	ours "runc's nsexec says less"
	edit "/linux/namespaces/@network/path:=/proc/$$/ns/uts"
	create
	fails "/proc/$$/ns/uts" network
	clean
}

@test "loopback of a new network namespace is up" {
	in_box 'cat /sys/class/net/lo/flags; grep -c "127.0.0.1" /proc/net/fib_trie'
	lines 0x9
	[ "$(tail -n 1 "$out_file")" -gt 0 ]
}

userns='/linux/namespaces+={"type":"user"}'
maps='/linux/uidMappings=[{"containerID":0,"hostID":100000,"size":1000},{"containerID":5000,"hostID":200000,"size":10}]'
gmaps='/linux/gidMappings=[{"containerID":0,"hostID":100000,"size":1000},{"containerID":5000,"hostID":300000,"size":10}]'

open_to_mapped() { # the root's owner inside is 100000 outside
	chown -R 100000:100000 "$BASE/tmp" "$BASE/root"
	chmod 755 "$T" "${T%/*}" "${T%/*/*}"
}

@test "user namespace: mappings, groups, owners" {
	open_to_mapped
	in_box 'cat /proc/self/uid_map /proc/self/gid_map | tr -s " "; cat /proc/self/setgroups; id -u; touch /tmp/mine; stat -c "%u %g" /etc /tmp; readlink /proc/self/ns/user; stat -c "%t:%T" /dev/null /dev/urandom; cat /proc/sys/kernel/hostname' \
		"$userns" "$maps" "$gmaps"
	lines " 0 100000 1000" " 5000 200000 10" " 5000 300000 10" allow 0 "65534 65534" "0 0" 1:3 1:9 box
	eq "$(stat -c %u:%g "$BASE/tmp/mine")" 100000:100000
	hasnt "$output" "$(host_ns user)"
	clean
}

@test "user namespace: the owners of the root filesystem stay" {
	open_to_mapped
	find "$BASE" -exec stat -c '%n %u:%g' {} + | sort >before
	in_box true "$userns" "$maps" "$gmaps"
	find "$BASE" -exec stat -c '%n %u:%g' {} + | sort >after
	cmp before after
	clean
}

@test "user namespace: another user than root, with groups" {
	open_to_mapped
	in_box 'id -u; id -g; grep ^Groups /proc/self/status | tr -s " \t" " "; cat /proc/self/oom_score_adj' "$userns" "$maps" "$gmaps" \
		'/process/user={"uid":5001,"gid":5002,"additionalGids":[7]}' /process/oomScoreAdj=300
	lines 5001 5002 300
	matches "$output" 'Groups: 7 ?'
	clean
}

@test "user namespace: every mount of the usual bundle works, and none leaks" {
	open_to_mapped
	in_box 'for m in /proc /dev /dev/pts /dev/shm /dev/mqueue /sys /sys/fs/cgroup; do grep -c " $m " /proc/self/mountinfo; done | sort -u; ls /sys/class/net; echo x >/dev/null; cat /proc/self/cgroup | tail -n 1' \
		"$userns" "$maps" "$gmaps" /mounts/@~1dev~1pts/options='["nosuid","noexec","newinstance","ptmxmode=0666","mode=0620"]'
	lines lo "0::/"
	matches "$output" "^1"$'\n'
	clean
}

@test "user namespace: capabilities are its own" {
	open_to_mapped
	in_box 'grep ^CapEff /proc/self/status; hostname other && hostname; mknod /tmp/x c 1 3 2>&1; mount -t tmpfs t /tmp && echo mounted' \
		"$userns" "$maps" "$gmaps" $(caps CAP_SYS_ADMIN CAP_MKNOD)
	lines $'CapEff:\t0000000008200000' other "mknod: /tmp/x: Operation not permitted" mounted
	clean
}

@test "user namespace joined by path" {
	open_to_mapped
	hold --user --map-root-user --net
	in_box 'readlink /proc/self/ns/user; cat /proc/self/uid_map | tr -s " "; readlink /proc/self/ns/net; hostname' \
		"/linux/namespaces+={\"type\":\"user\",\"path\":\"/proc/$HOLDER/ns/user\"}" \
		"/linux/namespaces/@network/path:=/proc/$HOLDER/ns/net" \
		'/linux/uidMappings=[{"containerID":0,"hostID":0,"size":1}]' '/linux/gidMappings=[{"containerID":0,"hostID":0,"size":1}]' \
		/mounts/@~1dev~1pts/options='["nosuid","noexec","newinstance","ptmxmode=0666","mode=0620"]'
	lines "$(readlink "/proc/$HOLDER/ns/user")" "$(readlink "/proc/$HOLDER/ns/net")" " 0 0 1" box
	clean
}

@test "user namespace joined by path, where setgroups is denied: additional groups are an error" {
	ours "the words"
	open_to_mapped
	hold --user --map-root-user
	join="/linux/namespaces+={\"type\":\"user\",\"path\":\"/proc/$HOLDER/ns/user\"}"
	pts=/mounts/@~1dev~1pts/options='["nosuid","noexec","newinstance","ptmxmode=0666","mode=0620"]'
	in_box 'cat /proc/self/setgroups' "$join" "$pts"
	eq "$output" deny
	edit '/process/user/additionalGids=[0]'
	create
	if [ "$status" -eq 0 ]; then rt start "$ID"; fi
	fails "set additional groups" "operation not permitted"
	clean
}

@test "user namespace without a network namespace: /sys is the host's, read-only" {
	open_to_mapped
	in_box 'ls /sys/class/net; awk "\$5 == \"/sys\" {print \$6}" /proc/self/mountinfo; (echo >/sys/kernel/uevent_seqnum) 2>&1 || :' \
		"$userns" "$maps" "$gmaps" /linux/namespaces/@network! \
		/mounts/@~1dev~1pts/options='["nosuid","noexec","newinstance","ptmxmode=0666","mode=0620"]'
	lines lo
	matches "$output" $'(^|\n)ro,'
	has "$output" "Read-only file system"
	clean
}

@test "user namespace joined by path needs no mappings" {
	ours "runc has it since 1.2"
	hold --user --map-root-user
	in_box 'readlink /proc/self/ns/user' \
		"/linux/namespaces+={\"type\":\"user\",\"path\":\"/proc/$HOLDER/ns/user\"}" \
		/mounts/@~1dev~1pts/options='["nosuid","noexec","newinstance","ptmxmode=0666","mode=0620"]'
	eq "$output" "$(readlink "/proc/$HOLDER/ns/user")"
	clean
}

@test "time namespace: offsets of both clocks" {
	ours "runc has it since 1.2"
	need timens
	in_box "$NS; cat /proc/self/timens_offsets; cut -d . -f 1 /proc/uptime" \
		'/linux/namespaces+={"type":"time"}' '/linux/timeOffsets={"monotonic":{"secs":7881,"nanosecs":2718281},"boottime":{"secs":1000000,"nanosecs":5}}'
	hasnt "$output" "time $(host_ns time)"
	matches "$output" 'monotonic +7881 +2718281'
	matches "$output" 'boottime +1000000 +5'
	[ "$(tail -n 1 "$out_file")" -ge 1000000 ]
	clean
}

@test "time namespace joined by path" {
	ours "runc has it since 1.2"
	need timens
	hold --time --fork --boottime 5000000
	in_box "$NS; cut -d . -f 1 /proc/uptime" "/linux/namespaces+={\"type\":\"time\",\"path\":\"/proc/$HOLDER/ns/time\"}"
	lines "time $(readlink "/proc/$HOLDER/ns/time")"
	[ "$(tail -n 1 "$out_file")" -ge 5000000 ]
	clean
}

@test "cgroup namespace: its root is the cgroup the program is in" {
	in_box 'tail -n 1 /proc/self/cgroup; awk "/ - cgroup2 / {print \$4}" /proc/self/mountinfo'
	eq "$output" $'0::/\n/'
	in_box 'tail -n 1 /proc/self/cgroup' /linux/namespaces/@cgroup!
	if is_mesoc; then eq "$output" "0::/mesos/$ID/leaf"; else matches "$output" "^0::/.*$ID"; fi
	clean
}
