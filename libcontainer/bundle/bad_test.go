package bundle

import (
	"slices"
	"strings"
	"testing"
)

type badCase struct {
	name string
	set  []string // for patched
	want []string // all problems
}

func one(name, pointer, value, want string) badCase {
	return badCase{name, []string{pointer, value}, []string{want}}
}

const mappings = `[{"containerID":0,"hostID":1000,"size":10}]`

// withUserNamespace sets up a user namespace, then what is to be wrong.
func withUserNamespace(set ...string) []string {
	return append([]string{
		"/linux/namespaces/-", `{"type":"user"}`, "/linux/uidMappings", mappings, "/linux/gidMappings", mappings,
	}, set...)
}

var badDocuments = []badCase{
	one("no version", "/ociVersion", ``, `/ociVersion: is required`),
	one("empty version", "/ociVersion", `""`, `/ociVersion: is required`),
	one("version of two parts", "/ociVersion", `"1.0"`, `/ociVersion: "1.0": must be a version as SemVer 2.0.0 has it, such as 1.2.0`),
	one("version with v", "/ociVersion", `"v1.0.0"`, `/ociVersion: "v1.0.0": must be a version as SemVer 2.0.0 has it, such as 1.2.0`),
	one("version with leading zero", "/ociVersion", `"1.01.0"`, `/ociVersion: "1.01.0": must be a version as SemVer 2.0.0 has it, such as 1.2.0`),
	one("version with empty suffix", "/ociVersion", `"1.0.0-"`, `/ociVersion: "1.0.0-": must be a version as SemVer 2.0.0 has it, such as 1.2.0`),
	one("version with a bad build", "/ociVersion", `"1.0.0+a_b"`, `/ociVersion: "1.0.0+a_b": must be a version as SemVer 2.0.0 has it, such as 1.2.0`),
	one("version 2", "/ociVersion", `"2.0.0"`, `/ociVersion: "2.0.0": not supported, only 1.x is`),
	one("version 0", "/ociVersion", `"0.9.0"`, `/ociVersion: "0.9.0": not supported, only 1.x is`),
	one("no root", "/root", ``, `/root: is required`),
	one("null root", "/root", `null`, `/root: is required`),
	one("empty root path", "/root/path", `""`, `/root/path: is required`),
	one("NUL in the root path", "/root/path", `"a\u0000b"`, `/root/path: "a\x00b": must not contain a NUL byte`),
	one("NUL in the hostname", "/hostname", `"a\u0000b"`, `/hostname: "a\x00b": must not contain a NUL byte`),
	one("long hostname", "/hostname", `"`+strings.Repeat("h", 65)+`"`, `/hostname: "`+strings.Repeat("h", 65)+`": must not be longer than 64 bytes`),
	{"hostname without a namespace", []string{"/hostname", `"x"`, "/linux/namespaces/1/type", `"cgroup"`},
		[]string{`/hostname: "x": needs a uts namespace of the container's own`}},
	{"domainname without a namespace", []string{"/domainname", `"x"`, "/linux/namespaces/1/type", `"cgroup"`},
		[]string{`/domainname: "x": needs a uts namespace of the container's own`}},
	one("relative hook", "/hooks/prestart", `[{"path":"bin/x"}]`, `/hooks/prestart/0/path: "bin/x": must be an absolute path`),
	one("hook without path", "/hooks/createRuntime", `[{"path":"/x"},{"args":["x"]}]`, `/hooks/createRuntime/1/path: is required`),
	one("hook with timeout 0", "/hooks/createContainer", `[{"path":"/x","timeout":0}]`, `/hooks/createContainer/0/timeout: 0: must be greater than zero`),
	one("hook with negative timeout", "/hooks/startContainer", `[{"path":"/x","timeout":-5}]`, `/hooks/startContainer/0/timeout: -5: must be greater than zero`),
	one("NUL in the arguments of a hook", "/hooks/poststart", `[{"path":"/x","args":["x","\u0000"]}]`, `/hooks/poststart/0/args/1: "\x00": must not contain a NUL byte`),
	one("NUL in the environment of a hook", "/hooks/poststop", `[{"path":"/x","env":["A=\u0000"]}]`, `/hooks/poststop/0/env/0: "A=\x00": must not contain a NUL byte`),
	one("annotation without key", "/annotations", `{"":"x"}`, `/annotations/: must have a key`),
	one("annotation of an isolator", "/annotations", `{"io.mesoc.disk.limit":"1GB","x":"y"}`,
		`/annotations/io.mesoc.disk.limit: "1GB": not supported yet (needs the isolator disk/du, disk/xfs)`),
	one("annotation without an isolator", "/annotations", `{"io.mesoc.sandbox":"/c0"}`, `/annotations/io.mesoc.sandbox: "/c0": not supported yet`),
	one("annotation with a bad value", "/annotations", `{"io.mesoc.share-cgroups":"1"}`, `/annotations/io.mesoc.share-cgroups: "1": must be true or false`),
	one("unknown annotation of ours", "/annotations", `{"io.mesoc.dsk/limit":"1GB"}`, `/annotations/io.mesoc.dsk~1limit: "1GB": no such annotation`),
}

