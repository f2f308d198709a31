package bundle

import (
	"math"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// ruleV1 is about values that only the first version of cgroups knew.
const ruleV1 = "has no equivalent on cgroup2"

func (c *checker) resources(r *specs.LinuxResources) {
	if r == nil {
		return
	}
	for i := range r.Devices {
		c.deviceRule(i, &r.Devices[i])
	}
	c.memory(r.Memory)
	c.cpu(r.CPU)
	if p := r.Pids; p != nil && p.Limit != nil {
		c.limit("/linux/resources/pids/limit", p.Limit)
	}
	c.blockIO(r.BlockIO)
	c.hugepages(r.HugepageLimits)
	for _, name := range sortedKeys(r.Rdma) {
		if l := r.Rdma[name]; l.HcaHandles == nil && l.HcaObjects == nil {
			c.bad(at("/linux/resources/rdma", name), nil, "must have hcaHandles or hcaObjects")
		}
		if name == "" || strings.ContainsAny(name, " \n\x00") {
			c.bad(at("/linux/resources/rdma", name), nil, "not the name of a device")
		}
	}
	for _, key := range sortedKeys(r.Unified) {
		c.unified(key, r.Unified[key])
	}
}

func (c *checker) deviceRule(i int, d *specs.LinuxDeviceCgroup) {
	const pointer = "/linux/resources/devices"
	switch d.Type {
	case "", "a", "b", "c":
	default:
		c.bad(at(pointer, i, "type"), d.Type, "must be one of a, b, c")
	}
	for _, ch := range d.Access {
		if !strings.ContainsRune("rwm", ch) {
			c.bad(at(pointer, i, "access"), d.Access, "must consist of r, w and m")
			break
		}
	}
	// -1 is how older engines say any.
	for _, n := range [...]struct {
		name  string
		value *int64
	}{{"major", d.Major}, {"minor", d.Minor}} {
		if n.value != nil && (*n.value < -1 || *n.value > 1<<32-1) {
			c.bad(at(pointer, i, n.name), *n.value, "must be from 0 to 4294967295, or -1 for any")
		}
	}
}

// limit checks a number of which -1 means without limit.
func (c *checker) limit(pointer string, n *int64) {
	if n != nil && *n < -1 {
		c.bad(pointer, *n, "must not be negative, but for -1, which is no limit")
	}
}

func (c *checker) memory(m *specs.LinuxMemory) {
	if m == nil {
		return
	}
	const pointer = "/linux/resources/memory"
	c.limit(pointer+"/limit", m.Limit)
	c.limit(pointer+"/reservation", m.Reservation)
	c.limit(pointer+"/swap", m.Swap)
	if m.Swap != nil && *m.Swap > 0 {
		switch {
		case m.Limit == nil || *m.Limit == 0:
			c.bad(pointer+"/swap", *m.Swap, "is memory and swap together, and needs a memory limit")
		case *m.Limit == -1:
			c.bad(pointer+"/swap", *m.Swap, "is memory and swap together, and the memory limit is none")
		case *m.Swap < *m.Limit:
			c.bad(pointer+"/swap", *m.Swap, "is memory and swap together, and less than the memory limit")
		}
	}
	if m.DisableOOMKiller != nil && *m.DisableOOMKiller {
		c.bad(pointer+"/disableOOMKiller", true, ruleV1)
	}
	if m.UseHierarchy != nil && !*m.UseHierarchy {
		c.bad(pointer+"/useHierarchy", false, ruleV1)
	}
	// 0 and -1 are how engines say that there is none, whatever the type.
	if s := m.Swappiness; s != nil && *s != 0 && *s != math.MaxUint64 {
		c.bad(pointer+"/swappiness", *s, ruleV1)
	}
	//lint:ignore SA1019 deprecated, and still sent
	kernel := m.Kernel
	for _, n := range [...]struct {
		name  string
		value *int64
	}{{"kernel", kernel}, {"kernelTCP", m.KernelTCP}} {
		if n.value != nil && *n.value != 0 && *n.value != -1 {
			c.bad(pointer+"/"+n.name, *n.value, ruleV1)
		}
	}
}

func (c *checker) cpu(r *specs.LinuxCPU) {
	if r == nil {
		return
	}
	const pointer = "/linux/resources/cpu"
	if r.RealtimeRuntime != nil && *r.RealtimeRuntime != 0 {
		c.bad(pointer+"/realtimeRuntime", *r.RealtimeRuntime, ruleV1)
	}
	if r.RealtimePeriod != nil && *r.RealtimePeriod != 0 {
		c.bad(pointer+"/realtimePeriod", *r.RealtimePeriod, ruleV1)
	}
	if r.Burst != nil && r.Quota != nil && *r.Quota > 0 && *r.Burst > uint64(*r.Quota) {
		c.bad(pointer+"/burst", *r.Burst, "must not be above the quota")
	}
	if r.Idle != nil && *r.Idle != 0 && *r.Idle != 1 {
		c.bad(pointer+"/idle", *r.Idle, "must be 0 or 1")
	}
	c.idList(pointer+"/cpus", r.Cpus)
	c.idList(pointer+"/mems", r.Mems)
}

// idList checks the form of a list of processors or nodes: "0-3,5".
func (c *checker) idList(pointer, list string) {
	for _, ch := range list {
		if !strings.ContainsRune("0123456789-,:/ \n", ch) {
			c.bad(pointer, list, "must be a list of numbers and ranges, such as 0-3,5")
			return
		}
	}
}

func (c *checker) blockIO(b *specs.LinuxBlockIO) {
	if b == nil {
		return
	}
	const pointer = "/linux/resources/blockIO"
	c.ioWeight(pointer+"/weight", b.Weight)
	if b.LeafWeight != nil && *b.LeafWeight != 0 {
		c.bad(pointer+"/leafWeight", *b.LeafWeight, ruleV1)
	}
	for i := range b.WeightDevice {
		d := &b.WeightDevice[i]
		here := at(pointer, "weightDevice", i)
		c.blockDevice(here, &d.LinuxBlockIODevice)
		if d.Weight == nil && d.LeafWeight == nil {
			c.bad(here, nil, "must have weight or leafWeight")
		}
		c.ioWeight(here+"/weight", d.Weight)
		if d.LeafWeight != nil && *d.LeafWeight != 0 {
			c.bad(here+"/leafWeight", *d.LeafWeight, ruleV1)
		}
	}
	for _, t := range [...]struct {
		name string
		list []specs.LinuxThrottleDevice
	}{
		{"throttleReadBpsDevice", b.ThrottleReadBpsDevice}, {"throttleWriteBpsDevice", b.ThrottleWriteBpsDevice},
		{"throttleReadIOPSDevice", b.ThrottleReadIOPSDevice}, {"throttleWriteIOPSDevice", b.ThrottleWriteIOPSDevice},
	} {
		for i := range t.list {
			c.blockDevice(at(pointer, t.name, i), &t.list[i].LinuxBlockIODevice)
		}
	}
}

// ioWeight checks a weight; 0 is how engines say none.
func (c *checker) ioWeight(pointer string, w *uint16) {
	if w != nil && *w != 0 && (*w < 10 || *w > 1000) {
		c.bad(pointer, *w, "must be from 10 to 1000")
	}
}

func (c *checker) blockDevice(pointer string, d *specs.LinuxBlockIODevice) {
	if d.Major < 0 || d.Major > maxMajor {
		c.bad(pointer+"/major", d.Major, "must be from 0 to 4095")
	}
	if d.Minor < 0 || d.Minor > maxMinor {
		c.bad(pointer+"/minor", d.Minor, "must be from 0 to 1048575")
	}
}

func (c *checker) hugepages(limits []specs.LinuxHugepageLimit) {
	for i := range limits {
		size := limits[i].Pagesize
		if size == "" {
			c.bad(at("/linux/resources/hugepageLimits", i, "pageSize"), nil, ruleRequired)
			continue
		}
		if !pageSize(size) {
			c.bad(at("/linux/resources/hugepageLimits", i, "pageSize"), size, "must be a size such as 64KB, 2MB or 1GB")
		}
		for j := range limits[:i] {
			if limits[j].Pagesize == size {
				c.bad(at("/linux/resources/hugepageLimits", i, "pageSize"), size, "is there twice")
				break
			}
		}
	}
}

// pageSize reports whether s is a size as the names of the files have it.
func pageSize(s string) bool {
	for _, unit := range [...]string{"KB", "MB", "GB"} {
		if n, ok := strings.CutSuffix(s, unit); ok {
			return isNumber(n) && n != "0"
		}
	}
	return false
}

// ownCgroupFiles are the files of a cgroup with which this program keeps its
// promises: they are not limits.
var ownCgroupFiles = [...]string{
	"cgroup.procs", "cgroup.threads", "cgroup.kill", "cgroup.freeze", "cgroup.subtree_control", "cgroup.type",
}

func (c *checker) unified(key, value string) {
	pointer := at("/linux/resources/unified", key)
	controller, parameter, dotted := strings.Cut(key, ".")
	switch {
	case hasNUL(key):
		c.bad(pointer, nil, "must not have a NUL byte in its name")
	case strings.Contains(key, "/"):
		c.bad(pointer, nil, "must be the name of a file, without slashes")
	case !dotted || controller == "" || parameter == "" || parameter[0] == '.':
		c.bad(pointer, nil, "must have the form CONTROLLER.PARAMETER")
	}
	for _, own := range ownCgroupFiles {
		if key == own {
			c.bad(pointer, nil, "is not a limit")
		}
	}
	c.text(pointer, value)
}
