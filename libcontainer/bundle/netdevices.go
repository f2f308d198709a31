package bundle

import (
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// netDevices checks which interfaces of the host move into the container, and
// as what (config-linux, Network Devices).
func (c *checker) netDevices(devices map[string]specs.LinuxNetDevice, ns *namespaceSet) {
	if len(devices) == 0 {
		return
	}
	const pointer = "/linux/netDevices"
	if ns.all&unix.CLONE_NEWNET == 0 {
		c.bad(pointer, nil, "needs a network namespace of the container's own")
	}
	takenBy := make(map[string]string, len(devices))
	for _, host := range sortedKeys(devices) {
		if rule := interfaceName(host); rule != "" {
			c.bad(at(pointer, host), nil, rule)
		} else if strings.Contains(host, "%") {
			c.bad(at(pointer, host), nil, "no interface has a % in its name")
		}
		name := devices[host].Name
		if name == "" {
			name = host
		} else if rule := interfaceName(name); rule != "" {
			c.bad(at(pointer, host, "name"), name, rule)
		} else if strings.Contains(strings.TrimSuffix(name, "%d"), "%") {
			c.bad(at(pointer, host, "name"), name, "may have no % but in %d at its end")
		}
		if other, taken := takenBy[name]; taken && !strings.HasSuffix(name, "%d") {
			c.bad(at(pointer, host, "name"), name, "is what "+at(pointer, other)+" is going to be called")
		}
		takenBy[name] = host
	}
}

// interfaceName is what is wrong with the name of a network interface, by the
// kernel's rules (dev_valid_name).
func interfaceName(name string) string {
	switch {
	case name == "":
		return ruleEmpty
	case len(name) >= unix.IFNAMSIZ:
		return "must not be longer than 15 bytes"
	case name == "." || name == "..":
		return "not the name of an interface"
	case strings.ContainsAny(name, "/: \t\n\v\f\r\x00"):
		return "must have no slash, colon, blank or NUL byte"
	}
	return ""
}
