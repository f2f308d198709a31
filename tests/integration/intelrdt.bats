#!/usr/bin/env bats
# linux.intelRdt: no machine of ours has resctrl, so what is done there is tested
# on a fake in Go (libcontainer/class_test.go and update_test.go). Here: hosts that lack it.

load helpers

setup_test() { [ "$(stat -f -c %T /sys/fs/resctrl 2>/dev/null)" != resctrl ] || skip "this host has resctrl"; }

@test "resctrl is not mounted: an error, and nothing is left" {
	for r in '{"closID":"/"}' '{"l3CacheSchema":"L3:0=f"}' '{"enableMonitoring":true}' '{}'; do
		edit "/linux/intelRdt=$r"
		create
		fails
		! is_mesoc || has "$stderr" "/linux/intelRdt: needs a mounted resctrl file system"
		clean
	done
}

@test "a class that is none: each with its place" {
	ours "its words"
	for row in '{"closID":".."}|closID' '{"closID":"a/b"}|closID' '{"closID":"info"}|closID' '{"memBwSchema":"L3:0=f"}|memBwSchema' \
		'{"schemata":["L3:0=f\nMB:0=1"]}|schemata/0'; do
		edit "/linux/intelRdt=${row%|*}"
		create
		fails "/linux/intelRdt/${row#*|}: "
		clean
	done
}

@test "update: schemata of a container without a class are an error, and nothing is changed" {
	script 'echo up; sleep 1000'
	start_box
	eventually grep -q up "$INIT_OUT"
	local depth
	depth=$(cat "$(cgroup)/cgroup.max.depth")
	printf '{"unified":{"cgroup.max.depth":"7"}}' >"$T/resources"
	for flag in --l3-cache-schema=L3:0=f --mem-bw-schema=MB:0=20; do
		rt update --resources "$T/resources" "$flag" "$ID"
		fails
		! is_mesoc || has "$stderr" "update container $ID: it has no class of service" linux.intelRdt
		! is_mesoc || eq "$(cat "$(cgroup)/cgroup.max.depth")" "$depth"
	done
	! is_mesoc || {
		rt update --mem-bw-schema L3:0=f "$ID"
		fails "update container $ID: validate the schemata: /memBwSchema: \"L3:0=f\": must begin with MB:"
	}
	rt update --l3-cache-schema= --mem-bw-schema '' "$ID"
	ok
}
