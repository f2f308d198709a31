package bundle

import "strings"

// badHostSide is what is wrong with what the host is to do for a container.
var badHostSide = []badCase{
	{"interface without a namespace", []string{"/linux/netDevices", `{"eth0":{}}`, "/linux/namespaces/3/type", `"cgroup"`},
		[]string{`/linux/netDevices: needs a network namespace of the container's own`}},
	one("interface without name", "/linux/netDevices", `{"":{}}`, `/linux/netDevices/: must not be empty`),
	one("interface with a long name", "/linux/netDevices", `{"eth0":{"name":"0123456789abcde"},"0123456789abcdef":{}}`, `/linux/netDevices/0123456789abcdef: must not be longer than 15 bytes`),
	one("interface that climbs", "/linux/netDevices", `{"..":{}}`, `/linux/netDevices/..: not the name of an interface`),
	one("interface with a slash", "/linux/netDevices", `{"a/b":{}}`, `/linux/netDevices/a~1b: must have no slash, colon, blank or NUL byte`),
	one("interface with a colon", "/linux/netDevices", `{"eth0":{"name":"eth0:1"}}`, `/linux/netDevices/eth0/name: "eth0:1": must have no slash, colon, blank or NUL byte`),
	one("interface with a blank", "/linux/netDevices", `{"eth0":{"name":"a\tb"}}`, `/linux/netDevices/eth0/name: "a\tb": must have no slash, colon, blank or NUL byte`),
	one("NUL in an interface", "/linux/netDevices", `{"eth0":{"name":"a\u0000"}}`, `/linux/netDevices/eth0/name: "a\x00": must have no slash, colon, blank or NUL byte`),
	one("template of the host", "/linux/netDevices", `{"eth%d":{}}`, `/linux/netDevices/eth%d: no interface has a % in its name`),
	one("template not at the end", "/linux/netDevices", `{"eth0":{"name":"net%d.1"}}`, `/linux/netDevices/eth0/name: "net%d.1": may have no % but in %d at its end`),
	one("template of two numbers", "/linux/netDevices", `{"eth0":{"name":"net%d%d"}}`, `/linux/netDevices/eth0/name: "net%d%d": may have no % but in %d at its end`),
	one("template of a string", "/linux/netDevices", `{"eth0":{"name":"net%s"}}`, `/linux/netDevices/eth0/name: "net%s": may have no % but in %d at its end`),
	one("two interfaces of one name", "/linux/netDevices", `{"eth0":{"name":"net"},"eth1":{"name":"net"}}`, `/linux/netDevices/eth1/name: "net": is what /linux/netDevices/eth0 is going to be called`),
	one("one interface as another", "/linux/netDevices", `{"eth0":{"name":"eth1"},"eth1":{}}`, `/linux/netDevices/eth1/name: "eth1": is what /linux/netDevices/eth0 is going to be called`),

	one("class of service that climbs", "/linux/intelRdt", `{"closID":".."}`, `/linux/intelRdt/closID: "..": not the name of a class of service`),
	one("class of service with a slash", "/linux/intelRdt", `{"closID":"a/b"}`, `/linux/intelRdt/closID: "a/b": must be one name, without slashes, newlines and NUL bytes, or / alone`),
	one("class of service of resctrl's own", "/linux/intelRdt", `{"closID":"mon_groups"}`, `/linux/intelRdt/closID: "mon_groups": not the name of a class of service`),
	one("class of service with a long name", "/linux/intelRdt", `{"closID":"`+strings.Repeat("c", 256)+`"}`, `/linux/intelRdt/closID: "`+strings.Repeat("c", 120)+`"…: must not be longer than 255 bytes`),
	one("NUL in a schema", "/linux/intelRdt", `{"l3CacheSchema":"L3:0=f\u0000"}`, `/linux/intelRdt/l3CacheSchema: "L3:0=f\x00": must not contain a NUL byte`),
	one("bandwidth of a cache", "/linux/intelRdt", `{"memBwSchema":"L3:0=f"}`, `/linux/intelRdt/memBwSchema: "L3:0=f": must begin with MB:`),
	one("bandwidth of two lines", "/linux/intelRdt", `{"memBwSchema":"MB:0=20\nMB:1=20"}`, `/linux/intelRdt/memBwSchema: "MB:0=20\nMB:1=20": must be one line`),
	{"schemata", []string{"/linux/intelRdt", `{"schemata":["L3:0=f","","L2:0=f\n"]}`}, []string{
		`/linux/intelRdt/schemata/1: must not be empty`, `/linux/intelRdt/schemata/2: "L2:0=f\n": must be one line`}},
}
