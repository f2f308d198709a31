#!/usr/bin/env bats
# Hooks: six kinds, when and where they run, what they are told, and what
# becomes of a container whose hook fails.

load helpers

KINDS="prestart createRuntime createContainer startContainer poststart poststop"

# hook KIND SCRIPT [JSON]: add a hook that is a shell script on the host; JSON
# is more of its members, such as "timeout":1.
hook() {
	local n
	n=$(find "$T" -maxdepth 1 -name "$1.*.hook" | wc -l)
	printf '#!/bin/sh\n%s\n' "$2" >"$T/$1.$n.hook"
	chmod +x "$T/$1.$n.hook"
	if [ "$1" = startContainer ]; then # looked up in the container
		mkdir -p "$BASE/hooks"
		cp "$T/$1.$n.hook" "$BASE/hooks/"
		edit "/hooks/$1+={\"path\":\"/hooks/$1.$n.hook\"${3:+,$3}}"
	else
		edit "/hooks/$1+={\"path\":\"$T/$1.$n.hook\"${3:+,$3}}"
	fi
}

all_hooks() { # each writes its state; startContainer's into the root filesystem
	local k
	for k in $KINDS; do
		case $k in
		startContainer) hook $k "cat >/state.$k; echo $k >>/log" ;;
		*) hook $k "cat >$T/state.$k; echo $k >>$BASE/log" ;;
		esac
	done
}

@test "six kinds, each at its time" {
	script 'echo program >>/log'
	all_hooks
	create
	ok
	if is_mesoc; then # runc runs poststart and others as the spec says, too
		eq "$(cat "$BASE/log")" $'prestart\ncreateRuntime\ncreateContainer'
	else
		eq "$(head -n 2 "$BASE/log")" $'prestart\ncreateRuntime'
	fi
	rt start "$ID"
	ok
	stopped
	grep -q startContainer "$BASE/log"
	eq "$(grep -n -E 'startContainer|program' "$BASE/log" | cut -d : -f 2 | tr '\n' ' ')" "startContainer program "
	grep -q poststart "$BASE/log"
	run ! grep poststop "$BASE/log"
	rt delete "$ID"
	ok
	eq "$(tail -n 1 "$BASE/log")" poststop
	eq "$(wc -l <"$BASE/log")" 7 "entries in the log"
	clean
}

@test "state on stdin: id, bundle, status, pid, annotations, then EOF" {
	script 'sleep 1000' '/annotations={"k":"v"}'
	all_hooks
	create
	ok
	pid=$(state /pid)
	rt start "$ID"
	ok
	rt delete --force "$ID"
	ok
	mv "$BASE/state.startContainer" "$T"
	for k in $KINDS; do
		run -0 "$RIG" get "$T/state.$k" /ociVersion /id /bundle /annotations
		eq "$output" "1.0.2-dev
$ID
$BUNDLE
{\"k\":\"v\"}" $k
	done
	for k in prestart:creating createRuntime:creating createContainer:creating startContainer:created poststart:running poststop:stopped; do
		[ $k != poststart:running ] || is_mesoc || continue # runc 1.1 says created
		eq "$("$RIG" get "$T/state.${k%:*}" /status)" "${k#*:}" "${k%:*}"
	done
	for k in prestart createRuntime poststart; do eq "$("$RIG" get "$T/state.$k" /pid)" "$pid" $k; done
	clean
}

@test "state on stdin: the pid is the one that the hook's pid namespace knows" {
	ours "runc and crun tell others"
	rt create --bundle "$BUNDLE" "${ID}b"
	ok
	other=$(state /pid "${ID}b")
	script 'sleep 1000'
	all_hooks
	for ns in new joined none; do
		case $ns in
		joined) edit "/linux/namespaces/@pid/path:=/proc/$other/ns/pid" ;;
		none) edit /linux/namespaces/@pid! ;;
		esac
		start_box
		pid=$(state /pid)
		inner=$(sed -n 's/^NSpid:.*\t//p' "/proc/$pid/status")
		mv "$BASE/state.startContainer" "$T"
		for k in prestart createRuntime poststart; do eq "$("$RIG" get "$T/state.$k" /pid)" "$pid" "$ns $k"; done
		for k in createContainer startContainer; do eq "$("$RIG" get "$T/state.$k" /pid)" "$inner" "$ns $k"; done
		case $ns in
		new) eq "$inner" 1 ;;
		joined) [ "$inner" -gt 1 ] && [ "$inner" != "$pid" ] ;;
		none) eq "$inner" "$pid" ;;
		esac
		rt delete --force "$ID"
		ok
	done
}

@test "several of one kind run in their order" {
	for i in 1 2 3; do
		for k in prestart createRuntime poststop; do hook $k "echo $k$i >>$T/log"; done
	done
	create
	ok
	rt delete "$ID"
	ok
	eq "$(tr '\n' ' ' <log)" "prestart1 prestart2 prestart3 createRuntime1 createRuntime2 createRuntime3 poststop1 poststop2 poststop3 "
	clean
}

