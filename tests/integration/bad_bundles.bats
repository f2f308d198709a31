#!/usr/bin/env bats
# Bundles that are wrong: each gives one clear error that points at the place,
# and leaves nothing behind.

load helpers

setup_test() {
	ours "each error names a JSON pointer"
	ROWS=0
}

# refused WANT: create fails with one line that contains WANT; nothing is left.
refused() {
	create
	[ "$status" -eq 1 ] || die "exit status $status, want 1, for: $1" "stderr: $stderr"
	[[ $stderr == *"$1"* ]] || die "not in the error: $1" "stderr: $stderr"
	[[ $stderr != *$'\n'* ]] || die "more than one line for: $1" "stderr: $stderr"
	[[ $stderr == "create container $ID: "* ]] || die "does not tell what was being done: $stderr"
	[ -z "$output" ] || die "on stdout: $output"
	local left=("$ROOT"/* "$ROOT"/.[!.]*)
	[ ! -e "${left[0]}" ] && [ ! -e "${left[1]}" ] || die "state left for: $1"
	[ ! -e "/sys/fs/cgroup/mesos/$ID" ] || die "cgroup left for: $1"
	ROWS=$((ROWS + 1))
}

# bad WANT EDIT…: the usual config with edits.
bad() {
	local want=$1
	shift
	cp "$BATS_TEST_DIRNAME/testdata/config.json" "$BUNDLE/config.json"
	edit "$@"
	refused "$want"
}

# text TEXT WANT: a config.json of this text.
text() {
	printf '%s' "$1" >"$BUNDLE/config.json"
	refused "$2"
}

rows() { # at least as many as the test says
	[ "$ROWS" -ge "$1" ] || die "only $ROWS rows"
	clean
}

@test "config.json that is not there, or is no file" {
	f=$BUNDLE/config.json
	rm "$f"
	refused "open $f: no such file or directory"
	mkdir "$f"
	refused "is a directory"
	rmdir "$f"
	mkfifo "$f"
	refused "not a regular file"
	rm "$f"
	ln -s /dev/zero "$f"
	refused "not a regular file"
	rm "$f"
	ln -s config.json "$f"
	refused "too many levels of symbolic links"
	rm "$f"
	truncate -s 1G "$f"
	refused "$f: 1073741824 bytes"
	rm "$f"
	B=$BUNDLE
	BUNDLE=$T/none
	refused "open $T/none/config.json: no such file or directory"
	BUNDLE=$B/rootfs/etc/passwd
	refused "not a directory"
	BUNDLE=$B
	rows 8
}

@test "config.json that is no JSON" {
	text '' "line 1, column 1"
	text '{' "line 1, column 2"
	text '{"ociVersion": "1.0.2", "process": {"args": ["a"' "line 1, column"
	text $'{\n  "ociVersion": 1.0.2\n}' "line 2"
	text $'{\n  "ociVersion": "1.0.2",\n}' "line 3, column 1"
	text '{"ociVersion": "1.0.2"} {}' "line 1, column 25"
	text "{'ociVersion': '1.0.2'}" "line 1, column 2"
	text 'null' "config.json"
	text '[]' "config.json"
	text '"text"' "config.json"
	text '{"ociVersion": "1.0.2", "root": {"path": "rootfs' "line 1"
	text $'{"ociVersion": "\xff\xfe"}' "line 1, column 17: expected UTF-8"
	text $'\x00\x00\x00' "line 1, column 1"
	rows 12
}

@test "properties of the wrong type" {
	bad "/process/args: expected" /process/args=3
	bad "/process/args/1: expected" '/process/args=["a",2]'
	bad "/process/args: expected" '/process/args="sh"'
	bad "/process/cwd: expected" /process/cwd='{}'
	bad "/process/terminal: expected" /process/terminal='"yes"'
	bad "/process/user/uid: expected" /process/user/uid='"root"'
	bad "/process/user/uid: expected" /process/user/uid=-1
	bad "/process/user/uid: expected" /process/user/uid=4294967296
	bad "/process/user/gid: expected" /process/user/gid=1.5
	bad "/process/env: expected" '/process/env={"A":"b"}'
	bad "/process/oomScoreAdj: expected" '/process/oomScoreAdj="high"'
	bad "/root: expected" '/root="rootfs"'
	bad "/root/readonly: expected" '/root/readonly="true"'
	bad "/mounts: expected" '/mounts={}'
	bad "/mounts/0: expected" '/mounts=["/proc"]'
	bad "/mounts/0/options: expected" '/mounts/0/options="ro"'
	bad "/linux: expected" /linux='[]'
	bad "/linux/namespaces: expected" '/linux/namespaces={"pid":{}}'
	bad "/linux/namespaces/0: expected" '/linux/namespaces=["pid"]'
	bad "/linux/resources/memory/limit: expected" '/linux/resources/memory={"limit":"64M"}'
	bad "/linux/resources/pids/limit: expected" '/linux/resources/pids={"limit":"10"}'
	bad "/linux/devices/0/major: expected" '/linux/devices=[{"path":"/dev/x","type":"c","major":"1","minor":3}]'
	bad "/linux/sysctl/net.ipv4.ip_forward: expected" '/linux/sysctl={"net.ipv4.ip_forward":1}'
	bad "/hooks/prestart: expected" '/hooks={"prestart":{"path":"/x"}}'
	bad "/annotations/a: expected" '/annotations={"a":1}'
	bad "/ociVersion: expected" /ociVersion=1.0
	rows 26
}

@test "version and root" {
	bad "/ociVersion: is required" /ociVersion!
	bad '/ociVersion: "1.0":' /ociVersion:=1.0
	bad '/ociVersion: "v1.0.2":' /ociVersion:=v1.0.2
	bad '/ociVersion: "2.0.0": not supported' /ociVersion:=2.0.0
	bad "/root: is required" /root!
	bad "/root/path: is required" /root/path:=
	bad "no such file or directory" /root/path:=none
	bad "/root/path:" /root/path:=none
	bad "not a directory" /root/path:=config.json
	rows 9
}

@test "process" {
	bad "/process/cwd: is required" /process/cwd!
	bad '/process/cwd: "tmp": must be an absolute path' /process/cwd:=tmp
	bad "/process/args: must name a program" /process/args!
	bad "/process/args: must name a program" /process/args='[]'
	bad "/process/args/0" /process/args='[""]'
	bad '/process/env/2: "FOO": must have the form NAME=VALUE' '/process/env+="FOO"'
	bad '/process/env/2: "=x": must have a name' '/process/env+="=x"'
	bad 'must not contain a NUL byte' '/process/env+="A=\u0000"'
	bad '/process/args/1' '/process/args=["sh","a\u0000b"]'
	bad "/process/consoleSize/width" /process/terminal=true '/process/consoleSize={"height":24}'
	bad "/process/user/umask: 512: must be from 0 to 511" /process/user/umask=512
	# To setresuid(2) it means "as it is": the program would be root.
	bad "/process/user/uid: 4294967295: must be less" /process/user/uid=4294967295
	bad "/process/user/gid: 4294967295: must be less" /process/user/gid=4294967295
	bad "/process/user/additionalGids/0: 4294967295: must be less" '/process/user/additionalGids=[4294967295]'
	bad '/process/rlimits/0/type: "RLIMIT_FOO": unknown resource limit' '/process/rlimits=[{"type":"RLIMIT_FOO","soft":1,"hard":1}]'
	bad '/process/rlimits/1/type: "RLIMIT_CPU": is there twice' '/process/rlimits=[{"type":"RLIMIT_CPU","soft":1,"hard":1},{"type":"RLIMIT_CPU","soft":1,"hard":1}]'
	bad "/process/rlimits/0/soft: is required" '/process/rlimits=[{"type":"RLIMIT_NOFILE","hard":64}]'
	bad "/process/rlimits/0/hard: is required" '/process/rlimits=[{"type":"RLIMIT_NOFILE","soft":0,"hard":null}]'
	bad "/process/rlimits/0/soft" '/process/rlimits=[{"type":"RLIMIT_CPU","soft":2,"hard":1}]'
	bad "/process/oomScoreAdj: 1001: must be from -1000 to 1000" /process/oomScoreAdj=1001
	bad "/hostname: " /linux/namespaces/@uts!
	bad "/domainname: " /linux/namespaces/@uts! /hostname! /domainname:=x
	bad "/hostname: " "/hostname:=$(printf '%065d' 0)"
	bad "/process/user/uid" '/linux/namespaces+={"type":"user"}' '/linux/uidMappings=[{"containerID":0,"hostID":1000,"size":10}]' \
		'/linux/gidMappings=[{"containerID":0,"hostID":1000,"size":10}]' /process/user/uid=10
	rows 24
}

mount='/mounts+='

@test "mounts" {
	bad "/mounts/7/destination: is required" $mount'{"type":"tmpfs"}'
	bad "/mounts/7/destination" $mount'{"type":"tmpfs","destination":"/x/.."}'
	bad '/mounts/7/destination: "/proc/":' $mount'{"type":"tmpfs","destination":"/proc/"}'
	bad '/mounts/7/destination: "/proc/self/attr": must not lie inside /proc' $mount'{"type":"tmpfs","destination":"/proc/self/attr"}'
	bad '/mounts/7/destination: "/sys/../proc/sys"' $mount'{"source":"/tmp","destination":"/sys/../proc/sys","options":["bind"]}'
	bad "/mounts/7/type: is required" $mount'{"destination":"/a"}'
	bad "/mounts/7/source: is required for a bind mount" $mount'{"destination":"/a","options":["bind"]}'
	bad '/mounts/7/options: "noexce"' $mount'{"destination":"/a","source":"/tmp","options":["rbind","noexce"]}'
	bad "/mounts/7/options" $mount'{"destination":"/a","type":"tmpfs","options":["size=1m","ro","size=2m"]}'
	bad '/mounts/7/options: tmpcopyup is for a new tmpfs only' $mount'{"destination":"/a","type":"ramfs","options":["tmpcopyup"]}'
	bad "/mounts/7" $mount'{"destination":"/a","source":"/tmp","options":["bind","idmap"]}'
	bad "/mounts/7/gidMappings: is required with uidMappings" $mount'{"destination":"/a","source":"/tmp","options":["bind"],"uidMappings":[{"containerID":0,"hostID":1,"size":1}]}'
	bad "/mounts/7/uidMappings: is required with gidMappings" $mount'{"destination":"/a","source":"/tmp","options":["bind"],"gidMappings":[{"containerID":0,"hostID":1,"size":1}]}'
	bad '/mounts/7/source: "/no/such/dir": no such file or directory' $mount'{"destination":"/a","source":"/no/such/dir","options":["bind"]}'
	bad "/mounts: needs a mount namespace" /linux/namespaces/@mount!
	bad '/linux/maskedPaths/0: "proc/kcore": must be an absolute path' '/linux/maskedPaths=["proc/kcore"]'
	bad '/linux/readonlyPaths/0: "": must be an absolute path' '/linux/readonlyPaths=[""]'
	bad '/linux/rootfsPropagation: "rpublic": must be one of' /linux/rootfsPropagation:=rpublic
	rows 18
}

ns='/linux/namespaces+='
user='/linux/namespaces+={"type":"user"}'

@test "namespaces and mappings" {
	bad '/linux/namespaces/6/type: "disk": unknown kind of namespace' $ns'{"type":"disk"}'
	bad '/linux/namespaces/6/type: "net": unknown kind of namespace' $ns'{"type":"net"}'
	bad "/linux/namespaces/6/type: is required" $ns'{}'
	bad '/linux/namespaces/6/type: "uts": is there twice' $ns'{"type":"uts"}'
	bad '/linux/namespaces/6/path: "ns/time": must be an absolute path' $ns'{"type":"time","path":"ns/time"}'
	bad '/linux/namespaces/1/path: "/none": no such file or directory' /linux/namespaces/@network/path:=/none
	bad '/linux/namespaces/1/path: "/dev/null": not a namespace' /linux/namespaces/@network/path:=/dev/null
	bad "not a network namespace, but a uts namespace" /linux/namespaces/@network/path:=/proc/self/ns/uts
	bad "/linux/uidMappings: needs a user namespace" '/linux/uidMappings=[{"containerID":0,"hostID":1000,"size":10}]'
	bad "/linux/uidMappings: is required for a new user namespace" "$user"
	bad "/linux/gidMappings: is required" "$user" '/linux/uidMappings=[{"containerID":0,"hostID":1000,"size":10}]'
	both() { printf '%s\n' "/linux/uidMappings=$1" '/linux/gidMappings=[{"containerID":0,"hostID":1000,"size":10}]'; }
	bad "/linux/uidMappings/1/size: 0: must be greater than zero" "$user" $(both '[{"containerID":0,"hostID":1000,"size":10},{"containerID":20,"hostID":2000,"size":0}]')
	bad "/linux/uidMappings/1/containerID: 9: overlaps" "$user" $(both '[{"containerID":0,"hostID":1000,"size":10},{"containerID":9,"hostID":5000,"size":10}]')
	bad "/linux/uidMappings/1/hostID: 1005: overlaps" "$user" $(both '[{"containerID":0,"hostID":1000,"size":10},{"containerID":20,"hostID":1005,"size":10}]')
	bad "/linux/uidMappings: a container whose id 0 is not mapped" "$user" $(both '[{"containerID":1,"hostID":1000,"size":10}]') /process/user/uid=1
	bad "340" "$user" $(both "[$(for ((i = 0; i < 341; i++)); do printf '{"containerID":%d,"hostID":%d,"size":1},' $i $((1000 + i)); done | sed 's/,$//')]")
	bad "/linux/timeOffsets: needs a new time namespace" '/linux/timeOffsets={"monotonic":{"secs":1}}'
	bad "/linux/timeOffsets/realtime: unknown clock" $ns'{"type":"time"}' '/linux/timeOffsets={"realtime":{"secs":1}}'
	bad "/linux/timeOffsets/boottime/nanosecs: 1000000000" $ns'{"type":"time"}' '/linux/timeOffsets={"boottime":{"nanosecs":1000000000}}'
	rows 19
}

@test "sysctl and devices" {
	bad "/linux/sysctl/vm.swappiness: not a setting of a namespace" '/linux/sysctl={"vm.swappiness":"1"}'
	bad "/linux/sysctl/kernel~1core_pattern: not a setting of a namespace" '/linux/sysctl={"kernel/core_pattern":"|x"}'
	bad "not the name of a sysctl" '/linux/sysctl={"net/../kernel/core_pattern":"|x"}'
	bad "/linux/sysctl/: not the name of a sysctl" '/linux/sysctl={"":"1"}'
	bad "/linux/sysctl/kernel.hostname: set by the property hostname" '/linux/sysctl={"kernel.hostname":"x"}'
	bad "/linux/sysctl/net.ipv4.ip_forward: needs the container's own network namespace" '/linux/sysctl={"net.ipv4.ip_forward":"1"}' /linux/namespaces/@network!
	bad "/linux/sysctl/kernel.msgmax: needs the container's own ipc namespace" '/linux/sysctl={"kernel.msgmax":"1"}' /linux/namespaces/@ipc!
	bad "/linux/devices/0/path: is required" '/linux/devices=[{"type":"p"}]'
	bad '/linux/devices/0/path: "dev/x": must be an absolute path' '/linux/devices=[{"path":"dev/x","type":"p"}]'
	bad "/linux/devices/0/type: is required" '/linux/devices=[{"path":"/dev/x"}]'
	bad '/linux/devices/0/type: "a": must be one of' '/linux/devices=[{"path":"/dev/x","type":"a"}]'
	bad "/linux/devices/0/major: -1: must be from" '/linux/devices=[{"path":"/dev/x","type":"c","major":-1,"minor":0}]'
	bad "/linux/devices/1/path" '/linux/devices=[{"path":"/dev/x","type":"c","major":1,"minor":3},{"path":"/dev//x","type":"c","major":1,"minor":5}]'
	rows 13
}

@test "cgroups and limits" {
	local r=/linux/resources
	bad '/linux/cgroupsPath: "/a/../../b": must not contain ..' /linux/cgroupsPath:=/a/../../b
	bad '/linux/cgroupsPath: "/": must not be the root of all cgroups' /linux/cgroupsPath:=/
	bad "$r/devices/0/type" $r/devices='[{"allow":true,"type":"u"}]'
	bad "$r/devices/0/access" $r/devices='[{"allow":true,"access":"rwx"}]'
	bad "$r/memory/limit: -2" $r/memory='{"limit":-2}'
	bad "$r/memory/swap: 10" $r/memory='{"swap":10}'
	bad "$r/memory/swap: 10" $r/memory='{"limit":20,"swap":10}'
	bad "$r/memory/disableOOMKiller: true: has no equivalent on cgroup2" $r/memory='{"disableOOMKiller":true}'
	bad "$r/cpu/realtimeRuntime: 950000: has no equivalent on cgroup2" $r/cpu='{"realtimeRuntime":950000}'
	bad "$r/cpu/burst: 11: must not be above the quota" $r/cpu='{"quota":10,"burst":11}'
	bad "$r/cpu/idle: 2: must be 0 or 1" $r/cpu='{"idle":2}'
	bad "$r/cpu/cpus: \"0-x\"" $r/cpu='{"cpus":"0-x"}'
	bad "$r/cpu/mems: \"all\"" $r/cpu='{"mems":"all"}'
	bad "$r/pids/limit: -2" $r/pids='{"limit":-2}'
	bad "$r/blockIO/weight: 9: must be from 10 to 1000" $r/blockIO='{"weight":9}'
	bad "$r/blockIO/leafWeight: 10: has no equivalent on cgroup2" $r/blockIO='{"leafWeight":10}'
	bad "$r/blockIO/weightDevice/0: must have weight or leafWeight" $r/blockIO='{"weightDevice":[{"major":8,"minor":0}]}'
	bad "$r/hugepageLimits/0/pageSize: \"2MB/../../x\"" $r/hugepageLimits='[{"pageSize":"2MB/../../x","limit":1}]'
	bad "$r/hugepageLimits/1/pageSize: \"2MB\": is there twice" $r/hugepageLimits='[{"pageSize":"2MB","limit":1},{"pageSize":"2MB","limit":2}]'
	bad "$r/rdma/mlx5_1: must have hcaHandles or hcaObjects" $r/rdma='{"mlx5_1":{}}'
	bad "$r/unified/..~1cgroup.kill: must be the name of a file" $r/unified='{"../cgroup.kill":"1"}'
	bad "$r/unified/memory: must have the form" $r/unified='{"memory":"1"}'
	bad "$r/unified/cgroup.procs: is not a limit" $r/unified='{"cgroup.procs":"1"}'
	rows 23
}

@test "hooks and annotations" {
	bad '/hooks/prestart/0/path: "bin/x": must be an absolute path' '/hooks={"prestart":[{"path":"bin/x"}]}'
	bad "/hooks/createRuntime/1/path: is required" '/hooks={"createRuntime":[{"path":"/x"},{"args":["x"]}]}'
	bad "/hooks/createContainer/0/timeout: 0: must be greater than zero" '/hooks={"createContainer":[{"path":"/x","timeout":0}]}'
	bad "/hooks/startContainer/0/timeout: -5: must be greater than zero" '/hooks={"startContainer":[{"path":"/x","timeout":-5}]}'
	bad "/hooks/poststop/0/env/0" '/hooks={"poststop":[{"path":"/x","env":["A=\u0000"]}]}'
	bad "/annotations/: must have a key" '/annotations={"":"x"}'
	bad "/annotations/io.mesoc.disk.limit" '/annotations={"io.mesoc.disk.limit":"1GB"}'
	bad "disk/xfs" '/annotations={"io.mesoc.disk.limit":"1GB"}'
	bad "no such annotation" '/annotations={"io.mesoc.dsk.limit":"1GB"}'
	rows 9
}

@test "process attributes" {
	bad '/process/scheduler/policy: "SCHED_EXT": must be one of' '/process/scheduler={"policy":"SCHED_EXT"}'
	bad "/process/scheduler/policy: is required" '/process/scheduler={"nice":1}'
	bad "/process/scheduler/flags/0" '/process/scheduler={"policy":"SCHED_OTHER","flags":["RESET_ON_FORK"]}'
	bad "/process/scheduler/nice: 20: must be from -20 to 19" '/process/scheduler={"policy":"SCHED_OTHER","nice":20}'
	bad "/process/scheduler/priority: 1: is for SCHED_FIFO and SCHED_RR only" '/process/scheduler={"policy":"SCHED_IDLE","priority":1}'
	bad "/process/scheduler/priority: 0: must be from 1 to 99" '/process/scheduler={"policy":"SCHED_FIFO"}'
	bad "/process/scheduler/runtime: 5: is for SCHED_DEADLINE only" '/process/scheduler={"policy":"SCHED_OTHER","runtime":5}'
	bad "/process/scheduler/deadline: 1999: must not be below the runtime" '/process/scheduler={"policy":"SCHED_DEADLINE","runtime":2000,"deadline":1999}'
	bad '/process/ioPriority/class: "IOPRIO_CLASS_NONE": must be one of' '/process/ioPriority={"class":"IOPRIO_CLASS_NONE","priority":0}'
	bad "/process/ioPriority/priority: 8: must be from 0 to 7" '/process/ioPriority={"class":"IOPRIO_CLASS_BE","priority":8}'
	bad '/process/execCPUAffinity/initial: "1-0": has the range 1-0' '/process/execCPUAffinity={"initial":"1-0"}'
	bad '/process/execCPUAffinity/final: "all": must be a list' '/process/execCPUAffinity={"final":"all"}'
	bad '/linux/personality/domain: "BSD": must be one of LINUX, LINUX32' '/linux/personality={"domain":"BSD"}'
	bad '/linux/personality/flags/0: "SHORT_INODE": unknown flag' '/linux/personality={"domain":"LINUX","flags":["SHORT_INODE"]}'
	bad '/linux/memoryPolicy/mode: "MPOL_NONE": must be one of' '/linux/memoryPolicy={"mode":"MPOL_NONE"}'
	bad "/linux/memoryPolicy/nodes: must not be empty for MPOL_BIND" '/linux/memoryPolicy={"mode":"MPOL_BIND"}'
	bad '/linux/memoryPolicy/nodes: "0": must be empty for MPOL_LOCAL' '/linux/memoryPolicy={"mode":"MPOL_LOCAL","nodes":"0"}'
	bad '/linux/memoryPolicy/nodes: "0-3:1/2": must be a list' '/linux/memoryPolicy={"mode":"MPOL_BIND","nodes":"0-3:1/2"}'
	bad '/linux/memoryPolicy/flags/0: "MPOL_F_NODE": must be one of' '/linux/memoryPolicy={"mode":"MPOL_BIND","nodes":"0","flags":["MPOL_F_NODE"]}'
	bad '/process/selinuxLabel: "a:b": must have the form' /process/selinuxLabel:=a:b
	bad "/linux/mountLabel" '/linux/mountLabel:=a:b:c",mode=0777,x="'
	bad "/process/apparmorProfile" '/process/apparmorProfile="a\nb"'
	rows 22
}

@test "what is not built yet is refused by its name" {
	bad "/linux/resources/network/classID: not supported yet" '/linux/resources/network={"classID":1048577}'
	bad "/windows: not supported" '/windows={"layerFolders":[]}'
	bad "/vm: not supported" '/vm={"kernel":{"path":"/x"}}'
	rows 3
}

@test "empty values of what is not built, and unknown properties, do not matter" {
	edit /process/apparmorProfile:= /process/selinuxLabel:= /linux/mountLabel:= '/linux/netDevices={}' \
		/process/noSuchThing=1 '/noSuchThing={"a":[]}' /linux/noSuchThing:=x '/annotations={"io.mesocx":"y","org.example":""}' /linux/seccomp=null
	create
	ok
	rt delete "$ID"
	ok
	clean
}

@test "several problems: the first is told, the others are counted" {
	bad ", and 2 more problems (the command validate lists them)" /process/cwd:=tmp /ociVersion:=1 /linux/rootfsPropagation:=x
}