var badProcesses = []badCase{
	one("no cwd", "/process/cwd", ``, `/process/cwd: is required`),
	one("relative cwd", "/process/cwd", `"tmp"`, `/process/cwd: "tmp": must be an absolute path`),
	one("NUL in cwd", "/process/cwd", `"/\u0000"`, `/process/cwd: "/\x00": must not contain a NUL byte`),
	one("no args", "/process/args", ``, `/process/args: must name a program`),
	one("empty args", "/process/args", `[]`, `/process/args: must name a program`),
	one("empty program", "/process/args", `[""]`, `/process/args/0: "": executable file not found: the name is empty`),
	one("NUL in args", "/process/args", `["sh","a\u0000"]`, `/process/args/1: "a\x00": must not contain a NUL byte`),
	one("env without =", "/process/env/-", `"FOO"`, `/process/env/1: "FOO": must have the form NAME=VALUE`),
	one("env without name", "/process/env/-", `"=x"`, `/process/env/1: "=x": must have a name before the =`),
	one("NUL in env", "/process/env/-", `"A=\u0000"`, `/process/env/1: "A=\x00": must not contain a NUL byte`),
	{"console of no width", []string{"/process/terminal", "true", "/process/consoleSize", `{"height":24}`},
		[]string{`/process/consoleSize/width: 0: must be from 1 to 65535`}},
	{"console too high", []string{"/process/terminal", "true", "/process/consoleSize", `{"height":65536,"width":80}`},
		[]string{`/process/consoleSize/height: 65536: must be from 1 to 65535`}},
	one("umask", "/process/user/umask", `512`, `/process/user/umask: 512: must be from 0 to 511 (0777 in octal)`),
	{"ids that are none", []string{"/process/user", `{"uid":4294967295,"gid":4294967295,"additionalGids":[4294967294,4294967295]}`}, []string{
		`/process/user/uid: 4294967295: must be less than 4294967295, which is no id to the kernel`,
		`/process/user/gid: 4294967295: must be less than 4294967295, which is no id to the kernel`,
		`/process/user/additionalGids/1: 4294967295: must be less than 4294967295, which is no id to the kernel`,
	}},
	one("rlimit without type", "/process/rlimits", `[{"soft":1,"hard":1}]`, `/process/rlimits/0/type: is required`),
	one("unknown rlimit", "/process/rlimits", `[{"type":"RLIMIT_FOO","soft":1,"hard":1}]`, `/process/rlimits/0/type: "RLIMIT_FOO": unknown resource limit`),
	one("rlimit in short", "/process/rlimits", `[{"type":"NOFILE","soft":1,"hard":1}]`, `/process/rlimits/0/type: "NOFILE": unknown resource limit`),
	one("rlimit twice", "/process/rlimits", `[{"type":"RLIMIT_CPU","soft":1,"hard":1},{"type":"RLIMIT_AS","soft":1,"hard":1},{"type":"RLIMIT_CPU","soft":1,"hard":1}]`,
		`/process/rlimits/2/type: "RLIMIT_CPU": is there twice`),
	one("soft above hard", "/process/rlimits", `[{"type":"RLIMIT_CPU","soft":2,"hard":1}]`, `/process/rlimits/0/soft: 2: must not be above the hard limit`),
	one("oomScoreAdj too high", "/process/oomScoreAdj", `1001`, `/process/oomScoreAdj: 1001: must be from -1000 to 1000`),
	one("oomScoreAdj too low", "/process/oomScoreAdj", `-1001`, `/process/oomScoreAdj: -1001: must be from -1000 to 1000`),
	one("commandLine", "/process/commandLine", `"dir"`, `/process/commandLine: not supported: this is a runtime for Linux`),
	{"user not mapped", withUserNamespace("/process/user", `{"uid":10,"gid":11,"additionalGids":[9,12]}`), []string{
		`/process/user/uid: 10: is not mapped by /linux/uidMappings`,
		`/process/user/gid: 11: is not mapped by /linux/gidMappings`,
		`/process/user/additionalGids/1: 12: is not mapped by /linux/gidMappings`,
	}},
}

