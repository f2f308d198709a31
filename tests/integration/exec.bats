#!/usr/bin/env bats
# exec: another program in a container.

load helpers

# box starts a container that lasts; the edits are its config's.
box() {
	edit "$@" -- /bin/sleep 1000
	start_box
}

ex() { rt exec "$ID" "$@"; }

# exec_fails TEXT…: as fails, with the status that exec has.
exec_fails() {
	eq "$status" 255 "exit status"
	status=1
	fails "$@"
}

# process_json EDIT…: the container's process with changes, in the file process.json.
process_json() {
	"$RIG" get "$BUNDLE/config.json" /process >process.json
	"$RIG" edit process.json "$@"
}

@test "exec: the program's output, and its exit status" {
	box
	ex echo hello
	ok
	eq "$output" hello
	for n in 0 1 42 126 127 254; do
		ex sh -c "exit $n"
		eq "$status" "$n" "exit status"
	done
	for s in 9 15 6; do
		ex sh -c "kill -$s \$\$; sleep 1000"
		eq "$status" $((128 + s)) "exit status"
	done
}

@test "exec: stdin, stdout and stderr are the caller's" {
	box
	printf 'one\ntwo\n' >in
	STDIN=in ex sh -c 'cat; echo err >&2'
	ok
	eq "$output" $'one\ntwo'
	eq "$stderr" err
}

@test "exec: a megabyte passes through pipes unchanged" {
	box
	head -c 1000003 /dev/urandom >data
	run -0 bash -c 'cat "$1" | "$2" --root "$3" exec "$4" cat 3>&- | md5sum' sh data "$RUNTIME" "$ROOT" "$ID"
	eq "$output" "$(md5sum <data)"
}

@test "exec: every namespace is the container's" {
	box
	ex sh -c 'for n in cgroup ipc mnt net pid uts; do [ "$(readlink /proc/1/ns/$n)" = "$(readlink /proc/self/ns/$n)" ] || echo "$n differs"; done
		hostname; ls -d /bin; ps | wc -l'
	ok
	lines "$(hostname_of_box)" /bin
	hasnt "$output" differs
}
hostname_of_box() { "$RIG" get "$BUNDLE/config.json" /hostname; }

@test "exec: the program is in the container's cgroup" {
	box
	ex sleep 1000 &
	eventually pids_in_leaf 2
	rt delete --force "$ID"
	ok
	wait
	clean
}
pids_in_leaf() { [ "$(wc -l <"$(leaf)/cgroup.procs")" -eq "$1" ]; }

@test "exec: user, groups, rights and limits are the container's own" {
	box '/process/user={"uid":1000,"gid":1001,"additionalGids":[5,6]}' /process/cwd:=/tmp \
		'/process/env=["PATH=/bin","X=config"]' '/process/rlimits=[{"type":"RLIMIT_CORE","soft":77000,"hard":99000}]' \
		$(caps CAP_KILL CAP_AUDIT_WRITE) /process/noNewPrivileges=true
	ex sh -c 'id; pwd; umask; echo "X=$X HOME=$HOME"; grep "Max core" /proc/self/limits | tr -s " "; grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/self/status'
	ok
	lines "uid=1000(user) gid=1001 groups=5,6" /tmp 0022 "X=config HOME=/home/user" "Max core file size 77000 99000 bytes " \
		$'CapInh:\t0000000000000000' $'CapBnd:\t0000000020000020' $'CapAmb:\t0000000000000000' $'NoNewPrivs:\t1'
}

@test "exec: flags about the program" {
	box '/process/env=["PATH=/bin","X=config","Y=config"]' /process/noNewPrivileges=false $(caps CAP_KILL)
	rt exec --user 1000:5 -g 6 -g 7 --env X=flag --env Z=a=b --cwd /home/user --cap CAP_SYS_NICE --cap CAP_CHOWN --no-new-privs "$ID" \
		sh -c 'id; pwd; echo "$X $Y $Z $HOME"; grep -E "^(CapBnd|CapInh|CapAmb|NoNewPrivs)" /proc/self/status'
	ok
	lines "uid=1000(user) gid=5 groups=6,7" /home/user "flag config a=b /home/user" $'CapInh:\t0000000000000000' \
		$'CapBnd:\t0000000000800021' $'CapAmb:\t0000000000000000' $'NoNewPrivs:\t1'
	# As root, what is added is also in force.
	rt exec --cap CAP_SYS_NICE "$ID" sh -c 'grep -E "^(CapEff|CapPrm)" /proc/self/status'
	ok
	lines $'CapEff:\t0000000000800020' $'CapPrm:\t0000000000800020'
}

