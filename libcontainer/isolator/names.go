package isolator

import (
	"fmt"
	"slices"
	"strings"
)

// The isolators whose names somebody has to know.
const (
	CgroupsCPU = "cgroups/cpu"
	CgroupsMem = "cgroups/mem"
	cgroupsAll = "cgroups/all" // all that are about Mesos' requests and limits
)

// order has all names in the order of preparation.
var order = [...]string{
	CgroupsCPU, CgroupsMem, cgroupsAll, "namespaces/pid", "namespaces/ipc",
	"filesystem/shared", "docker/runtime", "docker/volume", "linux/capabilities",
	"posix/rlimits", "disk/du", "disk/xfs", "cgroups/net_cls", "network/cni",
}

// Parse reads the setting isolation: a comma list of names without
// duplicates. It returns them in the order of preparation, whatever theirs is.
func Parse(list string) ([]string, error) {
	if list == "" {
		return nil, nil
	}
	var named [len(order)]bool
	names := make([]string, 0, len(order))
	for name := range strings.SplitSeq(list, ",") {
		i := slices.Index(order[:], name)
		switch {
		case i < 0:
			return nil, fmt.Errorf("isolator %q is unknown (known are %s)", name, strings.Join(order[:], ", "))
		case named[i]:
			return nil, fmt.Errorf("isolator %s is named twice", name)
		}
		named[i] = true
	}
	for i, name := range order {
		if named[i] {
			names = append(names, name)
		}
	}
	return names, nil
}

// parts are the names that a name stands for.
func parts(name string) []string {
	if name == cgroupsAll {
		return []string{CgroupsCPU, CgroupsMem}
	}
	return []string{name}
}
