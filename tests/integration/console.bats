#!/usr/bin/env bats
# Terminals: over --console-socket when detaching, the caller's own when attached.

load helpers

# console_create [EDIT…]: create with a receiver on the socket; what the
# terminal says is in console.out.
console_create() {
	edit /process/terminal=true "$@"
	mkfifo keys
	"$RIG" console "$T/console.sock" "$T/console.out" <keys >rig.out 2>&1 3>&- &
	exec 9>keys
	eventually test -S console.sock
	create --console-socket "$T/console.sock"
}

said() { grep -q "$1" console.out; }

@test "console-socket: one message with one descriptor, the terminal" {
	script 'tty; stty size; test -c /dev/console && echo console
		echo "rdev $(stat -c %t:%T /dev/console) $(stat -L -c %t:%T /proc/$$/fd/0 /proc/$$/fd/1 /proc/$$/fd/2 | tr "\n" " ")"
		awk "\$5==\"/dev/console\" {print \"mounted\"}" /proc/self/mountinfo
		echo via-tty >/dev/tty; echo "sid $(cut -d" " -f6 /proc/self/stat) tty $(cut -d" " -f7 /proc/self/stat)"
		ls /dev/pts; read -r line; echo "read $line"; exit 0' '/process/consoleSize={"height":17,"width":83}'
	console_create
	ok
	eventually grep -q done=1 console.out.facts
	facts=$(cat console.out.facts)
	matches "$facts" 'bytes=[1-9][0-9]*'$'\n'
	has "$facts" "fds=1"
	has "$facts" "size=17x83"
	has "$facts" "pts=0"
	rt start "$ID"
	ok
	eventually said sid
	echo hello >&9
	eventually said "read hello"
	stopped
	exec 9>&-
	out=$(tr -d '\r' <console.out)
	has "$out" "/dev/"
	has "$out" "17 83"
	has "$out" $'\nconsole\n'
	has "$out" $'\nmounted\n'
	has "$out" $'\nvia-tty\n'
	matches "$out" 'rdev 88:0 88:0 88:0 88:0'
	matches "$out" 'sid 1 tty 34816'
	rt delete "$ID"
	ok
	clean
}

@test "console-socket: the terminal belongs to the container's user" {
	script 'stat -c "%u %a" /dev/console; echo hi >/dev/console; id -u' '/process/user={"uid":1000,"gid":1000}'
	console_create
	ok
	rt start "$ID"
	ok
	stopped
	exec 9>&-
	eventually said '^1000.$'
	matches "$(tr -d '\r' <console.out)" $'^1000 6[0-9]{2}\nhi\n1000$'
}

@test "console-socket: the shell gets job control signals" {
	script 'trap "echo interrupted; exit 9" INT; echo up; while :; do sleep 0.05; done'
	console_create
	ok
	rt start "$ID"
	ok
	eventually said up
	printf '\003' >&9
	stopped
	exec 9>&-
	eventually said interrupted
}

@test "console-socket: missing although the program wants a terminal" {
	edit /process/terminal=true
	create
	fails "console socket"
	clean
}

@test "console-socket: given although the program wants none" {
	"$RIG" console console.sock out </dev/null 2>/dev/null 3>&- &
	rig=$!
	eventually test -S console.sock
	create --console-socket "$T/console.sock"
	fails "cannot use console socket if" "will not detach or allocate tty"
	kill $rig
	clean
}

@test "console-socket: given to an attached run" {
	edit /process/terminal=true
	rt run --console-socket "$T/console.sock" --bundle "$BUNDLE" "$ID"
	fails "console socket"
	clean
}

@test "console-socket: nobody there" {
	edit /process/terminal=true
	create --console-socket "$T/nothing.sock"
	fails "no such file or directory"
	clean
	touch file.sock
	create --console-socket "$T/file.sock"
	fails "connection refused"
	clean
}

@test "console-socket: a path longer than 107 bytes" {
	ours "runc 1.1 cannot"
	deep=$T/$(printf '%0120d' 0)
	mkdir "$deep"
	script 'echo deep'
	edit /process/terminal=true
	"$RIG" console "$deep/console.sock" "$T/console.out" </dev/null 2>/dev/null 3>&- &
	eventually test -S "$deep/console.sock"
	create --console-socket "$deep/console.sock"
	ok
	rt start "$ID"
	ok
	stopped
	eventually said deep
}

@test "consoleSize means nothing without a terminal" {
	script 'stty size; exit 0' '/process/consoleSize={"height":17,"width":83}'
	rt run --bundle "$BUNDLE" "$ID"
	ok
	eq "$output" ""
	clean
}

# attached COMMAND: the runtime runs on a terminal of script's making.
attached() {
	status=0
	# A keyboard that never ends: at the end of its input, script types ^D.
	[ -p keyboard ] || mkfifo keyboard
	exec 8<>keyboard
	[ -z "${STDIN-}" ] || cat "$STDIN" >&8
	timeout -k 5 60 /usr/bin/script -qec "$1" /dev/null <&8 >typescript 2>&1 3>&- 4>&- 8<&- || status=$?
	exec 8<&-
	output=$(tr -d '\r' <typescript)
}

@test "run on a terminal: the program has one of its own, sized like the caller's" {
	script 'tty; stty size; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo terminal; exit 4' /process/terminal=true
	attached "stty rows 31 cols 97; '$RUNTIME' --root '$ROOT' run --bundle '$BUNDLE' '$ID'"
	eq "$status" 4 "exit status"
	lines "31 97" terminal
	clean
}

