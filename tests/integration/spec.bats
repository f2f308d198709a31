#!/usr/bin/env bats
# spec: the bundle that people start from.

load helpers

@test "spec: writes config.json into the working directory, and refuses to overwrite it" {
	mkdir here
	cd here
	rt spec
	ok
	eq "$output" ""
	cp config.json before
	rt spec
	fails "config.json exists"
	cmp config.json before
}

@test "spec --bundle: values" {
	mkdir b
	rt spec --bundle b
	ok
	f=b/config.json
	run -0 "$RIG" get $f /process/terminal /process/args /process/cwd /process/user/uid /process/user/gid \
		/process/noNewPrivileges /root/path /root/readonly \
		/process/rlimits/0/type /process/rlimits/0/hard /process/rlimits/0/soft
	eq "$output" $'true\n["sh"]\n/\n0\n0\ntrue\nrootfs\ntrue\nRLIMIT_NOFILE\n1024\n1024'
	run -0 "$RIG" get $f /process/env
	eq "$output" '["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin","TERM=xterm"]'
	for set in bounding effective permitted; do
		run -0 "$RIG" get $f /process/capabilities/$set
		eq "$output" '["CAP_AUDIT_WRITE","CAP_KILL","CAP_NET_BIND_SERVICE"]' $set
	done
	for m in /proc /dev /dev/pts /dev/shm /dev/mqueue /sys /sys/fs/cgroup; do
		run -0 "$RIG" get $f "/mounts/@${m//\//\~1}/type"
	done
	for n in pid network ipc uts mount cgroup; do
		run -0 "$RIG" get $f "/linux/namespaces/@$n/type"
	done
	run -0 "$RIG" get $f /ociVersion
	matches "$output" '^1\.'
	run -0 "$RIG" get $f /linux/maskedPaths
	for m in /proc/acpi /proc/kcore /proc/keys /proc/timer_list /sys/firmware /proc/scsi; do has "$output" "\"$m\""; done
	run -0 "$RIG" get $f /linux/readonlyPaths
	eq "$output" '["/proc/bus","/proc/fs","/proc/irq","/proc/sys","/proc/sysrq-trigger"]'
	run -0 "$RIG" get $f /linux/resources/devices/0
	eq "$output" '{"access":"rwm","allow":false}'
	[ "$(stat -c %a $f)" = 666 ] || eq "$(stat -c %a $f)" 644 mode
}

@test "spec: no inheritable and no ambient capabilities" {
	ours "runc 1.1 sets the ambient ones"
	mkdir b
	rt spec -b b
	ok
	run ! "$RIG" get b/config.json /process/capabilities/inheritable
	run ! "$RIG" get b/config.json /process/capabilities/ambient
}

@test "spec --rootless: a user namespace, no network namespace, no cgroup limits" {
	mkdir b
	rt spec --rootless --bundle b
	ok
	f=b/config.json
	run -0 "$RIG" get $f /linux/namespaces/@user/type
	run ! "$RIG" get $f /linux/namespaces/@network/type
	run ! "$RIG" get $f /linux/resources
	run -0 "$RIG" get $f /linux/uidMappings /linux/gidMappings
	eq "$output" $'[{"containerID":0,"hostID":0,"size":1}]\n[{"containerID":0,"hostID":0,"size":1}]'
	run -0 "$RIG" get $f /mounts/@~1sys/type /mounts/@~1sys/source
	eq "$output" $'none\n/sys'
}

@test "spec: the bundle runs" {
	rm "$BUNDLE/config.json"
	rt spec --bundle "$BUNDLE"
	ok
	in_box 'echo "$$ $(hostname) $(pwd)"; touch /x 2>&1; grep -E "^(CapInh|CapEff|NoNewPrivs)" /proc/self/status' /process/terminal=false
	matches "$output" "^1 [a-z]+ /"$'\n'
	lines "touch: /x: Read-only file system" $'CapInh:\t0000000000000000' $'CapEff:\t0000000020000420' $'NoNewPrivs:\t1'
	clean
}

@test "spec --rootless: the bundle runs as root too" {
	rm "$BUNDLE/config.json"
	rt spec --rootless --bundle "$BUNDLE"
	ok
	in_box 'cat /proc/self/uid_map; echo done' /process/terminal=false
	matches "$output" '^ +0 +0 +1'$'\n'
	lines "done"
	clean
}

@test "spec: into a directory that is not there" {
	rt spec --bundle "$T/nowhere"
	fails "no such file or directory"
}
