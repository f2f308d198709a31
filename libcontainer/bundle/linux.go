package bundle

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/plan"
)

// namespaceSet is which kinds of namespaces a container does not share with
// the runtime, as CLONE_NEW* flags.
type namespaceSet struct {
	all    uint64
	joined uint64
}

func (s *namespaceSet) isNew(flag uint64) bool { return s.all&^s.joined&flag != 0 }
func (s *namespaceSet) user() bool             { return s.all&unix.CLONE_NEWUSER != 0 }

// namespaceSet checks the list of namespaces. It comes first, because much of
// the rest depends on it.
func (c *checker) namespaceSet(l *specs.Linux) namespaceSet {
	var set namespaceSet
	if l == nil {
		return set
	}
	for i := range l.Namespaces {
		n := &l.Namespaces[i]
		kind, known := plan.NamespaceByName(string(n.Type))
		switch {
		case n.Type == "":
			c.bad(at("/linux/namespaces", i, "type"), nil, ruleRequired)
		case !known:
			c.bad(at("/linux/namespaces", i, "type"), string(n.Type), "unknown kind of namespace")
		case set.all&kind.Flag != 0:
			c.bad(at("/linux/namespaces", i, "type"), string(n.Type), "is there twice")
		}
		set.all |= kind.Flag
		if n.Path == "" {
			continue
		}
		set.joined |= kind.Flag
		if !isAbs(n.Path) {
			c.bad(at("/linux/namespaces", i, "path"), n.Path, ruleAbsolute)
		}
		if hasNUL(n.Path) {
			c.bad(at("/linux/namespaces", i, "path"), n.Path, ruleNUL)
		}
	}
	return set
}

func (c *checker) linux(l *specs.Linux, ns *namespaceSet) {
	if l == nil {
		return
	}
	c.userNamespace(l, ns)
	c.timeOffsets(l.TimeOffsets, ns)
	c.sysctls(l.Sysctl, ns.all)
	c.cgroupsPath(l.CgroupsPath)
	c.resources(l.Resources)
	c.devices(l.Devices, ns)
	c.netDevices(l.NetDevices, ns)
	c.intelRdt(l.IntelRdt)
	c.paths("/linux/maskedPaths", l.MaskedPaths, ns)
	c.paths("/linux/readonlyPaths", l.ReadonlyPaths, ns)
	c.selinuxLabel("/linux/mountLabel", l.MountLabel)
	c.personality(l.Personality)
	c.memoryPolicy(l.MemoryPolicy)
	c.listener(l.Seccomp)
	if p := l.RootfsPropagation; p != "" {
		if _, known := plan.Propagation(p); !known {
			c.bad("/linux/rootfsPropagation", p, "must be one of "+strings.Join(plan.PropagationNames(), ", "))
		} else if !ns.isNew(unix.CLONE_NEWNS) {
			c.bad("/linux/rootfsPropagation", p, ruleOwnMounts)
		}
	}
}

// userNamespace checks that there are mappings where there must be, and only
// there. A joined namespace has its own; they may be repeated in the config,
// as engines do, and are not needed.
func (c *checker) userNamespace(l *specs.Linux, ns *namespaceSet) {
	for _, m := range [...]struct {
		pointer string
		list    []specs.LinuxIDMapping
	}{{"/linux/uidMappings", l.UIDMappings}, {"/linux/gidMappings", l.GIDMappings}} {
		switch {
		case len(m.list) > 0 && !ns.user():
			c.bad(m.pointer, nil, "needs a user namespace")
		case len(m.list) == 0 && ns.isNew(unix.CLONE_NEWUSER):
			c.bad(m.pointer, nil, "is required for a new user namespace")
		case len(m.list) > 0:
			if c.mappings(m.pointer, m.list) && !mapped(m.list, 0) {
				c.bad(m.pointer, nil, "a container whose id 0 is not mapped is not supported")
			}
		}
	}
}

// maxMappings is what the kernel takes, in less than a page of lines
// (user_namespaces(7)).
const maxMappings = 340

// mappings checks one list of id mappings and reports whether it is good.
func (c *checker) mappings(pointer string, list []specs.LinuxIDMapping) bool {
	before := len(c.problems)
	if len(list) > maxMappings {
		c.bad(pointer, len(list), "has more than the 340 entries that the kernel takes")
		return false
	}
	if size, page := mapSize(list), unix.Getpagesize(); size >= page {
		c.bad(pointer, nil, "takes "+strconv.Itoa(size)+" bytes as the lines of a map, and the kernel takes less than "+strconv.Itoa(page))
		return false
	}
	const ids = 1 << 32
	for i, m := range list {
		switch {
		case m.Size == 0:
			c.bad(at(pointer, i, "size"), 0, "must be greater than zero")
		case uint64(m.ContainerID)+uint64(m.Size) > ids:
			c.bad(at(pointer, i), nil, "ids of the container go beyond 4294967295")
		case uint64(m.HostID)+uint64(m.Size) > ids:
			c.bad(at(pointer, i), nil, "ids of the host go beyond 4294967295")
		}
		for j, o := range list[:i] {
			if overlap(m.ContainerID, m.Size, o.ContainerID, o.Size) {
				c.bad(at(pointer, i, "containerID"), m.ContainerID, "overlaps "+at(pointer, j))
			} else if overlap(m.HostID, m.Size, o.HostID, o.Size) {
				c.bad(at(pointer, i, "hostID"), m.HostID, "overlaps "+at(pointer, j))
			}
		}
	}
	return len(c.problems) == before
}

// mapSize is the length of the lines that the mappings are written as.
func mapSize(list []specs.LinuxIDMapping) int {
	size := 0
	var number [10]byte
	for _, m := range list {
		for _, n := range [...]uint32{m.ContainerID, m.HostID, m.Size} {
			size += len(strconv.AppendUint(number[:0], uint64(n), 10)) + len(" ")
		}
	}
	return size
}

