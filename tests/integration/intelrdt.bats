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

# The record says where the class is, and is all that exec goes by.
@test "exec: into the class of service and the monitoring group of the container, while they are there" {
	ours "its own record"
	script 'echo up; sleep 1000'
	start_box
	eventually grep -q up "$INIT_OUT"
	mkdir -p gold/mon_groups/c
	echo first >gold/tasks
	: >gold/mon_groups/c/tasks
	"$RIG" edit "$ROOT/$ID/state.json" "/resctrl_class:=$PWD/gold" "/resctrl=[\"$PWD/gold/mon_groups/c\"]"
	rt exec "$ID" echo in it
	ok
	eq "$output" "in it"
	eq "$(<gold/tasks)" "first
0"
	eq "$(<gold/mon_groups/c/tasks)" 0
	rm -r gold/mon_groups
	rt exec "$ID" true
	ok
	eq "$(<gold/tasks)" "first
00"
	# No way round it.
	mv gold/tasks others
	ln -s ../others gold/tasks
	rt exec "$ID" true
	eq "$status" 255
	has "$stderr" "gold/tasks"
	eq "$(<others)" "first
00"
	"$RIG" edit "$ROOT/$ID/state.json" /resctrl_class! /resctrl!
}
