#!/usr/bin/env bats
# Devices: nodes and links in /dev, and the filter that says who may open them.

load helpers

MKNOD='CAP_MKNOD CAP_DAC_OVERRIDE'

@test "default nodes and links" {
	in_box 'for d in null zero full random urandom tty; do stat -c "%n %F %t:%T %a %u:%g" /dev/$d; done
		for l in fd stdin stdout stderr ptmx; do echo "$l -> $(readlink /dev/$l)"; done
		echo x >/dev/null && head -c 3 /dev/zero | wc -c; ls /dev | tr "\n" " "'
	local n="character special file"
	lines "/dev/null $n 1:3 666 0:0" "/dev/zero $n 1:5 666 0:0" "/dev/full $n 1:7 666 0:0" \
		"/dev/random $n 1:8 666 0:0" "/dev/urandom $n 1:9 666 0:0" "/dev/tty $n 5:0 666 0:0" \
		"fd -> /proc/self/fd" "stdin -> /proc/self/fd/0" "stdout -> /proc/self/fd/1" "stderr -> /proc/self/fd/2" \
		"ptmx -> pts/ptmx" 3
	hasnt "$output" console
	clean
}

@test "default nodes: their mode does not depend on the caller's umask" {
	umask 077
	in_box 'stat -c %a /dev/null /dev/zero; stat -c %a /dev'
	umask 022
	eq "$output" $'666\n666\n755'
}

@test "linux.devices: each type, with mode and owner, wherever they are" {
	in_box 'stat -c "%n %F %t:%T %a %u:%g" /dev/c /dev/u /dev/b /deep/er/p /dev/null' \
		'/linux/devices=[
			{"path":"/dev/c","type":"c","major":10,"minor":229,"fileMode":432,"uid":3,"gid":4},
			{"path":"/dev/u","type":"u","major":1,"minor":11},
			{"path":"/dev/b","type":"b","major":7,"minor":200,"fileMode":256},
			{"path":"/deep/er/p","type":"p","fileMode":384,"uid":5}]'
	lines "/dev/c character special file a:e5 660 3:4" "/dev/b block special file 7:c8 400 0:0" "/deep/er/p fifo 0:0 600 5:0" \
		"/dev/null character special file 1:3 666 0:0"
	matches "$output" "/dev/u character special file 1:b [0-6]+ 0:0"
	clean
}

@test "linux.devices: one that is a default device takes the given mode" {
	ours "runc 1.1 then denies it"
	in_box 'stat -c "%t:%T %a %u:%g" /dev/null' '/linux/devices=[{"path":"/dev/null","type":"c","major":1,"minor":3,"fileMode":438,"uid":0,"gid":5}]'
	eq "$output" "1:3 666 0:5"
}

@test "linux.devices: in a user namespace they are the host's nodes" {
	chmod 755 "$T" "${T%/*}" "${T%/*/*}"
	mknod -m 666 "/dev/$ID" c 1 7
	undo "rm /dev/$ID"
	userns=('/linux/namespaces+={"type":"user"}' '/linux/uidMappings=[{"containerID":0,"hostID":100000,"size":65536}]'
		'/linux/gidMappings=[{"containerID":0,"hostID":100000,"size":65536}]')
	in_box "stat -c '%t:%T' /dev/zero /dev/$ID; mknod /dev/x c 1 3 2>&1; (echo x >/dev/$ID) 2>&1 || :" "${userns[@]}" $(caps CAP_MKNOD) \
		"/linux/devices=[{\"path\":\"/dev/$ID\",\"type\":\"c\",\"major\":1,\"minor\":7}]" \
		'/linux/resources/devices+={"allow":true,"type":"c","major":1,"minor":7,"access":"rwm"}'
	lines 1:5 1:7 "mknod: /dev/x: Operation not permitted"
	has "$output" "No space left on device"
	edit "/linux/devices/0/minor=5"
	create
	fails "/dev/$ID"
	clean
}

@test "linux.devices: a node of the image that is another device is an error" {
	ours "runc ignores that something is there"
	mknod "$BASE/dev/thing" c 1 3
	edit '/linux/devices=[{"path":"/dev/thing","type":"c","major":1,"minor":5}]' /mounts/@~1dev! /mounts/@~1dev~1pts! /mounts/@~1dev~1shm! /mounts/@~1dev~1mqueue!
	create
	fails /dev/thing
	clean
	edit '/linux/devices=[{"path":"/dev/thing","type":"c","major":1,"minor":3}]'
	create
	ok
}

@test "a /dev that the caller bind-mounts is left alone" {
	mkdir dev
	mknod dev/null c 1 3
	touch dev/mark
	in_box 'ls /dev' "/mounts/@~1dev={\"destination\":\"/dev\",\"type\":\"bind\",\"source\":\"$T/dev\",\"options\":[\"rbind\"]}" \
		/mounts/@~1dev~1pts! /mounts/@~1dev~1shm! /mounts/@~1dev~1mqueue!
	eq "$(ls dev)" $'mark\nnull'
	eq "$output" $'mark\nnull'
	clean
}