func overlap(a, sizeA, b, sizeB uint32) bool {
	return uint64(a) < uint64(b)+uint64(sizeB) && uint64(b) < uint64(a)+uint64(sizeA)
}

func mapped(list []specs.LinuxIDMapping, id uint32) bool {
	for _, m := range list {
		if id >= m.ContainerID && uint64(id) < uint64(m.ContainerID)+uint64(m.Size) {
			return true
		}
	}
	return false
}

func (c *checker) timeOffsets(offsets map[string]specs.LinuxTimeOffset, ns *namespaceSet) {
	if len(offsets) == 0 {
		return
	}
	if !ns.isNew(unix.CLONE_NEWTIME) {
		c.bad("/linux/timeOffsets", nil, "needs a new time namespace")
	}
	for _, clock := range sortedKeys(offsets) {
		if _, known := plan.ClockByName(clock); !known {
			c.bad(at("/linux/timeOffsets", clock), nil, "unknown clock, must be monotonic or boottime")
		}
		if n := offsets[clock].Nanosecs; n >= 1e9 {
			c.bad(at("/linux/timeOffsets", clock, "nanosecs"), n, "must be less than a second, 1000000000")
		}
	}
}

func (c *checker) sysctls(sysctls map[string]string, namespaces uint64) {
	var bad []string
	for name, value := range sysctls {
		if plan.SysctlAllowed(name, namespaces) != nil || hasNUL(value) {
			bad = append(bad, name)
		}
	}
	slices.Sort(bad)
	for _, name := range bad {
		if err := plan.SysctlAllowed(name, namespaces); err != nil {
			c.bad(at("/linux/sysctl", name), nil, err.Error())
		}
		c.text(at("/linux/sysctl", name), sysctls[name])
	}
}

func (c *checker) cgroupsPath(cgroup string) {
	const pointer = "/linux/cgroupsPath"
	if cgroup == "" || !c.text(pointer, cgroup) {
		return
	}
	if path.Clean("/"+cgroup) == "/" {
		c.bad(pointer, cgroup, "must not be the root of all cgroups")
	}
	for part := range strings.SplitSeq(cgroup, "/") {
		switch {
		case part == "..":
			c.bad(pointer, cgroup, "must not contain ..")
			return
		case len(part) > unix.NAME_MAX:
			c.bad(pointer, cgroup, "has a name of more than 255 bytes")
			return
		}
	}
}

// Device numbers have 12 and 20 bits in Linux.
const (
	maxMajor = 1<<12 - 1
	maxMinor = 1<<20 - 1
)

func (c *checker) devices(devices []specs.LinuxDevice, ns *namespaceSet) {
	if len(devices) > 0 && !ns.isNew(unix.CLONE_NEWNS) {
		c.bad("/linux/devices", nil, ruleOwnMounts)
	}
	seen := make(map[string]int, len(devices))
	for i := range devices {
		d := &devices[i]
		c.device(i, d)
		clean := path.Clean("/" + d.Path)
		if j, twice := seen[clean]; twice {
			if o := &devices[j]; o.Type != d.Type || o.Major != d.Major || o.Minor != d.Minor {
				c.bad(at("/linux/devices", i, "path"), d.Path, "is there twice, as another device in "+at("/linux/devices", j))
			}
			continue
		}
		seen[clean] = i
	}
}

func (c *checker) device(i int, d *specs.LinuxDevice) {
	switch {
	case d.Path == "":
		c.bad(at("/linux/devices", i, "path"), nil, ruleRequired)
	case !isAbs(d.Path):
		c.bad(at("/linux/devices", i, "path"), d.Path, ruleAbsolute)
	case path.Clean(d.Path) == "/":
		c.bad(at("/linux/devices", i, "path"), d.Path, "must lie below the root")
	}
	if hasNUL(d.Path) {
		c.bad(at("/linux/devices", i, "path"), d.Path, ruleNUL)
	}
	switch d.Type {
	case "c", "b", "u", "p":
	case "":
		c.bad(at("/linux/devices", i, "type"), nil, ruleRequired)
	default:
		c.bad(at("/linux/devices", i, "type"), d.Type, "must be one of b, c, p, u")
	}
	if d.UID != nil && *d.UID == noID {
		c.bad(at("/linux/devices", i, "uid"), *d.UID, ruleNoID)
	}
	if d.GID != nil && *d.GID == noID {
		c.bad(at("/linux/devices", i, "gid"), *d.GID, ruleNoID)
	}
	if d.Type == "p" {
		return
	}
	if d.Type != "" && d.Major == 0 && d.Minor == 0 {
		c.bad(at("/linux/devices", i, "major"), nil, "is required, and minor: no device has both 0")
	}
	if d.Major < 0 || d.Major > maxMajor {
		c.bad(at("/linux/devices", i, "major"), d.Major, "must be from 0 to 4095")
	}
	if d.Minor < 0 || d.Minor > maxMinor {
		c.bad(at("/linux/devices", i, "minor"), d.Minor, "must be from 0 to 1048575")
	}
}

func (c *checker) paths(pointer string, paths []string, ns *namespaceSet) {
	if len(paths) > 0 && !ns.isNew(unix.CLONE_NEWNS) {
		c.bad(pointer, nil, ruleOwnMounts)
	}
	for i, p := range paths {
		switch {
		case hasNUL(p):
			c.bad(at(pointer, i), p, ruleNUL)
		case !isAbs(p):
			c.bad(at(pointer, i), p, ruleAbsolute)
		case path.Clean(p) == "/":
			c.bad(at(pointer, i), p, "must lie below the root")
		}
	}
}
