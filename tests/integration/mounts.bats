#!/usr/bin/env bats
# Mounts: every type and option, where they land, and that they land inside.

load helpers

# MI defines mi, which prints of the topmost mount at a path: its options, its
# propagation, its type, and its filesystem's options, each in square brackets.
MI='mi() { awk -v p="$1" "\$5 == p { o = \$6; g = \"\"; for (i = 7; \$i != \"-\"; i++) g = g \$i \" \"; t = \$(i+1); s = \$(i+3) } END { printf \"%s [%s] [%s] [%s] [%s]\\n\", p, o, g, t, s }" /proc/self/mountinfo; }
'

# mount_line PATH REGEXP…: each matches the line that mi printed of the path.
mount_line() {
	local line regexp
	line=$(grep -F -- "$1 [" <<<"$output") || die "no mount $1 in: $output"
	shift
	for regexp; do matches "$line" "$regexp"; done
}

@test "the mounts of a usual bundle, with the options they were given" {
	in_box "$MI"'for m in / /proc /dev /dev/pts /dev/shm /dev/mqueue /sys /sys/fs/cgroup; do mi $m; done; ls /sys/class/net; stat -f -c %T /dev/shm /proc'
	mount_line /proc '\[rw,' '\[proc\]'
	mount_line /dev '\[rw,nosuid(,|\])' '\[tmpfs\]' 'size=65536k' 'mode=755'
	mount_line /dev/pts '\[rw,nosuid,noexec,relatime\]' '\[devpts\]' 'gid=5,mode=620,ptmxmode=666'
	mount_line /dev/shm '\[rw,nosuid,nodev,noexec,relatime\]' '\[tmpfs\]' 'size=65536k'
	mount_line /dev/mqueue '\[rw,nosuid,nodev,noexec,relatime\]' '\[mqueue\]'
	mount_line /sys '\[ro,nosuid,nodev,noexec,relatime\]' '\[sysfs\]'
	mount_line /sys/fs/cgroup '\[ro,nosuid,nodev,noexec,relatime\]' '\[cgroup2\]'
	lines lo tmpfs proc
	clean
}

@test "options of a new filesystem" {
	in_box "$MI"'for i in 1 2 3 4 5 6 7 8 10 11 12 13; do mi /m/$i; done; stat -c "%a %u %g" /m/11' \
		"$(mount_edit /m/1 tmpfs tmpfs '')" \
		"$(mount_edit /m/2 tmpfs tmpfs ro,nosuid,nodev,noexec)" \
		"$(mount_edit /m/3 tmpfs tmpfs noatime)" \
		"$(mount_edit /m/4 tmpfs tmpfs nodiratime,relatime)" \
		"$(mount_edit /m/5 tmpfs tmpfs strictatime)" \
		"$(mount_edit /m/6 tmpfs tmpfs sync,dirsync)" \
		"$(mount_edit /m/7 tmpfs tmpfs lazytime)" \
		"$(mount_edit /m/8 tmpfs tmpfs ro,rw,noexec,exec,nosuid,suid,nodev,dev)" \
		"$(mount_edit /m/10 tmpfs tmpfs size=1m,nr_inodes=50)" \
		"$(mount_edit /m/11 tmpfs tmpfs mode=1750,uid=12,gid=34)" \
		"$(mount_edit /m/12 tmpfs tmpfs rw,ro)" \
		"$(mount_edit /m/13 tmpfs tmpfs noatime,relatime,noexec)"
	mount_line /m/1 '\[rw,relatime\]' '\[tmpfs\]'
	mount_line /m/2 '\[ro,nosuid,nodev,noexec,relatime\]'
	mount_line /m/3 '\[rw,noatime\]'
	mount_line /m/4 '\[rw,nodiratime,relatime\]'
	mount_line /m/5 '\[rw\]'
	mount_line /m/6 '\[rw,sync,dirsync'
	mount_line /m/7 'lazytime'
	mount_line /m/8 '\[rw,relatime\]'
	mount_line /m/10 'size=1024k' 'nr_inodes=50'
	mount_line /m/12 '\[ro,relatime\]'
	lines "1750 12 34"
	clean
}