var badMounts = []badCase{
	one("no destination", "/mounts/-", `{"type":"tmpfs"}`, `/mounts/1/destination: is required`),
	one("NUL in destination", "/mounts/-", `{"type":"tmpfs","destination":"/a\u0000"}`, `/mounts/1/destination: "/a\x00": must not contain a NUL byte`),
	one("NUL in source", "/mounts/-", `{"type":"tmpfs","destination":"/a","source":"\u0000"}`, `/mounts/1/source: "\x00": must not contain a NUL byte`),
	one("NUL in type", "/mounts/-", `{"type":"tmp\u0000","destination":"/a"}`, `/mounts/1/type: "tmp\x00": must not contain a NUL byte`),
	one("NUL in an option", "/mounts/-", `{"type":"tmpfs","destination":"/a","options":["ro","\u0000"]}`,
		`/mounts/1/options/1: mount option "\x00": contains a NUL byte`),
	one("on the root", "/mounts/-", `{"type":"tmpfs","destination":"/x/.."}`, `/mounts/1/destination: "/x/..": must lie below the root`),
	one("tmpfs on /proc", "/mounts/-", `{"type":"tmpfs","destination":"/proc/"}`, `/mounts/1/destination: "/proc/": must be a proc or a bind of one, and not a "tmpfs"`),
	one("inside /proc", "/mounts/-", `{"type":"tmpfs","destination":"/proc/self/attr"}`, `/mounts/1/destination: "/proc/self/attr": must not lie inside /proc`),
	one("inside /proc by dots", "/mounts/-", `{"source":"/x","destination":"/sys/../proc/sys","options":["bind"]}`, `/mounts/1/destination: "/sys/../proc/sys": must not lie inside /proc`),
	one("no type", "/mounts/-", `{"destination":"/a"}`, `/mounts/1/type: is required unless the options have bind or rbind`),
	one("type bind without option", "/mounts/-", `{"destination":"/a","type":"bind","source":"/b"}`,
		`/mounts/1/type: "bind": needs the option bind or rbind: the type does not make a bind mount`),
	one("bind without source", "/mounts/-", `{"destination":"/a","options":["bind"]}`, `/mounts/1/source: is required for a bind mount`),
	one("data on a bind", "/mounts/-", `{"destination":"/a","source":"/b","options":["rbind","noexce"]}`,
		`/mounts/1/options: "noexce": unknown, and a bind mount has no options of a filesystem`),
	one("contradiction", "/mounts/-", `{"destination":"/a","type":"tmpfs","options":["size=1m","ro","size=2m"]}`,
		`/mounts/1/options/2: mount option "size=2m": contradicts "size=1m"`),
	one("tmpcopyup of a bind", "/mounts/-", `{"destination":"/a","type":"tmpfs","source":"/b","options":["bind","tmpcopyup"]}`, `/mounts/1/options: tmpcopyup is for a new tmpfs only`),
	one("tmpcopyup of no tmpfs", "/mounts/-", `{"destination":"/a","type":"ramfs","options":["tmpcopyup"]}`, `/mounts/1/options: tmpcopyup is for a new tmpfs only`),
	one("tmpcopyup later", "/mounts/-", `{"destination":"/a","type":"tmpfs","options":["remount","tmpcopyup"]}`, `/mounts/1/options: tmpcopyup is for a new tmpfs only`),
	one("idmap without mappings", "/mounts/-", `{"destination":"/a","source":"/b","options":["bind","idmap"]}`,
		`/mounts/1/options: idmap needs uidMappings and gidMappings, or a user namespace whose mappings to use`),
	one("ridmap without mappings", "/mounts/-", `{"destination":"/a","source":"/b","options":["rbind","ridmap"]}`,
		`/mounts/1/options: idmap needs uidMappings and gidMappings, or a user namespace whose mappings to use`),
	one("uids only", "/mounts/-", `{"destination":"/a","source":"/b","options":["bind"],"uidMappings":`+mappings+`}`, `/mounts/1/gidMappings: is required with uidMappings`),
	one("gids only", "/mounts/-", `{"destination":"/a","source":"/b","options":["bind"],"gidMappings":`+mappings+`}`, `/mounts/1/uidMappings: is required with gidMappings`),
	one("idmap of a tmpfs", "/mounts/-", `{"destination":"/a","type":"tmpfs","uidMappings":`+mappings+`,"gidMappings":`+mappings+`}`,
		`/mounts/1/options: mapped ids are supported on bind mounts only`),
	one("bad mapping of a mount", "/mounts/-", `{"destination":"/a","source":"/b","options":["bind"],"uidMappings":[{"size":0}],"gidMappings":`+mappings+`}`,
		`/mounts/1/uidMappings/0/size: 0: must be greater than zero`),
	one("without a mount namespace", "/linux/namespaces/0", `{"type":"cgroup"}`, `/mounts: needs a mount namespace made for the container`),
	one("in a joined mount namespace", "/linux/namespaces/0/path", `"/proc/1/ns/mnt"`, `/mounts: needs a mount namespace made for the container`),
}