@test "exec: what follows the id is the program's" {
	box
	ex echo -t --user x -- -e
	ok
	eq "$output" "-t --user x -- -e"
}

@test "exec --user: numbers to the last byte, or an error" {
	ours "others read some of them as another user"
	box
	for u in 1:1,0 1:2:1,2 4294967294:4294967294,0 0:0:0,0; do
		rt exec --user "${u%:*}" "$ID" sh -c 'echo $(id -u),$(id -g)'
		ok
		eq "$output" "${u##*:}" "ids of --user ${u%:*}"
	done
	for u in 1: :1 -1 4294967295 4294967296 ' 1' '1 ' 1x 0x1 root '' : 1:2:3 +1 1:-1 1:root 01x 1_0; do
		rt exec "--user=$u" "$ID" id
		exec_fails "--user"
		eq "$output" ""
	done
	for g in '' x -1 4294967295 5x; do
		rt exec "--additional-gids=$g" "$ID" id
		exec_fails "--additional-gids"
	done
}

@test "exec: a program that cannot be run" {
	box
	for p in /not/there not-there; do
		ex $p
		eq "$status" 255
		matches "$stderr" "executable file not found|no such file or directory"
	done
	ex /etc/passwd
	eq "$status" 255
	has "$stderr" "permission denied"
	ex /tmp
	eq "$status" 255
	if is_mesoc; then has "$stderr" '"/tmp": permission denied'; else matches "$stderr" "is a directory|permission denied"; fi
	rt exec --cwd /not/there "$ID" pwd
	eq "$status" 255
	has "$stderr" "no such file or directory"
	ours "texts"
	rt exec --cwd rel "$ID" pwd
	exec_fails "absolute path"
	rt exec -e NOEQUALS "$ID" env
	exec_fails NOEQUALS
	rt exec --cap CAP_NONE "$ID" env
	exec_fails CAP_NONE
	rt exec "$ID"
	exec_fails "no program"
	rt exec "$ID" ''
	exec_fails "executable file not found"
}

@test "exec: unknown, stopped and created containers" {
	ex true
	eq "$status" 255
	has "$stderr" "does not exist"
	script 'exit 0'
	create
	ok
	ex sh -c 'echo in; hostname; cat /proc/1/comm'
	ok
	lines in "$(hostname_of_box)"
	status_is created
	rt start "$ID"
	ok
	stopped
	ex true
	eq "$status" 255
	has "$stderr" "cannot exec in a stopped container"
}

@test "exec --detach: returns while the program runs; the pid file has no newline" {
	box
	for d in -d --detach; do
		rt exec $d --pid-file "$T/pid" "$ID" sleep 1000
		ok
		eq "$(wc -l <pid)" 0 "newlines in the pid file"
		eq "$(tr '\0' ' ' <"/proc/$(cat pid)/cmdline")" "sleep 1000 "
		grep -qx "$(cat pid)" "$(leaf)/cgroup.procs"
		rm pid
	done
	cd /
	rt exec -d --pid-file tmp/../tmp/"$ID.pid" "$ID" sleep 1000
	cd "$T"
	ok
	mv "/tmp/$ID.pid" pid
	kill -0 "$(cat pid)"
}

@test "exec: the pid file is only there once the program runs" {
	box
	rt exec --detach --pid-file "$T/pid" "$ID" /not/there
	eq "$status" 255
	[ ! -e pid ]
	rt exec --pid-file "$T/pid" "$ID" sh -c 'exit 3'
	eq "$status" 3
	[ -s pid ]
}

