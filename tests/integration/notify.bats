#!/usr/bin/env bats
# NOTIFY_SOCKET: a service manager's readiness protocol, passed through.

load helpers

@test "NOTIFY_SOCKET: READY and MAINPID reach the manager" {
	"$RIG" notify "$T/manager.sock" "$T/heard" 2 3>&- </dev/null 2>rig.err &
	eventually test -S manager.sock
	script 'echo "$NOTIFY_SOCKET"; rig send "$NOTIFY_SOCKET" "STATUS=warming up"; rig send "$NOTIFY_SOCKET" READY=1; sleep 1000'
	export NOTIFY_SOCKET=$T/manager.sock
	create
	ok
	[ ! -s heard ]
	rt start "$ID"
	ok
	eventually grep -q MAINPID heard
	unset NOTIFY_SOCKET
	eq "$(cat heard)" "READY=1
MAINPID=$(state /pid)"
	eq "$(cat "$INIT_OUT")" /run/notify/notify.sock
}

@test "NOTIFY_SOCKET: a program that ends without a word does not keep start waiting" {
	"$RIG" notify "$T/manager.sock" "$T/heard" 1 3>&- </dev/null 2>rig.err &
	rig=$!
	eventually test -S manager.sock
	script 'exit 0'
	export NOTIFY_SOCKET=$T/manager.sock
	create
	ok
	rt start "$ID"
	unset NOTIFY_SOCKET
	ok
	stopped
	kill $rig
	[ ! -s heard ]
}

@test "without NOTIFY_SOCKET the program has none" {
	in_box 'env | grep NOTIFY; ls /run; echo end'
	eq "$output" end
	clean
}
