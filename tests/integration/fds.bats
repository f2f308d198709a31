#!/usr/bin/env bats
# Descriptors: 0 to 2, those that were asked for, and no others.

load helpers

# probe is a script that names every descriptor that the shell should not have.
probe='for fd in $(seq 3 60); do [ -e /proc/$$/fd/$fd ] && echo "$fd $(readlink /proc/$$/fd/$fd)"; done; echo end'

@test "nothing of the caller's leaks into the program" {
	script "$probe"
	local fd
	for fd in $(seq 5 40); do eval "exec $fd</"; done
	rt run --bundle "$BUNDLE" "$ID"
	for fd in $(seq 5 40); do eval "exec $fd<&-"; done
	ok
	eq "$output" end
	clean
}

@test "nothing of the runtime's leaks into the program, created and started" {
	script "$probe"
	create
	ok
	rt start "$ID"
	ok
	stopped
	eq "$(cat "$INIT_OUT")" end
}

@test "nothing of the runtime's leaks into hooks" {
	hook() { printf '#!/bin/sh\n/bin/ls -l /proc/self/fd | sed -n "s/.* \\([0-9]*\\) -> \\(.*\\)/%s \\1 \\2/p" >>%s/fds\n' "$1" "$T" >"$T/$1"; chmod +x "$T/$1"; }
	local hooks=(prestart createRuntime poststart)
	# runc's delete hands on whatever the caller had open.
	if is_mesoc; then hooks+=(poststop); fi
	for h in "${hooks[@]}"; do
		hook $h
		edit "/hooks/$h+={\"path\":\"$T/$h\"}"
	done
	create
	ok
	rt start "$ID"
	ok
	stopped
	rt delete "$ID"
	ok
	# ls itself holds the directory as 3.
	eq "$(grep -cvE '^[a-zA-Z]+ [0-3] ' fds)" 0 "descriptors above 3"
	eq "$(grep -c '^[a-zA-Z]* 3 /proc/' fds)" "${#hooks[@]}" "hooks with only a directory as 3"
}

@test "standard descriptors that are closed are /dev/null" {
	ours "runc puts a pipe of its own there, crun crashes"
	script 'for fd in 0 1 2; do readlink /proc/self/fd/$fd; done >/fds 2>&1'
	edit /root/readonly=false
	local s=0
	"$RUNTIME" --root "$ROOT" run --bundle "$BUNDLE" "$ID" <&- >&- 2>&- || s=$?
	eq "$s" 0 "exit status"
	eq "$(cat "$BUNDLE/rootfs/fds")" $'/dev/null\n/fds\n/fds'
	clean
}

# What a host has many of, mounts first of all, has to cost nothing.
@test "state opens the container's files and no others" {
	ours "the others look around"
	create
	ok
	strace -f -qq -o trace -e trace=/^open -e signal=none -e status=successful "$RUNTIME" --root "$ROOT" state "$ID" >out
	eq "$(sed "s/.*(//; s/\", .*//; s/.*\"//; s|^$ROOT/||; s|$(state /pid)|PID|; s|$ID|ID|" trace | sort | tr '\n' ' ')" \
		"/proc/PID/stat /proc/sys/kernel/random/boot_id /sys/fs/cgroup ID cgroup.events mesos/ID state.json "
}

@test "preserve-fds: as many as asked for, with their numbers" {
	echo three >f3
	echo four >f4
	script 'cat <&3; cat <&4; [ -e /proc/$$/fd/5 ] && echo leak; echo end'
	local s=0
	"$RUNTIME" --root "$ROOT" run --preserve-fds 2 --bundle "$BUNDLE" "$ID" >out 2>err 3<f3 4<f4 5</ || s=$?
	eq "$s" 0 "exit status, with $(cat err)"
	eq "$(cat out)" $'three\nfour\nend'
	clean
}

@test "preserve-fds: across create and start" {
	echo three >f3
	script 'cat <&3'
	"$RUNTIME" --root "$ROOT" create --preserve-fds=1 --bundle "$BUNDLE" "$ID" >out 2>err 3<f3 4>&-
	rt start "$ID"
	ok
	stopped
	eq "$(cat out)" three
}

@test "preserve-fds: one that is not open is an error before anything is made" {
	if is_mesoc; then # runc finds descriptors of its own there
		create --preserve-fds 3
		fails fd
		clean
		# An attached run has some of its own there by then.
		rt run --preserve-fds 1 --bundle "$BUNDLE" "$ID"
		fails "descriptor 3"
		clean
		create --preserve-fds=-1
		fails
		clean
	fi
	create --preserve-fds=x
	fails
	clean
}

@test "LISTEN_FDS: descriptors, the variable, and LISTEN_PID=1" {
	echo three >f3
	script 'cat <&3; env | grep ^LISTEN_ | sort; [ -e /proc/$$/fd/4 ] && echo leak; echo end'
	local s=0
	bash -c 'export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@"' sh \
		"$RUNTIME" --root "$ROOT" run --bundle "$BUNDLE" "$ID" >out 2>err 3<f3 4</ || s=$?
	eq "$s" 0 "exit status, with $(cat err)"
	eq "$(cat out)" $'three\nLISTEN_FDS=1\nLISTEN_PID=1\nend'
}

@test "LISTEN_FDS: and preserved ones after them" {
	echo three >f3
	echo four >f4
	script 'cat <&3; cat <&4; env | grep ^LISTEN_FDS=; [ -e /proc/$$/fd/5 ] && echo leak; echo end'
	local s=0
	bash -c 'export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@"' sh \
		"$RUNTIME" --root "$ROOT" run --preserve-fds 1 --bundle "$BUNDLE" "$ID" >out 2>err 3<f3 4<f4 5</ || s=$?
	eq "$s" 0 "exit status, with $(cat err)"
	eq "$(cat out)" $'three\nfour\nLISTEN_FDS=1\nend'
}

@test "LISTEN_FDS: of another process means nothing" {
	echo three >f3
	script 'env | grep ^LISTEN_; [ -e /proc/$$/fd/3 ] && echo leak; echo end'
	local s=0
	LISTEN_PID=1 LISTEN_FDS=1 "$RUNTIME" --root "$ROOT" run --bundle "$BUNDLE" "$ID" >out 2>err 3<f3 4>&- || s=$?
	eq "$s" 0 "exit status, with $(cat err)"
	eq "$(cat out)" end
}
