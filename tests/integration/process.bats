#!/usr/bin/env bats
# process: identity, environment, limits, working directory, the program itself.

load helpers

@test "user: uid, gid, additional groups, umask" {
	in_box 'id; umask; grep -E "^(Uid|Gid|Groups|Umask):" /proc/self/status; touch /tmp/f; stat -c "%a %u %g" /tmp/f' \
		'/process/user={"uid":1000,"gid":1001,"additionalGids":[7,5000,0],"umask":23}'
	lines $'Uid:\t1000\t1000\t1000\t1000' $'Gid:\t1001\t1001\t1001\t1001' 0027 $'Umask:\t0027' "640 1000 1001"
	matches "$output" $'Groups:\t0 7 5000 ?\n'
	clean
}

@test "user: without additional groups there are none, and the umask is 0022" {
	umask 077
	in_box 'grep -E "^Groups:" /proc/self/status | tr -d " \t"; umask'
	umask 022
	eq "$output" $'Groups:\n0022'
	clean
}

@test "HOME: from the container's passwd, unless given" {
	in_box 'echo "$HOME"' '/process/user={"uid":1000,"gid":1000}'
	eq "$output" /home/user
	in_box 'echo "$HOME"' '/process/user={"uid":0,"gid":0}'
	eq "$output" /root
	in_box 'echo "$HOME"' '/process/user={"uid":4242,"gid":0}'
	eq "$output" /
	in_box 'echo "$HOME"' '/process/env=["PATH=/bin","HOME=/given"]'
	eq "$output" /given
	rm "$BASE/etc/passwd"
	in_box 'echo "$HOME"' '/process/env=["PATH=/bin"]'
	eq "$output" /
	clean
}

@test "HOME: a passwd that is a symlink, a directory, or a fifo" {
	ours "runc reads through whatever is there"
	rm "$BASE/etc/passwd"
	echo 'root:x:0:0::/host-home:/bin/sh' >"$T/passwd"
	ln -s "$T/passwd" "$BASE/etc/passwd"
	in_box 'echo "$HOME"'
	eq "$output" / "home with a symlink out of the root"
	rm "$BASE/etc/passwd"
	mkfifo "$BASE/etc/passwd"
	in_box 'echo "$HOME"'
	eq "$output" / "home with a fifo"
	clean
}

@test "env: exactly what is asked for, and nothing of the runtime's own" {
	edit '/process/env=["PATH=/bin","A=1","EMPTY=","B=x=y","UTF=ä €","HOME=/root"]' -- /bin/env
	export GOMAXPROCS=2 LEAKED=1
	rt run --bundle "$BUNDLE" "$ID"
	unset GOMAXPROCS LEAKED
	ok
	eq "$(sort "$out_file")" $'A=1\nB=x=y\nEMPTY=\nHOME=/root\nPATH=/bin\nUTF=ä €'
	clean
}

@test "env: the last of two wins" {
	ours "runc 1.1 passes both on"
	edit '/process/env=["PATH=/bin","A=1","HOME=/","A=2"]' -- /bin/env
	rt run --bundle "$BUNDLE" "$ID"
	ok
	eq "$(sort "$out_file")" $'A=2\nHOME=/\nPATH=/bin'
}

@test "env: none at all" {
	edit '/process/env!' -- /bin/env
	rt run --bundle "$BUNDLE" "$ID"
	ok
	eq "$output" HOME=/root
}

