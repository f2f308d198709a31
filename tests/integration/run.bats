#!/usr/bin/env bats
# run: attached and detached, what comes out, and with which exit status.

load helpers

@test "run: the program's exit status" {
	for n in 0 1 42 127 255; do
		script "exit $n"
		rt run --bundle "$BUNDLE" "$ID"
		eq "$status" "$n" "exit status"
	done
	clean
}

@test "run: 128 and the signal that killed the program" {
	# Without a pid namespace of its own, because the first process of one is spared.
	for s in 9 15 6; do
		script "kill -$s \$\$; sleep 1000" /linux/namespaces='[{"type":"mount"}]' /hostname!
		rt run --bundle "$BUNDLE" "$ID"
		eq "$status" $((128 + s)) "exit status"
	done
	clean
}

@test "run: stdin, stdout and stderr are the caller's" {
	printf 'one\ntwo\n' >in
	script 'cat; echo err >&2'
	STDIN=in rt run --bundle "$BUNDLE" "$ID"
	ok
	eq "$output" $'one\ntwo'
	eq "$stderr" err
	clean
}

@test "run: a megabyte passes through pipes unchanged, and EOF ends it" {
	head -c 1000003 /dev/urandom >data
	script 'cat'
	run -0 bash -c 'cat "$1" | "$2" --root "$3" run --bundle "$4" "$5" 3>&- | md5sum' \
		sh data "$RUNTIME" "$ROOT" "$BUNDLE" "$ID"
	eq "$output" "$(md5sum <data)"
	clean
}

@test "run: the reader of stdout goes away" {
	script 'yes'
	run -0 bash -c '"$2" --root "$3" run --bundle "$4" "$5" 3>&- 2>/dev/null | head -n 2' \
		sh x "$RUNTIME" "$ROOT" "$BUNDLE" "$ID"
	eq "$output" $'y\ny'
	clean
}

@test "run --detach: returns while the program runs" {
	script 'echo up; sleep 1000'
	for flag in -d --detach -detach=true; do
		rt run $flag --bundle "$BUNDLE" "$ID"
		ok
		eq "$(state /status)" running
		rt delete --force "$ID"
		ok
	done
	clean
}

@test "run --detach: a program that cannot be found is an error" {
	edit -- /not/there
	rt run --detach --bundle "$BUNDLE" "$ID"
	fails "no such file or directory"
	clean
}

@test "run --detach=false is attached" {
	script 'exit 3'
	rt run --detach=false --bundle "$BUNDLE" "$ID"
	eq "$status" 3
	clean
}

@test "run --keep: the container stays, stopped" {
	script 'exit 5'
	rt run --keep --bundle "$BUNDLE" "$ID"
	eq "$status" 5
	eq "$(state /status)" stopped
	rt delete "$ID"
	ok
	clean
}

@test "run: a signal to the runtime is passed to the program" {
	script 'trap "exit 7" TERM; echo up; while :; do sleep 0.02; done'
	"$RUNTIME" --root "$ROOT" run --bundle "$BUNDLE" "$ID" >out 2>err 3>&- </dev/null &
	runtime=$!
	eventually grep -q up out
	kill -TERM $runtime
	status=0
	wait $runtime || status=$?
	eq "$status" 7 "exit status"
	eq "$(cat err)" ""
	clean
}

@test "run: a process left behind in the pid namespace does not keep it" {
	script 'sleep 1000 & echo bye'
	rt run --bundle "$BUNDLE" "$ID"
	ok
	eq "$output" bye
	clean
}

@test "run: a process left behind without a pid namespace is killed" {
	ours "runc 1.1 leaves it and its cgroup"
	script 'sleep 1000 >/dev/null 2>&1 & echo bye' /linux/namespaces/@pid!
	rt run --bundle "$BUNDLE" "$ID"
	ok
	eq "$output" bye
	clean
}

@test "run --no-subreaper, --no-pivot, --no-new-keyring" {
	script 'echo $$; ls -d /bin /old_root 2>&1'
	rt run --no-subreaper --no-pivot --no-new-keyring --bundle "$BUNDLE" "$ID"
	# The last ls fails on purpose.
	eq "$output" $'1\nls: /old_root: No such file or directory\n/bin'
	clean
}

@test "run --no-pivot: the host's root is out of reach" {
	script 'cd /; cd ..; cd ../..; ls -d bin tests 2>&1; ls -d /proc/1/root/tests 2>&1; true' $(caps CAP_SYS_ADMIN CAP_SYS_CHROOT CAP_SYS_PTRACE)
	rt run --no-pivot --bundle "$BUNDLE" "$ID"
	ok
	lines bin "ls: tests: No such file or directory" "ls: /proc/1/root/tests: No such file or directory"
	clean
}

@test "keyring: a new session keyring unless told otherwise" {
	[ -r /proc/keys ] || skip "this kernel has no /proc/keys"
	script 'cat /proc/keys' /linux/maskedPaths='[]'
	rt run --bundle "$BUNDLE" "$ID"
	ok
	matches "$output" "keyring +_ses\.$ID"
}
