#!/usr/bin/env bats
# Mounts whose ids are mapped: idmap, ridmap, mappings of the mount and of the
# container's user namespace (config, Mounts).

load helpers

setup_test() {
	ours "runc has it since 1.2"
	need idmap
	mkdir -p src/sub "$BASE/b"
	touch src/f
	chown 4:5 src/f
	# A mount below, with a file of the same owner.
	mount -t tmpfs tmpfs src/sub
	undo "umount $T/src/sub"
	touch src/sub/f
	chown 4:5 src/sub/f
	chmod -R a+rX "$T" "$BATS_RUN_TMPDIR"
}

OWN='"uidMappings":[{"containerID":0,"hostID":1000,"size":100}],"gidMappings":[{"containerID":0,"hostID":2000,"size":100}]'

# bound OPTION,… [MAPPINGS]: the edit that binds src.
bound() {
	echo "/mounts+={\"destination\":\"/b\",\"type\":\"none\",\"source\":\"$T/src\",\"options\":[\"${1//,/\",\"}\"]${2:+,$2}}"
}

owners() { # WANT-TOP WANT-BELOW EDIT…
	cp "$BATS_TEST_DIRNAME/testdata/config.json" "$BUNDLE/config.json"
	local top=$1 below=$2
	shift 2
	in_box 'stat -c "%u %g" /b/f; stat -c "%u %g" /b/sub/f 2>/dev/null || echo none' "$@"
	eq "$output" "$top"$'\n'"$below" "$1"
}

USERNS=('/linux/namespaces+={"type":"user"}' '/linux/uidMappings=[{"containerID":0,"hostID":100000,"size":65536}]'
	'/linux/gidMappings=[{"containerID":0,"hostID":200000,"size":65536}]')

@test "mappings of the mount: idmap for itself, ridmap for all below, neither for what it covers" {
	owners "1004 2005" none "$(bound bind,idmap "$OWN")"
	owners "1004 2005" none "$(bound bind,ridmap "$OWN")"
	owners "1004 2005" none "$(bound bind "$OWN")"
	owners "1004 2005" "4 5" "$(bound rbind,idmap "$OWN")"
	owners "1004 2005" "1004 2005" "$(bound rbind,ridmap "$OWN")"
	owners "1004 2005" "1004 2005" "$(bound rbind "$OWN")"
	owners "4 5" "4 5" "$(bound rbind)"
	# Nothing of it has reached the host.
	eq "$(stat -c "%u %g" src/f src/sub/f)" $'4 5\n4 5'
	clean
}

@test "without mappings: those of the container's user namespace" {
	owners "4 5" "65534 65534" "$(bound rbind,idmap)" "${USERNS[@]}"
	owners "4 5" "4 5" "$(bound rbind,ridmap)" "${USERNS[@]}"
	owners "65534 65534" "65534 65534" "$(bound rbind)" "${USERNS[@]}"
	clean
}

@test "without mappings: those of the user namespace that is joined" {
	unshare --user sleep 1000 3>&- &
	holder=$!
	undo "kill $holder"
	unshared() { [ "$(readlink /proc/$holder/ns/user)" != "$(readlink /proc/self/ns/user)" ]; }
	eventually unshared
	echo 0 100000 65536 >/proc/$holder/uid_map
	echo 0 200000 65536 >/proc/$holder/gid_map
	owners "4 5" "4 5" "$(bound rbind,ridmap)" "/linux/namespaces+={\"type\":\"user\",\"path\":\"/proc/$holder/ns/user\"}"
}

@test "mappings of the mount in a container with a user namespace: its own count" {
	owners "4 5" none "${USERNS[@]}" \
		"$(bound bind,idmap '"uidMappings":[{"containerID":0,"hostID":100000,"size":10}],"gidMappings":[{"containerID":0,"hostID":200000,"size":10}]')"
	clean
}

@test "what is written lands with the ids of the mapping" {
	chown 7:8 src
	in_box 'touch /b/new' "$(bound bind,idmap '"uidMappings":[{"containerID":7,"hostID":0,"size":1}],"gidMappings":[{"containerID":8,"hostID":0,"size":1}]')"
	eq "$(stat -c "%u %g" src/new)" "7 8"
	clean
}

@test "together with other attributes" {
	in_box 'stat -c "%u" /b/f; touch /b/x 2>&1; touch /b/sub/x 2>&1; true' "$(bound rbind,ridmap,rro,nosuid "$OWN")"
	lines 1004 "touch: /b/x: Read-only file system" "touch: /b/sub/x: Read-only file system"
	clean
}

@test "what cannot be mapped: the error names the mount" {
	for options in bind,idmap bind; do
		cp "$BATS_TEST_DIRNAME/testdata/config.json" "$BUNDLE/config.json"
		edit "/mounts+={\"destination\":\"/b\",\"source\":\"/proc\",\"options\":[\"${options//,/\",\"}\"],$OWN}"
		create
		fails "map the ids of /proc on /b: " "file system that supports them"
		clean
	done
	cp "$BATS_TEST_DIRNAME/testdata/config.json" "$BUNDLE/config.json"
	edit "$(bound bind,idmap)"
	create
	fails "/mounts/7/options: idmap needs uidMappings and gidMappings, or a user namespace whose mappings to use"
	edit "/mounts/7={\"destination\":\"/b\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",$OWN}"
	create
	fails "/mounts/7/options: mapped ids are supported on bind mounts only"
	clean
}