@test "env: longer than a page, and ten thousand of them" {
	big=$(printf '%0100000d' 0)
	in_box 'echo ${#BIG}' "/process/env=[\"PATH=/bin\",\"BIG=$big\"]"
	eq "$output" 100000
	# Not a loop of the shell: bats looks at each of its commands.
	list=$(awk 'BEGIN { for (i = 0; i < 10000; i++) printf ",\"V%d=%d\"", i, i }')
	# Too long for an argument list.
	printf '{"ociVersion":"1.0.2","root":{"path":"rootfs"},"mounts":[{"destination":"/proc","type":"proc","source":"proc"}],"process":{"cwd":"/","args":["/bin/env"],"env":["PATH=/bin"%s]},"linux":{"namespaces":[{"type":"mount"},{"type":"pid"}]}}\n' "$list" >"$BUNDLE/config.json"
	rt run --bundle "$BUNDLE" "$ID"
	ok
	eq "$(grep -c ^V "$out_file")" 10000
	eq "$(grep ^V9999= "$out_file")" V9999=9999
	clean
}

@test "args: arguments arrive as they are" {
	edit -- /bin/sh -c 'printf "<%s>\n" "$0" "$@"' zero "a b" "" $'new\nline' '*' '$X' ä
	rt run --bundle "$BUNDLE" "$ID"
	ok
	eq "$output" $'<zero>\n<a b>\n<>\n<new\nline>\n<*>\n<$X>\n<ä>'
}

@test "args: found in the container's PATH" {
	ln "$BASE/bin/busybox" "$BASE/opt-busybox"
	mkdir -p "$BASE/opt/x"
	mv "$BASE/opt-busybox" "$BASE/opt/x/only-here"
	edit '/process/env=["PATH=/nowhere:/opt/x:/bin"]' -- only-here echo found
	rt run --bundle "$BUNDLE" "$ID"
	# Called by a name that is no applet, busybox takes the next argument.
	[ "$status" -eq 0 ] || has "$output$stderr" "only-here: applet not found"
	edit '/process/env=["PATH=/nowhere:/bin"]' -- echo found
	rt run --bundle "$BUNDLE" "$ID"
	ok
	eq "$output" found
	clean
}

@test "args: relative to the working directory" {
	printf '#!/bin/sh\necho "$0 from $(pwd)"\n' >"$BASE/tmp/prog"
	chmod +x "$BASE/tmp/prog"
	edit /process/cwd:=/tmp -- ./prog
	rt run --bundle "$BUNDLE" "$ID"
	ok
	eq "$output" "./prog from /tmp"
	clean
}

@test "args: a program that is not there, at create" {
	edit -- not-there
	create
	fails "executable file not found in \$PATH" not-there
	clean
	edit -- /not/there
	create
	fails "/not/there" "no such file or directory"
	clean
	edit '/process/env=[]' -- true
	create
	fails "executable file not found in \$PATH"
	clean
}

@test "args: a program that may not be executed, at create" {
	edit -- /etc/passwd
	create
	fails "/etc/passwd" "permission denied"
	clean
	edit -- /etc
	create
	# Not "is a directory", which runc 1.2 says: Docker 20 would not make it exit code 126.
	if is_mesoc; then fails '"/etc": permission denied'; else fails "/etc"; fi
	clean
	chmod 700 "$BASE/root"
	cp "$BASE/bin/busybox" "$BASE/root/true"
	edit '/process/user={"uid":1000,"gid":1000}' -- /root/true
	create
	fails "/root/true" "permission denied"
	clean
}

@test "args: a file of an unknown format, at start" {
	echo "not a program" >"$BASE/bin/text"
	chmod +x "$BASE/bin/text"
	edit -- /bin/text
	rt run --bundle "$BUNDLE" "$ID"
	fails "exec format error"
	clean
}

@test "args: an interpreter that is not there" {
	printf '#!/not/there\n' >"$BASE/bin/script"
	chmod +x "$BASE/bin/script"
	edit -- /bin/script
	rt run --bundle "$BUNDLE" "$ID"
	fails "no such file or directory"
	clean
}

@test "cwd: an existing one, through a symlink, and one that is made" {
	in_box 'pwd; readlink /proc/self/cwd' /process/cwd:=/home/user
	eq "$output" $'/home/user\n/home/user'
	ln -s /home "$BASE/link"
	in_box 'readlink /proc/self/cwd' /process/cwd:=/link/user
	eq "$output" /home/user
	in_box 'readlink /proc/self/cwd; stat -c "%a %u" .' /process/cwd:=/not/yet/there
	eq "$output" $'/not/yet/there\n755 0'
	clean
}

