#!/usr/bin/env bats
# The mount option tmpcopyup: a tmpfs that begins with a copy of what it hides.

load helpers

setup_test() {
	IMAGE=$BASE/data
	mkdir "$IMAGE"
	edit $(caps CAP_DAC_OVERRIDE)
}

# copied [OPTION,…]: the edit that mounts the tmpfs.
copied() {
	local options=tmpcopyup${1:+,$1}
	echo "/mounts+={\"destination\":\"/data\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"${options//,/\",\"}\"]}"
}

userns() {
	printf '%s\n' '/linux/namespaces+={"type":"user"}' '/linux/uidMappings=[{"containerID":0,"hostID":100000,"size":65536}]' \
		'/linux/gidMappings=[{"containerID":0,"hostID":100000,"size":65536}]'
}

@test "files, directories and links, with owners, modes and times; the image stays as it is" {
	mkdir -p "$IMAGE/dir/deep/empty"
	echo text >"$IMAGE/dir/deep/file"
	ln -s deep/file "$IMAGE/dir/link"
	ln -s /no/such "$IMAGE/dangling"
	chown -h 12:34 "$IMAGE/dangling"
	touch "$IMAGE/suid"
	chown 56:78 "$IMAGE/suid" "$IMAGE"
	chmod 6711 "$IMAGE/suid"
	chmod 1770 "$IMAGE/dir/deep/empty"
	chmod 751 "$IMAGE"
	touch -d @1000000000 "$IMAGE/dir/deep/file" "$IMAGE/dir/deep"
	in_box 'cat /data/dir/link; readlink /data/dangling; cd /data
		stat -c "%n %a %u:%g %F" . suid dangling dir/deep/empty; stat -c "%n %Y" dir/deep dir/deep/file
		stat -f -c %T .; echo new >dir/deep/file; rm suid; ls -A' "$(copied)"
	lines text /no/such ". 751 56:78 directory" "suid 6711 56:78 regular empty file" "dangling 777 12:34 symbolic link" \
		"dir/deep/empty 1770 0:0 directory" "dir/deep 1000000000" "dir/deep/file 1000000000" tmpfs
	eq "$(cat "$IMAGE/dir/deep/file")" text
	[ -e "$IMAGE/suid" ]
	clean
}

@test "pipes, devices, hard links, attributes, holes" {
	ours "runc copies less"
	mkfifo -m 640 "$IMAGE/pipe"
	mknod -m 644 "$IMAGE/null" c 1 3
	echo linked >"$IMAGE/one"
	mkdir "$IMAGE/sub"
	ln "$IMAGE/one" "$IMAGE/sub/two"
	# More than the tmpfs could hold.
	truncate -s 8G "$IMAGE/sparse"
	echo end >>"$IMAGE/sparse"
	edit "$(copied size=4m)"
	script 'cd /data; stat -c "%n %a %F" pipe null; stat -c "%n %h" one sub/two; stat -c "%n %s" sparse; tail -c 4 sparse; echo x >null; sleep 1000'
	start_box
	eventually grep -q end "$INIT_OUT"
	slurp output "$INIT_OUT"
	lines "pipe 640 fifo" "null 644 character special file" "one 2" "sub/two 2" "sparse 8589934596" end
	rt delete --force "$ID"
	ok
	clean
}

@test "extended attributes" {
	ours "runc leaves them out"
	need kernel:6.6
	touch "$IMAGE/file"
	"$RIG" xattr "$IMAGE/file" user.mesoc kept
	# What a file system marks its own with, and a capability (cap_net_raw=ep).
	"$RIG" xattr "$IMAGE/file" trusted.mesoc host
	cap=0x0100000200200000000000000000000000000000
	"$RIG" xattr "$IMAGE/file" security.capability $cap
	in_box 'for a in user.mesoc security.capability trusted.mesoc; do rig xattr /data/file $a 2>&1; done; true' "$(copied)" $(caps CAP_SYS_ADMIN)
	lines kept $cap
	hasnt "$output" host
	clean
}

@test "links lead nowhere, and what is mounted below stays out" {
	ours "runc enters mounts"
	mkdir outside "$IMAGE/mnt"
	echo hidden >outside/secret
	ln -s "$T/outside" "$IMAGE/out"
	ln -s ../../../../../../../../../"$T/outside/secret" "$IMAGE/up"
	ln -s /proc/1/root/etc/passwd "$IMAGE/magic"
	in_box 'cd /data; ls -A; for l in *; do readlink $l; done; cat out/secret up 2>&1; find . -type f' \
		"/mounts+={\"destination\":\"/data/mnt\",\"type\":\"bind\",\"source\":\"$T/outside\",\"options\":[\"bind\"]}" "$(copied)"
	hasnt "$output" hidden
	hasnt "$output" $'\n./'
	lines out up magic "$T/outside"
	clean
	# The destination itself is looked up within the root.
	rm -r "$IMAGE"
	ln -s "$T/outside" "$IMAGE"
	create
	rt start "$ID"
	hasnt "$(cat "$INIT_OUT")" hidden
	eq "$(ls -A outside)" secret
}

@test "a destination that is missing, one that is empty, and read-only" {
	rmdir "$IMAGE"
	in_box 'ls -A /data; touch /data/x && echo writable' "$(copied)"
	eq "$output" writable
	rm -rf "$IMAGE"
	mkdir "$IMAGE"
	in_box 'ls -A /data; touch /data/x && echo writable'
	eq "$output" writable
	echo text >"$IMAGE/file"
	edit '/mounts/@~1data/options=["tmpcopyup","ro","mode=700","uid=7","gid=8"]'
	in_box 'cat /data/file; stat -c "%a %u:%g" /data; touch /data/x 2>&1; true'
	lines text "700 7:8" "touch: /data/x: Read-only file system"
	clean
}

@test "what does not fit: an error, and nothing is left" {
	ours "its words"
	dd if=/dev/zero of="$IMAGE/big" bs=1M count=3 2>/dev/null
	edit "$(copied size=1m)"
	create
	fails "copy what is below /data into its tmpfs: big: no space left on device"
	clean
	rm "$IMAGE/big"
	deep=$IMAGE
	for ((i = 0; i < 201; i++)); do deep+=/d; done
	mkdir -p "$deep"
	create
	fails "more than 200 directories deep"
	clean
}

@test "in a user namespace: owners are the container's" {
	chmod -R a+rX "$T" "$BATS_RUN_TMPDIR"
	chown 100000:100000 "$IMAGE"
	echo own >"$IMAGE/own"
	chown 100005:100006 "$IMAGE/own"
	chmod 600 "$IMAGE/own"
	mkdir "$IMAGE/dir"
	chown 100000:100000 "$IMAGE/dir"
	in_box 'cd /data; stat -c "%n %a %u:%g" own . dir; cat own; rm own; echo x >dir/new && echo writable' "$(copied)" $(userns)
	lines "own 600 5:6" ". 755 0:0" "dir 755 0:0" own writable
	clean
}

@test "in a user namespace: what belongs to nobody there is copied only if everybody may read it" {
	ours "runc copies as the container's root"
	chmod -R a+rX "$T" "$BATS_RUN_TMPDIR"
	touch "$IMAGE/tool"
	chmod 4755 "$IMAGE/tool"
	in_box 'stat -c "%n %a %u:%g" /data/tool' "$(copied)" $(userns)
	eq "$output" "/data/tool 755 0:0"
	echo secret >"$IMAGE/shadow"
	chmod 640 "$IMAGE/shadow"
	create
	fails "copy what is below /data into its tmpfs: shadow: its owner 0:0 is not mapped: permission denied"
	clean
}

@test "tmpcopyup of anything but a tmpfs: refused" {
	ours "runc ignores it"
	edit "$(copied)"
	for m in '"type":"bind","source":"/tmp","options":["bind","tmpcopyup"]' '"type":"proc","source":"proc","options":["tmpcopyup"]' \
		'"type":"tmpfs","source":"tmpfs","options":["remount","tmpcopyup"]'; do
		edit "/mounts/7={\"destination\":\"/data\",$m}"
		create
		fails "/mounts/7/options: tmpcopyup is for a new tmpfs only"
		clean
	done
}
