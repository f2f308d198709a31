#!/usr/bin/env bats
# What is named by the interface and not there yet says so, loudly.

load helpers

setup_test() { ours "others have other gaps"; }

@test "flags that are not built: create and run say which" {
	for f in --sandbox=/tmp --disk-limit=1GB --network=n --publish=1:2 --volume=/a:/b --image-config=f; do
		for c in create run; do
			rt $c --bundle "$BUNDLE" "$f" "$ID"
			fails "${f%%=*}" "not supported yet"
		done
	done
	clean
}

@test "--share-cgroups=false asks for nothing" {
	rt create --share-cgroups=false --supervise=false --bundle "$BUNDLE" "$ID"
	ok
}

@test "--systemd-cgroup and --cgroup-manager: refused where they would matter" {
	for f in --systemd-cgroup --cgroup-manager=systemd --cgroup-manager=disabled; do
		for c in create run; do
			rt $f $c --bundle "$BUNDLE" "$ID"
			fails "not supported"
			clean
		done
	done
	# Forced deletion comes with whatever flags the engine has.
	create
	ok
	rt --systemd-cgroup state "$ID"
	ok
	rt --systemd-cgroup delete --force "$ID"
	ok
	clean
}

@test "--annotation: adds to the bundle's" {
	edit '/annotations={"a":"1","b":"2"}'
	rt create --annotation b=3 --annotation "c=x=y" --annotation d= --bundle "$BUNDLE" "$ID"
	ok
	eq "$(state /annotations)" '{"a":"1","b":"3","c":"x=y","d":""}'
	rt create --annotation io.mesoc.networks=n --bundle "$BUNDLE" "${ID}b"
	fails io.mesoc.networks network/cni
	rt create --annotation io.mesoc.shade=n --bundle "$BUNDLE" "${ID}b"
	fails io.mesoc.shade "no such annotation"
	rt create --annotation noequals --bundle "$BUNDLE" "${ID}b"
	fails noequals
}

@test "allowed_annotations: what a bundle may say, not what the caller says" {
	edit '/annotations={"io.mesoc.networks":"n","x":"y"}'
	rt --allowed-annotations io.mesoc.disk create --bundle "$BUNDLE" "$ID"
	fails io.mesoc.networks "not supported yet" # nobody gets any further yet
	rt --allowed-annotations io.mesoc.disk validate --bundle "$BUNDLE"
	fails "1 problem"
	edit '/annotations={"x":"y"}'
	rt --allowed-annotations "" create --annotation io.mesoc.networks=n --bundle "$BUNDLE" "$ID"
	fails io.mesoc.networks "not supported yet"
	clean
}
