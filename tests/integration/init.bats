#!/usr/bin/env bats
# The waiting init is a program of system calls: next to nothing is in the
# container's cgroup before its own program.

load helpers

@test "the waiting init: one thread, less than 200 kB of its own" {
	ours "others carry a runtime"
	create
	ok
	pid=$(state /pid)
	eq "$(awk '$1 == "Threads:" { print $2 }' "/proc/$pid/status")" 1 threads
	pss=$(awk '$1 == "Pss:" { print $2 }' "/proc/$pid/smaps_rollup")
	[ "$pss" -lt 200 ] || die "Pss is $pss kB"
}

@test "the waiting init: cannot be traced or read by the container's user" {
	ours "asks for PR_SET_DUMPABLE 0"
	edit '/process/user={"uid":1000,"gid":1000}'
	create
	ok
	pid=$(state /pid)
	eq "$(stat -c %u "/proc/$pid/environ")" 0 "owner of its files in /proc"
	run ! setpriv --reuid 1000 --regid 1000 --clear-groups cat "/proc/$pid/environ"
	run ! setpriv --reuid 1000 --regid 1000 --clear-groups ls "/proc/$pid/fd"
}

@test "the waiting init: holds no directory of the host" {
	ours "its own descriptors"
	create
	ok
	pid=$(state /pid)
	for fd in "/proc/$pid/fd"/*; do
		[ -d "$fd" ] || continue
		mount=$(awk '$1 == "mnt_id:" { print $2 }' "/proc/$pid/fdinfo/${fd##*/}")
		grep -q "^$mount " "/proc/$pid/mountinfo" || die "descriptor ${fd##*/} is a directory of the host"
	done
}

@test "the host's binary cannot be reached and written through init" {
	sum=$(md5sum <"$RUNTIME")
	script 'for p in /proc/[0-9]*; do (: >"$p/exe") 2>/dev/null && echo "wrote $p"; done; echo end'
	rt run --bundle "$BUNDLE" "$ID"
	ok
	eq "$output" end
	edit /root/readonly=false -- /proc/self/exe
	rt run --bundle "$BUNDLE" "$ID"
	printf '#!/proc/self/exe\n' >"$BASE/bin/entry"
	chmod +x "$BASE/bin/entry"
	edit -- /bin/entry
	rt run --bundle "$BUNDLE" "$ID"
	eq "$(md5sum <"$RUNTIME")" "$sum"
}

@test "pids.max 1 and memory.max 1 MiB start /bin/true" {
	ours "others need more"
	need controller:memory controller:pids
	edit '/linux/resources={"pids":{"limit":1},"memory":{"limit":1048576,"swap":1048576}}' -- /bin/true
	rt run --bundle "$BUNDLE" "$ID"
	ok
	create
	ok
	rt start "$ID"
	ok
	stopped
	rt delete "$ID"
	ok
	clean
}

@test "create uses less than 8 MB at its peak" {
	ours "a promise of its own"
	[ -x /usr/bin/time ] || skip "this host lacks /usr/bin/time"
	/usr/bin/time -f %M -o "$T/peak" "$RUNTIME" --root "$ROOT" create --bundle "$BUNDLE" "$ID" >out 2>&1 3>&- </dev/null
	peak=$(tail -n 1 "$T/peak")
	[ "$peak" -lt 8192 ] || die "peak is $peak kB"
}