var badLinux = []badCase{
	one("unknown namespace", "/linux/namespaces/-", `{"type":"disk"}`, `/linux/namespaces/5/type: "disk": unknown kind of namespace`),
	one("namespace by the kernel's name", "/linux/namespaces/-", `{"type":"net"}`, `/linux/namespaces/5/type: "net": unknown kind of namespace`),
	one("namespace without type", "/linux/namespaces/-", `{}`, `/linux/namespaces/5/type: is required`),
	one("namespace twice", "/linux/namespaces/-", `{"type":"uts"}`, `/linux/namespaces/5/type: "uts": is there twice`),
	one("namespace twice, one joined", "/linux/namespaces/-", `{"type":"uts","path":"/proc/1/ns/uts"}`, `/linux/namespaces/5/type: "uts": is there twice`),
	one("relative namespace", "/linux/namespaces/-", `{"type":"time","path":"ns/time"}`, `/linux/namespaces/5/path: "ns/time": must be an absolute path`),
	one("NUL in a namespace", "/linux/namespaces/-", `{"type":"time","path":"/\u0000"}`, `/linux/namespaces/5/path: "/\x00": must not contain a NUL byte`),
	one("mappings without a namespace", "/linux/uidMappings", mappings, `/linux/uidMappings: needs a user namespace`),
	{"no mappings", []string{"/linux/namespaces/-", `{"type":"user"}`},
		[]string{`/linux/uidMappings: is required for a new user namespace`, `/linux/gidMappings: is required for a new user namespace`}},
	{"no gid mappings", withUserNamespace("/linux/gidMappings", ""), []string{`/linux/gidMappings: is required for a new user namespace`}},
	{"mapping of nothing", withUserNamespace("/linux/gidMappings/-", `{"containerID":50,"hostID":50}`), []string{`/linux/gidMappings/1/size: 0: must be greater than zero`}},
	{"container ids overlap", withUserNamespace("/linux/uidMappings/-", `{"containerID":9,"hostID":5000,"size":2}`),
		[]string{`/linux/uidMappings/1/containerID: 9: overlaps /linux/uidMappings/0`}},
	{"host ids overlap", withUserNamespace("/linux/gidMappings/-", `{"containerID":10,"hostID":995,"size":6}`),
		[]string{`/linux/gidMappings/1/hostID: 995: overlaps /linux/gidMappings/0`}},
	{"container ids too high", withUserNamespace("/linux/gidMappings/-", `{"containerID":4294967295,"hostID":0,"size":2}`),
		[]string{`/linux/gidMappings/1: ids of the container go beyond 4294967295`}},
	{"host ids too high", withUserNamespace("/linux/gidMappings/-", `{"containerID":10,"hostID":4294967290,"size":7}`),
		[]string{`/linux/gidMappings/1: ids of the host go beyond 4294967295`}},
	{"id 0 not mapped", withUserNamespace("/linux/uidMappings/0/containerID", "1", "/process/user/uid", "1"),
		[]string{`/linux/uidMappings: a container whose id 0 is not mapped is not supported`}},
	{"too many mappings", withUserNamespace("/linux/uidMappings", manyMappings(341)),
		[]string{`/linux/uidMappings: 341: has more than the 340 entries that the kernel takes`}},
	{"mappings of more than a page", withUserNamespace("/linux/uidMappings", longMappings(300)),
		[]string{`/linux/uidMappings: takes 4500 bytes as the lines of a map, and the kernel takes less than 4096`}},
	one("offsets without a namespace", "/linux/timeOffsets", `{"monotonic":{"secs":1}}`, `/linux/timeOffsets: needs a new time namespace`),
	{"offsets of a joined namespace", []string{"/linux/namespaces/-", `{"type":"time","path":"/proc/1/ns/time"}`, "/linux/timeOffsets", `{"boottime":{"secs":1}}`},
		[]string{`/linux/timeOffsets: needs a new time namespace`}},
	{"unknown clock", []string{"/linux/namespaces/-", `{"type":"time"}`, "/linux/timeOffsets", `{"realtime":{"secs":1}}`},
		[]string{`/linux/timeOffsets/realtime: unknown clock, must be monotonic or boottime`}},
	{"a second of nanoseconds", []string{"/linux/namespaces/-", `{"type":"time"}`, "/linux/timeOffsets", `{"boottime":{"nanosecs":1000000000}}`},
		[]string{`/linux/timeOffsets/boottime/nanosecs: 1000000000: must be less than a second, 1000000000`}},
	one("sysctl of the host", "/linux/sysctl", `{"vm.swappiness":"1"}`, `/linux/sysctl/vm.swappiness: not a setting of a namespace: it would change the host`),
	one("sysctl of the host by slashes", "/linux/sysctl", `{"kernel/core_pattern":"|x"}`, `/linux/sysctl/kernel~1core_pattern: not a setting of a namespace: it would change the host`),
	one("sysctl that climbs", "/linux/sysctl", `{"net/../kernel/core_pattern":"|x"}`, `/linux/sysctl/net~1..~1kernel~1core_pattern: not the name of a sysctl`),
	one("sysctl that climbs by dots", "/linux/sysctl", `{"net.//.kernel.core_pattern":"|x"}`, `/linux/sysctl/net.~1~1.kernel.core_pattern: not the name of a sysctl`),
	one("sysctl without name", "/linux/sysctl", `{"":"1"}`, `/linux/sysctl/: not the name of a sysctl`),
	one("hostname by sysctl", "/linux/sysctl", `{"kernel.hostname":"x"}`, `/linux/sysctl/kernel.hostname: set by the property hostname`),
	one("NUL in a sysctl", "/linux/sysctl", `{"net.core.somaxconn":"\u0000"}`, `/linux/sysctl/net.core.somaxconn: "\x00": must not contain a NUL byte`),
	{"sysctl of a shared ipc namespace", []string{"/linux/namespaces/2/type", `"cgroup"`, "/linux/sysctl", `{"kernel.msgmax":"1","fs.mqueue.msg_max":"1"}`}, []string{
		`/linux/sysctl/fs.mqueue.msg_max: needs the container's own ipc namespace: it would change the host`,
		`/linux/sysctl/kernel.msgmax: needs the container's own ipc namespace: it would change the host`}},
	{"sysctl of a shared network namespace", []string{"/linux/namespaces/3/type", `"cgroup"`, "/linux/sysctl", `{"net.ipv4.ip_forward":"1"}`},
		[]string{`/linux/sysctl/net.ipv4.ip_forward: needs the container's own network namespace: it would change the host`}},
	one("sysctl of users without namespace", "/linux/sysctl", `{"user.max_user_namespaces":"1"}`, `/linux/sysctl/user.max_user_namespaces: needs the container's own user namespace: it would change the host`),
	one("cgroup that climbs", "/linux/cgroupsPath", `"/a/../../b"`, `/linux/cgroupsPath: "/a/../../b": must not contain ..`),
	one("root of all cgroups", "/linux/cgroupsPath", `"/"`, `/linux/cgroupsPath: "/": must not be the root of all cgroups`),
	one("NUL in the cgroup", "/linux/cgroupsPath", `"a\u0000"`, `/linux/cgroupsPath: "a\x00": must not contain a NUL byte`),
	one("unknown propagation", "/linux/rootfsPropagation", `"rpublic"`, `/linux/rootfsPropagation: "rpublic": must be one of private, rprivate, rshared, rslave, runbindable, shared, slave, unbindable`),
	one("option as propagation", "/linux/rootfsPropagation", `"ro"`, `/linux/rootfsPropagation: "ro": must be one of private, rprivate, rshared, rslave, runbindable, shared, slave, unbindable`),
	one("relative masked path", "/linux/maskedPaths", `["/a","proc/kcore"]`, `/linux/maskedPaths/1: "proc/kcore": must be an absolute path`),
	one("masked root", "/linux/maskedPaths", `["//"]`, `/linux/maskedPaths/0: "//": must lie below the root`),
	one("empty readonly path", "/linux/readonlyPaths", `[""]`, `/linux/readonlyPaths/0: "": must be an absolute path`),
	one("NUL in a readonly path", "/linux/readonlyPaths", `["/\u0000"]`, `/linux/readonlyPaths/0: "/\x00": must not contain a NUL byte`),
	{"protection without a mount namespace", []string{"/mounts", "", "/linux/namespaces/0/type", `"cgroup"`, "/root/readonly", "true",
		"/linux/maskedPaths", `["/a"]`, "/linux/readonlyPaths", `["/a"]`, "/linux/rootfsPropagation", `"slave"`, "/linux/devices", `[{"path":"/dev/x","type":"p"}]`}, []string{
		`/root/readonly: true: needs a mount namespace made for the container`,
		`/linux/devices: needs a mount namespace made for the container`,
		`/linux/maskedPaths: needs a mount namespace made for the container`,
		`/linux/readonlyPaths: needs a mount namespace made for the container`,
		`/linux/rootfsPropagation: "slave": needs a mount namespace made for the container`}},
	one("a rule notifies nobody", "/linux/seccomp", `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_NOTIFY"}]}`,
		`/linux/seccomp/listenerPath: is required for SCMP_ACT_NOTIFY`),
	one("the default notifies nobody", "/linux/seccomp", `{"defaultAction":"SCMP_ACT_NOTIFY"}`, `/linux/seccomp/listenerPath: is required for SCMP_ACT_NOTIFY`),
	one("metadata for nobody", "/linux/seccomp", `{"defaultAction":"SCMP_ACT_ALLOW","listenerMetadata":"m"}`,
		`/linux/seccomp/listenerMetadata: "m": needs a listenerPath`),
	one("NUL in a listener", "/linux/seccomp", `{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/\u0000"}`,
		`/linux/seccomp/listenerPath: "/\x00": must not contain a NUL byte`),
	one("windows", "/windows", `{"layerFolders":[]}`, `/windows: not supported: this is a runtime for Linux`),
	one("solaris", "/solaris", `{"milestone":"x"}`, `/solaris: not supported: this is a runtime for Linux`),
	one("vm", "/vm", `{"kernel":{"path":"/x"}}`, `/vm: not supported: this is a runtime for Linux`),
	one("zos", "/zos", `{"namespaces":[]}`, `/zos: not supported: this is a runtime for Linux`),
	one("freebsd", "/freebsd", `{"jail":{}}`, `/freebsd: not supported: this is a runtime for Linux`),
	one("device without path", "/linux/devices", `[{"type":"p"}]`, `/linux/devices/0/path: is required`),
	one("relative device", "/linux/devices", `[{"path":"dev/x","type":"p"}]`, `/linux/devices/0/path: "dev/x": must be an absolute path`),
	one("NUL in a device", "/linux/devices", `[{"path":"/dev/\u0000","type":"p"}]`, `/linux/devices/0/path: "/dev/\x00": must not contain a NUL byte`),
	one("device without type", "/linux/devices", `[{"path":"/dev/x"}]`, `/linux/devices/0/type: is required`),
	one("device without numbers", "/linux/devices", `[{"path":"/dev/x","type":"c"}]`, `/linux/devices/0/major: is required, and minor: no device has both 0`),
	one("device of all types", "/linux/devices", `[{"path":"/dev/x","type":"a","major":1}]`, `/linux/devices/0/type: "a": must be one of b, c, p, u`),
	one("device with a negative number", "/linux/devices", `[{"path":"/dev/x","type":"c","major":-1,"minor":0}]`, `/linux/devices/0/major: -1: must be from 0 to 4095`),
	one("device with a great number", "/linux/devices", `[{"path":"/dev/x","type":"b","major":1,"minor":1048576}]`, `/linux/devices/0/minor: 1048576: must be from 0 to 1048575`),
	{"device of nobody", []string{"/linux/devices", `[{"path":"/dev/x","type":"p","uid":4294967295,"gid":4294967295}]`}, []string{
		`/linux/devices/0/uid: 4294967295: must be less than 4294967295, which is no id to the kernel`,
		`/linux/devices/0/gid: 4294967295: must be less than 4294967295, which is no id to the kernel`,
	}},
	one("two devices of one path", "/linux/devices", `[{"path":"/dev/x","type":"c","major":1,"minor":3},{"path":"/dev//x","type":"c","major":1,"minor":5}]`,
		`/linux/devices/1/path: "/dev//x": is there twice, as another device in /linux/devices/0`),
}