@test "cwd: /proc/self/fd/N does not lead out" {
	mkdir secret
	for fd in 5 6 7 8 9 10; do eval "exec $fd<$T/secret"; done
	for n in 3 4 5 6 7 8 9 10 11 12 15; do
		script 'readlink /proc/self/cwd; ls ../../../../../../..' "/process/cwd:=/proc/self/fd/$n"
		rt run --bundle "$BUNDLE" "$ID"
		if [ "$status" -eq 0 ]; then
			hasnt "$output" unreachable
			hasnt "$output" "$T"
			lines bin
		else
			fails
		fi
	done
	for fd in 5 6 7 8 9 10; do eval "exec $fd<&-"; done
	clean
}

@test "cwd: a symlink of the image to /proc/self/fd/N does not lead out" {
	for n in 3 6 7 8 9; do
		ln -sfn /proc/self/fd/$n "$BASE/work"
		script 'ls ../../../../../..' /process/cwd:=/work
		rt run --bundle "$BUNDLE" "$ID"
		if [ "$status" -eq 0 ]; then lines bin; else fails; fi
	done
	clean
}

@test "cwd: that is a file" {
	edit /process/cwd:=/etc/passwd
	create
	fails "/etc/passwd" "not a directory"
	clean
}

@test "capabilities: five sets, each its own" {
	in_box 'grep ^Cap /proc/self/status' '/process/capabilities={
		"bounding":["CAP_CHOWN","CAP_KILL","CAP_SETUID","CAP_NET_RAW"],
		"permitted":["CAP_CHOWN","CAP_KILL","CAP_SETUID"],
		"effective":["CAP_CHOWN"],
		"inheritable":["CAP_KILL"],
		"ambient":["CAP_KILL"]}' '/process/user={"uid":1000,"gid":1000}'
	# After execve by another user than root, permitted is what was ambient.
	eq "$output" $'CapInh:\t0000000000000020\nCapPrm:\t0000000000000020\nCapEff:\t0000000000000020\nCapBnd:\t00000000000020a1\nCapAmb:\t0000000000000020'
	clean
}

@test "capabilities: none" {
	for c in '{}' '{"bounding":[],"effective":[],"permitted":[]}'; do
		in_box 'grep ^Cap /proc/self/status | sort -u -k 2' "/process/capabilities=$c"
		eq "$(cut -f 2 <<<"$output")" 0000000000000000
	done
	clean
}

@test "capabilities: of root are what bounding says" {
	in_box 'grep -E "^Cap(Prm|Eff|Bnd)" /proc/self/status' /process/noNewPrivileges=false \
		'/process/capabilities={"bounding":["CAP_CHOWN","CAP_FOWNER"],"permitted":["CAP_CHOWN","CAP_FOWNER"],"effective":["CAP_CHOWN","CAP_FOWNER"]}'
	eq "$output" $'CapPrm:\t0000000000000009\nCapEff:\t0000000000000009\nCapBnd:\t0000000000000009'
	clean
}

@test "capabilities: an unknown name is a warning" {
	in_box 'grep ^CapBnd /proc/self/status' '/process/capabilities={"bounding":["CAP_CHOWN","CAP_MAGIC"],"permitted":["CAP_CHOWN"],"effective":["CAP_CHOWN"]}'
	eq "$output" $'CapBnd:\t0000000000000001'
	clean
}

@test "noNewPrivileges" {
	in_box 'grep ^NoNewPrivs /proc/self/status' /process/noNewPrivileges=true
	eq "$output" $'NoNewPrivs:\t1'
	in_box 'grep ^NoNewPrivs /proc/self/status' /process/noNewPrivileges=false
	eq "$output" $'NoNewPrivs:\t0'
	in_box 'grep ^NoNewPrivs /proc/self/status' /process/noNewPrivileges!
	eq "$output" $'NoNewPrivs:\t0'
	clean
}