# opens NODE MODE…: a script that tries to open nodes; prints NODE MODE yes or no.
opens='try() { if [ "$2" = r ]; then (head -c 0 <"$1") 2>/dev/null; else (: >"$1") 2>/dev/null; fi && echo "$1 $2 yes" || echo "$1 $2 no"; }
'

@test "the filter: everything denied but the default devices" {
	in_box "$opens"'for n in null zero full urandom; do try /dev/$n r; done; try /dev/kmsg r; try /dev/loop r; mknod /dev/made c 1 11 && echo mknod; try /dev/made r; ls /dev/pts' \
		'/linux/devices=[{"path":"/dev/kmsg","type":"c","major":1,"minor":11,"fileMode":438},{"path":"/dev/loop","type":"c","major":10,"minor":237,"fileMode":438}]' \
		'/linux/resources/devices=[{"allow":false,"access":"rwm"}]' $(caps $MKNOD CAP_SYSLOG) /process/noNewPrivileges=false
	lines "/dev/null r yes" "/dev/zero r yes" "/dev/full r yes" "/dev/urandom r yes" "/dev/kmsg r no" "/dev/loop r no" \
		mknod "/dev/made r no"
	clean
}

@test "the filter: without any rule it is the same" {
	for r in /linux/resources! /linux/resources='{}' /linux/resources/devices='[]'; do
		in_box "$opens"'try /dev/null r; try /dev/kmsg r' "$r" \
			'/linux/devices=[{"path":"/dev/kmsg","type":"c","major":1,"minor":11,"fileMode":438}]' $(caps CAP_SYSLOG)
		eq "$output" $'/dev/null r yes\n/dev/kmsg r no'
	done
	clean
}

@test "the filter: what is allowed is allowed, as far as it is" {
	in_box "$opens"'try /dev/mem r; try /dev/mem w; try /dev/net r; try /dev/net w; try /dev/other r' \
		'/linux/devices=[{"path":"/dev/mem","type":"c","major":1,"minor":11,"fileMode":438},
			{"path":"/dev/net","type":"c","major":10,"minor":200,"fileMode":438},
			{"path":"/dev/other","type":"c","major":10,"minor":237,"fileMode":438}]' \
		'/linux/resources/devices=[{"allow":false,"access":"rwm"},
			{"allow":true,"type":"c","major":1,"minor":11,"access":"r"},
			{"allow":true,"type":"c","major":10,"minor":200,"access":"rw"}]' $(caps $MKNOD CAP_SYSLOG)
	lines "/dev/mem r yes" "/dev/mem w no" "/dev/other r no"
	[ ! -e /dev/net/tun ] || lines "/dev/net r yes" "/dev/net w yes"
	clean
}

@test "the filter: wildcards, and later rules over earlier ones" {
	devices='/linux/devices=[{"path":"/dev/k","type":"c","major":1,"minor":11,"fileMode":438},{"path":"/dev/n","type":"c","major":1,"minor":5,"fileMode":438}]'
	in_box "$opens"'try /dev/k r' "$devices" $(caps $MKNOD CAP_SYSLOG) \
		'/linux/resources/devices=[{"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":1,"access":"rwm"}]'
	eq "$output" "/dev/k r yes"
	in_box "$opens"'try /dev/k r' "$devices" \
		'/linux/resources/devices=[{"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":1,"minor":11,"access":"rwm"},{"allow":false,"type":"c","major":1,"minor":11,"access":"rwm"}]'
	eq "$output" "/dev/k r no"
	in_box "$opens"'try /dev/k r' "$devices" '/linux/resources/devices=[{"allow":true,"access":"rwm"}]'
	eq "$output" "/dev/k r yes"
	in_box "$opens"'try /dev/k r' "$devices" \
		'/linux/resources/devices=[{"allow":false,"access":"rwm"},{"allow":true,"type":"b","major":1,"minor":11,"access":"rwm"}]'
	eq "$output" "/dev/k r no"
	clean
}

@test "the filter holds for processes that the container makes, in cgroups below its own" {
	script "$opens"'mkdir /sys/fs/cgroup/sub && echo $$ >/sys/fs/cgroup/sub/cgroup.procs && tail -n 1 /proc/self/cgroup; try /dev/k r' \
		'/linux/devices=[{"path":"/dev/k","type":"c","major":1,"minor":11,"fileMode":438}]' $(caps $MKNOD CAP_SYSLOG) \
		'/mounts/@~1sys~1fs~1cgroup/options=["rw"]'
	rt run --bundle "$BUNDLE" "$ID"
	ok
	eq "$output" $'0::/sub\n/dev/k r no'
	clean
}
