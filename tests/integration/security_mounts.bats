#!/usr/bin/env bats
# Where mounts land: inside the root, whatever the image holds and whatever
# another container does to a volume meanwhile. The sentinel tree tells.

load helpers
load security

setup_test() {
	watch
	mapfile -t KINDS < <("$RIG" hostile --list)
}

OWN_DEV='[{"destination":"/proc","type":"proc","source":"proc"},{"destination":"/sys","type":"sysfs","source":"sysfs"}]'

# hostile PATH KIND: in the place of that path of the image.
hostile() { "$RIG" hostile "$BASE" "$1" "$2" "$SENTINEL"; }

# The image is made anew for each case.
fresh() {
	rm -rf "$BUNDLE"
	mkdir "$BUNDLE"
	"$RIG" bundle "$TEMPLATE" "$BATS_TEST_DIRNAME/testdata/config.json" "$BUNDLE"
}

# try: it may work or not, but it does not hang (the suite's watchdog would end it).
try() {
	rt run --bundle "$BUNDLE" "$ID"
	[ "$status" -lt 126 ] || die "status $status of $*" "$stderr"
}

# CVE-2019-18837, CVE-2019-19921, CVE-2023-27561, CVE-2026-41579, CVE-2025-31133, CVE-2025-52565.
# Seen to fail with inRoot (libcontainer/compile/path.go) being 0: devices are made in the sentinel, and its ptmx is replaced.
@test "an image with something else where directories and devices are expected" {
	local path kind
	while read -r path kind; do
		fresh
		hostile "$path" "$kind"
		edit /process/cwd:=/work
		try "$kind at $path"
		# Without a /dev of its own the runtime works in the image's.
		edit "/mounts=$OWN_DEV"
		try "$kind at $path, /dev being the image's"
		[ "$kind" != device ] || unharmed || die "by something else at $path"
	done < <(for path in /dev /proc /sys /dev/null /dev/ptmx /dev/pts /dev/pts/0 /dev/console /dev/shm /run /etc /work; do
		for kind in "${KINDS[@]}"; do echo "$path $kind"; done
	done | sample)
	unharmed
	clean
}

# CVE-2019-18837. Seen to fail with inRoot being 0: directories and files are made in the sentinel.
@test "each type of mount on and below something else than a directory" {
	local kind mount at
	mkdir src
	touch src-file
	local types=('tmpfs tmpfs mode=700' 'tmpfs tmpfs ro' 'proc proc' 'sysfs sysfs ro' 'devpts devpts newinstance' 'mqueue mqueue'
		'cgroup cgroup ro' "overlay overlay lowerdir=$T/src:$BASE/etc" "bind $T/src rbind" "bind $T/src-file bind,ro")
	while read -r kind at mount; do
		hostile /h "$kind"
		cp "$BATS_TEST_DIRNAME/testdata/config.json" "$BUNDLE/config.json"
		# shellcheck disable=SC2086
		edit "$(mount_edit "$at" $mount)"
		try "$mount at $at, $kind at /h"
	done < <(for kind in "${KINDS[@]}"; do
		for at in /h /h/sub /h/sub/deep; do printf "$kind $at %s\n" "${types[@]}"; done
	done | sample)
	unharmed
	eq "$(ls -A src)" "" "what is in the source"
	clean
}

# CVE-2021-30465, CVE-2024-45310, and of CVE-2024-21626 the working directory. Seen to fail
# with inRoot being 0, in the first rounds: the sentinel gets directories x/y/z.
@test "race: a directory of a shared volume becomes a symlink while mounts are made in it" {
	mkdir -p vol/real/below
	ln -s "$SENTINEL" vol/link
	edit "$(mount_edit /vol bind "$T/vol" rbind)" \
		"$(mount_edit /vol/real/x/y/z tmpfs tmpfs '')" \
		"$(mount_edit /vol/real/below tmpfs tmpfs mode=700,ro)" \
		"$(mount_edit /vol/real/file/on/a bind "$BUNDLE/config.json" bind,ro)" \
		/process/cwd:=/vol/real/new/dir
	works create_and_delete
	race vol/real vol/link
	rounds_of create_and_delete
	raced
	unharmed
	clean
}

# CVE-2026-41579. Seen to fail with inRoot being 0: ptmx of the sentinel is replaced.
@test "race: /dev of the image becomes a symlink while it is filled" {
	mkdir -p "$BASE/dev"
	ln -s "$SENTINEL" "$BASE/link"
	edit "/mounts=$OWN_DEV"
	works create_and_delete
	race "$BASE/dev" "$BASE/link"
	rounds_of create_and_delete
	raced
	unharmed
	clean
}

# CVE-2025-52565. Not seen to fail: with noLinks being 0, or the slave opened by its name, the container
# does not start. It can where a runtime makes or changes what it finds under these names.
@test "race: /dev/pts and /dev/console become symlinks while a terminal is opened" {
	mkdir -p "$BASE/dev/pts"
	touch "$BASE/dev/console"
	ln -s "$SENTINEL/pts" "$BASE/dev/link"
	ln -s "$SENTINEL/made" "$BASE/dev/link2"
	edit "/mounts=$OWN_DEV" "$(mount_edit /dev/pts devpts devpts newinstance,ptmxmode=0666)" /process/terminal=true
	terminal() {
		rm -f console.sock
		"$RIG" console console.sock out </dev/null 2>/dev/null 3>&- &
		eventually test -S console.sock
		rt create --console-socket console.sock --bundle "$BUNDLE" "$ID"
		cp "$T/stderr.$N" "$T/last"
		if [ "$status" -eq 0 ]; then
			WON=$((WON + 1))
			rt delete --force "$ID"
			ok
		fi
		wait $! || :
	}
	works terminal
	race "$BASE/dev/pts" "$BASE/dev/link" "$BASE/dev/console" "$BASE/dev/link2"
	ROUNDS=$(($(rounds) / 5)) rounds_of terminal
	raced
	unharmed
	clean
}

# Seen to fail with the mode being set through the path, in the first rounds: one directory has the mode of the other.
@test "race: the mode of a tmpfs is set on no other directory" {
	mkdir -p vol/real
	mkdir -m 1777 vol/real/tmp
	ln -s /etc vol/link
	mkdir -m 700 "$BASE/etc/tmp"
	edit "$(mount_edit /vol bind "$T/vol" rbind)" "$(mount_edit /vol/real/tmp tmpfs tmpfs '')"
	works create_and_delete
	race vol/real vol/link
	rounds_of create_and_delete
	raced
	eq "$(stat -c %a "$BASE/etc/tmp")" 700
	real=vol/real
	[ ! -L vol/real ] || real=vol/link
	eq "$(stat -c %a $real/tmp)" 1777
	unharmed
	clean
}