@test "exec --process: the file is all of the process" {
	box '/process/env=["PATH=/bin","X=config"]'
	process_json '/user={"uid":1000,"gid":7,"additionalGids":[8]}' '/env=["PATH=/bin","Y=file"]' /cwd:=/tmp \
		'/capabilities={"bounding":["CAP_KILL"]}' /noNewPrivileges=true \
		'/rlimits=[{"type":"RLIMIT_CORE","soft":55000,"hard":66000}]' \
		'/args=["sh","-c","id; pwd; echo \"$X $Y\"; grep \"Max core\" /proc/self/limits | tr -s \" \"; grep -E \"^(CapBnd|NoNewPrivs)\" /proc/self/status"]'
	for form in "--process process.json" "-p $T/process.json" "--process=process.json"; do
		rt exec $form "$ID"
		ok
		lines "uid=1000(user) gid=7 groups=8" /tmp " file" "Max core file size 55000 66000 bytes " $'CapBnd:\t0000000000000020' $'NoNewPrivs:\t1'
	done
}

@test "exec --process: umask and oomScoreAdj" {
	ours "runc takes the container's"
	box /process/user/umask=18 /process/oomScoreAdj=100
	process_json '/user/umask!' '/oomScoreAdj!' '/args=["sh","-c","umask; cat /proc/self/oom_score_adj"]'
	rt exec --process process.json "$ID"
	ok
	eq "$output" $'0022\n100'
	"$RIG" edit process.json /user/umask=63 /oomScoreAdj=200
	rt exec --process process.json "$ID"
	ok
	eq "$output" $'0077\n200'
}

@test "exec: scheduler, I/O priority and processors" {
	ours "runc 1.1 knows none of them"
	local last=$(($(nproc) - 1))
	box '/process/scheduler={"policy":"SCHED_BATCH","nice":3}' '/process/ioPriority={"class":"IOPRIO_CLASS_IDLE","priority":0}' \
		"/process/execCPUAffinity={\"initial\":\"0\",\"final\":\"$last\"}"
	ex sh -c 'cut -d " " -f 19,41 /proc/self/stat; grep Cpus_allowed_list /proc/self/status'
	ok
	eq "$output" $'3 3\nCpus_allowed_list:\t'"$last"
	process_json '/scheduler!' '/execCPUAffinity={"initial":"0"}' '/args=["sh","-c","cut -d \" \" -f 19,41 /proc/self/stat; nproc"]'
	rt exec --process process.json "$ID"
	ok
	eq "$output" "0 0"$'\n'"$(nproc)"
}

@test "exec: running out of the container's memory ends the program and says so by its status" {
	need controller:memory
	box '/linux/resources/memory={"limit":8388608,"swap":8388608}'
	for ((i = 0; i < 5; i++)); do
		ex rig burn 64
		eq "$status" 137 "exit status"
	done
	rt exec "$ID" true
	ok
	eq "$(state /status)" running
}

@test "exec --process: a bad file is an error with pointers, and nothing runs" {
	box
	rt exec --process nope.json "$ID"
	eq "$status" 255
	has "$stderr" "no such file or directory"
	ours "pointers"
	process_json '/cwd:=rel' '/args=[]' '/rlimits=[{"type":"RLIMIT_X","soft":1,"hard":1}]'
	rt exec --process process.json "$ID"
	exec_fails "/cwd" "rel" "absolute" "2 more problems"
	echo '{"args":1,"cwd":"/"}' >process.json
	rt exec --process process.json "$ID"
	exec_fails "/args" "expected an array"
	echo '{"args":["true"],"cwd":"/"' >process.json
	rt exec --process process.json "$ID"
	exec_fails process.json
	echo null >process.json
	rt exec --process process.json "$ID"
	exec_fails process.json
	process_json
	rt exec --process process.json "$ID" true
	exec_fails --process
	rt exec --process process.json --cwd / "$ID"
	exec_fails --process --cwd
}

@test "exec: the config of the create counts, not the bundle's of today" {
	ours "runc reads the bundle again"
	box '/process/env=["PATH=/bin","X=old"]' $(caps CAP_KILL)
	edit '/process/env=["PATH=/bin","X=new"]' $(caps CAP_KILL CAP_SYS_ADMIN)
	ex sh -c 'echo $X; grep CapBnd /proc/self/status'
	ok
	lines old $'CapBnd:\t0000000000000020'
	rm "$BUNDLE/config.json"
	ex echo still
	ok
}