@test "the option defaults changes nothing" {
	ours "runc 1.1 passes it to the filesystem"
	mkdir src
	in_box "$MI"'mi /m; mi /b' "$(mount_edit /m tmpfs tmpfs defaults,noexec)" "$(mount_edit /b bind "$T/src" defaults,bind)"
	mount_line /m '\[rw,noexec,relatime\]' '\[tmpfs\]'
	mount_line /b '\[rw,'
}

@test "options of a bind mount" {
	mkdir -p src/sub
	touch src/f
	mount -t tmpfs tmpfs src/sub
	undo "umount $T/src/sub"
	in_box "$MI"'for i in 1 2 3 4 5 6 7; do mi /b/$i; done; mi /b/2/sub; mi /b/1/sub; touch /b/1/x /b/3/x 2>&1; touch /b/2/sub/x && echo below-writable; ls -d /b/5/f' \
		"$(mount_edit /b/1 bind "$T/src" bind,ro)" \
		"$(mount_edit /b/2 bind "$T/src" rbind,ro)" \
		"$(mount_edit /b/3 bind "$T/src" bind,ro,nosuid,nodev,noexec)" \
		"$(mount_edit /b/4 bind "$T/src" bind,noatime,nodiratime)" \
		"$(mount_edit /b/5 none ../src bind)" \
		"$(mount_edit /b/6 bind "$T/src" bind,ro,rw)" \
		"$(mount_edit /b/7 tmpfs "$T/src" rbind,rw)"
	mount_line /b/1 '\[ro,'
	mount_line /b/2 '\[ro,'
	mount_line /b/2/sub '\[rw,relatime\]' '\[tmpfs\]'
	mount_line /b/1/sub '\[\] \[\] \[\] \[\]'
	mount_line /b/3 '\[ro,nosuid,nodev,noexec,'
	mount_line /b/4 '\[rw,noatime,nodiratime\]'
	mount_line /b/6 '\[rw,'
	mount_line /b/7 '\[rw,'
	lines "touch: /b/1/x: Read-only file system" "touch: /b/3/x: Read-only file system" below-writable /b/5/f
	[ ! -e src/x ]
	clean
}

@test "recursive options reach the mounts below" {
	mkdir -p src/sub
	mount -t tmpfs tmpfs src
	undo "umount -R $T/src"
	mkdir -p src/sub
	mount -t tmpfs tmpfs src/sub
	in_box "$MI"'for i in 1 2 3 4 5; do mi /b/$i; mi /b/$i/sub; done' \
		"$(mount_edit /b/1 bind "$T/src" rbind,rro)" \
		"$(mount_edit /b/2 bind "$T/src" rbind,rnosuid,rnodev,rnoexec)" \
		"$(mount_edit /b/3 bind "$T/src" rbind,rnoatime)" \
		"$(mount_edit /b/4 bind "$T/src" rbind,rnosymfollow)" \
		"$(mount_edit /b/5 bind "$T/src" bind,rro)"
	for p in /b/1 /b/1/sub /b/5; do mount_line $p '\[ro,relatime\]'; done
	for p in /b/2 /b/2/sub; do mount_line $p '\[rw,nosuid,nodev,noexec,relatime\]'; done
	for p in /b/3 /b/3/sub; do mount_line $p '\[rw,noatime\]'; done
	for p in /b/4 /b/4/sub; do mount_line $p '\[rw,relatime,nosymfollow\]'; done
	clean
}

@test "recursive options that the kernel refuses: an error, and never less than was asked for" {
	ours "its steps can be made to fail"
	mkdir src
	edit "$(mount_edit /b bind "$T/src" rbind,rro)" "$(mount_edit /m tmpfs tmpfs rnosuid)"
	rt --debug create --bundle "$BUNDLE" "$ID"
	ok
	steps=$stderr
	rt delete "$ID"
	ok
	for what in "set ro recursively on /b" "set nosuid recursively on /m"; do
		step=$(sed -n "s|^step \([0-9]*\): .*# $what\$|\1|p" <<<"$steps")
		[ -n "$step" ]
		for e in ENOSYS EINVAL EPERM; do
			export MESOC_TEST_FAULT=$step:$e
			create
			unset MESOC_TEST_FAULT
			fails "$what: "
			clean
		done
	done
}

