#!/usr/bin/env bats
# --pid-file: engines parse it with no trimming, and trust that it is whole.

load helpers

@test "pid-file: the number and nothing else" {
	create --pid-file "$T/pid"
	ok
	eq "$(cat pid)" "$(state /pid)"
	eq "$(stat -c %s pid)" "$(state /pid | tr -d '\n' | wc -c)" "bytes"
	eq "$(find . -maxdepth 1 -name "*pid*" | wc -l)" 1 "files with pid in their name"
	rt delete "$ID"
}

@test "pid-file: relative to the caller's directory, not the bundle's" {
	mkdir sub
	cd sub
	create --pid-file here.pid
	ok
	eq "$(cat "$T/sub/here.pid")" "$(state /pid)"
	[ ! -e "$BUNDLE/here.pid" ]
}

@test "pid-file: an old one is replaced" {
	echo 1234567890123 >pid
	ln pid other
	create --pid-file pid
	ok
	eq "$(cat pid)" "$(state /pid)"
	eq "$(cat other)" 1234567890123 "renamed over, not written into"
}

@test "pid-file: a stale temporary file is no obstacle" {
	ours "runc fails"
	touch .pid
	create --pid-file pid
	ok
	eq "$(cat pid)" "$(state /pid)"
}

@test "pid-file: a create that is killed leaves no part of one" {
	ours "runc fails"
	mkdir dir
	strace -f -qq -o trace -e trace=openat,linkat "$RUNTIME" --root "$ROOT" create --bundle "$BUNDLE" --pid-file "$T/dir/pid" "$ID" \
		</dev/null >out 2>&1 3>&- & # ends with the container
	eventually grep -q . dir/pid
	rt delete --force "$ID"
	wait $!
	# It has no name before it has its content.
	eq "$(grep -c 'O_CREAT.*/dir/' trace)" 0
	grep -q 'linkat(.*/dir/pid"' trace
	eq "$(ls -A dir)" pid
}

@test "pid-file: of run --detach" {
	script 'sleep 1000'
	rt run --detach --pid-file pid --bundle "$BUNDLE" "$ID"
	ok
	eq "$(cat pid)" "$(state /pid)"
}

@test "pid-file: the pid as the runtime's pid namespace sees it" {
	create --pid-file pid
	ok
	pid=$(cat pid)
	matches "$(cat "/proc/$pid/cgroup")" "/$ID(/leaf)?"
	eq "$(awk '$1 == "NSpid:" { print $2, $3 }' "/proc/$pid/status")" "$pid 1"
}

@test "pid-file: that cannot be written fails the create and leaves nothing" {
	create --pid-file "$T/nowhere/pid"
	fails "no such file or directory"
	clean
}

@test "pid-file: none after a create that failed" {
	edit -- /not/there
	create --pid-file pid
	fails
	ours "runc has written it by then"
	[ ! -e pid ]
	clean
}