@test "rlimits" {
	in_box 'cat /proc/self/limits' '/process/rlimits=[
		{"type":"RLIMIT_NOFILE","soft":200,"hard":300},
		{"type":"RLIMIT_CORE","soft":0,"hard":0},
		{"type":"RLIMIT_NPROC","soft":5000,"hard":6000},
		{"type":"RLIMIT_FSIZE","soft":1000000,"hard":2000000},
		{"type":"RLIMIT_STACK","soft":4194304,"hard":8388608},
		{"type":"RLIMIT_CPU","soft":100,"hard":200},
		{"type":"RLIMIT_AS","soft":1000000000,"hard":2000000000},
		{"type":"RLIMIT_DATA","soft":1000000000,"hard":2000000000},
		{"type":"RLIMIT_RSS","soft":11,"hard":12},
		{"type":"RLIMIT_MEMLOCK","soft":4096,"hard":65536},
		{"type":"RLIMIT_LOCKS","soft":13,"hard":14},
		{"type":"RLIMIT_SIGPENDING","soft":15,"hard":16},
		{"type":"RLIMIT_MSGQUEUE","soft":17,"hard":18},
		{"type":"RLIMIT_NICE","soft":0,"hard":0},
		{"type":"RLIMIT_RTPRIO","soft":0,"hard":0},
		{"type":"RLIMIT_RTTIME","soft":21,"hard":22}]'
	limit() { matches "$output" "(^|"$'\n'")$1 +$2 +$3 "; }
	limit "Max open files" 200 300
	limit "Max core file size" 0 0
	limit "Max processes" 5000 6000
	limit "Max file size" 1000000 2000000
	limit "Max stack size" 4194304 8388608
	limit "Max cpu time" 100 200
	limit "Max address space" 1000000000 2000000000
	limit "Max data size" 1000000000 2000000000
	limit "Max resident set" 11 12
	limit "Max locked memory" 4096 65536
	limit "Max file locks" 13 14
	limit "Max pending signals" 15 16
	limit "Max msgqueue size" 17 18
	limit "Max realtime timeout" 21 22
	clean
}

@test "rlimits: without any, the caller's" {
	mine=$(awk '/^Max (open files|processes) / { print $4, $5 }' /proc/self/limits)
	in_box 'awk "/^Max (open files|processes) / { print \$4, \$5 }" /proc/self/limits' '/process/rlimits!'
	eq "$output" "$mine"
}

@test "oomScoreAdj: set, and unchanged when not given" {
	in_box 'cat /proc/self/oom_score_adj' /process/oomScoreAdj=789
	eq "$output" 789
	mine=$(cat /proc/self/oom_score_adj)
	in_box 'cat /proc/self/oom_score_adj' /process/oomScoreAdj!
	eq "$output" "$mine"
	clean
}

@test "oomScoreAdj: the parts of the runtime keep theirs" {
	mine=$(cat /proc/self/oom_score_adj)
	edit /process/oomScoreAdj=500
	create
	ok
	eq "$(cat "/proc/$(state /pid)/oom_score_adj")" 500 "of the waiting init"
	eq "$(cat /proc/self/oom_score_adj)" "$mine"
}

@test "sysctl: with dots or slashes, in each kind of namespace" {
	in_box 'cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/all/forwarding /proc/sys/kernel/shm_rmid_forced /proc/sys/kernel/msgmax /proc/sys/fs/mqueue/msg_max /proc/sys/net/ipv4/conf/lo/arp_notify' \
		'/linux/sysctl={"net.ipv4.ip_forward":"1","kernel.shm_rmid_forced":"1","kernel.msgmax":"4321","fs.mqueue.msg_max":"9","net/ipv4/conf/lo/arp_notify":"1"}'
	eq "$output" $'1\n1\n1\n4321\n9\n1'
	clean
}

