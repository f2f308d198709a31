#!/usr/bin/env bats
# Every step of init's program, failing: the error names step and object, and
# nothing is left behind.

load helpers

setup_test() {
	ours "its init is a program"
	CGROUP=/sys/fs/cgroup/mesos/$ID
}

# An emulated machine takes half a second a step: it gets every seventh. A random
# sample would be another test on another day.
emulated() { grep -q 'QEMU TCG' /proc/cpuinfo; }

# program runs a create with --debug; its steps are in the file steps.
program() {
	rt --debug create --bundle "$BUNDLE" "$ID"
	ok
	rt delete "$ID"
	ok
	sed -n 's/^step \([0-9]*\): /\1 /p' "$T/stderr.$((N - 1))" >steps
	eq "$(cut -d ' ' -f 1 steps)" "$(seq 0 $(($(wc -l <steps) - 1)))" "step numbers"
}

# skippable prints the steps that cannot fail: those that a jump of an earlier
# one can leave out, and those that only remember something.
skippable() {
	sed -nE 's/^([0-9]+) \*&[^ ]+ := .*/\1/p' steps
	sed -nE 's/^([0-9]+) .*: to step ([0-9]+).*/\1 \2/p' steps |
		awk '{ for (i = $1 + 1; i < $2; i++) print i }' | sort -nu
	# With several jumps in one line, sed saw the last.
	sed -nE 's/^([0-9]+) .*: to step ([0-9]+);.*: to step.*/\1 \2/p' steps |
		awk '{ for (i = $1 + 1; i < $2; i++) print i }' | sort -nu
}

# fail_at STEP ERRNO TEXT: create, or start after it, fails as ordered. Returns
# 2 when the step was not reached.
fail_at() {
	local what
	what=$(sed -n "s/^$1 .*  # //p" steps)
	what=${what%%;*}
	# "verb object; on this errno do that" is the step's description.
	export MESOC_TEST_FAULT=$1:$2
	create
	unset MESOC_TEST_FAULT
	if [ "$status" -eq 0 ]; then
		if [[ "$MAY" == *" $1 "* ]]; then
			rt delete --force "$ID"
			ok
			return 2
		fi
		rt start "$ID"
		local started=$status said=$stderr
		rt delete --force "$ID"
		ok
		[ "$started" -ne 0 ] || return 2
		stderr=$said status=$started
	fi
	if [ "$what" = "wait for start" ] && [[ $stderr == *"it has stopped"* ]]; then
		: # Nobody was listening any more: create had succeeded, start had not begun.
	else
		fails "$what" "$3"
	fi
	[[ $stderr != *$'\n'* ]] || die "more than one line: $stderr"
	[ ! -e "$ROOT/$ID" ] || die "state left by step $1"
	[ ! -e "$CGROUP" ] || die "cgroup left by step $1"
}

@test "each step of the usual program" {
	edit -- /bin/true
	program
	n=$(wc -l <steps)
	[ "$n" -ge 50 ] || die "only $n steps"
	MAY=" $(skippable | tr '\n' ' ') "
	reached=0
	every=1
	if emulated; then every=7; fi
	for ((i = 0; i < n; i += every)); do
		s=0
		fail_at $i EIO "input/output error" || s=$?
		case $s in
		0) reached=$((reached + 1)) ;;
		2) [[ "$MAY" == *" $i "* ]] || die "step $i was not reached, although nothing jumps over it: $(sed -n "$((i + 1))p" steps)" ;;
		*) die "step $i: $(sed -n "$((i + 1))p" steps)" ;;
		esac
	done
	echo "# $reached of $n steps were reached, one in $every" >&3
	[ $((reached * every * 2)) -ge "$n" ] || die "only $reached of $n steps were reached"
	clean
}

@test "an errno keeps its name across the border" {
	edit -- /bin/true
	program
	MAY=
	step=$(grep -n 'mount tmpfs on /dev$' steps | head -n 1 | cut -d : -f 1)
	for e in "ENOSPC:no space left on device" "EPERM:operation not permitted" "ENOMEM:cannot allocate memory" "EBUSY:device or resource busy"; do
		fail_at $((step - 1)) "${e%%:*}" "${e#*:}"
		eq "$stderr" "create container $ID: mount tmpfs on /dev: ${e#*:}"
	done
	clean
}

