#!/usr/bin/env bats
# checkpoint and restore, which the program criu does.

load helpers

# The host's criu may be older than its kernel: one that tests/bench/peers has fetched serves too.
setup_file() {
	local peer
	export CRIU_WORKS=
	for peer in '' "$BATS_TEST_DIRNAME"/../../.cache/peers/criu-*/runtime; do
		if [ -n "$peer" ]; then
			[ -x "$peer" ] || continue
			mkdir -p "$BATS_FILE_TMPDIR/bin"
			ln -sf "$(realpath "$peer")" "$BATS_FILE_TMPDIR/bin/criu"
			export PATH=$BATS_FILE_TMPDIR/bin:$PATH
		fi
		if criu check >/dev/null 2>&1; then
			CRIU_WORKS=yes
			return
		fi
	done
}

# counter [EDIT…]: the container counts in a variable, and says how far it is. It starts no program meanwhile:
# criu cannot stop one that waits for its vfork.
counter() {
	script 'i=0; trap "exit 7" TERM; mkfifo /nap; exec 3<>/nap; while :; do i=$((i+1)); echo $i >/dev/shm/count; echo $i; read -t 0.05 n <&3; done' \
		/process/noNewPrivileges=false "$@" # which Debian 12's criu forgets
}

# run_piped ARG…: the runtime's output is a pipe, as engines have it; it ends in the file said.
run_piped() { "$RUNTIME" --root "$ROOT" "$@" </dev/null > >(exec cat >>said) 2>&1 3>&- 4>&-; }