var badResources = []badCase{
	one("rule of unknown type", "/linux/resources/devices", `[{"allow":true,"type":"u"}]`, `/linux/resources/devices/0/type: "u": must be one of a, b, c`),
	one("rule of unknown access", "/linux/resources/devices", `[{"allow":true,"access":"rwx"}]`, `/linux/resources/devices/0/access: "rwx": must consist of r, w and m`),
	one("rule of a negative device", "/linux/resources/devices", `[{"allow":true,"type":"c","major":-2}]`, `/linux/resources/devices/0/major: -2: must be from 0 to 4294967295, or -1 for any`),
	one("negative memory", "/linux/resources/memory", `{"limit":-2}`, `/linux/resources/memory/limit: -2: must not be negative, but for -1, which is no limit`),
	one("negative reservation", "/linux/resources/memory", `{"reservation":-5}`, `/linux/resources/memory/reservation: -5: must not be negative, but for -1, which is no limit`),
	one("swap alone", "/linux/resources/memory", `{"swap":10}`, `/linux/resources/memory/swap: 10: is memory and swap together, and needs a memory limit`),
	one("swap less than memory", "/linux/resources/memory", `{"limit":20,"swap":10}`, `/linux/resources/memory/swap: 10: is memory and swap together, and less than the memory limit`),
	one("swap with unlimited memory", "/linux/resources/memory", `{"limit":-1,"swap":10}`, `/linux/resources/memory/swap: 10: is memory and swap together, and the memory limit is none`),
	one("no OOM killer", "/linux/resources/memory", `{"disableOOMKiller":true}`, `/linux/resources/memory/disableOOMKiller: true: has no equivalent on cgroup2`),
	{"memory of v1", []string{"/linux/resources/memory", `{"kernel":1,"kernelTCP":-2,"swappiness":60,"useHierarchy":false}`}, []string{
		`/linux/resources/memory/useHierarchy: false: has no equivalent on cgroup2`, `/linux/resources/memory/swappiness: 60: has no equivalent on cgroup2`,
		`/linux/resources/memory/kernel: 1: has no equivalent on cgroup2`, `/linux/resources/memory/kernelTCP: -2: has no equivalent on cgroup2`}},
	one("realtime", "/linux/resources/cpu", `{"realtimeRuntime":950000}`, `/linux/resources/cpu/realtimeRuntime: 950000: has no equivalent on cgroup2`),
	one("realtime period", "/linux/resources/cpu", `{"realtimePeriod":1}`, `/linux/resources/cpu/realtimePeriod: 1: has no equivalent on cgroup2`),
	one("burst above quota", "/linux/resources/cpu", `{"quota":10,"burst":11}`, `/linux/resources/cpu/burst: 11: must not be above the quota`),
	one("idle 2", "/linux/resources/cpu", `{"idle":2}`, `/linux/resources/cpu/idle: 2: must be 0 or 1`),
	one("cpus", "/linux/resources/cpu", `{"cpus":"0-x"}`, `/linux/resources/cpu/cpus: "0-x": must be a list of numbers and ranges, such as 0-3,5`),
	one("mems", "/linux/resources/cpu", `{"mems":"all"}`, `/linux/resources/cpu/mems: "all": must be a list of numbers and ranges, such as 0-3,5`),
	one("negative pids", "/linux/resources/pids", `{"limit":-2}`, `/linux/resources/pids/limit: -2: must not be negative, but for -1, which is no limit`),
	one("io weight", "/linux/resources/blockIO", `{"weight":9}`, `/linux/resources/blockIO/weight: 9: must be from 10 to 1000`),
	one("leaf weight", "/linux/resources/blockIO", `{"leafWeight":10}`, `/linux/resources/blockIO/leafWeight: 10: has no equivalent on cgroup2`),
	one("weightless device", "/linux/resources/blockIO", `{"weightDevice":[{"major":8,"minor":0}]}`, `/linux/resources/blockIO/weightDevice/0: must have weight or leafWeight`),
	one("weight of a device", "/linux/resources/blockIO", `{"weightDevice":[{"major":8,"minor":0,"weight":1001}]}`, `/linux/resources/blockIO/weightDevice/0/weight: 1001: must be from 10 to 1000`),
	one("leaf weight of a device", "/linux/resources/blockIO", `{"weightDevice":[{"major":8,"minor":0,"leafWeight":10}]}`, `/linux/resources/blockIO/weightDevice/0/leafWeight: 10: has no equivalent on cgroup2`),
	one("negative device", "/linux/resources/blockIO", `{"throttleReadIOPSDevice":[{"major":-8,"minor":0,"rate":1}]}`, `/linux/resources/blockIO/throttleReadIOPSDevice/0/major: -8: must be from 0 to 4095`),
	one("page size that climbs", "/linux/resources/hugepageLimits", `[{"pageSize":"2MB/../../x","limit":1}]`, `/linux/resources/hugepageLimits/0/pageSize: "2MB/../../x": must be a size such as 64KB, 2MB or 1GB`),
	one("page size without unit", "/linux/resources/hugepageLimits", `[{"pageSize":"2","limit":1}]`, `/linux/resources/hugepageLimits/0/pageSize: "2": must be a size such as 64KB, 2MB or 1GB`),
	one("no page size", "/linux/resources/hugepageLimits", `[{"limit":1}]`, `/linux/resources/hugepageLimits/0/pageSize: is required`),
	one("page size twice", "/linux/resources/hugepageLimits", `[{"pageSize":"2MB","limit":1},{"pageSize":"2MB","limit":2}]`, `/linux/resources/hugepageLimits/1/pageSize: "2MB": is there twice`),
	one("network class", "/linux/resources/network", `{"classID":1048577}`, `/linux/resources/network/classID: not supported yet`),
	one("network priorities", "/linux/resources/network", `{"priorities":[{"name":"eth0","priority":1}]}`, `/linux/resources/network/priorities: not supported yet`),
	one("rdma of nothing", "/linux/resources/rdma", `{"mlx5_1":{}}`, `/linux/resources/rdma/mlx5_1: must have hcaHandles or hcaObjects`),
	one("rdma of a bad name", "/linux/resources/rdma", `{"a b":{"hcaHandles":1}}`, `/linux/resources/rdma/a b: not the name of a device`),
	one("unified that climbs", "/linux/resources/unified", `{"../cgroup.kill":"1"}`, `/linux/resources/unified/..~1cgroup.kill: must be the name of a file, without slashes`),
	one("unified without a dot", "/linux/resources/unified", `{"memory":"1"}`, `/linux/resources/unified/memory: must have the form CONTROLLER.PARAMETER`),
	one("unified without name", "/linux/resources/unified", `{"":"1"}`, `/linux/resources/unified/: must have the form CONTROLLER.PARAMETER`),
	one("unified of dots", "/linux/resources/unified", `{"..":"1"}`, `/linux/resources/unified/..: must have the form CONTROLLER.PARAMETER`),
	one("unified that is ours", "/linux/resources/unified", `{"cgroup.procs":"1"}`, `/linux/resources/unified/cgroup.procs: is not a limit`),
	one("NUL in unified", "/linux/resources/unified", `{"memory.max":"\u0000"}`, `/linux/resources/unified/memory.max: "\x00": must not contain a NUL byte`),
}

