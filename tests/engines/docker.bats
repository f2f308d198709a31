#!/usr/bin/env bats
# What users of docker and of podman do: both clients understand the same words, and podman.bats is
# this file. Where they differ, `is podman` says so.

load helpers

TRAP='trap "exit 5" TERM; echo ready; while :; do sleep 0.1; done'

@test "run: output, errors, input and exit code" {
	box -- sh -c 'echo out; echo err >&2; exit 7'
	code 7
	eq "$output" out
	eq "$stderr" err
	echo text >in
	STDIN=in box -i -- cat
	code 0
	eq "$output" text
}

@test "run: a terminal" {
	tty "${RUN[@]}" --rm -t box sh -c 'tty; test -t 0 && test -t 1; exit 3'
	code 3
	has "$output" /dev/pts/0
}

@test "run: killed by a signal" {
	box -- sh -c 'kill -KILL $$'
	# Process 1 of a namespace is not killed by its own.
	code 0
	live k1 -- sleep 100
	e kill k1
	ok
	e wait k1
	eq "$output" 137
}

@test "run: programs that cannot be" {
	box -- /not/there
	code 127
	has "$stderr" '"/not/there"'
	has "$stderr" "no such file or directory"
	box -- not-there
	code 127
	has "$stderr" "executable file not found in \$PATH"
	box -- /etc/passwd
	code 126
	has "$stderr" "permission denied"
	box -- /tmp
	code 126
	box -- sh -c /not/there
	code 127
	e ps -aq
	eq "$output" ''
}

@test "run: mounts that cannot be" {
	echo text >file
	box -v "$T/file:/etc" -- true
	code 127 || is podman && code 126
	matches "$stderr" "[Nn]ot a directory"
	box --mount "type=bind,src=$T/missing,dst=/x" -- true
	code 125
	has "$stderr" "$T/missing"
	e ps -aq
	eq "$output" ''
}

@test "run: user, groups, environment, directory, name of the host" {
	box --user 1000:1000 --group-add 50 -e A=b -w /tmp --hostname there -- sh -c 'id; echo $A; pwd; uname -n; whoami 2>/dev/null; :'
	ok
	lines "uid=1000(user) gid=1000(user) groups=50,1000(user)" b /tmp there ||
		lines "uid=1000(user) gid=1000(user) groups=1000(user),50" b /tmp there
	is podman || {
		box -w /new/dir -- pwd
		ok
		eq "$output" /new/dir
	}
}

@test "detached: logs, ps, inspect, stop, start again, kill, rm" {
	live c1 -- sh -c "$TRAP"
	eventually says c1 ready
	e ps --format '{{.Names}} {{.Status}}'
	matches "$output" '^c1 Up '
	shows c1 '{{.State.Status}}' running
	is podman || shows c1 '{{.HostConfig.Runtime}}' "$RUNTIME_NAME"
	! is podman || shows c1 '{{.OCIRuntime}}' "$RUNTIME_NAME" || shows c1 '{{.OCIRuntime}}' "$RUNTIME"
	e stop c1
	ok
	e wait c1
	eq "$output" 5
	shows c1 '{{.State.Status}} {{.State.ExitCode}}' 'exited 5'
	e start c1
	ok
	e kill --signal KILL c1
	ok
	e wait c1
	eq "$output" 137
	e rm c1
	ok
	e ps -aq
	eq "$output" ''
}

@test "signals reach a program that is attached" {
	local attached
	"${CLIENT[@]}" "${RUN[@]}" --rm --name s1 box sh -c "$TRAP" >out 2>err </dev/null 3>&- 4>&- &
	attached=$!
	eventually grep -q ready out
	kill -TERM $attached
	status=0
	wait $attached || status=$?
	eq "$status" 5
}

@test "create, then start with input" {
	e create -i --name a1 "${RUN[@]:1}" box sh -c 'cat; exit 6'
	ok
	shows a1 '{{.State.Status}}' created
	echo text >in
	STDIN=in e start -ai a1
	code 6
	eq "$output" text
}

