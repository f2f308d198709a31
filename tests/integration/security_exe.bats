#!/usr/bin/env bats
# The runtime's own executable: no container may write it, whatever it sees of
# it (CVE-2019-5736), and no container may look into one that waits.

load helpers
load security

# The attacked runtime is a copy: the test is to fail, not to spoil the build.
setup_test() {
	cp "$RUNTIME" "$T/runtime"
	RUNTIME=$T/runtime
	INODE=$(stat -c %i "$RUNTIME")
	ALL=()
	for c in $(seq 0 40); do ALL+=("$(capability_name "$c")"); done
	watch
}

capability_name() {
	local names=(CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
		NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN
		SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE
		MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE)
	echo "CAP_${names[$1]}"
}

# The container that waits at its gate is $ID.victim, with the state in $pid.
victim() {
	rt create --bundle "$BUNDLE" "$ID.victim"
	ok
	pid=$(state /pid "$ID.victim")
}

# share CAPABILITY…: edits for a container in the victim's pid namespace.
share() {
	printf '%s\n' "/linux/namespaces/@pid={\"type\":\"pid\",\"path\":\"/proc/$pid/ns/pid\"}" '/process/noNewPrivileges=false'
	caps "$@"
}

# Seen to fail with openSelf (libcontainer/launch) opening /proc/self/exe as it is.
@test "an init at its gate is executed from what cannot be written, not even with all rights in its pid namespace" {
	victim
	mapfile -t edits < <(share "${ALL[@]}")
	touch "$BASE/stop"
	edit "${edits[@]}" -- /bin/rig seize "$INODE" /stop
	rt run --bundle "$BUNDLE" "$ID"
	ok
	hasnt "$output" spoiled
	# Others execute a copy, which is another file.
	if is_mesoc; then
		hasnt "$output" "seized 0"
		lines "answer: read-only file system"
	fi
	unharmed
	rt delete --force "$ID.victim"
	ok
	unharmed
}

# Seen to fail with openSelf opening /proc/self/exe as it is.
@test "an entrypoint that is /proc/self/exe gives the binary to nobody" {
	victim
	mapfile -t edits < <(share CAP_DAC_OVERRIDE CAP_FOWNER CAP_CHOWN)
	cp "$BUNDLE/config.json" plain.json
	edit "${edits[@]}" -- /bin/rig seize "$INODE" /stop
	rt create --bundle "$BUNDLE" "$ID.attacker"
	ok
	attacker=$out_file
	rt start "$ID.attacker"
	ok
	mapfile -t edits < <(share CAP_DAC_OVERRIDE CAP_FOWNER CAP_CHOWN)
	printf '#!/proc/self/exe\n' >"$BASE/bin/entry"
	chmod +x "$BASE/bin/entry"
	entry() {
		"$RUNTIME" --root "$ROOT" run --bundle "$BUNDLE" "$ID" >"$T/last" 2>&1 3>&- </dev/null || :
	}
	cp plain.json "$BUNDLE/config.json"
	edit "${edits[@]}" -- /proc/self/exe features
	ROUNDS=$(($(rounds) / 10)) rounds_of entry
	edit "${edits[@]}" -- /bin/entry
	ROUNDS=$(($(rounds) / 10)) rounds_of entry
	touch "$BASE/stop"
	eventually status_is stopped "$ID.attacker"
	output=$(<"$attacker")
	hasnt "$output" spoiled
	if is_mesoc; then hasnt "$output" "seized 0"; fi
	unharmed
}

# Seen to fail without the step "make init undumpable" (libcontainer/compile): a
# root with the same capabilities then reads it all.
@test "an init at its gate cannot be looked into by a container in its pid namespace" {
	victim
	mapfile -t edits < <(share CAP_AUDIT_WRITE CAP_KILL CAP_NET_BIND_SERVICE)
	in_box 'for f in exe root cwd fd/0 fd/3 fd/5; do readlink /proc/1/$f; done; ls -d /proc/1/root/. /proc/1/cwd/. /proc/1/fd/7/. /proc/1/map_files/?*
		for f in environ mem maps auxv; do head -c 1 /proc/1/$f | wc -c; done; echo end' "${edits[@]}"
	eq "$output" $'0\n0\n0\n0\nend'
}
