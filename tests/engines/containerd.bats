#!/usr/bin/env bats
# What ctr makes of containerd and its shim.

load helpers

TRAP='trap "exit 5" TERM; echo ready; while :; do sleep 0.1; done'

# task_is STATUS ID
task_is() { client task ls | grep -Eq "^$2 +[0-9]+ +$1"; }

@test "run: output, errors and exit code" {
	box -- sh -c 'echo out; echo err >&2; exit 7'
	code 7
	eq "$output" out
	eq "$stderr" err
	e container ls -q
	eq "$output" ''
}

@test "run: a terminal" {
	tty "${RUN[@]}" --rm -t "$IMAGE" "$ID" sh -c 'tty; test -t 0 && test -t 1; exit 3'
	code 3
	has "$output" /dev/pts/0
}

@test "run: programs that cannot be" {
	box -- /not/there
	code 1
	has "$stderr" '"/not/there"'
	has "$stderr" "no such file or directory"
	box -- not-there
	code 1
	has "$stderr" "executable file not found in \$PATH"
	box -- /etc/passwd
	code 1
	has "$stderr" "permission denied"
	e container ls -q
	eq "$output" ''
}

@test "detached: kill, exit code, delete" {
	live c1 -- sh -c "$TRAP"
	task_is RUNNING c1
	eventually client task exec --exec-id e0 c1 sh -c 'grep -q "trap" /proc/1/cmdline'
	e task kill c1
	ok
	eventually task_is STOPPED c1
	e task rm c1
	ok
	has "$stderr" "exit code 5"
	e task start --detach c1
	ok
	e task kill -s KILL c1
	ok
	eventually task_is STOPPED c1
	e task rm c1
	ok
	has "$stderr" "exit code 137"
	e container rm c1
	ok
}

@test "delete --force of what runs" {
	live d1 -- sleep 100
	e task rm --force d1
	ok
	e container rm d1
	ok
}

@test "exec: exit code, directory, terminal, detached, errors" {
	live x1 -- sleep 100
	e task exec --exec-id e1 --cwd /tmp x1 sh -c 'pwd; exit 3'
	code 3
	eq "$output" /tmp
	e task exec --exec-id e2 --user 1000:1000 x1 id -u
	eq "$output" 1000
	tty task exec --exec-id e3 -t x1 sh -c 'test -t 0 && tty; exit 4'
	code 4
	has "$output" /dev/pts/
	e task exec --exec-id e4 x1 /not/there
	code 1
	has "$stderr" "no such file or directory"
	e task exec --exec-id e5 --cwd /not/there x1 true
	code 1
	has "$stderr" "no such file or directory"
	e task exec --exec-id e6 x1 true
	ok
}

@test "processes, pause, resume, metrics" {
	live p1 -- sh -c 'sleep 101; :'
	e task ps p1
	ok
	# A heading, the shell, the sleep.
	eventually eval '[ "$(client task ps p1 | wc -l)" = 3 ]'
	e task pause p1
	ok
	task_is PAUSED p1
	e task resume p1
	ok
	task_is RUNNING p1
	e task metrics p1
	ok
	has "$output" cpu.usage_usec
}

@test "read-only, mounts, environment, directory" {
	box --read-only -- touch /x
	code 1
	has "$stderr" "Read-only file system"
	mkdir host
	echo from-host >host/file
	box --mount "type=bind,src=$T/host,dst=/h,options=rbind:ro" --env A=b --cwd /tmp -- sh -c 'cat /h/file; echo $A; pwd; touch /h/x'
	code 1
	eq "$output" $'from-host\nb\n/tmp'
	has "$stderr" "/h/x: Read-only file system"
}