@test "where they run: the runtime's namespaces or the container's" {
	for k in prestart createRuntime poststart poststop; do
		hook $k "for n in mnt pid net uts; do readlink /proc/self/ns/\$n; done >$T/ns.$k; pwd >>$T/ns.$k"
	done
	hook createContainer "readlink /proc/self/ns/net >$T/ns.createContainer; grep -c . /proc/self/mountinfo >>$T/ns.createContainer; ls -d $BASE/dev/pts >>$T/ns.createContainer"
	hook startContainer 'readlink /proc/self/ns/net >/ns; ls -d /bin /dev/pts >>/ns; hostname >>/ns'
	script 'readlink /proc/self/ns/net >/ns.program; sleep 1000'
	start_box
	eventually test -s "$BASE/ns.program"
	net=$(cat "$BASE/ns.program")
	rt delete --force "$ID"
	ok
	mine=$(for n in mnt pid net uts; do readlink /proc/self/ns/$n; done)
	for k in prestart createRuntime poststart poststop; do
		eq "$(head -n 4 "$T/ns.$k")" "$mine" $k
		is_mesoc && eq "$(sed -n 5p "$T/ns.$k")" "$BUNDLE" "directory of $k"
	done
	# After the mounts, before the pivot: the root filesystem at the host's path, filled.
	eq "$(sed -n 1p "$T/ns.createContainer")" "$net"
	eq "$(sed -n '3,$p' "$T/ns.createContainer")" "$BASE/dev/pts"
	eq "$(cat "$BASE/ns")" "$net
/bin
/dev/pts
box"
	clean
}

@test "the network namespace can be furnished by prestart and createRuntime" {
	hook prestart "pid=\$(sed 's/.*\"pid\":[[:space:]]*\\([0-9]*\\).*/\\1/'); readlink /proc/\$pid/ns/net >$T/net; cat /proc/\$pid/cgroup | tail -n 1 >$T/cg"
	script 'readlink /proc/self/ns/net'
	rt run --bundle "$BUNDLE" "$ID"
	ok
	eq "$(cat net)" "$output"
	has "$(cat cg)" "$ID"
	clean
}

@test "args and env" {
	printf '#!/bin/sh\nprintf "<%%s>" "$0" "$@" >%s/args; env | sort >%s/env\n' "$T" "$T" >h
	chmod +x h
	edit "/hooks/prestart=[{\"path\":\"$T/h\",\"args\":[\"h\",\"a b\",\"\"],\"env\":[\"A=1\",\"PATH=/usr/bin:/bin\"]}]"
	create
	ok
	eq "$(cat args)" "<$T/h><a b><>"
	eq "$(grep -vE '^(PWD|_|SHLVL|OLDPWD)=' env)" $'A=1\nPATH=/usr/bin:/bin'
	clean_env=$(grep -cE '^(GOMAXPROCS|GOGC)=' env) || :
	eq "$clean_env" 0
}

@test "env: absent means the runtime's, without what the runtime added for itself" {
	hook prestart "env >$T/env"
	hook poststop "env >$T/env2"
	export MARK=1
	create
	ok
	rt delete "$ID"
	ok
	unset MARK
	for f in env env2; do
		grep -q '^MARK=1$' $f
		run ! grep -E '^(GOMAXPROCS|GOGC|MESOC_INIT)' $f
	done
}

@test "env: of startContainer, the container's" {
	ours "runc's has none"
	script 'env | sort >/env.program'
	hook startContainer 'env | sort >/env.hook'
	hook startContainer 'env | sort >/env.own' '"env":["A=1","PATH=/bin"]'
	export MARK=1
	start_box
	unset MARK
	stopped
	plain() { grep -vE '^(HOME|PWD|OLDPWD|SHLVL|_)=' "$BASE/env.$1"; }
	eq "$(plain program)" $'PATH=/bin:/usr/bin\nTERM=xterm'
	eq "$(plain hook)" "$(plain program)"
	eq "$(plain own)" $'A=1\nPATH=/bin'
}

@test "config.json that is changed after create: the hooks are those of the create" {
	script 'sleep 1000'
	hook startContainer 'echo startContainer >>/log'
	for k in poststart poststop; do hook $k "echo $k >>$BASE/log"; done
	create
	ok
	for k in startContainer poststart poststop; do edit "/hooks/$k=[{\"path\":\"/bin/false\"}]"; done
	rt start "$ID"
	ok
	rm "$BUNDLE/config.json"
	rt delete --force "$ID"
	ok
	eq "$stderr" ""
	eq "$(sort "$BASE/log")" $'poststart\npoststop\nstartContainer'
	clean
}

@test "hooks inherit no blocked signals" {
	hook prestart "grep -E '^Sig(Blk|Ign)' /proc/self/status >$T/sig"
	is_mesoc && trap '' HUP INT
	create
	trap - HUP INT
	ok
	eq "$(cat sig)" $'SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000'
}