@test "run on a terminal: what is typed reaches the program, and the terminal is restored" {
	script 'read -r line; echo "got $line"' /process/terminal=true
	printf 'typed\n' >in
	STDIN=in attached "before=\$(stty -g); '$RUNTIME' --root '$ROOT' run --bundle '$BUNDLE' '$ID'; [ \"\$before\" = \"\$(stty -g)\" ] && echo restored"
	lines "got typed" restored
	clean
}

# exec_console FLAG…: exec with a receiver on the socket, as console_create.
exec_console() {
	mkfifo keys
	"$RIG" console "$T/console.sock" "$T/console.out" <keys >rig.out 2>&1 3>&- &
	exec 9>keys
	eventually test -S console.sock
	rt exec --detach --console-socket "$T/console.sock" "$@"
}

@test "exec --console-socket: a terminal of the program's own" {
	edit -- /bin/sleep 1000
	start_box
	exec_console --tty --pid-file "$T/pid" "$ID" sh -c 'tty; echo "rdev $(stat -L -c %t:%T /proc/$$/fd/0 /proc/$$/fd/1 /proc/$$/fd/2 | tr "\n" " ")"
		echo via-tty >/dev/tty; [ -e /dev/console ] && echo console; cut -d" " -f7 /proc/self/stat; read -r line; echo "read $line"; exit 0'
	ok
	eventually grep -q done=1 console.out.facts
	has "$(cat console.out.facts)" "fds=1"
	eventually said 34816
	echo hello >&9
	eventually said "read hello"
	eventually dead "$(cat pid)"
	exec 9>&-
	out=$(tr -d '\r' <console.out)
	has "$out" "/dev/pts/0"
	has "$out" $'\nvia-tty\n'
	matches "$out" 'rdev 88:0 88:0 88:0'
	hasnt "$out" $'\nconsole\n'
}

@test "exec --console-socket: size and owner as the process file says" {
	edit -- /bin/sleep 1000
	start_box
	"$RIG" get "$BUNDLE/config.json" /process >process.json
	"$RIG" edit process.json /terminal=true '/consoleSize={"height":19,"width":71}' '/user={"uid":1000,"gid":1000}' \
		'/args=["sh","-c","stty size; stat -L -c %u /dev/fd/0; echo end"]'
	# --tty as well, as conmon calls it.
	exec_console --tty --process process.json "$ID"
	ok
	eventually said end
	exec 9>&-
	eq "$(tr -d '\r' <console.out)" $'19 71\n1000\nend'
}

@test "exec: a console socket and a terminal go together, and only detached" {
	edit -- /bin/sleep 1000
	start_box
	rt exec --detach --tty "$ID" true
	eq "$status" 255
	has "$stderr" "console socket"
	rt exec --detach --console-socket "$T/none" "$ID" true
	eq "$status" 255
	has "$stderr" "cannot use console socket"
	rt exec --tty --console-socket "$T/none" "$ID" true
	eq "$status" 255
	has "$stderr" "cannot use console socket"
	rt exec --detach --tty --console-socket "$T/none" "$ID" true
	eq "$status" 255
	has "$stderr" "no such file or directory"
	rt exec --tty "$ID" true
	eq "$status" 255
}

@test "exec on a terminal: sized like the caller's, and resized with it" {
	edit -- /bin/sleep 1000
	start_box
	cat >session <<-END
		stty rows 31 cols 97
		exec '$RUNTIME' --root '$ROOT' exec --tty '$ID' sh -c 'until [ "\$(stty size)" = "31 97" ]; do sleep 0.01; done; trap "stty size; exit 6" WINCH; echo up; while :; do sleep 0.05; done'
	END
	(status=0; attached "echo \$\$ >pid; . ./session"; echo "$status" >code; cp typescript all) &
	eventually grep -q up typescript
	# One of the two, because stty sets one after the other, and the program tells the first change.
	stty -F "$(readlink "/proc/$(cat pid)/fd/0")" rows 40
	eventually test -e all
	wait
	output=$(tr -d '\r' <all)
	lines up "40 97"
	eq "$(cat code)" 6 "exit status"
}

@test "exec on a terminal: what is typed reaches the program, and the terminal is restored" {
	edit -- /bin/sleep 1000
	start_box
	printf 'typed\n' >in
	STDIN=in attached "before=\$(stty -g); '$RUNTIME' --root '$ROOT' exec -t '$ID' sh -c 'read -r line; echo \"got \$line\"; exit 3'; echo status=\$?; [ \"\$before\" = \"\$(stty -g)\" ] && echo restored"
	lines "got typed" status=3 restored
}

@test "exec --pidfd-socket: the pidfd of the process" {
	ours "runc has it since 1.2"
	edit -- /bin/sleep 1000
	start_box
	"$RIG" pidfd "$T/pidfd.sock" >pidfd.out 2>&1 3>&- </dev/null &
	eventually test -S pidfd.sock
	rt exec --detach --pid-file "$T/pid" --pidfd-socket "$T/pidfd.sock" "$ID" sleep 1000
	ok
	eventually test -s pidfd.out
	eq "$(cat pidfd.out)" "$(cat pid)"
}

@test "pidfd-socket: the pidfd of init" {
	ours "runc has it since 1.2"
	"$RIG" pidfd "$T/pidfd.sock" >pidfd.out 2>&1 3>&- </dev/null &
	eventually test -S pidfd.sock
	create --pidfd-socket "$T/pidfd.sock"
	ok
	eventually test -s pidfd.out
	eq "$(cat pidfd.out)" "$(state /pid)"
}