@test "flags that a user namespace may not clear: kept, and an error where they are to be cleared" {
	ours "runc 1.1 keeps them in silence"
	mkdir src
	mount -t tmpfs -o ro,nosuid,nodev,mode=755 tmpfs src
	undo "umount $T/src"
	chmod 755 "$T" "${T%/*}" "${T%/*/*}"
	mkdir "$BASE/b" "$BASE/c"
	userns=('/linux/namespaces+={"type":"user"}' '/linux/uidMappings=[{"containerID":0,"hostID":100000,"size":65536}]'
		'/linux/gidMappings=[{"containerID":0,"hostID":100000,"size":65536}]')
	in_box "$MI"'mi /b; mi /c' "${userns[@]}" "$(mount_edit /b bind "$T/src" bind)" "$(mount_edit /c bind "$T/src" bind,noexec)"
	mount_line /b '\[ro,nosuid,nodev,relatime\]'
	mount_line /c '\[ro,nosuid,nodev,noexec,relatime\]'
	for options in bind,rw bind,suid rbind,rrw rbind,rdev; do
		cp "$BATS_TEST_DIRNAME/testdata/config.json" "$BUNDLE/config.json"
		edit "${userns[@]}" "$(mount_edit /b bind "$T/src" $options)"
		create
		fails " on /b: operation not permitted"
		clean
	done
}

# Seen to fail: with the open left to init ("permission denied"), and with a copy made in the runtime's own
# mount namespace, whose flags the container could clear.
@test "sources that a user namespace may not reach: bound all the same, and their flags kept" {
	mkdir -p private/src private/flags "$BASE/b" "$BASE/c" "$BASE/d"
	echo text >private/src/file
	ln -s "$T/private/src" private/link
	mount -t tmpfs -o ro,nosuid,mode=755 tmpfs private/flags
	undo "umount $T/private/flags"
	chmod 755 "$T" "${T%/*}" "${T%/*/*}"
	chmod 700 private
	script "$MI"'cat /b/file /c/file; mount -o remount,bind,rw /d 2>&1; mi /d' '/linux/namespaces+={"type":"user"}' \
		'/linux/uidMappings=[{"containerID":0,"hostID":100000,"size":65536}]' '/linux/gidMappings=[{"containerID":0,"hostID":100000,"size":65536}]' \
		"$(mount_edit /b bind "$T/private/src" bind)" "$(mount_edit /c bind "$T/private/link" rbind,ro)" \
		"$(mount_edit /d bind "$T/private/flags" bind,ro,nosuid)" $(caps CAP_SYS_ADMIN)
	rt run --bundle "$BUNDLE" "$ID"
	ok
	lines text
	has "$output" "permission denied"
	mount_line /d '\[ro,nosuid,relatime\]'
}

@test "options that clear, clear what the source had" {
	ours "runc 1.1 keeps the source's flags"
	mkdir -p src/sub
	mount -t tmpfs -o ro,nosuid,nodev,noexec,noatime tmpfs src
	undo "umount -R $T/src"
	in_box "$MI"'for i in 1 2 3 4 5; do mi /b/$i; done' \
		"$(mount_edit /b/1 bind "$T/src" bind)" \
		"$(mount_edit /b/2 bind "$T/src" bind,rw)" \
		"$(mount_edit /b/3 bind "$T/src" bind,rw,suid,dev,exec)" \
		"$(mount_edit /b/4 bind "$T/src" bind,relatime)" \
		"$(mount_edit /b/5 bind "$T/src" rbind,rrw,rexec)"
	mount_line /b/1 '\[ro,nosuid,nodev,noexec,noatime\]'
	mount_line /b/2 '\[rw,nosuid,nodev,noexec,noatime\]'
	mount_line /b/3 '\[rw,noatime\]'
	mount_line /b/4 '\[ro,nosuid,nodev,noexec,relatime\]'
	mount_line /b/5 '\[rw,nosuid,nodev,noatime\]'
}

@test "nosymfollow" {
	ours "runc has it since 1.2"
	mkdir src
	ln -s /etc/passwd src/link
	in_box "$MI"'mi /b; mi /m; cat /b/link 2>&1; true' "$(mount_edit /b bind "$T/src" bind,nosymfollow)" "$(mount_edit /m tmpfs tmpfs nosymfollow)"
	mount_line /b nosymfollow
	mount_line /m nosymfollow
	has "$output" "Too many levels of symbolic links"
}

