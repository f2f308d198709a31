package cgroup2

import (
	"fmt"
	"math"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// cpu converts shares, bandwidth and placement.
func (t *translation) cpu(c *specs.LinuxCPU) {
	if c == nil {
		return
	}
	t.cpuWeight(c)
	t.cpuBandwidth(c)
	if c.Cpus != "" {
		t.set(Setting{File: "cpuset.cpus", Value: c.Cpus, Field: "/cpu/cpus"})
	}
	if c.Mems != "" {
		t.set(Setting{File: "cpuset.mems", Value: c.Mems, Field: "/cpu/mems"})
	}
	if value(c.RealtimeRuntime) != 0 {
		t.fail("/cpu/realtimeRuntime", "not supported: cgroup2 does not limit realtime processes")
	}
	if value(c.RealtimePeriod) != 0 {
		t.fail("/cpu/realtimePeriod", "not supported: cgroup2 does not limit realtime processes")
	}
}

// cpuWeight sets idle and weight. An idle cgroup has no weight, and the kernel
// refuses to give it one: it stops being idle first.
func (t *translation) cpuWeight(c *specs.LinuxCPU) {
	if c.Idle != nil {
		if *c.Idle != 0 && *c.Idle != 1 {
			t.fail("/cpu/idle", "%d is neither 0 nor 1", *c.Idle)
			return
		}
		t.set(Setting{
			File: "cpu.idle", Value: strconv.FormatInt(*c.Idle, 10), Field: "/cpu/idle",
			Optional: *c.Idle == 0, // kernels before 5.15 have no idle cgroups
		})
	}
	switch {
	case value(c.Shares) == 0:
	case value(c.Idle) == 1:
		t.ignore("/cpu/shares", "idle cgroups have no weight")
	default:
		t.set(Setting{File: "cpu.weight", Value: strconv.FormatUint(sharesToWeight(*c.Shares), 10), Field: "/cpu/shares"})
	}
}

// sharesToWeight maps the 2…262144 of cgroup v1, default 1024, to the
// 1…10000 of cgroup2, default 100. A straight line would make the one default
// 39 of the other; the curve through all three points, quadratic in the
// logarithms, is what runc and crun agreed on in 2025 (runc pull request 4785,
// ConvertCPUSharesToCgroupV2Value of github.com/opencontainers/cgroups).
func sharesToWeight(shares uint64) uint64 {
	const (
		sharesMin, sharesMax = 2, 262144
		weightMin, weightMax = 1, 10000
	)
	switch {
	case shares <= sharesMin:
		return weightMin
	case shares >= sharesMax:
		return weightMax
	}
	l := math.Log2(float64(shares))
	return uint64(math.Ceil(math.Pow(10, (l*l+125*l)/612-7.0/34)))
}

// cpuBandwidth sets quota, period and burst. The kernel holds burst to at most
// the quota at every moment, so which of the two must change first depends on
// what they were.
func (t *translation) cpuBandwidth(c *specs.LinuxCPU) {
	quota, period := value(c.Quota), value(c.Period)
	if quota != 0 || period != 0 {
		s := Setting{File: "cpu.max", Field: "/cpu/quota", WithNext: c.Burst != nil}
		switch {
		case quota == 0:
			// The period alone: the quota stays.
			s.Field, s.KeepFirst = "/cpu/period", true
			s.Value = strconv.FormatUint(period, 10)
		case quota < 0:
			s.Value, s.Optional = noLimit, true
		default:
			s.Value = strconv.FormatInt(quota, 10)
		}
		if quota != 0 && period != 0 {
			s.Value += fmt.Sprintf(" %d", period)
		}
		t.set(s)
	}
	if c.Burst != nil {
		t.set(Setting{
			File: "cpu.max.burst", Value: strconv.FormatUint(*c.Burst, 10), Field: "/cpu/burst",
			Optional: *c.Burst == 0, // kernels before 5.14 know no burst
		})
	}
}
