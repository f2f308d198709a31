#!/usr/bin/env bats
# Nested containers with limits of their own, and those that share their parent's.

load helpers

setup_test() {
	ours "its own annotations"
	P=$ID.p C=$ID.c G=$ID.g
	script 'trap "exit 7" TERM; while :; do sleep 0.05; done'
}

# box ID [FLAG…]: a running container.
box() {
	local id=$1
	shift
	rt run --detach --bundle "$BUNDLE" "$@" "$id"
	ok
}

# shared: $C shares with $P. Its cgroup is $DIR.
shared() {
	box "$P"
	box "$C" --parent "$P" --share-cgroups
	DIR=/sys/fs/cgroup/mesos/$P/mesos/$C
}

@test "share-cgroups: directories, and no controller in them; state, stats, update" {
	shared
	grep -qx "$(state /pid "$C")" "$DIR/leaf/cgroup.procs"
	eq "$(cat "$DIR/cgroup.subtree_control")" ""
	eq "$(state /mesoc/cgroup/leaf "$C")" "mesos/$P/mesos/$C/leaf"
	rt stats --format json "$C"
	ok
	[ "$("$RIG" get "$out_file" /statistics/processes)" -ge 1 ]
	"$RIG" get "$out_file" /statistics/cpus_user_time_secs
	run ! "$RIG" get "$out_file" /statistics/mem_limit_bytes
	rt update --pids-limit 10 "$C"
	fails "update container $C" "shares the cgroups of container $P"
	# Below it nothing can be limited either.
	box "$G" --parent "$C"
	rt update --pids-limit 10 "$G"
	fails "shares the cgroups of container $C"
	rt delete --force "$P"
	ok
	clean
}

@test "share-cgroups: what cannot be had together is refused by its name" {
	rt create --share-cgroups --bundle "$BUNDLE" "$C"
	fails "share the cgroups of a parent" --parent
	shared
	rt delete --force "$C"
	edit '/linux/resources/pids={"limit":10}' '/linux/resources/unified={"hugetlb.2MB.max":"0"}'
	rt create --parent "$P" --share-cgroups --bundle "$BUNDLE" "$C"
	fails /linux/resources/pids/limit "/linux/resources/unified/hugetlb.2MB.max" "shares the cgroups of container $P"
	rt state "$C"
	fails "container does not exist"
	[ ! -e "$DIR" ]
	# No limit is none, and what engines write for it is no wish.
	edit '/linux/resources/pids={"limit":-1}' /linux/resources/unified!
	rt create --parent "$P" --share-cgroups --bundle "$BUNDLE" "$C"
	ok
	edit '/linux/resources/pids={"limit":10}'
	rt create --parent "$C" --bundle "$BUNDLE" "$G"
	fails "$C" "has not been started"
	rt start "$C"
	rt create --parent "$C" --bundle "$BUNDLE" "$G"
	fails /linux/resources/pids/limit "shares the cgroups of container $C"
	rt delete --force "$P"
	clean
}

@test "share-cgroups: device rules hold all the same, and the parent's too" {
	local all='/linux/resources/devices=[{"allow":true,"access":"rwm"}]' none='/linux/resources/devices=[{"allow":false,"access":"rwm"}]'
	mapfile -t rights < <(caps CAP_MKNOD CAP_SYSLOG)
	# may ID, may_not ID: open the kernel's log, which nobody may by default.
	open_log() { rt exec "$1" sh -c 'mknod /tmp/k c 1 11; (: </tmp/k) 2>&1; rm /tmp/k'; }
	may() { open_log "$1" && eq "$output" ""; }
	may_not() { open_log "$1" && has "$output" "not permitted"; }
	edit "${rights[@]}" "$all"
	box "$P"
	may "$P"
	box "$C" --parent "$P" --share-cgroups
	may "$C"
	edit "$none"
	box "$G" --parent "$P" --share-cgroups
	may_not "$G"
	may "$P"
	rt delete --force "$P"
	# What the parent must not, its child must not either.
	box "$P"
	may_not "$P"
	edit "$all"
	box "$C" --parent "$P" --share-cgroups
	may_not "$C"
	rt delete --force "$P"
	clean
}

@test "limits of its own: controllers along the chain, down to the third level" {
	need controller:memory controller:pids
	box "$P"
	box "$C" --parent "$P"
	edit '/linux/resources/memory={"limit":50000000}' '/linux/resources/pids={"limit":20}'
	box "$G" --parent "$C"
	local dir=/sys/fs/cgroup/mesos/$P/mesos/$C/mesos
	for d in "$dir/../../.." "$dir/../.." "$dir/.." "$dir" "$dir/$G"; do
		matches " $(cat "$d/cgroup.subtree_control") " ' memory .*pids '
	done
	eq "$(cat "$dir/$G/leaf/cgroup.subtree_control")" ""
	eq "$(cat "$dir/$G/memory.max" "$dir/$G/leaf/pids.max" | paste -sd ' ')" "49999872 20"
	# The parent's processes are in its leaf still, beside its children.
	rt exec "$P" true
	ok
	rt update --pids-limit 30 "$G"
	ok
	eq "$(cat "$dir/$G/pids.max")" 30
	# One that shares has the files, and nothing in them.
	edit /linux/resources/memory! /linux/resources/pids!
	box "$ID.s" --parent "$C" --share-cgroups
	eq "$(cat "$dir/$ID.s/cgroup.subtree_control")" ""
	eq "$(cat "$dir/$ID.s/memory.max" "$dir/$ID.s/pids.max" | paste -sd ' ')" "max max"
	rt delete --force "$P"
	ok
	clean
}

@test "limits of its own: hugetlb, the one controller that is everywhere" {
	need controller:hugetlb hugepages
	box "$P"
	edit '/linux/resources/hugepageLimits=[{"pageSize":"2MB","limit":2097152}]'
	box "$C" --parent "$P"
	local dir=/sys/fs/cgroup/mesos/$P/mesos/$C
	eq "$(cat "$dir/hugetlb.2MB.max" "$dir/leaf/hugetlb.2MB.max" | paste -sd ' ')" "2097152 2097152"
	has "$(cat "$dir/../cgroup.subtree_control")" hugetlb
	eq "$(cat "$dir/leaf/cgroup.subtree_control")" ""
	rt exec "$P" true
	ok
	rt delete --force "$P"
	clean
}