@test "restart: by hand, and by policy" {
	live r1 -- sh -c "$TRAP"
	eventually says r1 ready
	e restart r1
	ok
	shows r1 '{{.State.Status}}' running
	# Docker tells the runtime of every update, be there a limit in it or not.
	is podman || {
		e update --restart no r1
		ok
	}
	live r2 --restart on-failure:2 -- sh -c 'echo again; exit 3'
	eventually shows r2 '{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}' '2 exited 3'
	eq "$(client logs r2)" $'again\nagain\nagain'
}

@test "exec: exit code, user, directory, environment, input" {
	live x1 -- sleep 100
	e exec x1 sh -c 'echo in; exit 3'
	code 3
	eq "$output" in
	e exec -u 1000 -w /tmp -e A=b x1 sh -c 'id -u; pwd; echo $A'
	ok
	eq "$output" $'1000\n/tmp\nb'
	echo text >in
	STDIN=in e exec -i x1 cat
	eq "$output" text
	tty exec -t x1 sh -c 'test -t 0 && tty; exit 4'
	code 4
	has "$output" /dev/pts/
	e exec -d x1 touch /tmp/made
	ok
	eventually client exec x1 test -e /tmp/made
}

@test "exec: programs that cannot be" {
	local missing=127
	# Docker before 28.
	! is docker || [[ $(version_of) != 2[0-7].* ]] || missing=126
	live x2 -- sleep 100
	e exec x2 /not/there
	code $missing
	has "$output$stderr" "no such file or directory"
	e exec x2 not-there
	code $missing
	has "$output$stderr" "executable file not found"
	e exec x2 /etc/passwd
	code 126
	has "$output$stderr" "permission denied"
	e exec -w /not/there x2 true
	code $missing
	has "$output$stderr" "no such file or directory"
	e exec x2 true
	ok
}

@test "pause and unpause" {
	live p1 -- sleep 100
	e pause p1
	ok
	shows p1 '{{.State.Status}}' paused
	e exec p1 true
	[ "$status" -ne 0 ]
	e unpause p1
	ok
	shows p1 '{{.State.Status}}' running
	e exec p1 true
	ok
	e pause p1
	ok
	e rm -f p1
	ok
}

@test "top" {
	live t1 -- sh -c 'sleep 101; :'
	e top t1
	ok
	has "$output" "sleep 101"
	e top t1 -o pid,args
	is podman || ok
}

@test "read-only, tmpfs, volumes" {
	box --read-only -- touch /x
	code 1
	has "$stderr" "Read-only file system"
	mkdir host
	echo from-host >host/file
	box --tmpfs /t:size=64k -v "$T/host:/h:ro" -v v1:/v -- sh -c 'cat /h/file; touch /h/x; echo kept >/v/file; grep " /t " /proc/mounts'
	ok
	has "$output" from-host
	has "$output" size=64k
	has "$stderr" "/h/x: Read-only file system"
	box -v v1:/v -- cat /v/file
	eq "$output" kept
	box --read-only --tmpfs /run -v "$T/host:/h" -- sh -c 'echo written >/h/file; touch /run/x'
	ok
	eq "$(<host/file)" written
	e volume rm v1
	ok
}

@test "volumes: what is mounted later, another container's" {
	mkdir host
	mount -t tmpfs host host
	undo "umount -R $T/host"
	mount --make-shared host
	live v1 -v "$T/host:/h:rslave" -v /data -- sleep 100
	mkdir host/later
	mount -t tmpfs later host/later
	echo seen >host/later/file
	e exec v1 sh -c 'cat /h/later/file; echo mine >/data/file; mount -t tmpfs x /h 2>&1; :'
	lines seen
	box --volumes-from v1 -- cat /data/file
	ok
	eq "$output" mine
}

@test "masked and read-only paths" {
	local file masked=0
	box -- sh -c 'for f in /proc/kcore /proc/keys /proc/timer_list; do if [ -c $f ]; then echo $f; fi; done
		ls /sys/firmware | wc -l; echo 1 >/proc/sys/kernel/randomize_va_space'
	code 1
	for file in /proc/kcore /proc/keys /proc/timer_list; do
		[ -e $file ] || continue
		lines $file
		masked=$((masked + 1))
	done
	[ $masked -gt 0 ]
	lines 0
	has "$stderr" "Read-only file system"
	file=systempaths=unconfined
	! is podman || file=unmask=ALL
	box --security-opt "$file" -- sh -c 'for f in /proc/kcore /proc/keys /proc/timer_list; do if [ -c $f ]; then echo $f; fi; done'
	ok
	eq "$output" ''
}

