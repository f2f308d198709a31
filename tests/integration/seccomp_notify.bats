#!/usr/bin/env bats
# System call filters that ask an agent: what it is sent, when, and that init's
# own calls behind the filter do not get in its way.

load helpers

# agent ANSWER: it listens on $T/agent.sock, and writes what it is sent to heard.
# It is no leak of the runtime's, so it has no tag; teardown ends it.
agent() {
	rm -f agent.sock heard heard.calls
	env -u MESOC_SUITE_TAG "$RIG" seccomp "$T/agent.sock" "$T/heard" "$1" 3>&- </dev/null 2>rig.err &
	AGENT=$!
	undo "kill $AGENT 2>/dev/null || :"
	eventually test -S agent.sock
}

# notify NAMES [MEMBERS]: the profile of the container; NAMES is a list in JSON,
# or default for everything.
notify() {
	local profile="\"listenerPath\":\"$T/agent.sock\",\"listenerMetadata\":\"some thing\""
	if [ "$1" = default ]; then
		edit "/linux/seccomp={\"defaultAction\":\"SCMP_ACT_NOTIFY\",$profile}"
	else
		edit "/linux/seccomp={\"defaultAction\":\"SCMP_ACT_ALLOW\",$profile,\"syscalls\":[{\"names\":$1,\"action\":\"SCMP_ACT_NOTIFY\"}]${2:+,$2}}"
	fi
}

heard() { "$RIG" get heard "$@"; }
connections() { [ "$(wc -l <heard)" = "$1" ]; }

