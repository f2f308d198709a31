#!/usr/bin/env bats
# features: engines read stdout and stderr together, without a state directory,
# and as whoever they are.

load helpers

document() {
	status=0
	(cd / && env -i setpriv --reuid 65534 --regid 65534 --clear-groups "$RUNTIME" features) \
		>"$T/features" 2>"$T/features.err" 3>&- || status=$?
	slurp stderr "$T/features.err"
	slurp output "$T/features"
}

setup_test() {
	# The binary may lie where only root can look.
	case $(stat -c %A "${RUNTIME%/*}") in
	*x) ;;
	*) skip "${RUNTIME%/*} is not open to others" ;;
	esac
}

@test "features: one JSON document, nothing on stderr, no root needed" {
	document
	eq "$status" 0 "exit status"
	eq "$stderr" ""
	eq "${output:0:1}${output: -1}" "{}"
	run -0 "$RIG" get "$T/features" /ociVersionMin /ociVersionMax /linux/cgroup/v2
	matches "$output" $'^1\\.0\\.[0-9]+\n1\\.[0-9.]+[^\n]*\ntrue$'
}

@test "features: hooks, namespaces, capabilities, mount options" {
	document
	run -0 "$RIG" get "$T/features" /hooks
	eq "$output" '["prestart","createRuntime","createContainer","startContainer","poststart","poststop"]'
	run -0 "$RIG" get "$T/features" /linux/namespaces
	for n in cgroup ipc mount network pid user uts; do has "$output" "\"$n\""; done
	run -0 "$RIG" get "$T/features" /linux/capabilities
	for c in CAP_CHOWN CAP_SYS_ADMIN CAP_BPF CAP_CHECKPOINT_RESTORE; do has "$output" "\"$c\""; done
	run -0 "$RIG" get "$T/features" /mountOptions
	for o in async atime bind defaults dev diratime dirsync exec iversion lazytime loud noatime nodev nodiratime noexec \
		noiversion nolazytime norelatime nostrictatime nosuid private rbind relatime remount ro rprivate rshared rslave \
		runbindable rw shared silent slave strictatime suid sync unbindable nosymfollow symfollow rro rrw rnosuid rsuid \
		rnodev rdev rnoexec rexec rnoatime ratime rrelatime rnorelatime rstrictatime rnostrictatime rnodiratime \
		rdiratime rnosymfollow rsymfollow; do
		has "$output" "\"$o\""
	done
}

@test "features: what engines decide by" {
	ours "later keys than runc 1.1 has"
	document
	run -0 "$RIG" get "$T/features" /linux/namespaces
	has "$output" '"time"'
	run -0 "$RIG" get "$T/features" /linux/mountExtensions/idmap/enabled
	eq "$output" true
	run -0 "$RIG" get "$T/features" /mountOptions
	has "$output" '"idmap"'
	has "$output" '"ridmap"'
	has "$output" '"tmpcopyup"'
	for f in intelRdt netDevices apparmor selinux; do
		run -0 "$RIG" get "$T/features" /linux/$f/enabled
		eq "$output" true
	done
	run -0 "$RIG" get "$T/features" /linux/memoryPolicy/flags
	eq "$output" '["MPOL_F_NUMA_BALANCING","MPOL_F_RELATIVE_NODES","MPOL_F_STATIC_NODES"]'
	run -0 "$RIG" get "$T/features" /linux/memoryPolicy/modes
	for m in DEFAULT BIND INTERLEAVE WEIGHTED_INTERLEAVE PREFERRED PREFERRED_MANY LOCAL; do has "$output" "\"MPOL_$m\""; done
	run -0 "$RIG" get "$T/features" /potentiallyUnsafeConfigAnnotations
	eq "$output" '["io.mesoc."]'
	run -0 "$RIG" get "$T/features" /linux/cgroup/systemd
	eq "$output" false
}