@test "a destination that is missing is made: directory or file, with its parents" {
	mkdir src
	echo text >src/file
	umask 077
	in_box 'cat /new/a/b/file; ls -d /new/c/d; stat -c %a /new /new/a /new/a/b; test -d /new/t/u && echo dir' \
		"$(mount_edit /new/a/b/file bind "$T/src/file" bind,ro)" \
		"$(mount_edit /new/c/d bind "$T/src" rbind)" \
		"$(mount_edit /new/t/u tmpfs tmpfs '')"
	umask 022
	lines text /new/c/d dir
	[ -f "$BASE/new/a/b/file" ]
	eq "$(stat -c %s "$BASE/new/a/b/file")" 0
	clean
}

@test "destinations made below a umask are usable: 0755" {
	ours "runc follows the caller's umask"
	mkdir src
	umask 077
	in_box 'stat -c %a /new /new/a /new/a/b' "$(mount_edit /new/a/b tmpfs tmpfs '')"
	umask 022
	eq "$output" $'755\n755\n1777'
}

@test "a relative destination is taken from the root" {
	in_box "$MI"'mi /rel/here' "$(mount_edit rel/here tmpfs tmpfs noexec)"
	mount_line /rel/here noexec
	clean
}

@test "mounts are made in the order they are listed" {
	mkdir src
	touch src/from-src
	in_box 'ls /a /a/b; test -e /hidden/b/from-src || echo covered' \
		"$(mount_edit /a tmpfs tmpfs '')" "$(mount_edit /a/b bind "$T/src" bind)" \
		"$(mount_edit /hidden/b bind "$T/src" bind)" "$(mount_edit /hidden tmpfs tmpfs '')"
	lines b from-src covered
	clean
}

@test "propagation of a mount" {
	in_box "$MI"'for i in 1 2 3 4 5; do mi /m/$i; done' \
		"$(mount_edit /m/1 tmpfs tmpfs private)" \
		"$(mount_edit /m/2 tmpfs tmpfs shared)" \
		"$(mount_edit /m/3 tmpfs tmpfs rslave)" \
		"$(mount_edit /m/4 tmpfs tmpfs unbindable)" \
		"$(mount_edit /m/5 tmpfs tmpfs rshared)"
	mount_line /m/1 '\] \[\] \['
	mount_line /m/2 '\[shared:[0-9]+ \]'
	mount_line /m/3 '\] \[\] \['
	mount_line /m/4 '\[unbindable \]'
	mount_line /m/5 '\[shared:[0-9]+ \]'
	clean
}

@test "rootfsPropagation" {
	local more="shared unbindable"
	# runc 1.1 sets it before the root is there: private all the same, or an error.
	is_mesoc || more=
	for p in "" private slave rprivate rslave $more; do
		in_box "$MI"'mi /' "/linux/rootfsPropagation:=$p"
		case $p in
		*shared) mount_line / '\[shared:[0-9]+ \]' ;;
		unbindable) mount_line / '\[unbindable \]' ;;
		*) mount_line / '\] \[\] \[' ;;
		esac
	done
	clean
}

@test "a mount on the host appears below rslave, and one inside does not on the host" {
	mount -t tmpfs tmpfs "$T/bundle" -o mode=755 && umount "$T/bundle"
	mkdir shared
	mount --bind shared shared
	undo "umount -R $T/shared"
	mount --make-shared shared
	mkdir shared/host shared/box
	script "$MI"'mount -t tmpfs tmpfs /vol/box && echo mounted; until [ -e /go ]; do sleep 0.02; done; mi /vol/host; mi /vol' \
		"$(mount_edit /vol bind "$T/shared" rbind,rslave)" $(caps CAP_SYS_ADMIN)
	start_box
	eventually grep -q mounted "$INIT_OUT"
	mount -t tmpfs -o size=77k tmpfs shared/host
	touch "$BASE/go"
	stopped
	slurp output "$INIT_OUT"
	mount_line /vol/host 'size=80k|size=77k'
	mount_line /vol 'master:[0-9]+'
	run ! mountpoint -q shared/box
}

@test "a mount inside appears on the host below rshared" {
	mkdir shared
	mount --bind shared shared
	undo "umount -R $T/shared"
	mount --make-shared shared
	mkdir shared/box
	in_box "$MI"'mount -t tmpfs -o size=44k tmpfs /vol/box && mi /vol' /linux/rootfsPropagation:=rshared \
		"$(mount_edit /vol bind "$T/shared" rbind,rshared)" $(caps CAP_SYS_ADMIN)
	mount_line /vol 'shared:[0-9]+'
	mountpoint -q shared/box
	umount shared/box
}

