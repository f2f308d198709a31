#!/usr/bin/env bats
# linux.netDevices: interfaces of the host that move into the container.
#
# What is the host here is a network namespace of the test's own, in which the
# runtime is run.

load helpers

setup_test() {
	ours "runc has it since 1.4"
	need veth
	HOST=$ID
	ip netns add "$HOST"
	undo "ip netns delete $HOST"
	MESOC=$RUNTIME
	RUNTIME=$T/runtime
	printf '#!/bin/sh\nexec nsenter --net=/run/netns/%s "%s" "$@"\n' "$HOST" "$MESOC" >"$RUNTIME"
	chmod +x "$RUNTIME"
	for n in 1 2; do host link add nic$n address 02:00:00:00:00:0$n type veth peer name peer$n; done
}

probe_veth() { unshare --net ip link add nic1 type veth peer name peer1; }
host() { ip -n "$HOST" "$@"; }
# inside COMMAND…: ip in the network namespace of the container that was created.
inside() { nsenter --net="/proc/$(state /pid)/ns/net" ip "$@"; }
there() { inside -o link show "$1" >/dev/null 2>&1; }

@test "an interface moves, with its attributes and its addresses, and is up" {
	host link set nic1 mtu 1400 txqueuelen 77 alias "uplink of the test"
	host addr add 192.0.2.1/24 broadcast 192.0.2.255 dev nic1
	host addr add 198.51.100.7/32 dev nic1
	host addr add 192.0.2.9/24 dev nic1 metric 42
	host addr add 2001:db8::5/64 dev nic1 nodad
	host addr add 169.254.1.1/16 scope link dev nic1
	host link set nic1 up
	edit '/linux/netDevices={"nic1":{}}'
	create
	ok
	run ! host link show nic1
	link=$(inside link show nic1)
	for part in "mtu 1400" "qlen 77" "alias uplink of the test" "02:00:00:00:00:01" ",UP"; do has "$link" "$part"; done
	addresses=$(inside -o addr show nic1)
	for part in "inet 192.0.2.1/24 brd 192.0.2.255 scope global nic1" "inet 198.51.100.7/32 scope global nic1" \
		"inet 192.0.2.9/24 metric 42 scope global secondary nic1" "inet6 2001:db8::5/64 scope global nodad"; do has "$addresses" "$part"; done
	hasnt "$addresses" 169.254.1.1
	rt start "$ID"
	ok
	# Nobody brings it back: with the container goes its namespace, and with that a veth.
	rt delete --force "$ID"
	ok
	run ! host link show nic1
	clean
}

@test "an address with a peer" {
	host addr add 192.0.2.1 peer 192.0.2.2/32 dev nic1
	edit '/linux/netDevices={"nic1":{}}'
	create
	ok
	has "$(inside -o addr show nic1)" "inet 192.0.2.1 peer 192.0.2.2/32"
}

@test "run: the program finds it" {
	in_box 'cat /sys/class/net/uplink/address; ls /sys/class/net' '/linux/netDevices={"nic1":{"name":"uplink"}}'
	lines 02:00:00:00:00:01 lo uplink
	clean
}

@test "under another name, several, and numbered" {
	edit '/linux/netDevices={"nic1":{"name":"net%d"},"nic2":{"name":"net0"}}'
	create
	ok
	has "$(inside link show net0)" 02:00:00:00:00:02
	has "$(inside link show net1)" 02:00:00:00:00:01
	run ! there nic1
	rt delete --force "$ID"
	ok
	clean
}

@test "what has the new name on the host does not matter" {
	edit '/linux/netDevices={"nic1":{"name":"nic2"}}'
	create
	ok
	has "$(inside link show nic2)" 02:00:00:00:00:01
	has "$(host link show nic2)" 02:00:00:00:00:02
}

@test "a name that is taken in the container: an error, and nothing has moved" {
	edit '/linux/netDevices={"nic1":{},"nic2":{"name":"lo"}}'
	create
	fails "name network interface nic2 in the container: lo is taken there: file exists"
	host link show nic1 >/dev/null
	host link show nic2 >/dev/null
	clean
}

@test "a namespace that is joined: names there count, and it keeps what it gets" {
	ip netns add "${ID}j"
	undo "ip netns delete ${ID}j"
	ip -n "${ID}j" link add nic1 type veth peer name net0
	edit '/linux/netDevices={"nic1":{}}' "/linux/namespaces/@network={\"type\":\"network\",\"path\":\"/run/netns/${ID}j\"}"
	create
	fails "nic1 is taken there"
	clean
	# The old name is taken, the new one is not.
	edit '/linux/netDevices={"nic1":{"name":"net%d"}}'
	create
	ok
	rt delete --force "$ID"
	ok
	has "$(ip -n "${ID}j" link show net1)" 02:00:00:00:00:01
	clean
}

@test "an interface that is not there, and one that cannot move" {
	edit '/linux/netDevices={"nic1":{},"none":{}}'
	create
	fails "find network interface none: no such device"
	host link show nic1 >/dev/null
	clean
	edit '/linux/netDevices={"lo":{"name":"lo1"}}'
	create
	fails "move network interface lo into the container as lo1: invalid argument"
	clean
}

@test "the host's network namespace, not named and joined: an error" {
	edit '/linux/netDevices={"nic1":{}}' /linux/namespaces/@network!
	create
	fails "/linux/netDevices: needs a network namespace of the container's own"
	clean
	edit "/linux/namespaces+={\"type\":\"network\",\"path\":\"/run/netns/$HOST\"}"
	create
	fails "/linux/netDevices: needs a network namespace other than the runtime's"
	host link show nic1 >/dev/null
	clean
}

@test "names that the kernel would not take: each with its place" {
	for row in '{"nic1":{"name":"0123456789abcdef"}}|/nic1/name' '{"nic1":{"name":"x/y"}}|/nic1/name' '{"nic1":{"name":"x y"}}|/nic1/name' \
		'{"nic1":{"name":".."}}|/nic1/name' '{"nic1":{"name":"%dx"}}|/nic1/name' '{"nic1":{"name":"x%s"}}|/nic1/name' '{"nic1":{"name":"x%d%d"}}|/nic1/name' \
		'{"":{}}|/linux/netDevices/:' '{"a:b":{}}|/linux/netDevices/a:b' '{"nic1":{"name":"x"},"nic2":{"name":"x"}}|/nic2/name' \
		'{"nic1":{"name":"nic2"},"nic2":{}}|/nic2/name'; do
		edit "/linux/netDevices=${row%|*}"
		create
		fails "${row#*|}"
		clean
	done
}

@test "a container with a user namespace" {
	edit '/linux/namespaces+={"type":"user"}' '/linux/uidMappings=[{"containerID":0,"hostID":100000,"size":65536}]' \
		'/linux/gidMappings=[{"containerID":0,"hostID":100000,"size":65536}]' '/linux/netDevices={"nic1":{"name":"eth%d"}}'
	chmod 755 "$T" "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" 2>/dev/null || :
	host addr add 192.0.2.1/24 dev nic1
	create
	ok
	has "$(inside -o addr show eth0)" 192.0.2.1/24
	has "$(inside link show eth0)" ",UP"
}

@test "hooks of the runtime see the interface on the host: it moves last" {
	printf '#!/bin/sh\nip link show nic1 >%s/seen 2>&1\n' "$T" >hook
	chmod +x hook
	edit '/linux/netDevices={"nic1":{}}' "/hooks={\"createRuntime\":[{\"path\":\"$T/hook\"}]}"
	create
	ok
	has "$(cat seen)" 02:00:00:00:00:01
	there nic1
}
