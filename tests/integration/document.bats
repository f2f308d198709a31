#!/usr/bin/env bats
# config.json as a document: versions, names that nobody knows, annotations.

load helpers

@test "ociVersion: every 1.x, with suffixes, and the state tells it" {
	for v in 1.0.0 1.0.0-rc5 1.0.2-dev 1.1.0+dev 1.2.1 1.3.0; do
		edit /ociVersion:=$v
		create
		ok
		eq "$stderr" ""
		! is_mesoc || eq "$(state /ociVersion)" $v # runc tells its own
		rt delete "$ID"
		ok
	done
	clean
}

@test "ociVersion: one that is newer than what is known is a warning" {
	ours "runc does not look"
	edit /ociVersion:=1.99.0 '/linux/invention={"a":1}'
	rt --log "$T/log" create --bundle "$BUNDLE" "$ID"
	ok
	has "$(<log)" "1.99.0"
	has "$(<log)" "newer than what is known here"
	rt delete "$ID"
	ok
	clean
}

@test "names that nobody knows are ignored, wherever they are" {
	edit '/x={"y":[1,null,{"z":true}]}' /process/x=1 /process/user/x=1 /root/x=1 '/mounts/0/x=[]' /linux/x:= /linux/resources/x='{}' \
		'/linux/namespaces/0/x="y"' /linux/resources/devices/0/x=1 '/hooks={"x":[{"path":"relative"}],"prestart":[]}'
	create
	ok
	eq "$stderr" ""
	rt delete "$ID"
	ok
	clean
}

@test "a name that is there twice: the last counts" {
	ours "names are told apart by their case, too"
	sed -i '0,/"hostname"/s//"Hostname": "third", "hostname": "first", "hostname"/' "$BUNDLE/config.json"
	in_box hostname
	eq "$output" box
}

@test "annotations: empty values, reserved and unknown keys arrive in the state" {
	edit '/annotations={"org.opencontainers.image.stopSignal":"SIGINT","org.example.x":"","y":"z"}'
	create
	ok
	eq "$stderr" ""
	eq "$(state /annotations)" '{"org.example.x":"","org.opencontainers.image.stopSignal":"SIGINT","y":"z"}'
	rt delete "$ID"
	ok
	clean
}