@test "nothing is mounted that is not asked for" {
	in_box 'ls -A /proc /sys /dev/pts /dev/shm 2>/dev/null; [ -c /dev/null ] && echo null' '/mounts=[]' /linux/maskedPaths! /linux/readonlyPaths!
	hasnt "$output" self
	hasnt "$output" kernel
	hasnt "$output" ptmx
	lines null
	clean
}

@test "the cgroup mount without a cgroup namespace: the whole tree, and the host's options stay" {
	before=$(grep ' - cgroup2 ' /proc/self/mountinfo)
	in_box 'cg=$(sed -n s/^0:://p /proc/self/cgroup); [ $cg != / ] && cat /sys/fs/cgroup$cg/cgroup.procs; mkdir /sys/fs/cgroup/x 2>&1 || :' \
		/linux/namespaces/@cgroup!
	lines 1 "mkdir: can't create directory '/sys/fs/cgroup/x': Read-only file system"
	eq "$(grep ' - cgroup2 ' /proc/self/mountinfo)" "$before"
	clean
}

@test "overlay" {
	mkdir low up work
	echo lower >low/file
	in_box 'cat /o/file; echo new >/o/made; echo changed >/o/file' \
		"$(mount_edit /o overlay overlay "lowerdir=$T/low,upperdir=$T/up,workdir=$T/work")"
	eq "$output" lower
	eq "$(cat up/made)" new
	eq "$(cat up/file)" changed
	eq "$(cat low/file)" lower
	clean
}

@test "tmpfs without a mode takes the directory's" {
	mkdir "$BASE/t"
	chmod 1711 "$BASE/t"
	in_box 'stat -c %a /t' "$(mount_edit /t tmpfs tmpfs '')"
	eq "$output" 1711
	clean
}

@test "read-only root: nothing on it can be written, mounts on it can" {
	in_box 'touch /x 2>&1; mkdir /etc/x 2>&1; touch /dev/shm/x /tmp/x && echo writable' /root/readonly=true "$(mount_edit /tmp tmpfs tmpfs '')"
	lines "touch: /x: Read-only file system" "mkdir: can't create directory '/etc/x': Read-only file system" writable
	[ ! -e "$BASE/x" ]
	in_box 'echo kept >/x' /root/readonly=false
	eq "$(cat "$BASE/x")" kept
	clean
}

@test "the root is pivoted: the host's tree is out of reach" {
	in_box "$MI"'ls -d /bin; cd /; ls -d ../../../../../../tests 2>&1; wc -l </proc/self/mountinfo; grep -c "'"$T"'/[^b]" /proc/self/mountinfo; readlink /proc/1/root'
	lines /bin / 0
	has "$output" "No such file or directory"
	clean
}

@test "root.path: absolute, relative, and through a symlink" {
	in_box 'echo here' "/root/path:=$BASE"
	eq "$output" here
	in_box 'echo relative' /root/path:=./rootfs/
	eq "$output" relative
	mv "$BASE" "$T/elsewhere"
	in_box 'echo up' /root/path:=../elsewhere
	eq "$output" up
	clean
}

@test "masked paths: files read empty, directories are empty and read-only, missing ones do not matter" {
	mkdir -p "$BASE/secret/dir"
	echo secret >"$BASE/secret/file"
	echo secret >"$BASE/secret/dir/inner"
	in_box "$MI"'wc -c </secret/file; stat -c %t:%T /secret/file; echo x >/secret/file; ls -A /secret/dir | wc -l; touch /secret/dir/x 2>&1; mi /secret/dir; cat /proc/kcore | wc -c' \
		'/linux/maskedPaths=["/secret/file","/secret/dir","/no/such/thing","/proc/kcore"]'
	lines 0 1:3 "touch: /secret/dir/x: Read-only file system"
	mount_line /secret/dir '\[ro,' '\[tmpfs\]'
	eq "$(cat "$BASE/secret/file" "$BASE/secret/dir/inner")" $'secret\nsecret'
	clean
}

