#!/usr/bin/env bats
# linux.intelRdt: no machine of ours has resctrl, so what is done there is tested
# on a fake in Go (libcontainer/class_test.go). Here: hosts that lack it.

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
