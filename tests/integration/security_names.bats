#!/usr/bin/env bats
# Strings: names that become one component of a path, and long ones.

load helpers
load security

setup_test() { watch; }

# Seen to fail with validIDByte (libcontainer/store) taking everything.
@test "ids that lead elsewhere, for every command" {
	local id long
	long=$(printf '%1025s' '' | tr ' ' a)
	mkdir -p "$T/state2/victim"
	for id in .. . ../state2/victim a/b a/../../victim /etc "$SENTINEL" $'new\nline' 'sp ace' '*' 'ü' $'\x01' "$long" "@rig"; do
		for command in "create --bundle $BUNDLE" "run --bundle $BUNDLE" start "delete --force" state "kill --all"; do
			emulated && [[ $command != create* && $command != delete* ]] && continue
			# shellcheck disable=SC2086
			rt $command "$id"
			fails
		done
	done
	[ -d "$T/state2/victim" ]
	rmdir "$T/state2/victim" "$T/state2"
	eq "$(ls -A "$ROOT")" ""
	unharmed
	clean
}

# GHSA-5g49-rx9x-qfc6. Seen to fail without the rules about slashes in unified and about .. in
# cgroupsPath (libcontainer/bundle).
@test "names of cgroups and of their files that lead elsewhere" {
	local key bad
	mkdir "/sys/fs/cgroup/victim-$ID"
	undo "rmdir /sys/fs/cgroup/victim-$ID"
	for key in ../cgroup.kill "../../victim-$ID/cgroup.freeze" a/b '' . .. ../x memory. .max cgroup.procs cgroup.kill cgroup.freeze \
		cgroup.subtree_control '../\n' 'memory.\u0000max'; do
		cp "$BATS_TEST_DIRNAME/testdata/config.json" "$BUNDLE/config.json"
		edit "/linux/resources/unified={\"$key\":\"1\"}"
		create
		fails
		clean
	done
	for bad in '2MB/../x' '../2MB' '2MB.' '2MB/..' '' '.' '2MB\nx' '-2MB' '02MB'; do
		cp "$BATS_TEST_DIRNAME/testdata/config.json" "$BUNDLE/config.json"
		edit "/linux/resources/hugepageLimits=[{\"pageSize\":\"$bad\",\"limit\":0}]"
		create
		if is_mesoc; then fails; fi
		clean
	done
	for bad in .. ../x "a/../../victim-$ID" "/../victim-$ID" / . ./ 'a\nb'; do
		cp "$BATS_TEST_DIRNAME/testdata/config.json" "$BUNDLE/config.json"
		edit "/linux/cgroupsPath=\"$bad\""
		create
		if is_mesoc; then fails; fi # runc takes .. for a name within
		rt delete --force "$ID"
		clean
	done
	eq "$(grep -c 'populated 0' "/sys/fs/cgroup/victim-$ID/cgroup.events")" 1
	unharmed
}

# CVE-2021-43784: a length of 16 bits that overflows forges what comes behind. Ours are the
# addresses in the program and the sizes of its image. Seen to fail with Builder.String
# (libcontainer/program) keeping the length of a string in 16 bits.
@test "strings of 64 KiB, 128 KiB and one more or less: an error, or what was asked for" {
	local n
	for n in 65534 65535 65536 65537 131065 131066 131067 131072 131073 262144; do
		cp "$BATS_TEST_DIRNAME/testdata/config.json" "$BUNDLE/config.json"
		edit '/process/user={"uid":1000,"gid":1000}' '/process/env=["PATH=/bin","LONG=@"]' "$(mount_edit /vol tmpfs tmpfs size=1m)" -- \
			/bin/sh -c 'echo ${#LONG} $(id -u) $(grep -c "CapBnd:.0*20000420$" /proc/self/status) $(grep -c " /vol .* rw,size=1024k" /proc/self/mountinfo)'
		awk -v n=$n '{ for (t = "x"; length(t) < n; t = t t); sub(/LONG=@/, "LONG=" substr(t, 1, n)); print }' "$BUNDLE/config.json" >new
		mv new "$BUNDLE/config.json"
		rt run --bundle "$BUNDLE" "$ID"
		# Linux has room for 128 KiB in one string.
		if ((n + 5 < 131072)); then
			ok
			eq "$output" "$n 1000 1 1" "with $n bytes"
		else
			fails "argument list too long"
		fi
		clean
	done
	unharmed
}

# The same in paths, of which the kernel takes 4095 bytes. Seen to fail as above.
@test "paths of 64 KiB and more: an error" {
	local n edit
	for n in 8192 65535 65536 65537 131072; do
		for edit in /process/cwd='"/@"' '/linux/namespaces+={"type":"time","path":"/@"}' '/mounts+={"destination":"/@","type":"tmpfs"}' \
			'/mounts+={"destination":"/vol","type":"bind","source":"/@","options":["bind"]}' '/linux/maskedPaths=["/@"]' '/hostname="@"'; do
			cp "$BATS_TEST_DIRNAME/testdata/config.json" "$BUNDLE/config.json"
			edit "$edit"
			awk -v n=$n '{ for (t = "x/"; length(t) < n; t = t t); sub(/@/, substr(t, 1, n)); print }' "$BUNDLE/config.json" >new
			mv new "$BUNDLE/config.json"
			rt run --bundle "$BUNDLE" "$ID"
			fails
			clean
		done
	done
	[ ! -e "$BASE/x" ]
	unharmed
}