@test "sysctl: of the host are refused" {
	before=$(cat /proc/sys/vm/swappiness /proc/sys/kernel/panic /proc/sys/net/ipv4/ip_forward)
	edit '/linux/sysctl={"vm.swappiness":"61"}'
	create
	fails vm.swappiness
	clean
	edit '/linux/sysctl={"kernel.panic":"1"}'
	create
	fails kernel.panic
	clean
	edit '/linux/sysctl={"net.ipv4.ip_forward":"1"}' /linux/namespaces/@network!
	create
	fails net.ipv4.ip_forward
	clean
	edit '/linux/sysctl={"kernel.msgmax":"1"}' /linux/namespaces/@ipc!
	create
	fails kernel.msgmax
	clean
	eq "$(cat /proc/sys/vm/swappiness /proc/sys/kernel/panic /proc/sys/net/ipv4/ip_forward)" "$before" "host's values"
}

@test "sysctl: one that does not exist, and a value that the kernel refuses" {
	edit '/linux/sysctl={"net.ipv4.no_such_thing":"1"}'
	create
	fails no_such_thing "no such file or directory"
	clean
	edit '/linux/sysctl={"net.ipv4.ip_forward":"yes"}'
	create
	fails ip_forward "invalid argument"
	clean
}

@test "sysctl: names do not climb" {
	ours "runc joins paths"
	for name in net/../kernel/panic net.ipv4/../../kernel/panic "net..ipv4" "net.ipv4.conf/../../../kernel/panic"; do
		edit "/linux/sysctl={\"$name\":\"1\"}"
		create
		fails sysctl
		clean
	done
}

@test "hostname and domainname" {
	before=$(uname -n)
	in_box 'hostname; cat /proc/sys/kernel/hostname' /hostname:=some.host-1
	eq "$output" $'some.host-1\nsome.host-1'
	eq "$(uname -n)" "$before" "host's name"
	clean
}

@test "domainname" {
	ours "runc has it since 1.2"
	in_box 'hostname; cat /proc/sys/kernel/domainname' /domainname:=example.org
	eq "$output" $'box\nexample.org'
}

@test "hostname: needs a uts namespace" {
	edit /linux/namespaces/@uts!
	create
	fails hostname namespace
	clean
}

@test "no controlling terminal, own session, default signals" {
	trap '' PIPE USR1
	in_box 'grep -E "^Sig(Blk|Ign|Cgt)" /proc/self/status; cut -d " " -f 5-7 /proc/1/stat'
	trap - PIPE USR1
	lines $'SigBlk:\t0000000000000000' $'SigIgn:\t0000000000000000'
	clean
}

@test "signals that the caller ignores: the container does not" {
	ours "runc hands on what Go leaves ignored"
	trap '' HUP INT TSTP TTIN TTOU CONT RTMIN
	in_box 'grep SigIgn /proc/self/status; :' # ash ignores SIGQUIT in what it becomes
	trap - HUP INT TSTP TTIN TTOU CONT RTMIN
	eq "$output" $'SigIgn:\t0000000000000000'
	clean
}

# Timers of ours may be late, so that the Go runtime wakes up less; those of what we start may not.
@test "timer slack: init, exec and hooks have the caller's" {
	printf '#!/bin/sh\ncat /proc/self/timerslack_ns >%s\n' "$T/hook.slack" >"$T/hook"
	chmod +x "$T/hook"
	script 'cat /proc/self/timerslack_ns; exec sleep 1000' "/hooks/createRuntime=[{\"path\":\"$T/hook\"}]"
	echo 77777 >/proc/$BASHPID/timerslack_ns
	create
	rt start "$ID"
	ok
	eventually test -s "$INIT_OUT"
	rt exec "$ID" cat /proc/self/timerslack_ns
	eq "$(cat "$INIT_OUT") $output $(cat "$T/hook.slack")" "77777 77777 77777"
	rt delete --force "$ID"
	clean
}