@test "seccomp notify: create sends one state, with the listener" {
	agent errno=95
	notify '["mkdir","mkdirat"]'
	script 'mkdir /tmp/x 2>&1; echo went on' '/annotations={"k":"v"}'
	create
	ok
	eventually test -s heard
	eq "$(heard /fds /pid /metadata /state/status /state/pid /state/id /state/bundle /state/annotations)" \
		"[\"seccompFd\"]
$(state /pid)
some thing
creating
$(state /pid)
$ID
$BUNDLE
{\"k\":\"v\"}"
	heard /ociVersion /state/ociVersion
	if is_mesoc; then status_is created; fi
	rt start "$ID"
	ok
	stopped
	output=$(<"$INIT_OUT")
	lines "mkdir: can't create directory '/tmp/x': Operation not supported" "went on"
	eventually connections 1
	rt delete "$ID"
	ok
	clean
}

@test "seccomp notify: run, and every answer" {
	for a in continue:made errno=95:refused value=0:missing; do
		agent "${a%%:*}"
		notify '["mkdir","mkdirat"]'
		in_box 'if mkdir /tmp/x 2>/dev/null; then if [ -d /tmp/x ]; then echo made; else echo missing; fi; else echo refused; fi' \
			/root/readonly=false
		eq "$output" "${a##*:}" "${a%%:*}"
		eventually test -s heard
		eq "$(heard /state/status)" creating
		kill "$AGENT"
		rm -rf "$BASE/tmp/x"
	done
	clean
}

@test "seccomp notify: write and sendmsg, which others' init needs itself" {
	ours "runc refuses it"
	agent value=length
	notify '["write","sendmsg","sendto","writev"]'
	for mode in run create; do
		script 'echo swallowed; exit 3'
		if [ $mode = run ]; then
			rt run --bundle "$BUNDLE" "$ID"
			eq "$status" 3 "exit status"
			eq "$output" ""
		else
			start_box
			stopped
			eq "$(<"$INIT_OUT")" ""
			rt delete "$ID"
			ok
		fi
	done
	test -s heard.calls
	clean
}

@test "seccomp notify: everything, with and without noNewPrivileges, as root and as a user" {
	ours "runc refuses it"
	agent continue
	notify default
	for set in 'true 0' 'false 0' 'false 1000'; do
		script 'echo hello; grep -E "^CapEff" /proc/self/status; id -u' "/process/noNewPrivileges=${set% *}" "/process/user/uid=${set#* }"
		rt run --bundle "$BUNDLE" "$ID"
		ok
		lines hello "${set#* }"
		eff=$(sed -n 's/^CapEff:[[:space:]]*//p' <<<"$output")
		[ $((16#$eff & 1 << 21)) -eq 0 ] || die "CAP_SYS_ADMIN is left in $eff"
		start_box
		stopped
		output=$(<"$INIT_OUT")
		lines hello "${set#* }"
		rt delete "$ID"
		ok
	done
	eventually connections 6
	clean
}

@test "seccomp notify: a profile that allows little but the program's calls" {
	ours "others' init makes more calls"
	agent errno=95
	calls='["read","close","execve","brk","arch_prctl","set_tid_address","set_robust_list","rseq","prlimit64","readlinkat","readlink","getrandom","mprotect","uname","getuid","setuid","geteuid","getgid","setgid","getegid","getpid","getppid","gettid","mmap","munmap","newfstatat","statx","fstat","poll","ioctl","write","dup2","dup3","fcntl","exit_group","rt_sigaction","rt_sigprocmask","getcwd","stat","prctl","chdir"]'
	edit "/linux/seccomp={\"defaultAction\":\"SCMP_ACT_KILL_PROCESS\",\"listenerPath\":\"$T/agent.sock\",\"syscalls\":[{\"names\":$calls,\"action\":\"SCMP_ACT_ALLOW\"},{\"names\":[\"mkdir\",\"mkdirat\",\"clone\"],\"action\":\"SCMP_ACT_NOTIFY\"}]}"
	edit /process/noNewPrivileges=true -- /bin/mkdir /tmp/x
	rt run --bundle "$BUNDLE" "$ID"
	has "$stderr" "Operation not supported"
	start_box
	stopped
	rt delete "$ID"
	ok
	clean
}

@test "seccomp notify: files, descriptors and limits as without" {
	ours "others need more descriptors for it"
	agent continue
	notify '["mkdir","mkdirat"]'
	script 'ls /proc/self/fd | tr "\n" " "; ulimit -n' '/process/rlimits=[{"type":"RLIMIT_NOFILE","soft":9,"hard":9}]'
	"$RUNTIME" --root "$ROOT" run --preserve-fds 2 --bundle "$BUNDLE" "$ID" >out </dev/null 3</dev/null 4</dev/null
	eq "$(tr '\n' ' ' <out)" "0 1 2 3 4 5 9 "
	clean
}

@test "seccomp notify: where the state cannot be sent, there is no container" {
	notify '["mkdir"]'
	create
	fails agent.sock "no such file"
	clean
	touch agent.sock
	rt run --bundle "$BUNDLE" "$ID"
	fails agent.sock "connection refused"
	clean
	rm agent.sock
	ln -s nowhere agent.sock
	create
	fails agent.sock
	clean
}

@test "seccomp notify: only with a listenerPath, and only then metadata" {
	ours "the words"
	edit '/linux/seccomp={"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_NOTIFY"}]}'
	create
	fails "/linux/seccomp/listenerPath" "required"
	edit '/linux/seccomp={"defaultAction":"SCMP_ACT_ALLOW","listenerMetadata":"m"}'
	create
	fails "/linux/seccomp/listenerMetadata"
	clean
}

@test "seccomp notify: a listenerPath that no rule needs is ignored" {
	edit '/linux/seccomp={"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/no/such/socket"}'
	in_box 'echo fine'
	eq "$output" fine
	edit '/linux/seccomp={"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/no/such/socket","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_ERRNO"}]}'
	in_box 'mkdir /tmp/x 2>&1 || echo fine'
	lines fine
	clean
}

@test "seccomp notify: an agent that goes fails the calls that it was asked about" {
	agent close
	notify '["mkdir","mkdirat"]'
	in_box 'mkdir /tmp/x 2>&1; echo went on'
	lines "mkdir: can't create directory '/tmp/x': Function not implemented" "went on"
	clean
}

@test "seccomp notify: an agent that goes before the execve that it is asked about" {
	ours "the listener is closed before"
	agent close
	notify '["execve"]'
	create
	ok
	eventually test -s heard
	rt start "$ID"
	fails "exec" "function not implemented"
	clean
	rt run --bundle "$BUNDLE" "$ID"
	fails "exec" "function not implemented"
	clean
}

@test "seccomp notify: an execve that is answered, and one that is refused" {
	ours "the words"
	agent continue
	notify '["execve"]'
	in_box 'echo fine'
	eq "$output" fine
	kill "$AGENT"
	agent errno=13
	create
	ok
	rt start "$ID"
	fails "exec" "permission denied"
	clean
}

@test "seccomp notify: startContainer hooks are notified too, over a connection of their own" {
	ours "in runc init runs them itself"
	agent errno=95
	notify '["mkdir","mkdirat"]'
	mkdir "$BASE/hooks"
	printf '#!/bin/sh\nmkdir /tmp/hook 2>/said || :\n' >"$BASE/hooks/h"
	chmod +x "$BASE/hooks/h"
	edit '/hooks/startContainer=[{"path":"/hooks/h"}]' /root/readonly=false
	script 'mkdir /tmp/program 2>&1; true'
	create
	ok
	eventually connections 1
	rt start "$ID"
	ok
	stopped
	has "$(<"$BASE/said")" "Operation not supported"
	has "$(<"$INIT_OUT")" "Operation not supported"
	eventually connections 2
	tail -n 1 heard >second
	eq "$("$RIG" get second /state/status /metadata)" "created
some thing"
	eq "$("$RIG" get second /state/pid)" "$(head -n 1 heard | "$RIG" get - /pid)" "the pid of the container"
	[ "$("$RIG" get second /pid)" != "$(head -n 1 heard | "$RIG" get - /pid)" ] || die "the hook has init's pid"
	rt delete "$ID"
	ok
	clean
}

@test "seccomp notify: a hook whose listener cannot be sent ends the container" {
	ours "in runc init runs them itself"
	agent continue
	notify '["mkdir"]'
	edit '/hooks/startContainer=[{"path":"/bin/true","args":["true"]}]'
	create
	ok
	rm agent.sock
	rt start "$ID"
	fails "startContainer[0]" agent.sock
	clean
}

@test "seccomp notify: a hook whose execve is never answered is killed at its timeout" {
	ours "in runc init runs them itself"
	agent never
	notify '["execve"]'
	edit '/hooks/startContainer=[{"path":"/bin/true","args":["true"],"timeout":1}]'
	for cmd in create run; do
		rt $cmd --bundle "$BUNDLE" "$ID"
		if [ $cmd = create ]; then
			ok
			rt start "$ID"
		fi
		fails "run hook startContainer[0] /bin/true: timed out after 1s"
		clean
	done
}

# box starts a container that lasts; the edits are its config's.
box() {
	edit "$@" -- /bin/sleep 1000
	start_box
}

# alone: the container has no process but its first.
alone() { [ "$(wc -l <"$(leaf)/cgroup.procs")" -eq 1 ]; }

asked() { grep -q "^$1 " heard.calls; }

# exec_fails TEXT…: exec says it, and nothing is left of what it has begun.
exec_fails() {
	eq "$status" 255 "exit status"
	status=1
	fails "$@"
	[ ! -e pid ] || die "there is a pid file"
	alone
}

@test "seccomp notify: exec has a connection of its own, with status running" {
	agent errno=95
	notify '["mkdir","mkdirat"]'
	box '/annotations={"k":"v"}'
	eventually connections 1
	rt exec "$ID" sh -c 'mkdir /tmp/x 2>&1; echo went on; exit 3'
	eq "$status" 3 "exit status"
	lines "mkdir: can't create directory '/tmp/x': Operation not supported" "went on"
	eventually connections 2
	rt exec --detach --pid-file pid "$ID" mkdir /tmp/x
	ok
	eventually connections 3
	tail -n 1 heard >last
	eq "$("$RIG" get last /fds /pid /metadata /state/status /state/pid /state/id /state/bundle /state/annotations)" \
		"[\"seccompFd\"]
$(<pid)
some thing
running
$(state /pid)
$ID
$BUNDLE
{\"k\":\"v\"}"
	eventually asked "$(<pid)"
	rt delete --force "$ID"
	ok
	clean
}

@test "seccomp notify: two execs at once are two connections" {
	agent errno=95
	notify '["mkdir","mkdirat"]'
	box
	eventually connections 1
	local i jobs=()
	for i in 1 2; do
		"$RUNTIME" --root "$ROOT" exec --detach --pid-file "pid.$i" "$ID" sh -c 'mkdir /tmp/x 2>&1; sleep 1000' >"said.$i" 3>&- </dev/null &
		jobs+=($!)
	done
	wait "${jobs[@]}"
	eventually connections 3
	eq "$(tail -n 2 heard | while read -r line; do "$RIG" get - /pid <<<"$line"; done | sort)" "$(printf '%s\n' "$(<pid.1)" "$(<pid.2)" | sort)"
	for i in 1 2; do
		eventually grep -q "Operation not supported" "said.$i"
	done
	rt delete --force "$ID"
	ok
	clean
}

@test "seccomp notify: exec, with everything or write notified" {
	ours "runc refuses it"
	agent continue
	notify default
	for nnp in true false; do
		box "/process/noNewPrivileges=$nnp"
		rt exec --user 1000 "$ID" sh -c 'id -u; grep -E "^CapEff" /proc/self/status; exit 3'
		eq "$status" 3 "exit status"
		lines 1000
		eff=$(sed -n 's/^CapEff:[[:space:]]*//p' <<<"$output")
		[ $((16#$eff & 1 << 21)) -eq 0 ] || die "CAP_SYS_ADMIN is left in $eff"
		"$RUNTIME" --root "$ROOT" exec --preserve-fds 2 "$ID" sh -c 'echo /proc/self/fd/*; ulimit -n' >out 2>&1 </dev/null 3</dev/null 4</dev/null
		matches "$(<out)" '/fd/3 /proc/self/fd/4'
		rt delete --force "$ID"
		ok
	done
	kill "$AGENT"
	agent value=length
	notify '["write","sendmsg","sendto","writev"]'
	box
	rt exec "$ID" sh -c 'echo swallowed; exit 3'
	eq "$status" 3 "exit status"
	eq "$output" ""
	test -s heard.calls
	rt delete --force "$ID"
	ok
	clean
}

@test "seccomp notify: an exec whose listener cannot be sent runs nothing" {
	ours "the words"
	agent continue
	notify '["mkdir"]'
	box /root/readonly=false
	kill "$AGENT"
	wait "$AGENT" || :
	for flags in --pid-file=pid '--detach --pid-file=pid'; do
		# shellcheck disable=SC2086
		rt exec $flags "$ID" touch /ran
		exec_fails "pass the seccomp listener on" "$T/agent.sock" "connection refused"
	done
	rm agent.sock
	rt exec --pid-file pid "$ID" touch /ran
	exec_fails "$T/agent.sock" "no such file"
	[ ! -e "$BASE/ran" ] || die "the program has run"
	status_is running
	agent continue
	rt exec "$ID" touch /ran
	ok
	[ -e "$BASE/ran" ]
	rt delete --force "$ID"
	ok
	clean
}

@test "seccomp notify: an exec whose execve is refused" {
	ours "the words"
	agent continue
	notify '["execve"]'
	box
	rt exec "$ID" echo fine
	ok
	eq "$output" fine
	kill "$AGENT"
	agent errno=13
	rt exec --pid-file pid "$ID" echo fine
	exec_fails 'exec "echo"' "permission denied"
	kill "$AGENT"
	agent close
	rt exec --detach --pid-file pid "$ID" echo fine
	exec_fails 'exec "echo"' "function not implemented"
	rt delete --force "$ID"
	ok
	clean
}

@test "seccomp notify: WAIT_KILLABLE_RECV" {
	need kernel:5.19
	ours "needs libseccomp 2.6"
	agent errno=95
	notify '["mkdir","mkdirat"]' '"flags":["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV","SECCOMP_FILTER_FLAG_TSYNC","SECCOMP_FILTER_FLAG_LOG","SECCOMP_FILTER_FLAG_SPEC_ALLOW"]'
	in_box 'mkdir /tmp/x 2>&1; true'
	has "$output" "Operation not supported"
	# Nobody is notified, so there is nothing to wait for.
	edit '/linux/seccomp={"defaultAction":"SCMP_ACT_ALLOW","flags":["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]}'
	in_box 'echo fine'
	eq "$output" fine
	clean
}

@test "seccomp notify: in a user namespace" {
	agent errno=95
	notify '["mkdir","mkdirat"]'
	chmod 755 "$T"
	in_box 'mkdir /tmp/x 2>&1; true' '/linux/namespaces+={"type":"user"}' '/linux/uidMappings=[{"containerID":0,"hostID":0,"size":65536}]' \
		'/linux/gidMappings=[{"containerID":0,"hostID":0,"size":65536}]'
	has "$output" "Operation not supported"
	rm heard
	box
	rt exec "$ID" mkdir /tmp/x
	eq "$status" 1 "exit status"
	has "$stderr" "Operation not supported"
	rt delete --force "$ID"
	ok
	clean
}

@test "seccomp notify: each step of the program, failing" {
	ours "its init is a program"
	agent continue
	notify '["mkdir"]'
	edit -- /bin/true
	rt --debug create --bundle "$BUNDLE" "$ID"
	ok
	rt delete --force "$ID"
	ok
	sed -n 's/^step \([0-9]*\): /\1 /p' "$T/stderr.$((N - 1))" >steps
	first=$(grep -m 1 'make room for descriptors' steps | cut -d ' ' -f 1)
	last=$(tail -n 1 steps | cut -d ' ' -f 1)
	for ((i = first; i <= last; i++)); do
		step=$(sed -n "s/^$i //p" steps)
		[[ $step != \** && $step != *"any errno: go on"* ]] || continue # it cannot fail
		what=${step##*  # }
		what=${what%%;*}
		export MESOC_TEST_FAULT=$i:EIO
		create
		unset MESOC_TEST_FAULT
		if [ "$status" -eq 0 ]; then
			rt start "$ID"
			[ "$status" -ne 0 ] || die "step $i did not fail: $step"
		fi
		if [[ $step == *"wait for start"* ]] && [[ $stderr == *"it has stopped"* ]]; then
			rt delete "$ID"
			ok
		else
			fails "$what" "input/output error"
		fi
		clean
	done
}