# start_quiet: its standard files are the null device.
start_quiet() { "$RUNTIME" --root "$ROOT" run --detach --bundle "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1 3>&- 4>&-; }

inside() { rt exec "$ID" "$@"; ok; }
counted() { # counted MORE-THAN
	rt exec --tty=false "$ID" cat /dev/shm/count
	[ "$status" = 0 ] && [ -n "$output" ] && [ "$output" -gt "$1" ]
}

checkpoint() { rt checkpoint --image-path "$T/images" "$@" "$ID"; }
restore() { rt restore --bundle "$BUNDLE" --image-path "$T/images" "$@" "$ID"; }

mounts_of() { awk '{print $5, $6}' "/proc/$1/mountinfo" | sort; }

@test "checkpoint: without criu an error, and no help for those who ask whether it is there" {
	ours "texts"
	counter
	start_box
	BEFORE=("$(command -v env)" "PATH=$T")
	for c in checkpoint restore; do
		rt $c --help
		fails "$c: criu is not installed"
		eq "$output" ""
		rt $c "$ID"
		fails "criu is not installed"
	done
	rt help
	ok
	BEFORE=()
	status_is running
	[ ! -e checkpoint ]
}

@test "checkpoint: what is not supported is refused by its name" {
	ours "texts"
	counter
	start_box
	# No criu is run for this.
	mkdir bin
	printf '#!/bin/false\n' >bin/criu
	chmod +x bin/criu
	PATH=$T/bin:$PATH
	rt checkpoint --help
	ok
	has "$output" --leave-running
	for f in --lazy-pages --status-fd=3 --page-server=h:1; do
		rt checkpoint "$f" "$ID"
		fails "${f%%=*}" "not supported yet"
	done
	checkpoint --manage-cgroups-mode soft
	fails "--manage-cgroups-mode soft: not supported"
	checkpoint --empty-ns ipc
	fails "--empty-ns ipc: not supported"
	checkpoint --network-lock what
	fails "--network-lock what"
	checkpoint --parent-path /images
	fails "--parent-path /images: must be relative"
	checkpoint --parent-path ../none
	fails "find the images that these add to"
	rt restore --lsm-mount-context
	fails "flag needs an argument"
	rt checkpoint "${ID}x"
	fails "does not exist"
	rt restore --bundle "$BUNDLE" --image-path "$T/none" "${ID}b"
	fails "$T/none" "no such file"
	mkdir none
	rt restore --bundle "$BUNDLE" --image-path "$T/none" "${ID}b"
	fails "find a checkpoint in $T/none" inventory.img
	rt kill "$ID" KILL
	ok
	stopped
	checkpoint
	fails "it is stopped, not running"
	rt delete "$ID"
	ok
	create
	ok
	checkpoint
	fails "it is created, not running"
	status_is created
}

@test "checkpoint and restore: the counter counts on, in a container that is like the first" {
	need criu
	ours "ids differ"
	mkdir volume below "$BASE/real"
	ln -s real "$BASE/link"
	echo v >volume/file
	mount -t tmpfs tmpfs below
	undo "umount '$T/below'"
	mkdir below/sub
	mount -t tmpfs tmpfs below/sub
	undo "umount '$T/below/sub'"
	echo s >below/sub/file
	counter "$(mount_edit /link/volume bind "$T/volume" bind,ro)" "$(mount_edit /below bind "$T/below" rbind)" \
		"$(mount_edit /scratch tmpfs tmpfs size=1m)" \
		'/linux/seccomp={"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["chroot"],"action":"SCMP_ACT_ERRNO"}]}'
	run_piped run --detach --bundle "$BUNDLE" "$ID"
	inside sh -c 'echo kept >/scratch/file'
	eventually counted 3
	before=$(state /pid)
	rights=$(grep -E '^(Seccomp|NoNewPrivs|Cap...):' "/proc/$before/status")
	has "$rights" $'Seccomp:\t2'
	mounts=$(mounts_of "$before")
	checkpoint
	ok
	# It is gone with that.
	rt state "$ID"
	fails "does not exist"
	clean
	last=$(tail -n 1 said)
	# As in a new root, which has no mount points yet.
	rm -r "$BASE/real/volume" "$BASE/below" "$BASE/scratch"

	first=$ID
	ID=${ID}b
	run_piped restore --bundle "$BUNDLE" --image-path "$T/images" --detach --pid-file pid -no-subreaper "$ID"
	status_is running
	eq "$(<pid)" "$(state /pid)"
	eventually counted "$last"
	rt ps --format json "$ID"
	ok
	has "$output" "$(<pid)"
	eq "$(sed -n 's/^0:://p' "/proc/$(<pid)/cgroup")" "$(leaf | sed 's:^/sys/fs/cgroup::')"
	inside cat /proc/self/cgroup
	has $'\n'"$output" $'\n0::/'
	hasnt "$output" mesos
	inside cat /real/volume/file /scratch/file /below/sub/file
	eq "$output" $'v\nkept\ns'
	rt exec "$ID" touch /real/volume/x
	[ "$status" != 0 ]
	eq "$(mounts_of "$(<pid)")" "$mounts" "mounts, masks among them, and their flags"
	eq "$(grep -E '^(Seccomp|NoNewPrivs|Cap...):' "/proc/$(<pid)/status")" "$rights"
	# What it says goes to the caller's pipe, and nothing was said twice.
	gap() { [ "$(tail -n 1 said)" -gt "$last" ]; }
	eventually gap
	eq "$(sort -n said | uniq -d)" ""
	rt pause "$ID"
	ok
	rt resume "$ID"
	ok
	rt restore --bundle "$BUNDLE" --image-path "$T/images" --detach "$ID"
	fails "already exists"
	status_is running
	rt kill "$ID" TERM
	ok
	stopped
	rt delete "$ID"
	ok
	ID=$first
	clean
}

@test "checkpoint that fails: the container goes on, the error has criu's own words" {
	need criu
	ours "texts"
	# A deleted file that is open is saved as part of the images, up to a size.
	script 'exec 3<>/big; head -c 2000000 /dev/zero >&3; rm /big; touch /ready; while :; do sleep 1; done'
	start_quiet
	eventually test -e "$BASE/ready"
	checkpoint
	fails "checkpoint container $ID: criu failed: " "ghost file" "[its log is $T/images/dump.log]"
	status_is running
	inside sh -c ': >/proc/1/fd/3'
	rt exec --detach --pid-file exec.pid "$ID" sleep 1000
	ok
	checkpoint
	ok
	has "$stderr" "process $(<exec.pid)"

	# An image that is broken, a bundle that lacks what the checkpoint has.
	: >images/pstree.img
	restore --detach
	fails "restore container $ID: criu failed: " "[its log is $T/images/restore.log]"
	clean
	rt state "$ID"
	fails "does not exist"
}

@test "restore: a terminal goes to the console socket" {
	need criu
	ours "texts"
	script 'while read -r line; do n=$((n+1)); echo "$n $line"; done' /process/terminal=true /process/noNewPrivileges=false
	mkfifo keys keys2
	"$RIG" console "$T/console.sock" "$T/console.out" <keys 3>&- &
	exec 9>keys
	eventually test -S console.sock
	create --console-socket "$T/console.sock"
	ok
	rt start "$ID"
	ok
	echo one >&9
	eventually grep -q '^1 one' console.out
	checkpoint
	ok
	exec 9>&-
	restore --detach
	fails "without setting console socket"
	clean
	"$RIG" console "$T/console2.sock" "$T/console2.out" <keys2 3>&- &
	exec 9>keys2
	eventually test -S console2.sock
	restore --detach --console-socket "$T/console2.sock"
	ok
	echo two >&9
	eventually grep -q '^2 two' console2.out
	rt exec --tty=false "$ID" sh -c 'test -c /dev/console && grep -c " /dev/console " /proc/self/mountinfo'
	ok
	eq "$output" 1
	exec 9>&-
}

@test "checkpoint --leave-running, restore attached: joined namespaces are the bundle's, hooks run where they are due" {
	need criu
	ours "texts"
	unshare --net --ipc sleep 1000 3>&- &
	holder=$!
	undo "kill $holder"
	different() { [ "$(readlink /proc/self/ns/ipc)" != "$(readlink /proc/$holder/ns/ipc)" ]; }
	eventually different
	log() { printf '{"path":"/bin/sh","args":["sh","-c","cat >/dev/null; echo %s >>%s"]}' "$1" "$T/hooks"; }
	edit '/linux/namespaces=[{"type":"pid"},{"type":"uts"},{"type":"mount"},{"type":"cgroup"},{"type":"network","path":"/proc/'$holder'/ns/net"},{"type":"ipc","path":"/proc/'$holder'/ns/ipc"}]' \
		"/hooks/prestart=[$(log prestart)]" "/hooks/createRuntime=[$(log createRuntime)]" \
		"/hooks/poststart=[$(log poststart)]" "/hooks/poststop=[$(log poststop)]"
	counter
	start_quiet
	eventually counted 1
	checkpoint --leave-running --work-path "$T/work"
	ok
	test -s work/dump.log
	[ ! -e images/dump.log ]
	status_is running
	eventually counted 1
	eventually counted "$output"
	eq "$(<hooks)" $'prestart\ncreateRuntime\npoststart'
	rt delete --force "$ID"
	ok
	: >hooks
	(
		eventually status_is running
		pid=$(state /pid)
		for n in net ipc; do readlink "/proc/$pid/ns/$n"; done >joined
		rt kill "$ID" TERM
	) >/dev/null 2>&1 3>&- &
	restore
	wait $!
	eq "$status" 7 "exit status"
	eq "$(<hooks)" $'prestart\ncreateRuntime\npoststart\npoststop'
	eq "$(<joined)" "$(for n in net ipc; do readlink "/proc/$holder/ns/$n"; done)"
	no_cgroups
}

@test "checkpoint --pre-dump: the last checkpoint adds to it" {
	need criu criu:mem_dirty_track
	ours "texts"
	counter
	start_quiet
	eventually counted 1
	rt checkpoint --pre-dump --image-path "$T/first" "$ID"
	ok
	status_is running
	eventually counted 1
	last=$output
	rt checkpoint --parent-path ../first --image-path "$T/images" "$ID"
	ok
	eq "$(readlink images/parent)" ../first
	restore --detach
	ok
	eventually counted "$last"
}

@test "restore: what criu is too old to bring back as it was does not run" {
	need criu
	ours "texts"
	counter /process/noNewPrivileges=true
	start_quiet
	eventually counted 1
	checkpoint
	ok
	restore --detach
	if [ "$status" != 0 ]; then
		fails no_new_privs
		clean
	else
		grep -q $'^NoNewPrivs:\t1' "/proc/$(state /pid)/status"
	fi
}

@test "checkpoint and restore: interfaces are the hooks' to make again, standard files may be elsewhere" {
	need criu
	ours "texts"
	edit "/hooks/createRuntime=[{\"path\":\"/bin/sh\",\"args\":[\"sh\",\"-c\",\"pid=\$(sed 's/.*\\\"pid\\\": *//; s/[^0-9].*//'); PATH=\$PATH:/sbin:/usr/sbin ip link add v\$pid type veth peer name eth0 netns \$pid\"]}]"
	script 'exec 9<&0 </etc/passwd; trap "exit 7" TERM; : >/ready; while :; do sleep 1; done' /process/noNewPrivileges=false
	start_quiet
	eventually test -e "$BASE/ready"
	links() {
		inside cat /proc/self/net/dev
		has "$output" " eth0:"
		inside busybox ip link show lo
		matches "$output" '[<,]UP[,>]'
		inside sh -c 'readlink /proc/1/fd/0; readlink /proc/1/fd/9'
		matches "$output" $'^/etc/passwd\n(/dev)?/null$'
	}
	links
	checkpoint
	ok
	restore --detach
	ok
	links
}