@test "capabilities, no new privileges" {
	box --cap-drop all --cap-add chown --security-opt no-new-privileges -- grep -E 'Cap(Prm|Eff|Bnd)|NoNew' /proc/self/status
	ok
	lines "CapPrm:	0000000000000001" "CapEff:	0000000000000001" "CapBnd:	0000000000000001" "NoNewPrivs:	1"
	box --cap-drop all --user 1000 -- chown 0 /tmp
	code 1
}

@test "privileged" {
	# Docker asks for all that it knows of, and runc does not take less.
	is podman || need sys_resource
	box --privileged -- sh -c 'mount -t tmpfs t /tmp && grep -c " /tmp " /proc/mounts'
	ok
	eq "$output" 1
	live p1 -- sleep 100
	e exec --privileged p1 grep CapEff /proc/self/status
	ok
	hasnt "$output" "$(client exec p1 grep CapEff /proc/self/status)"
}

@test "seccomp: the default, one's own, none" {
	box -- sh -c 'grep Seccomp: /proc/self/status; unshare -m true'
	code 1
	lines "Seccomp:	2"
	echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":95}]}' >profile
	box --security-opt "seccomp=$T/profile" -- mkdir /tmp/d
	code 1
	has "$stderr" "Operation not supported"
	box --security-opt seccomp=unconfined -- grep Seccomp: /proc/self/status
	eq "$output" "Seccomp:	0"
}

@test "ulimit, sysctl, out-of-memory score, shared memory" {
	is docker || need sys_resource
	box --ulimit nofile=100:200 --sysctl net.ipv4.ip_forward=1 --oom-score-adj 500 --shm-size 1m -- \
		sh -c 'ulimit -n; cat /proc/sys/net/ipv4/ip_forward /proc/self/oom_score_adj; grep /dev/shm /proc/mounts'
	ok
	lines 100 1 500
	has "$output" size=1024k
	box --sysctl net.not.there=1 -- true
	code 127
	has "$stderr" "no such file or directory"
}

@test "init" {
	box --init -- sh -c 'cat /proc/1/comm; exit 9'
	code 9
	matches "$output" '(docker|podman)-init'
}

@test "devices" {
	# The kernel's log: no engine gives it to everybody.
	mknod kmsg c 1 11
	box --device "$T/kmsg:/dev/thing:w" -- sh -c ': >/dev/thing && echo opened; : </dev/thing'
	[ "$status" -ne 0 ]
	eq "$output" opened
	has "$stderr" "Operation not permitted"
	box -- sh -c 'mknod /tmp/full c 1 7 && echo x >/tmp/full; mknod /tmp/mem c 1 1 && cat /tmp/mem'
	code 1
	has "$stderr" "Operation not permitted"
}

@test "namespaces: the host's, another container's" {
	live n1 --ipc shareable -- sleep 102
	box --pid container:n1 --ipc container:n1 -- sh -c 'tr "\0" " " </proc/1/cmdline; echo; readlink /proc/self/ns/ipc'
	ok
	eq "$output" "sleep 102 "$'\n'"$(client exec n1 readlink /proc/self/ns/ipc)"
	RUN=("${RUN[@]/#none/container:n1}")
	box -- readlink /proc/self/ns/net
	ok
	eq "$output" "$(client exec n1 readlink /proc/self/ns/net)"
	box --pid host --uts host --ipc host --cgroupns host -- sh -c 'for n in pid uts ipc cgroup; do readlink /proc/self/ns/$n; done'
	ok
	eq "$output" "$(for n in pid uts ipc cgroup; do readlink /proc/self/ns/$n; done)" || is podman
}

@test "the cgroup: a namespace of its own, read-only" {
	box --cgroupns private -- sh -c 'grep ^0: /proc/self/cgroup; mkdir /sys/fs/cgroup/x'
	code 1
	eq "$output" 0::/
	has "$stderr" "Read-only file system"
}