@test "each step of a program with everything in it" {
	mkdir src
	touch file
	edit '/linux/namespaces+={"type":"time"}' '/linux/timeOffsets={"boottime":{"secs":5}}' \
		'/linux/devices=[{"path":"/dev/x","type":"c","major":1,"minor":3},{"path":"/p","type":"p"}]' \
		'/linux/sysctl={"net.ipv4.ip_forward":"1","kernel.msgmax":"9000"}' /linux/rootfsPropagation:=slave /root/readonly=true \
		"/mounts+={\"destination\":\"/vol\",\"source\":\"$T/src\",\"options\":[\"rbind\",\"rro\",\"rslave\"]}" \
		"/mounts+={\"destination\":\"/etc/hosts\",\"source\":\"$T/file\",\"options\":[\"bind\",\"ro\"]}" \
		'/process/user={"uid":1000,"gid":1000,"additionalGids":[5],"umask":18}' /process/oomScoreAdj=100 /domainname:=d /process/cwd:=/tmp \
		-- /bin/true
	program
	n=$(wc -l <steps)
	MAY=" $(skippable | tr '\n' ' ') "
	every=5
	if emulated; then every=31; fi
	for ((i = n - 1; i >= 0; i -= every)); do
		s=0
		fail_at $i EIO "input/output error" || s=$?
		[ $s -ne 2 ] || [[ "$MAY" == *" $i "* ]] || die "step $i was not reached: $(sed -n "$((i + 1))p" steps)"
		[ $s -ne 1 ] || die "step $i: $(sed -n "$((i + 1))p" steps)"
	done
	clean
}

# fail_exec_at STEP [FLAG…]: exec fails as ordered, and nothing of it runs. 2: the
# step was not reached.
fail_exec_at() {
	local step=$1 what
	shift
	what=$(sed -n "s/^$step .*  # //p" steps)
	what=${what%%;*}
	MESOC_TEST_FAULT=$step:EIO rt exec --pid-file "$T/pid" "$@"
	if [ "$status" -eq 0 ] && [[ "$MAY" == *" $step "* ]]; then
		rm -f pid
		return 2
	fi
	eq "$status" 255 "exit status of exec failing at step $step"
	has "$stderr" "exec in container $ID: $what: input/output error"
	[[ $stderr != *$'\n'* ]] || die "more than one line: $stderr"
	[ ! -e pid ] || die "a pid file after a failure at step $step"
	eq "$(wc -l <"/sys/fs/cgroup/mesos/$ID/leaf/cgroup.procs")" 1 "processes after step $step"
}

@test "each step of exec's program" {
	edit '/process/capabilities={"bounding":["CAP_KILL"],"effective":["CAP_KILL"],"permitted":["CAP_KILL"]}' \
		'/linux/seccomp={"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_ERRNO"}]}' \
		/process/oomScoreAdj=100 -- /bin/sleep 1000
	start_box
	local flags=(--user 1000:1000 --cwd /tmp "$ID" true)
	rt --debug exec "${flags[@]}"
	ok
	sed -n 's/^step \([0-9]*\): /\1 /p' "$T/stderr.$N" >steps
	n=$(wc -l <steps)
	[ "$n" -ge 50 ] || die "only $n steps"
	MAY=" $(skippable | tr '\n' ' ') "
	reached=0
	every=1
	if emulated; then every=7; fi
	for ((i = 0; i < n; i += every)); do
		s=0
		fail_exec_at $i "${flags[@]}" || s=$?
		case $s in
		0) reached=$((reached + 1)) ;;
		2) ;;
		*) die "step $i: $(sed -n "$((i + 1))p" steps)" ;;
		esac
	done
	[ $((reached * every * 2)) -ge "$n" ] || die "only $reached of $n steps were reached"
	eq "$(state /status)" running
	rt exec "${flags[@]}"
	ok
}

@test "orders that make no sense" {
	for f in x 12:NOSUCH -1 12: 12:0; do
		MESOC_TEST_FAULT=$f rt create --bundle "$BUNDLE" "$ID"
		fails MESOC_TEST_FAULT "$f"
		clean
	done
}

@test "each step of a nested container's program, which joins what is its parent's" {
	edit -- /bin/sleep 1000
	rt run --detach --bundle "$BUNDLE" "$ID.p"
	ok
	edit '/linux/namespaces=[{"type":"mount"}]' /hostname! "/annotations={\"io.mesoc.parent\":\"$ID.p\"}" -- /bin/true
	program
	CGROUP=/sys/fs/cgroup/mesos/$ID.p/mesos
	[ "$(grep -c 'join .* namespace of container' steps)" -ge 4 ]
	n=$(wc -l <steps)
	MAY=" $(skippable | tr '\n' ' ') "
	every=3
	if emulated; then every=31; fi
	for ((i = 0; i < n; i += every)); do
		s=0
		fail_at $i EIO "input/output error" || s=$?
		[ $s -ne 2 ] || [[ "$MAY" == *" $i "* ]] || die "step $i was not reached: $(sed -n "$((i + 1))p" steps)"
		[ $s -ne 1 ] || die "step $i: $(sed -n "$((i + 1))p" steps)"
	done
}