@test "capabilities, seccomp, no new privileges" {
	box --cap-drop CAP_CHOWN --cap-add CAP_SYS_TIME --seccomp -- grep -E 'CapEff|NoNew|Seccomp:' /proc/self/status
	ok
	lines "CapEff:	00000000aa0425fa" "NoNewPrivs:	1" "Seccomp:	2"
	box --allow-new-privs -- grep -E 'NoNew|Seccomp:' /proc/self/status
	lines "NoNewPrivs:	0" "Seccomp:	0"
	box --privileged -- sh -c 'mount -t tmpfs t /tmp && echo mounted'
	ok
	eq "$output" mounted
}

@test "namespaces: the host's network, another container's processes" {
	box --net-host -- readlink /proc/self/ns/net
	ok
	eq "$output" "$(readlink /proc/self/ns/net)"
	live n1 -- sleep 102
	box --with-ns "pid:/proc/$(client task ls | awk '$1 == "n1" { print $2 }')/ns/pid" -- sh -c 'tr "\0" " " </proc/1/cmdline'
	ok
	eq "$output" "sleep 102 "
}

@test "delete of what is paused" {
	live d2 -- sleep 100
	e task pause d2
	ok
	e task rm --force d2
	ok
	e container rm d2
	ok
}

# configured [EDIT…] -- COMMAND…: a container of a configuration that is not ctr's.
configured() {
	cp "$REPO/tests/integration/testdata/config.json" spec.json
	"$RIG" edit spec.json "/root/path:=$TREE" "$@" || return 1
	e "${RUN[@]}" --rm --config spec.json "$ID"
}

@test "a whole configuration: user, groups, names, sysctl, tmpfs" {
	configured '/process/user={"uid":1000,"gid":1000,"additionalGids":[50]}' /hostname:=there '/linux/sysctl={"net.ipv4.ip_forward":"1"}' \
		'/mounts+={"destination":"/t","type":"tmpfs","source":"t","options":["size=64k"]}' \
		-- /bin/sh -c 'id -u; id -g; id -G; uname -n; cat /proc/sys/net/ipv4/ip_forward; grep -c "^t /t " /proc/mounts; touch /x'
	code 1
	eq "$output" $'1000\n1000\n1000 50\nthere\n1\n1'
	has "$stderr" "Permission denied"
}

@test "a whole configuration: limits of a process, score" {
	need sys_resource
	configured '/process/rlimits=[{"type":"RLIMIT_NOFILE","soft":100,"hard":200}]' /process/oomScoreAdj=500 \
		-- /bin/sh -c 'ulimit -n; ulimit -Hn; cat /proc/self/oom_score_adj'
	ok
	eq "$output" $'100\n200\n500'
}

@test "a whole configuration: what is wrong with it is said" {
	configured '/linux/sysctl={"net.not.there":"1"}' -- /bin/true
	code 1
	matches "$stderr" 'net[./]not[./]there'
	configured '/mounts+={"destination":"/t","type":"bind","source":"/not/there","options":["bind"]}' -- /bin/true
	code 1
	has "$stderr" "no such file or directory"
	e container ls -q
	eq "$output" ''
}

@test "seccomp: a profile of one's own" {
	echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":95}]}' >profile
	box --seccomp --seccomp-profile "$T/profile" -- mkdir /tmp/d
	code 1
	has "$stderr" "Operation not supported"
	box --seccomp -- sh -c 'mount -t tmpfs t /tmp'
	code 1
}

@test "devices" {
	box --device /dev/kmsg -- sh -c ': >/dev/kmsg && echo opened'
	ok
	eq "$output" opened
	box --cap-add CAP_MKNOD -- sh -c 'mknod /tmp/mem c 1 1 && cat /tmp/mem'
	code 1
	has "$stderr" "Operation not permitted"
}

@test "masked and read-only paths" {
	box -- sh -c 'ls /sys/firmware | wc -l; echo 1 >/proc/sys/kernel/randomize_va_space'
	code 1
	eq "$output" 0
	has "$stderr" "Read-only file system"
}

