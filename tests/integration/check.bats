#!/usr/bin/env bats
# check: what this host has of all that mesoc uses, one line a feature.

load helpers

setup_test() { ours "a command of its own"; }

# answer NAME: what the last check said of a feature.
answer() {
	local said
	said=$(awk -v name="$1" 'substr($0, 17) == name || index(substr($0, 17), name ":") == 1 || index(substr($0, 17), name " (") == 1 {
		sub(/ +$/, "", $0); print substr($0, 1, 14) }' "$out_file")
	echo "${said%"${said##*[! ]}"}"
}

@test "check: one line for every feature in the documents, and nothing touched" {
	rmdir "$ROOT"
	rt check
	ok
	[ ! -e "$ROOT" ]
	mkdir "$ROOT"
	eq "$stderr" ""
	eq "$(grep -vE '^(yes {11}|no {12}|could not tell)  [^ ]' "$out_file")" "" "other lines"
	sed -n 's/^| \([^|]*\) | [0-9][^|]*|.*/\1/p' "$BATS_TEST_DIRNAME/../../docs/kernel-features.md" >names
	eq "$(wc -l <names)" "$(wc -l <"$out_file")" "lines"
	while IFS= read -r name; do
		case $(answer "$name") in yes | no | "could not tell") ;; *) die "no answer for $name: $output" ;; esac
	done <names
	# Who lacks something is told what it needs and what becomes of containers.
	eq "$(grep -v '^yes' "$out_file" | grep -vE ': needs Linux [0-9]+\.[0-9]+.*; without it, ')" "" "lines that say too little"
	clean
}

@test "check --format json: the same features and answers" {
	rt check
	ok
	sed -E 's/^(yes|no|could not tell) +(.*)$/\1 \2/; s/( \(|: needs Linux ).*//' "$out_file" >text
	rt check --format json
	ok
	eq "$(wc -l <"$out_file")" 1 "lines"
	local n i pointers=()
	n=$(wc -l <text)
	for ((i = 0; i < n; i++)); do pointers+=("/$i/answer" "/$i/name"); done
	"$RIG" get "$out_file" "${pointers[@]}" | paste -d ' ' - - >json
	eq "$(cat json)" "$(cat text)"
	# Every feature has every member that it must have.
	for ((i = 0; i < n; i++)); do
		"$RIG" get "$out_file" "/$i/required" "/$i/since" "/$i/used_for" "/$i/without" >/dev/null
	done
	rt check -f json
	ok
	rt check -f yaml
	fails 'check this host: invalid format option "yaml"'
	eq "$output" ""
}

@test "check: what is here is here" {
	# The suite has made containers: it is all there.
	rt check
	ok
	local name controllers
	for name in openat2 clone3 CLONE_INTO_CGROUP "a mount of cgroup2" "device programs on cgroup2" "pid namespaces" "seccomp filters"; do
		eq "$(answer "$name")" yes "$name"
	done
	controllers=" $(cat /sys/fs/cgroup/cgroup.controllers) "
	for name in cpu cpuset hugetlb io memory pids rdma; do
		case $controllers in
		*" $name "*) eq "$(answer "controller $name")" yes "$name" ;;
		*) eq "$(answer "controller $name")" no "$name" ;;
		esac
	done
	for name in selinuxfs:SELinux resctrl:resctrl; do
		if grep -qw "${name%:*}" /proc/filesystems; then
			eq "$(answer "${name#*:}")" yes "$name"
		else
			eq "$(answer "${name#*:}")" no "$name"
		fi
	done
}

@test "check: AppArmor" {
	need apparmor
	rt check
	ok
	case $(cat /sys/module/apparmor/parameters/enabled) in
	Y) eq "$(answer AppArmor)" yes ;;
	*) eq "$(answer AppArmor)" no ;;
	esac
}

@test "check: project quotas of a file system that is mounted" {
	need quota
	truncate -s 400M image
	mkfs.xfs -q image
	mkdir mnt
	rt check
	eq "$(answer "project quotas on XFS or ext4")" no
	mount -o loop,prjquota image mnt
	undo "umount $T/mnt"
	rt check
	ok
	eq "$(answer "project quotas on XFS or ext4")" yes
}

@test "check: cpu.idle and swap where a cgroup has the controllers" {
	need controller:cpu controller:memory kernel:5.15
	script 'sleep 1000' /linux/resources/cpu/shares=512 /linux/resources/memory/limit=67108864
	create
	ok
	rt check
	ok
	for name in cpu.idle cpu.max.burst "swap accounting"; do eq "$(answer "$name")" yes "$name"; done
}

@test "check: a system call that is missing is a no, one that is forbidden could not be told" {
	local call feature
	while read -r call feature; do
		BEFORE=("$RIG" without "$call" --)
		rt check
		fails "check this host: no container can be made without $feature"
		eq "$(answer "$feature")" no "$call"
		eq "$(answer statx)" yes
		BEFORE=("$RIG" without --errno EPERM "$call" --)
		rt check
		ok
		eq "$(answer "$feature")" "could not tell" "$call"
	done <<-END
		openat2 openat2
		fsconfig fsopen, fsmount
		bpf device programs on cgroup2
	END
}

@test "check: a host without cgroup2" {
	BEFORE=(unshare --mount sh -c 'mount -t tmpfs none /sys/fs/cgroup && exec "$@"' sh)
	rt check
	fails "check this host: no container can be made without a mount of cgroup2"
	eq "$(answer "a mount of cgroup2")" no
	eq "$(answer "controller memory")" "could not tell"
	eq "$(answer "openat2")" yes
}

@test "check: needs no root, and takes want of rights for no answer" {
	chmod 755 "$T" "${T%/*}" "${T%/*/*}"
	case $(stat -c %A "${RUNTIME%/*}") in *x) ;; *) skip "${RUNTIME%/*} is not open to others" ;; esac
	BEFORE=(setpriv --reuid 65534 --regid 65534 --clear-groups)
	rt check
	ok
	eq "$stderr" ""
	eq "$(answer openat2)" yes
	eq "$(answer "device programs on cgroup2")" "could not tell"
	has "$output" "operation not permitted"
}
