#!/usr/bin/env bats
# System calls taken away one at a time, as on an older kernel (ENOSYS) or in a
# sandbox (EPERM): what works works as before, the rest is an error that names
# the call, what it is for and the first kernel that has it.

load helpers

setup_test() { ours "what it asks of the kernel, and the words"; }

# without CALL [COMMAND…]: from here on the runtime runs without the call; with
# a command, that one only. ERRNO is what the call says.
without() {
	BEFORE=("$RIG" without --errno "${ERRNO:-ENOSYS}" "$1" --)
	[ $# -gt 1 ] || return 0
	shift
	"$@"
	BEFORE=()
}

alive() { if dead "$1"; then die "process $1 has ended"; fi; }

# NEEDED has what no container can be made without: the call, the first kernel
# that has it, the step that fails, what the call is for.
NEEDED='
openat2 5.6|open cgroup|paths inside a container
clone3 5.3|clone the process|making init
fsopen 5.2|make an empty directory|masked directory
fsconfig 5.2|make an empty directory|masked directory
fsmount 5.2|make an empty directory|masked directory
open_tree 5.2|copy the mount of|bind mounts
move_mount 5.2|on itself|placing all mounts
mount_setattr 5.12|read-only|options of bind mounts
close_range 5.9|mark descriptors close-on-exec|closing every descriptor
execveat 3.19|exec the stage|starting init
faccessat2 5.8|exec "/bin/true"|finding the program
statx 4.11|look at /dev/null|mount targets
memfd_create 3.17|create memfd program|the program that
bpf 4.15|load device program|denying all devices'

# needed WHY: create and run fail without each call, say all of it and WHY, and
# leave nothing.
needed() {
	local call since step purpose
	edit '/process/env=["PATH=/bin","HOME=/"]' -- /bin/true
	while IFS=' |' read -r call since _; do
		[ -n "$call" ] || continue
		IFS='|' read -r _ step purpose <<<"$(grep "^$call " <<<"$NEEDED")"
		without "$call"
		rt create --bundle "$BUNDLE" "$ID"
		fails "create container $ID: " "$step" "$MESSAGE" " [$call (Linux $since) is for " "$purpose" "$1]"
		clean
		[ -z "$(ls -A "$ROOT")" ] || die "in the state directory: $(ls -A "$ROOT")"
		rt run --bundle "$BUNDLE" "$ID"
		fails "$step" "$MESSAGE" " [$call (Linux $since) is for "
		clean
	done <<<"$NEEDED"
}

@test "create and run without a call they need: which, what for, since when" {
	MESSAGE="function not implemented" needed "; this kernel, or a sandbox around mesoc, does not have it"
}

@test "create and run where a call they need is forbidden: the same" {
	MESSAGE="operation not permitted"
	ERRNO=EPERM needed "; a sandbox around mesoc forbids it, or rights are missing"
}

@test "an error that has nothing to do with a missing call has no such hint" {
	edit -- /none/at/all
	create
	fails "/none/at/all"
	hasnt "$stderr" "(Linux"
	chmod 000 "$BUNDLE/config.json"
	status=0
	setpriv --reuid 65534 --clear-groups "$RUNTIME" --root "$T/state" create --bundle "$BUNDLE" "$ID" >out 2>err 3>&- || status=$?
	eq "$status" 1
	hasnt "$(cat err)" "(Linux"
}

@test "log: the hint is part of the one record" {
	without clone3 rt --log "$T/log" --log-format json create --bundle "$BUNDLE" "$ID"
	fails "[clone3 (Linux 5.3)"
	eq "$(grep -c . "$T/log")" 1 "records"
	has "$("$RIG" get "$T/log" /msg)" "[clone3 (Linux 5.3) is for "
}

@test "without pidfds: all but a signal works, for there is no other safe way to send one" {
	for call in pidfd_open pidfd_send_signal; do
		without $call
		script 'sleep 1000'
		create
		ok
		eq "$(state /status)" created
		rt start "$ID"
		ok
		eq "$(state /status)" running
		pid=$(state /pid)
		for all in "" --all; do
			rt kill $all "$ID" KILL
			fails "send SIGKILL to " "function not implemented [$call (Linux 5."
			alive "$pid"
		done
		rt delete "$ID"
		fails "not stopped"
		rt list --quiet
		ok
		eq "$output" "$ID"
		rt delete --force "$ID"
		ok
		dead "$pid"
		clean

		script 'echo out; exit 3'
		rt run --bundle "$BUNDLE" "$ID"
		eq "$status" 3 "exit status of run without $call"
		eq "$output$stderr" out
		clean
	done
}

@test "without pidfds: a create that fails late ends its process" {
	edit '/hooks/createRuntime=[{"path":"/bin/false"}]'
	for call in pidfd_open pidfd_send_signal; do
		without $call create
		fails "run hook createRuntime[0] /bin/false: exit status 1"
		clean
	done
}

@test "without pidfd_send_signal: run passes signals on to its child all the same" {
	script 'trap "exit 7" TERM; echo up; while :; do sleep 0.02; done'
	"$RIG" without pidfd_send_signal -- "$RUNTIME" --root "$ROOT" run --bundle "$BUNDLE" "$ID" >out 2>err 3>&- </dev/null &
	runtime=$!
	eventually grep -q up out
	kill -TERM $runtime
	status=0
	wait $runtime || status=$?
	eq "$status" 7 "exit status"
	eq "$(cat err)" ""
	clean
}

@test "without pidfd_open: init outside of its cgroup is not forgotten" {
	script 'sleep 1000'
	start_box
	pid=$(state /pid)
	mkdir "/sys/fs/cgroup/$ID.away"
	undo "rmdir /sys/fs/cgroup/$ID.away"
	for p in $(cat "$(leaf)/cgroup.procs"); do echo "$p" >"/sys/fs/cgroup/$ID.away/cgroup.procs"; done
	for call in pidfd_open pidfd_send_signal; do
		without $call rt delete --force "$ID"
		fails "kill init, which is not in its cgroup: " "[$call (Linux 5."
		alive "$pid"
		eq "$(state /status)" running
	done
	rt delete --force "$ID"
	ok
	dead "$pid"
}

@test "without openat2: a container that is there stays until it can be deleted" {
	script 'sleep 1000'
	start_box
	for args in "state $ID" "kill $ID KILL" "kill --all $ID KILL" "start $ID"; do
		without openat2 rt $args
		fails "function not implemented [openat2 (Linux 5.6) is for "
	done
	eq "$(state /status)" running
	without openat2 rt delete --force "$ID"
	fails "function not implemented [openat2 (Linux 5.6) is for "
	stopped
	rt delete --force "$ID"
	ok
	clean
}

@test "without the mount API: hooks in the container run from a sealed copy" {
	printf '#!/bin/sh\nreadlink /proc/$PPID/exe >/hook.out; echo ran >>/hook.out\n' >"$BASE/hook"
	chmod 755 "$BASE/hook"
	script true '/hooks/startContainer=[{"path":"/hook"}]' /root/readonly=false
	for call in open_tree mount_setattr; do
		create
		ok
		without $call rt start "$ID"
		ok
		has "$(cat "$BASE/hook.out")" ran
		rt delete --force "$ID"
		ok
		rm "$BASE/hook.out"
	done
}

@test "what makes no container works without any of the calls" {
	mapfile -t all < <(grep -oE '^[a-z_0-9]+' <<<"$NEEDED")
	BEFORE=("$RIG" without "${all[@]}" pidfd_open pidfd_send_signal --)
	for args in --version features "validate --bundle $BUNDLE" "list --quiet" "delete --force $ID" "spec --bundle $T"; do
		rt $args
		ok
	done
	rt state "$ID"
	fails "does not exist"
}
