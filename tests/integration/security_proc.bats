#!/usr/bin/env bats
# /proc, /sys and what hides parts of them: none of it can be pushed aside, and
# what the runtime writes there goes where it should.

load helpers
load security

setup_test() { watch; }

# bare MOUNTINFO: the procfs in it that is not covered as the config says. By the
# mounts' numbers: their paths may change while they are read.
bare() {
	awk '/ - proc / && $4 == "/" { full[$1] = $5 } $4 == "/sys" && $6 ~ /^ro/ { sys[$2] = 1 } $5 ~ /\/keys$/ { keys[$2] = 1 }
		END { for (m in full) if (!sys[m] || !keys[m]) print full[m] }' "$1"
}

# CVE-2019-19921, CVE-2023-27561, CVE-2023-28642. Seen to fail with masks that are
# looked up from the root (place in libcontainer/compile/mounts.go), in the first
# rounds: procfs lies bare where the directory went.
@test "race: /proc of the image becomes another directory: no procfs without its masks" {
	mkdir "$BASE/other"
	script 'cat /proc/self/mountinfo || cat /other/self/mountinfo' '/linux/maskedPaths=["/proc/keys","/proc/kcore"]'
	found=
	look() {
		"$RUNTIME" --root "$ROOT" run --bundle "$BUNDLE" "$ID" >"$T/mountinfo" 2>"$T/last" 3>&- </dev/null || return 0
		WON=$((WON + 1))
		found+=$(bare "$T/mountinfo")
	}
	works look
	race "$BASE/proc" "$BASE/other"
	rounds_of look
	raced
	eq "$found" "" "procfs without masks"
	unharmed
}

# restore DEVICE…: of the host's, in case the test fails.
restore() {
	local n
	for n; do undo "chmod $(stat -c %a /dev/$n) /dev/$n; chown $(stat -c %u:%g /dev/$n) /dev/$n"; done
}

# CVE-2025-31133. Seen to fail with the null device mounted as it is: the host's
# /dev/null gets mode 600 and owner 12.
@test "a masked file is the host's null device, and cannot be changed" {
	ours "others bind the container's own"
	restore null
	echo secret >"$BASE/secret"
	in_box 'chmod 600 /secret; chown 12:34 /secret; touch -d @0 /secret; rm /secret; mv /secret /x; echo x >/secret; wc -c </secret; stat -c "%a %u %t:%T" /secret' \
		'/linux/maskedPaths=["/secret","/proc/keys","/proc/kcore"]' $(caps CAP_CHOWN CAP_FOWNER CAP_DAC_OVERRIDE)
	eq "$output" $'0\n666 0 1:3'
	unharmed
}

# Seen to fail with the nodes mounted as they are: the host's /dev/zero gets mode 600.
@test "user namespace: the host's device nodes, which are shown, cannot be changed, not even by the same root" {
	restore null zero full random urandom tty
	in_box 'for n in null zero full random urandom tty; do chmod 600 /dev/$n; chown 12:34 /dev/$n; done; echo x >/dev/null && head -c 3 /dev/zero | wc -c' \
		'/linux/namespaces+={"type":"user"}' '/linux/uidMappings=[{"containerID":0,"hostID":0,"size":1000}]' \
		'/linux/gidMappings=[{"containerID":0,"hostID":0,"size":1000}]' $(caps CAP_CHOWN CAP_FOWNER CAP_DAC_OVERRIDE)
	eq "$output" 3
	unharmed
}

# The image's and the volume's null devices are links to a setting of the host's. Seen to
# fail with a copy of the root's own /dev/null as the mask (opened and cloned in mask, after the
# mounts): the setting was "owned".
@test "masks do not come from the image: /dev/null of a shared /dev" {
	mkdir dev
	echo secret >"$BASE/secret"
	ln -s /proc/sys/kernel/core_pattern dev/null
	script 'cat /secret; echo owned >/secret; cat /proc/sys/kernel/core_pattern' '/linux/maskedPaths=["/secret"]' \
		'/linux/readonlyPaths=[]' "$(mount_edit /dev bind "$T/dev" rbind)"
	rt run --bundle "$BUNDLE" "$ID"
	if is_mesoc; then ok; fi # others refuse the bundle
	hasnt "$output" secret
	unharmed
}

# owner starts a container that gives its mount namespace away, and puts a
# directory of its own on /proc.
owner() {
	mkdir -p "$BASE/fake/sys/net/ipv4" "$BASE/fake/self/ns"
	touch "$BASE/fake/sys/net/ipv4/ip_forward" "$BASE/fake/self/timens_offsets"
	cp "$BUNDLE/config.json" plain.json
	script 'mount --bind /fake /proc && echo ready; exec sleep 1000' $(caps CAP_SYS_ADMIN) '/linux/readonlyPaths=[]' '/linux/maskedPaths=[]'
	rt create --bundle "$BUNDLE" "$ID.owner"
	ok
	out=$out_file
	pid=$(state /pid "$ID.owner")
	rt start "$ID.owner"
	ok
	eventually grep -q ready "$out"
	cp plain.json "$BUNDLE/config.json"
	# The root is the owner's.
	edit '/mounts!' '/linux/maskedPaths!' '/linux/readonlyPaths!' "/linux/namespaces/@mount={\"type\":\"mount\",\"path\":\"/proc/$pid/ns/mnt\"}"
}

# CVE-2025-52881. Seen to fail with the handle on /proc opened after the namespaces are joined.
@test "sysctls go to the kernel, not to what another container has put on /proc" {
	ours "others refuse the bundle"
	owner
	in_box 'true' /linux/sysctl='{"net.ipv4.ip_forward":"1"}'
	eq "$(<"$BASE/fake/sys/net/ipv4/ip_forward")" ""
	unharmed
}

# CVE-2025-52881. Seen to fail with time offsets that are opened by their path.
@test "time offsets go to the kernel, not to what another container has put on /proc" {
	ours "others refuse the bundle"
	need timens
	owner
	in_box 'true' '/linux/namespaces+={"type":"time"}' '/linux/timeOffsets={"boottime":{"secs":1000,"nanosecs":0}}'
	eq "$(<"$BASE/fake/self/timens_offsets")" ""
	unharmed
}

# CVE-2019-16884. Seen to fail without the rule in destination (libcontainer/bundle/mounts.go).
@test "volumes on /proc and inside are refused" {
	mkdir -p fake/self/attr
	for m in "tmpfs tmpfs" "bind $T/fake rbind"; do
		for at in /proc/self /proc/self/attr /proc/sys /proc/sys/kernel /proc/../proc/self /./proc//self/; do
			cp "$BATS_TEST_DIRNAME/testdata/config.json" "$BUNDLE/config.json"
			# shellcheck disable=SC2086
			edit "$(mount_edit $at $m)"
			create
			fails /proc
			clean
		done
	done
	unharmed
}

# While a procfs can be seen that is not covered, or would be if there were a path to it, the
# kernel lets user namespaces mount another. Seen to fail with procMounts (libcontainer) finding nothing.
@test "no-pivot: the host's procfs is not what lets a user namespace inside mount one without masks" {
	script 'unshare -U -r -m -p -f sh -c "echo inside; mount -t proc proc /tmp"' '/process/user={"uid":1000,"gid":1000}' \
		'/linux/maskedPaths=["/proc/keys","/proc/kcore"]'
	rt run --no-pivot --bundle "$BUNDLE" "$ID"
	eq "$output" inside
	has "$stderr" "permission denied"
	unharmed
}