@test "a whole configuration: user namespace" {
	# Where the namespace's root may go: what holds the root is the engine's business.
	cp -a "$TREE" "$HOME_OF/root"
	chown -hR 100000:100000 "$HOME_OF/root"
	configured "/root/path:=$HOME_OF/root" '/linux/namespaces+={"type":"user"}' '/linux/uidMappings=[{"containerID":0,"hostID":100000,"size":1000}]' \
		'/linux/gidMappings=[{"containerID":0,"hostID":100000,"size":1000}]' \
		-- /bin/sh -c 'id -u; cat /proc/self/uid_map; stat -c %u /etc/passwd; mknod /null c 1 3'
	code 1
	eq "$(tr -s ' ' <<<"$output")" $'0\n 0 100000 1000\n0'
	has "$stderr" "Operation not permitted"
}

@test "a directory as root, without pivot_root too" {
	cp -a "$TREE" root
	e "${RUN[@]}" --rm --env PATH=/bin --rootfs "$T/root" "$ID" sh -c 'echo kept >/kept'
	ok
	eq "$(<root/kept)" kept
	e "${RUN[@]}" --rm --no-pivot --env PATH=/bin --rootfs "$T/root" "$ID" cat /kept
	ok
	eq "$output" kept
}

@test "where the cgroup is" {
	live g1 --cgroup "$PARENT/there" -- sleep 100
	grep -q "^0::$PARENT/there" "/proc/$(client task ls | awk '$1 == "g1" { print $2 }')/cgroup"
	e task rm --force g1
	ok
	[ ! -e "/sys/fs/cgroup$PARENT/there" ]
}

@test "the pid file" {
	live f1 --pid-file "$T/pid" -- sleep 104
	eq "$(<pid)" "$(client task ls | awk '$1 == "f1" { print $2 }')"
	eq "$(tr '\0' ' ' <"/proc/$(<pid)/cmdline")" "sleep 104 "
}

@test "attach" {
	live a1 -- sh -c "$TRAP"
	"${CLIENT[@]}" task attach a1 >out 2>err </dev/null 3>&- 4>&- &
	local attached=$!
	eventually client task exec --exec-id e0 a1 sh -c 'grep -q "trap" /proc/1/cmdline'
	e task kill a1
	ok
	status=0
	wait $attached || status=$?
	eq "$status" 5
}

@test "an exec that runs on is killed" {
	live x2 -- sleep 100
	e task exec --detach --exec-id e1 x2 sleep $NAP
	ok
	eventually eval 'client task ps x2 | grep -q e1'
	e task kill --exec-id e1 -s KILL x2
	ok
	eventually not napping
	task_is RUNNING x2
}

@test "twenty at once" {
	local i pids=()
	for i in {1..20}; do
		(live "m$i" -- sleep 100) &
		pids+=($!)
	done
	for i in "${pids[@]}"; do wait "$i"; done
	eq "$(client task ls | grep -c RUNNING)" 20
	sweep_containerd
	e container ls -q
	eq "$output" ''
}

@test "the daemon is killed and starts again: containers live" {
	local pid
	live r1 -- sh -c "$TRAP"
	live r2 -- sleep 100
	e task pause r2
	ok
	pid=$(<"$HOME_OF/daemon")
	kill -KILL "$pid"
	eventually dead "$pid"
	run_containerd
	task_is RUNNING r1
	task_is PAUSED r2
	e task resume r2
	ok
	e task exec --exec-id e1 r2 echo still
	ok
	eq "$output" still
	e task kill r1
	ok
	eventually task_is STOPPED r1
	e task rm r1
	has "$stderr" "exit code 5"
}