@test "exec: sockets and homes that were made for the first process are not everybody's" {
	ours "what is added stays with init"
	echo three >f3
	edit -- /bin/sleep 1000
	bash -c 'export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@"' sh "$RUNTIME" --root "$ROOT" run -d --bundle "$BUNDLE" "$ID" >out 2>err 3<f3 </dev/null
	rt exec --user 1000 "$ID" env
	ok
	lines HOME=/home/user
	hasnt "$output" LISTEN_
}

@test "exec: preserve-fds and LISTEN_FDS" {
	box
	echo three >f3
	echo four >f4
	local s=0
	"$RUNTIME" --root "$ROOT" exec --preserve-fds 2 "$ID" sh -c 'cat <&3; cat <&4; [ -e /proc/$$/fd/5 ] && echo leak; echo end' \
		>out 2>err 3<f3 4<f4 5</ </dev/null || s=$?
	eq "$s" 0 "exit status, with $(cat err)"
	eq "$(cat out)" $'three\nfour\nend'
	ours "runc's exec has no socket activation"
	bash -c 'export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@"' sh "$RUNTIME" --root "$ROOT" exec --preserve-fds 1 "$ID" \
		sh -c 'cat <&3; cat <&4; env | grep ^LISTEN_ | sort; [ -e /proc/$$/fd/5 ] && echo leak; echo end' >out 2>err 3<f3 4<f4 5</ </dev/null || s=$?
	eq "$s" 0 "exit status, with $(cat err)"
	eq "$(cat out)" $'three\nfour\nLISTEN_FDS=1\nLISTEN_PID=1\nend'
	rt exec --preserve-fds 3 "$ID" true
	exec_fails descriptor
}

@test "exec: signals are passed on" {
	box
	"$RUNTIME" --root "$ROOT" exec "$ID" sh -c 'trap "exit 7" TERM; echo up; while :; do sleep 0.02; done' >out 2>err 3>&- </dev/null &
	runtime=$!
	eventually grep -q up out
	kill -TERM $runtime
	status=0
	wait $runtime || status=$?
	eq "$status" 7 "exit status"
}

@test "exec: signals act by default, whatever the caller ignores" {
	box
	trap '' HUP INT
	is_mesoc || trap - HUP INT
	ex grep -E '^Sig(Blk|Ign)' /proc/self/status
	trap - HUP INT
	ok
	eq "$output" $'SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000'
}

@test "exec: the system call filter of the container is in force" {
	box '/linux/seccomp={"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":95}]}'
	ex mkdir /tmp/x
	[ "$status" -eq 1 ]
	has "$stderr" "Operation not supported"
	process_json /noNewPrivileges=false '/args=["grep","Seccomp:","/proc/self/status"]'
	rt exec --process process.json "$ID"
	ok
	eq "$output" $'Seccomp:\t2'
}

@test "exec: a user namespace, with a user of its own" {
	chmod 755 "$T" "${T%/*}" "${T%/*/*}"
	box '/linux/namespaces+={"type":"user"}' \
		'/linux/uidMappings=[{"containerID":0,"hostID":100000,"size":65536}]' \
		'/linux/gidMappings=[{"containerID":0,"hostID":200000,"size":65536}]' \
		'/process/rlimits=[{"type":"RLIMIT_CORE","soft":77000,"hard":99000}]'
	ex sh -c 'id -u; id -g; grep "Max core" /proc/self/limits | tr -s " "; cut -d " " -f 1-30 /proc/self/uid_map | tr -s " "'
	ok
	lines 0 "Max core file size 77000 99000 bytes " " 0 100000 65536"
	rt exec --user 1000:5 "$ID" id
	ok
	eq "$output" "uid=1000(user) gid=5"
	rt exec --user 70000 "$ID" id
	eq "$status" 255
	matches "$stderr" "invalid argument|unmapped user"
}

@test "exec: a container without a mount and a pid namespace" {
	ours "runc leaves the program in the host's root"
	edit '/linux/namespaces=[{"type":"ipc"}]' /hostname! /mounts='[]' /linux/maskedPaths='[]' /linux/readonlyPaths='[]' -- /bin/sleep 1000
	start_box
	ex ls -d /bin /home/user /work
	has "$output" /home/user
	has "$stderr" /work
	ex sh -c 'cd ..; ls -d home/user'
	ok
}