@test "read-only paths: with their other options, and missing ones do not matter" {
	mkdir -p "$BASE/ro/dir"
	echo text >"$BASE/ro/file"
	in_box "$MI"'cat /ro/file; echo x 2>&1 >/ro/file; touch /ro/dir/x 2>&1; mi /proc/sys; mi /vol; echo 1 2>&1 >/proc/sys/net/ipv4/ip_forward; true' \
		'/linux/readonlyPaths=["/ro/file","/ro/dir","/no/such/thing","/proc/sys","/vol"]' "$(mount_edit /vol tmpfs tmpfs nosuid,noexec)"
	lines text "touch: /ro/dir/x: Read-only file system"
	mount_line /proc/sys '\[ro,relatime\]' '\[proc\]'
	mount_line /vol '\[ro,nosuid,noexec,relatime\]'
	eq "$(cat "$BASE/ro/file")" text
	clean
}

@test "symlinks on the way to a destination stay inside the root" {
	mkdir "$T/outside" "$T/src" "$BASE/real"
	echo src >src/file
	ln -s ../../outside "$BASE/up"
	ln -s "$T/outside" "$BASE/abs"
	ln -s /real "$BASE/inner"
	ln -s ../../../../../../../../tmp/dangling "$BASE/dangling"
	in_box 'cat /real/vol/file; cat /tmp/dangling/vol/file' \
		"$(mount_edit /up/vol bind "$T/src" bind)" \
		"$(mount_edit /abs/vol bind "$T/src" bind)" \
		"$(mount_edit /inner/vol bind "$T/src" bind)" \
		"$(mount_edit /dangling/vol bind "$T/src" bind)"
	eq "$output" $'src\nsrc'
	eq "$(ls -A "$T/outside")" "" "the directory outside"
	[ ! -e /tmp/dangling ]
	clean
}

@test "a magic link on the way to a destination leads nowhere" {
	mkdir "$T/outside" "$T/src"
	ln -s /proc/self/root "$BASE/r"
	ln -s /proc/self/cwd "$BASE/c"
	for d in /r/vol /c/vol; do
		edit /mounts='[{"destination":"/proc","type":"proc","source":"proc"}]' "$(mount_edit $d bind "$T/src" bind)"
		rt run --bundle "$BUNDLE" "$ID"
		[ ! -e /vol ]
		[ ! -e "$T/vol" ]
		[ ! -e "$BUNDLE/vol" ]
	done
	clean
}

@test "/proc and /sys must be real directories" {
	rmdir "$BASE/proc"
	ln -s /tmp "$BASE/proc"
	create
	fails /proc
	clean
	rm "$BASE/proc"
	mkdir "$BASE/proc"
	rmdir "$BASE/sys"
	ln -s tmp "$BASE/sys"
	create
	fails /sys
	clean
}

@test "/dev that is a symlink out of the root changes nothing outside" {
	ours "CVE-2026-41579"
	mkdir outside
	touch outside/ptmx outside/keep
	rmdir "$BASE/dev"
	ln -s "$T/outside" "$BASE/dev"
	before=$(ls -lA outside)
	rt run --bundle "$BUNDLE" "$ID"
	eq "$(ls -lA outside)" "$before"
	edit '/mounts=[{"destination":"/proc","type":"proc","source":"proc"}]'
	rt run --bundle "$BUNDLE" "$ID"
	eq "$(ls -lA outside)" "$before"
	clean
}

@test "links of the image in /dev lead nowhere" {
	ours "CVE-2025-31133, CVE-2025-52565"
	before=$(cat /proc/sys/kernel/core_pattern)
	mkdir dev
	ln -s /proc/sys/kernel/core_pattern dev/null
	ln -s /proc/sys/kernel/core_pattern dev/console
	# A /dev of the caller's is not ours to fill, and its null is not to be trusted.
	edit /linux/maskedPaths='["/etc/passwd"]' /mounts='[{"destination":"/proc","type":"proc","source":"proc"}]' "$(mount_edit /dev bind "$T/dev" bind)"
	script 'echo owned >/etc/passwd; cat /proc/sys/kernel/core_pattern'
	rt run --bundle "$BUNDLE" "$ID"
	eq "$(cat /proc/sys/kernel/core_pattern)" "$before"
	grep -q root "$BASE/etc/passwd"
	clean
}