@test "checkpoint and restore: it counts on, in a new root" {
	need checkpoints
	# Debian 12's criu would bring it back with more rights otherwise, and mesoc would not let it run.
	live c1 --allow-new-privs -- sh -c "$COUNTER"
	eventually counts task exec --exec-id e1 c1
	e task exec --exec-id e2 c1 sh -c 'echo kept >/kept'
	ok
	e container checkpoint --image --rw --task c1 saved:1
	ok
	eventually counts task exec --exec-id e3 c1
	e task rm --force c1
	ok
	e container rm c1
	ok
	LAST=
	e container restore --rw --live c1 saved:1
	ok
	eventually counts task exec --exec-id e4 c1
	e task exec --exec-id e5 c1 cat /kept
	eq "$output" kept
	e task checkpoint --exit --image-path "$T/images" c1
	ok
	eventually task_is STOPPED c1
	test -s images/inventory.img
}

@test "a runtime that is not there" {
	RUN=(run --runc-binary /not/there "${RUN[@]:3}")
	box -- true
	code 1
	has "$stderr" /not/there
	has "$stderr" "no such file or directory"
	e task ls -q
	eq "$output" ''
	e container rm "$ID"
}

# nothing_left: neither task nor cgroup nor process nor state, at most after the runtime's own clean-up.
nothing_left() {
	local root=/run/containerd/runc/default
	[ -z "$(client task ls -q)" ] || return 1
	[ ! -d $root ] || ! is_mesoc || "$RUNTIME" --root $root recover --clean >"$T/recovered" || return 1
	[ -z "$(find /sys/fs/cgroup -mindepth 1 -type d -path "*$PARENT/*")" ] || return 1
	[ -z "$(find $root -mindepth 1 -maxdepth 1 -name 'k*')" ] || return 1
	not napping
}

@test "the shim of a container is killed" {
	live k1 --cgroup "$PARENT/k1" -- sleep $NAP
	kill -KILL "$(pgrep -f 'shim-runc-v2 .*-id k1 ')"
	eventually eval 'not grep -q k1 <(client task ls -q)'
	e container rm k1
	ok
	eventually nothing_left
}

@test "shims are killed while they create: nothing is left" {
	local i client pid
	for ((i = 0; i < ${ENGINES_ROUNDS:-5}; i++)); do
		"${CLIENT[@]}" "${RUN[@]}" -d --cgroup "$PARENT/k$i" "$IMAGE" "k$i" sleep $NAP >/dev/null 2>&1 </dev/null 3>&- 4>&- &
		client=$!
		until pid=$(pgrep -f "shim-runc-v2 .*-id k$i " | tail -n 1) && [ -n "$pid" ] || dead $client; do pause; done
		read -r -t "0.0$((i % 10))" <> <(:) || :
		kill -KILL $pid 2>/dev/null || :
		wait $client || :
		sweep_containerd
		eventually nothing_left || die "in round $i" "$(client task ls)" "$(find /sys/fs/cgroup -path "*$PARENT/*")" "$(<"$T/recovered")"
	done
	box -- echo next
	eq "$output" next
}

@test "limits" {
	need controller:memory controller:cpu
	live l1 --memory-limit 33554432 --cpus 0.5 -- sleep 100
	e task metrics l1
	ok
	matches "$output" "memory.usage_limit +33554432"
	# Where its process is: ctr does not mount the cgroups.
	cd "/sys/fs/cgroup$(sed 's/^0:://' "/proc/$(client task ls | awk '$1 == "l1" { print $2 }')/cgroup")"
	eq "$(cat memory.max cpu.max)" $'33554432\n50000 100000'
}

@test "out of memory" {
	need controller:memory
	client events >events 2>&1 </dev/null 3>&- 4>&- &
	undo "kill $!"
	live o1 --memory-limit 16777216 -- sh -c 'tail /dev/zero'
	eventually task_is STOPPED o1
	eventually grep -q '/tasks/oom .*o1' events
	e task rm o1
	matches "$stderr" 'exit code (1|137)'
}

@test "AppArmor's default profile" {
	need apparmor
	box --apparmor-default-profile mesoc-engines -- cat /proc/self/attr/current
	ok
	eq "$output" "mesoc-engines (enforce)"
}