func manyMappings(n int) string {
	return "[" + strings.TrimSuffix(strings.Repeat(`{"containerID":0,"hostID":0,"size":1},`, n), ",") + "]"
}

func longMappings(n int) string {
	return "[" + strings.TrimSuffix(strings.Repeat(`{"containerID":0,"hostID":2000000000,"size":1},`, n), ",") + "]"
}

func TestBase(t *testing.T) {
	if problems, warnings := problemsOf(t, []byte(base)); problems != nil || warnings != nil {
		t.Fatalf("the base has problems: %q %q", problems, warnings)
	}
}

func TestBadConfigs(t *testing.T) {
	total := 0
	for _, table := range [][]badCase{badDocuments, badProcesses, badAttributes, badMounts, badLinux, badHostSide, badResources} {
		for _, c := range table {
			total++
			t.Run(c.name, func(t *testing.T) {
				if got, _ := problemsOf(t, patched(t, c.set...)); !slices.Equal(got, c.want) {
					t.Errorf("problems:\n\t%s\nwant:\n\t%s", strings.Join(got, "\n\t"), strings.Join(c.want, "\n\t"))
				}
			})
		}
	}
	if total < 100 {
		t.Errorf("%d configs, want 100", total)
	}
}

// TestAllProblemsAtOnce damages a config in every section.
func TestAllProblemsAtOnce(t *testing.T) {
	got, _ := problemsOf(t, patched(t,
		"/ociVersion", `"1"`, "/root", "", "/process/args", "[]", "/process/cwd", `"x"`, "/mounts/-", "{}",
		"/hooks/poststop", `[{}]`, "/linux/namespaces/-", `{"type":"x"}`, "/linux/maskedPaths", `["x"]`, "/linux/seccomp", `{"defaultAction":"SCMP_ACT_NOTIFY"}`))
	want := []string{"/linux/namespaces/5/type", "/ociVersion", "/root", "/process/cwd", "/process/args", "/mounts/1/destination",
		"/mounts/1/type", "/hooks/poststop/0/path", "/linux/maskedPaths/0", "/linux/seccomp/listenerPath"}
	for i := range got {
		got[i], _, _ = strings.Cut(got[i], ":")
	}
	if !slices.Equal(got, want) {
		t.Errorf("problems at %q, want %q", got, want)
	}
}

