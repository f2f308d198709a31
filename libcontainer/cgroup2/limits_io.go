package cgroup2

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// blockIO converts weights and throttles.
func (t *translation) blockIO(b *specs.LinuxBlockIO) {
	if b == nil {
		return
	}
	const leafWeight = "not supported: cgroup2 has no weight of a cgroup's own processes"
	if b.Weight != nil && *b.Weight != 0 {
		t.weight("/blockIO/weight", "", *b.Weight)
	}
	if b.LeafWeight != nil && *b.LeafWeight != 0 {
		t.fail("/blockIO/leafWeight", leafWeight)
	}
	for i, d := range b.WeightDevice {
		field := fmt.Sprintf("/blockIO/weightDevice/%d", i)
		switch {
		case d.LeafWeight != nil && *d.LeafWeight != 0:
			t.fail(field+"/leafWeight", leafWeight)
		case d.Weight == nil && d.LeafWeight == nil:
			t.fail(field, "needs weight or leafWeight")
		case d.Weight == nil || *d.Weight == 0:
		default:
			if dev, ok := t.blockDevice(field, d.LinuxBlockIODevice); ok {
				t.weight(field+"/weight", dev+" ", *d.Weight)
			}
		}
	}
	t.throttles(b)
}

// weight sets the weight of the BFQ scheduler, whose scale is that of cgroup
// v1, or where there is none that of the io controller.
func (t *translation) weight(field, device string, weight uint16) {
	const weightMin, weightMax = 10, 1000
	if weight < weightMin || weight > weightMax {
		t.fail(field, "%d is not within %d and %d", weight, weightMin, weightMax)
		return
	}
	t.set(Setting{
		File: "io.bfq.weight", Value: fmt.Sprintf("%s%d", device, weight), Field: field,
		Else: &Setting{File: "io.weight", Value: fmt.Sprintf("%s%d", device, ioWeight(weight))},
	})
}

// ioWeight maps 10…1000 to 1…10000 in a straight line, as runc and crun do.
func ioWeight(weight uint16) uint64 {
	return 1 + (uint64(weight)-10)*9999/990
}

// throttles sets the limits of each device in one line, in the order in which
// the devices are first named.
func (t *translation) throttles(b *specs.LinuxBlockIO) {
	type limit struct {
		device, field string
		keys          []string
	}
	var limits []*limit
	for _, list := range []struct {
		name, key string
		devices   []specs.LinuxThrottleDevice
	}{
		{"throttleReadBpsDevice", "rbps", b.ThrottleReadBpsDevice},
		{"throttleWriteBpsDevice", "wbps", b.ThrottleWriteBpsDevice},
		{"throttleReadIOPSDevice", "riops", b.ThrottleReadIOPSDevice},
		{"throttleWriteIOPSDevice", "wiops", b.ThrottleWriteIOPSDevice},
	} {
		for i, d := range list.devices {
			field := fmt.Sprintf("/blockIO/%s/%d", list.name, i)
			device, ok := t.blockDevice(field, d.LinuxBlockIODevice)
			if !ok {
				continue
			}
			at := slices.IndexFunc(limits, func(l *limit) bool { return l.device == device })
			if at < 0 {
				at = len(limits)
				limits = append(limits, &limit{device: device, field: field})
			}
			rate := "max" // cgroup v1 takes a limit away with 0
			if d.Rate != 0 {
				rate = strconv.FormatUint(d.Rate, 10)
			}
			limits[at].keys = append(limits[at].keys, list.key+"="+rate)
		}
	}
	for _, l := range limits {
		t.set(Setting{File: "io.max", Value: l.device + " " + strings.Join(l.keys, " "), Field: l.field})
	}
}

// blockDevice writes a device as the io controller reads it.
func (t *translation) blockDevice(field string, d specs.LinuxBlockIODevice) (string, bool) {
	const majorMax, minorMax = 1<<12 - 1, 1<<20 - 1
	if d.Major < 0 || d.Major > majorMax || d.Minor < 0 || d.Minor > minorMax {
		t.fail(field, "%d:%d is not a block device", d.Major, d.Minor)
		return "", false
	}
	return fmt.Sprintf("%d:%d", d.Major, d.Minor), true
}

// hugepages limits what is used of each size of huge pages, and, where the
// kernel counts it, what is reserved: a program that reserves too much is told
// so at once instead of being killed at a page fault.
func (t *translation) hugepages(list []specs.LinuxHugepageLimit) {
	for i, h := range list {
		field := fmt.Sprintf("/hugepageLimits/%d", i)
		if !pageSize(h.Pagesize) {
			t.fail(field+"/pageSize", "%q is not a page size such as 64KB, 2MB or 1GB", h.Pagesize)
			continue
		}
		limit := strconv.FormatUint(h.Limit, 10)
		t.set(Setting{File: "hugetlb." + h.Pagesize + ".max", Value: limit, Field: field})
		t.set(Setting{File: "hugetlb." + h.Pagesize + ".rsvd.max", Value: limit, Field: field, Optional: true})
	}
}

// pageSize says whether s has the form of a page size in a file name.
func pageSize(s string) bool {
	digits, ok := "", false
	for _, unit := range [...]string{"KB", "MB", "GB"} {
		if digits, ok = strings.CutSuffix(s, unit); ok {
			break
		}
	}
	if !ok || digits == "" || digits[0] == '0' {
		return false
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return false
		}
	}
	return true
}

// rdma limits what is used of each RDMA device.
func (t *translation) rdma(limits map[string]specs.LinuxRdma) {
	names := make([]string, 0, len(limits))
	for name := range limits {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		field := "/rdma/" + escapePointer(name)
		limit := limits[name]
		if name == "" || strings.ContainsAny(name, " \t\n\x00") {
			t.fail(field, "%q is not the name of a device", name)
			continue
		}
		if limit.HcaHandles == nil && limit.HcaObjects == nil {
			t.fail(field, "needs hcaHandles or hcaObjects")
			continue
		}
		line := name
		if limit.HcaHandles != nil {
			line += fmt.Sprintf(" hca_handle=%d", *limit.HcaHandles)
		}
		if limit.HcaObjects != nil {
			line += fmt.Sprintf(" hca_object=%d", *limit.HcaObjects)
		}
		t.set(Setting{File: "rdma.max", Value: line, Field: field})
	}
}