@test "a hook that fails before start: the error tells, the container is gone" {
	for k in prestart createRuntime createContainer; do
		cp "$BATS_TEST_DIRNAME/testdata/config.json" "$BUNDLE/config.json"
		rm -f "$T"/*.hook
		hook $k 'echo the reason >&2; exit 37'
		create
		fails "the reason" "exit status 37"
		clean
		rt run --bundle "$BUNDLE" "$ID"
		fails "the reason"
		clean
	done
}

@test "a hook that fails before start: poststop has run" {
	ours "runc 1.1 runs none"
	for k in prestart createRuntime createContainer; do
		cp "$BATS_TEST_DIRNAME/testdata/config.json" "$BUNDLE/config.json"
		rm -f "$T"/*.hook "$T/last"
		hook $k 'exit 1'
		hook poststop "cat >$T/last; exit 0"
		create
		fails "$k"
		eq "$("$RIG" get last /status)" stopped
		clean
	done
}

@test "startContainer that fails: the program does not run, the container is gone or stopped" {
	script 'echo ran >/ran'
	hook startContainer 'echo the reason >&2; exit 37'
	create
	ok
	rt start "$ID"
	ours "runc only notes it in the log"
	fails startContainer "the reason"
	[ ! -e "$BASE/ran" ]
	clean
}

@test "poststart that fails: start fails, the container is destroyed" {
	ours "runc 1.1 logs it"
	script 'sleep 1000'
	hook poststart 'echo the reason >&2; exit 37'
	hook poststop "echo poststop >>$T/log"
	create
	ok
	rt start "$ID"
	fails poststart "the reason"
	eq "$(cat log)" poststop
	clean
}

@test "poststop that fails: a warning, the others run, the container is deleted" {
	ours "runc stops at the first"
	hook poststop 'exit 1'
	hook poststop "echo second >>$T/log"
	create
	ok
	rt delete "$ID"
	ok
	has "$stderr" poststop
	eq "$(cat log)" second
	clean
}

@test "poststop: once, also when the delete has to be done again" {
	ours "runc's state directory is another"
	hook poststop "echo poststop >>$T/log; [ -d $ROOT/$ID/x ] || { mkdir $ROOT/$ID/x && mount -t tmpfs tmpfs $ROOT/$ID/x; }"
	create
	ok
	rt delete "$ID"
	fails "something is mounted there"
	eq "$(state /status)" stopped
	rt delete "$ID"
	fails "something is mounted there"
	umount "$ROOT/$ID/x"
	rt delete "$ID"
	ok
	eq "$(<"$T/log")" poststop
	clean
}

@test "a hook that is not there" {
	edit '/hooks/createRuntime=[{"path":"/not/there"}]'
	create
	fails /not/there "no such file or directory"
	clean
}

@test "timeout: the hook is killed, with the processes it started" {
	ours "runc kills the hook's own process only"
	hook prestart 'sleep 4321 & sleep 4321' '"timeout":1'
	before=$SECONDS
	create
	fails
	[ $((SECONDS - before)) -lt 15 ]
	has "$stderr" prestart
	matches "$stderr" "1 ?s"
	clean
}

@test "timeout: of a hook that is quick enough does nothing" {
	hook prestart 'exit 0' '"timeout":10'
	create
	ok
}

@test "output: the tail of a long one, and a hook that closes nothing" {
	ours "runc keeps everything"
	hook createRuntime 'i=0; while [ $i -lt 3000 ]; do echo "line $i of much output"; i=$((i+1)); done; echo the end; exit 1'
	create
	fails "the end"
	hasnt "$stderr" "line 0 of"
	[ ${#stderr} -lt 40000 ]
	clean
}

@test "a hook may leave a process behind that holds its output" {
	ours "runc waits for it"
	hook prestart "sleep 30 & echo \$! >$T/left; exit 0"
	before=$SECONDS
	create
	ok
	[ $((SECONDS - before)) -lt 20 ]
	kill "$(cat left)"
}

@test "state and kill work from inside a hook" {
	hook createRuntime "'$RUNTIME' --root '$ROOT' state '$ID' >$T/state.json 2>$T/state.err"
	ours "runc's state waits for its lock file"
	create
	ok
	eq "$("$RIG" get state.json /id)" "$ID"
	matches "$("$RIG" get state.json /status)" '^(creating|created)$'
}

@test "a start that waits for its hook, or for a paused init, does not keep delete --force from it" {
	ours "runc takes no lock"
	for paused in '' paused; do
		hook startContainer 'echo there >/there; exec sleep 1000'
		create
		ok
		"$RUNTIME" --root "$ROOT" start "$ID" 2>start.err 3>&- &
		start=$!
		undo "kill $start 2>/dev/null || :"
		eventually [ -s "$BASE/there" ]
		if [ -n "$paused" ]; then
			rt pause "$ID"
			ok
		fi
		SECONDS=0
		rt delete --force "$ID"
		ok
		((SECONDS < 15)) || die "delete --force took $SECONDS s"
		status=0
		wait $start || status=$?
		eq "$status" 1 "exit status of start"
		has "$(<start.err)" startContainer
		clean
		rm "$BASE/there"
		edit /hooks!
	done
}