@test "mounts inside /proc: a short list and no more" {
	echo fake >fake
	in_box 'cat /proc/uptime' "$(mount_edit /proc/uptime bind "$T/fake" bind,ro)"
	eq "$output" fake
	for d in /proc/self /proc/sys /proc/1/status /proc/self/attr/exec /proc/sysrq-trigger; do
		cp "$BATS_TEST_DIRNAME/testdata/config.json" "$BUNDLE/config.json"
		edit "$(mount_edit $d bind "$T/fake" bind)"
		create
		fails /proc
		clean
	done
	cp "$BATS_TEST_DIRNAME/testdata/config.json" "$BUNDLE/config.json"
	edit "$(mount_edit /proc tmpfs tmpfs '')"
	create
	fails /proc
	clean
}

@test "a bind on /proc: only of a proc" {
	mkdir -p fake/self
	edit "$(mount_edit /proc none "$T/fake" rbind)"
	create
	fails /proc proc
	clean
	cp "$BATS_TEST_DIRNAME/testdata/config.json" "$BUNDLE/config.json"
	in_box "$MI"'mi /proc' "$(mount_edit /proc none /proc rbind,nosuid)"
	mount_line /proc nosuid
	clean
}

@test "remount: of what is there already, read-only too" {
	echo text >file
	in_box "$MI"'for i in 1 2 3 4; do mi /m/$i; done' \
		"$(mount_edit /m/1 tmpfs tmpfs '')" "$(mount_edit /m/1 tmpfs tmpfs remount,ro)" \
		"$(mount_edit /m/2 tmpfs tmpfs '')" "$(mount_edit /m/2 tmpfs tmpfs remount,size=1m)" \
		"$(mount_edit /m/3 tmpfs tmpfs ro)" "$(mount_edit /m/3/below tmpfs tmpfs '')" \
		"$(mount_edit /m/4 bind "$T/file" bind,nodev)" "$(mount_edit /m/4 bind "$T/file" bind,remount,ro)"
	mount_line /m/1 '\[ro,relatime\]'
	mount_line /m/2 '\[rw,relatime\]' 'size=1024k'
	mount_line /m/3 '\[ro,relatime\]'
	mount_line /m/4 '\[ro,'
	clean
}

@test "the cgroup mount shows the container's own cgroup as its root" {
	in_box 'cat /proc/self/cgroup | tail -n 1; grep -qx $$ /sys/fs/cgroup/cgroup.procs && echo mine; ls -d /sys/fs/cgroup/mesos 2>&1; echo 1 2>&1 >/sys/fs/cgroup/cgroup.procs; true'
	lines "0::/" mine
	clean
}

@test "what the kernel refuses is told with the mount's name" {
	edit "$(mount_edit /m tmpfs tmpfs size=enormous)"
	create
	fails /m "invalid argument"
	clean
	cp "$BATS_TEST_DIRNAME/testdata/config.json" "$BUNDLE/config.json"
	edit "$(mount_edit /m nosuchfs none '')"
	create
	fails /m "no such device"
	clean
	cp "$BATS_TEST_DIRNAME/testdata/config.json" "$BUNDLE/config.json"
	edit "$(mount_edit /m bind "$T/nothing" bind)"
	create
	fails "$T/nothing" "no such file or directory"
	clean
}

@test "a file on a directory, and a directory on a file" {
	mkdir src
	touch file
	edit "$(mount_edit /etc bind "$T/file" bind)"
	create
	fails /etc
	has "$stderr" "not a directory"
	clean
	cp "$BATS_TEST_DIRNAME/testdata/config.json" "$BUNDLE/config.json"
	edit "$(mount_edit /etc/passwd bind "$T/src" bind)"
	create
	fails /etc/passwd
	has "$stderr" "not a directory"
	clean
}

@test "idmapped mounts: with mappings of their own" {
	ours "runc has it since 1.2"
	need idmap
	mkdir src
	touch src/f
	chown 4:5 src/f
	in_box 'stat -c "%u %g" /b/f' "/mounts+={\"destination\":\"/b\",\"type\":\"bind\",\"source\":\"$T/src\",\"options\":[\"bind\",\"idmap\"],
		\"uidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":100}],\"gidMappings\":[{\"containerID\":0,\"hostID\":2000,\"size\":100}]}"
	eq "$output" "1004 2005"
	clean
}

@test "many mounts" {
	mkdir src
	edits=()
	for ((i = 0; i < 200; i++)); do edits+=("$(mount_edit "/many/$i" bind "$T/src" rbind,ro,nosuid)"); done
	in_box 'grep -c " /many/" /proc/self/mountinfo' "${edits[@]}"
	eq "$output" 200
	clean
}