@test "exec: no process, descriptor or cgroup is left by a thousand" {
	box
	n=1000
	if grep -q 'QEMU TCG' /proc/cpuinfo; then n=30; fi
	before=$(ls /proc/"$(state /pid)"/fd | wc -l)
	for ((i = 0; i < n; i++)); do
		"$RUNTIME" --root "$ROOT" exec "$ID" /bin/true 3>&- </dev/null || die "number $i failed"
	done
	pids_in_leaf 1
	eq "$(ls /proc/"$(state /pid)"/fd | wc -l)" "$before" "descriptors of init"
	eq "$(find "$(cgroup)" -type d | wc -l)" "$(if is_mesoc; then echo 2; else echo 1; fi)" "cgroups"
	rt delete --force "$ID"
	ok
	clean
}

@test "exec: many at once" {
	box
	local pids=() p
	for i in 1 2 3 4 5 6 7 8; do
		"$RUNTIME" --root "$ROOT" exec "$ID" sh -c "echo $i; exit $i" >"out.$i" 2>&1 3>&- </dev/null &
		pids+=($!)
	done
	i=0
	for p in "${pids[@]}"; do
		i=$((i + 1)) status=0
		wait "$p" || status=$?
		eq "$status" $i "exit status"
		eq "$(cat out.$i)" $i
	done
	pids_in_leaf 1
}

@test "exec: the json log has one record, with id, command and code" {
	ours "more fields"
	box
	rt --log "$T/log" --log-format json exec "$ID" /not/there
	eq "$(wc -l <log)" 1
	eq "$("$RIG" get log /level /code /command /id)" $'error\n255\nexec\n'"$ID"
	has "$("$RIG" get log /msg)" "no such file or directory"
}

@test "exec --cgroup: below the container's" {
	box
	mkdir "$(leaf)/sub" "$(leaf)/sub/deep"
	for c in sub /sub sub/deep /; do
		rt exec -d --pid-file "$T/pid" --cgroup $c "$ID" sleep 1000
		ok
		grep -qx "$(cat pid)" "$(leaf)/$c/cgroup.procs"
	done
	for c in ../.. .. sub/../.. none; do
		rt exec --cgroup $c "$ID" true
		eq "$status" 255 "exit status with --cgroup $c"
	done
	ours "texts"
	rt exec --cgroup memory:sub "$ID" true
	exec_fails "controllers"
}

@test "exec: init has moved to a cgroup below the leaf" {
	need controller:hugetlb
	box '/linux/resources/hugepageLimits=[{"pageSize":"2MB","limit":0}]' # so that the leaf has a controller
	mkdir "$(leaf)/init"
	state /pid >"$(leaf)/init/cgroup.procs"
	is_mesoc || echo "+hugetlb" >"$(cgroup)/cgroup.subtree_control"
	echo "+hugetlb" >"$(leaf)/cgroup.subtree_control"
	rt exec -d --pid-file "$T/pid" "$ID" sleep 1000
	ok
	grep -qx "$(cat pid)" "$(leaf)/init/cgroup.procs"
	ours "said"
	rt --log "$T/log" --log-format json exec "$ID" true
	ok
	has "$(cat log)" "leaf/init"
}

# traces: all that an exec could leave: descriptors of init, processes, cgroups, files of the state.
traces() {
	ls "/proc/$1/fd"
	find "$(cgroup)" -type d | sort
	cat "$(leaf)/cgroup.procs"
	find "$ROOT" | sort
}

@test "many execs leave no descriptor, process, cgroup or file behind (EXECS, 25)" {
	local pid before i
	script 'sleep 1000'
	start_box
	pid=$(state /pid)
	rt exec "$ID" /bin/true
	ok
	before=$(traces "$pid")
	for ((i = 0; i < ${EXECS:-25}; i++)); do
		"$RUNTIME" --root "$ROOT" exec "$ID" /bin/true </dev/null 3>&- 4>&-
	done
	eq "$(traces "$pid")" "$before"
	sleep 1001 3>&- 4>&- &
	undo "kill $! 2>/dev/null || :"
	echo $! >"$(leaf)/cgroup.procs"
	[ "$(traces "$pid")" != "$before" ]
}