func TestAccepted(t *testing.T) {
	for name, set := range map[string][]string{
		"no process":                  {"/process", ""},
		"older pre-release":           {"/ociVersion", `"1.0.2-dev"`},
		"build":                       {"/ociVersion", `"1.1.0+dev"`},
		"release candidate":           {"/ociVersion", `"1.0.0-rc5"`},
		"unknown property":            {"/linux/foo", `{"a":[1,2,{"b":null}]}`, "/bar", "1"},
		"unknown annotation":          {"/annotations", `{"org.example":"", "io.mesocosm.x":"y"}`},
		"empty profile":               {"/process/apparmorProfile", `""`, "/process/selinuxLabel", `""`, "/linux/mountLabel", `""`},
		"null sections":               {"/linux/seccomp", "null", "/windows", "null", "/hooks", "null", "/linux/resources", "null", "/vm", "{}"},
		"console size, no terminal":   {"/process/consoleSize", `{"height":0,"width":7}`},
		"lxcfs":                       {"/mounts/-", `{"destination":"/proc/cpuinfo","source":"/x","options":["bind"]}`},
		"proc of the host":            {"/mounts/-", `{"destination":"/proc","source":"/proc","options":["rbind"]}`},
		"same option twice":           {"/mounts/-", `{"destination":"/a","type":"tmpfs","options":["ro","ro","size=1m","size=1m",""]}`},
		"contradictory propagation":   {"/mounts/-", `{"destination":"/a","type":"tmpfs","options":["private","rshared"]}`},
		"infinite rlimit":             {"/process/rlimits", `[{"type":"RLIMIT_CORE","soft":18446744073709551615,"hard":18446744073709551615}]`},
		"mappings of a joined userns": withUserNamespace("/linux/namespaces/5/path", `"/proc/1/ns/user"`),
		"joined userns":               {"/linux/namespaces/-", `{"type":"user","path":"/proc/1/ns/user"}`},
		"idmap of the userns":         withUserNamespace("/mounts/-", `{"destination":"/a","source":"/b","options":["bind","idmap"]}`),
		"joined network's sysctl":     {"/linux/namespaces/3/path", `"/run/netns/x"`, "/linux/sysctl", `{"net.core.somaxconn":"1"}`},
		"systemd's cgroups path":      {"/linux/cgroupsPath", `"system.slice:docker:abc"`},
		"dots in a cgroup":            {"/linux/cgroupsPath", `"/a..b/.c/..."`},
		"deny all by default":         {"/linux/resources/devices", `[{"allow":false,"access":"rwm"},{"allow":false},{"allow":true,"type":"a"}]`},
		"zero realtime":               {"/linux/resources/cpu", `{"realtimeRuntime":0,"realtimePeriod":0,"quota":-1,"burst":5}`},
		"memory of v1, not set":       {"/linux/resources/memory", `{"kernel":0,"kernelTCP":-1,"swappiness":18446744073709551615,"useHierarchy":true,"disableOOMKiller":false}`},
		"zero swap":                   {"/linux/resources/memory", `{"swap":0}`},
		"network devices":             {"/linux/netDevices", `{"eth0":{},"eth1":{"name":"net%d"},"eth2":{"name":"net%d"},"eth3":{"name":"eth1"}}`},
		"class of service":            {"/linux/intelRdt", `{"closID":"guaranteed..","l3CacheSchema":"L3CODE:0=f\nL3DATA:0=f","memBwSchema":"MB:0=20","schemata":["L2:0=f"],"enableMonitoring":true}`},
		"default class":               {"/linux/intelRdt", `{"closID":"/"}`},
		"tmpcopyup":                   {"/mounts/-", `{"destination":"/a","type":"tmpfs","options":["ro","tmpcopyup"]}`},
		"no linux":                    {"/linux", "", "/mounts", ""},
	} {
		if problems, warnings := problemsOf(t, patched(t, set...)); problems != nil || warnings != nil {
			t.Errorf("%s: problems %q, warnings %q", name, problems, warnings)
		}
	}
}