@test "bridge: an address, names, a published port" {
	RUN=("${RUN[@]/#none/bridge}")
	local port=8081
	! is podman || port=8082
	live b1 -p "127.0.0.1:$port:80" --add-host other:10.1.2.3 --hostname there -- busybox httpd -f -p 80 -h /etc
	e exec b1 busybox ip -4 addr show eth0
	matches "$output" 'inet 10\.'
	e exec b1 cat /etc/hosts
	matches "$output" '10\.1\.2\.3[[:space:]]+other'
	matches "$output" '10\.[0-9.]+[[:space:]]+there'
	published() { exec 5<>/dev/tcp/127.0.0.1/$port && printf 'GET /group HTTP/1.0\r\n\r\n' >&5 && grep -q user:x:1000 <&5; } 2>/dev/null
	eventually published
	e rm -f b1
	ok
	not published
}

@test "health" {
	local status_of='{{.State.Health.Status}}'
	live h1 --health-cmd 'test -e /tmp/ok' --health-interval 1s --health-retries 1 -- sleep 100
	! is podman || client healthcheck run h1 || true
	eventually shows h1 "$status_of" unhealthy
	e exec h1 touch /tmp/ok
	ok
	! is podman || client healthcheck run h1
	eventually shows h1 "$status_of" healthy
}

@test "files: cp and diff" {
	live f1 -- sleep 100
	echo text >file
	e cp file f1:/tmp/file
	ok
	e exec f1 cat /tmp/file
	eq "$output" text
	e cp f1:/etc/passwd out
	ok
	cmp out "$TREE/etc/passwd"
	e diff f1
	has "$output" "A /tmp/file"
}

@test "twenty at once" {
	local i pids=() names=()
	for i in {1..20}; do
		(live "m$i" -- sleep 100) &
		pids+=($!)
		names+=("m$i")
	done
	for i in "${pids[@]}"; do wait "$i"; done
	e ps -q
	eq "$(wc -l <<<"$output")" 20
	e rm -f "${names[@]}"
	ok
	e ps -aq
	eq "$output" ''
}

# limits_of NAME: a line a limit, as the host sees them.
limits_of() {
	local group
	group=$(find /sys/fs/cgroup -type d -path "*$PARENT/*$(client inspect -f '{{.Id}}' "$1")")
	group=${group%%$'\n'*}
	(cd "$group" && cat memory.max memory.swap.max memory.low cpu.max cpu.weight cpuset.cpus pids.max)
}

@test "limits: in the host's cgroup and in the container's, and in stats" {
	need controller:memory controller:pids controller:cpu controller:cpuset
	live l1 --memory 32m --memory-swap 64m --memory-reservation 16m --cpus 0.5 --cpu-shares 512 --cpuset-cpus 0 --pids-limit 50 -- sleep 100
	# 512 shares are a weight of 20 to older versions of runc, and of 59 to current ones.
	matches "$(limits_of l1)" $'^33554432\n33554432\n16777216\n50000 100000\n(20|59)\n0\n50$'
	e exec l1 sh -c 'cd /sys/fs/cgroup; cat memory.max cpu.max pids.max'
	eq "$output" $'33554432\n50000 100000\n50'
	e stats --no-stream --format '{{.MemUsage}} {{.PIDs}}' l1
	ok
	matches "$output" '^[0-9.]+[kKM]i?B / (32MiB|33.55MB) 1$'
}

@test "update: limits of what runs" {
	need controller:memory controller:pids controller:cpu
	live u1 --memory 32m --cpus 0.5 --pids-limit 50 -- sleep 100
	e update --memory 48m --memory-swap 48m --cpus 0.25 --pids-limit 60 u1
	# Podman 4 has no such limit to update.
	[ "$status" = 0 ] || {
		is podman
		e update --memory 48m --memory-swap 48m --cpus 0.25 u1
		ok
	}
	e exec u1 sh -c 'cd /sys/fs/cgroup; cat memory.max memory.swap.max cpu.max'
	eq "$output" $'50331648\n0\n25000 100000'
	e stats --no-stream --format '{{.MemUsage}}' u1
	matches "$output" '/ (48MiB|50.33MB)'
}

@test "out of memory" {
	need controller:memory
	live l2 --memory 16m --memory-swap 16m -- sh -c 'tail /dev/zero'
	e wait l2
	matches "$output" '137|1'
	# conmon 2.1.6 misses it, with runc too.
	is podman && [ "$ENGINES_SUITE" = bookworm ] || eventually shows l2 '{{.State.OOMKilled}}' true
}