func TestWarnings(t *testing.T) {
	for _, c := range []badCase{
		one("newer version", "/ociVersion", `"1.99.0"`, `/ociVersion: "1.99.0": newer than what is known here, 1.3`),
		one("unknown capability", "/process/capabilities", `{"bounding":["CAP_KILL","CAP_FLY"]}`, `/process/capabilities/bounding/1: "CAP_FLY": unknown capability: left out`),
		one("effective, not permitted", "/process/capabilities", `{"effective":["CAP_KILL","CAP_CHOWN"],"permitted":["CAP_KILL"]}`, `/process/capabilities/effective: CAP_CHOWN: not permitted: left out`),
		one("ambient, not inheritable", "/process/capabilities", `{"permitted":["CAP_KILL"],"ambient":["CAP_KILL"]}`, `/process/capabilities/ambient: CAP_KILL: not both permitted and inheritable: left out`),
		one("relative destination", "/mounts/-", `{"destination":"a","type":"tmpfs"}`, `/mounts/1/destination: "a": deprecated, should be an absolute path: taken relative to /`),
		one("username", "/process/user/username", `"bob"`, `/process/user/username: "bob": has no meaning on Linux`),
	} {
		problems, warnings := problemsOf(t, patched(t, c.set...))
		if problems != nil || !slices.Equal(warnings, c.want) {
			t.Errorf("%s: problems %q, warnings %q, want %q", c.name, problems, warnings, c.want)
		}
	}
}
