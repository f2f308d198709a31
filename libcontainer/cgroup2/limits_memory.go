package cgroup2

import (
	"errors"
	"fmt"
	"math"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// memory converts the memory limits. In cgroup v1 swap is the limit of memory
// and swap together, in cgroup2 of swap alone. 0 means not set, as engines
// have always used it.
func (t *translation) memory(m *specs.LinuxMemory) {
	if m == nil {
		return
	}
	limit, total := value(m.Limit), value(m.Swap)
	if swap, ok := t.swap(limit, total); ok && swap != "" {
		s := Setting{File: "memory.swap.max", Value: swap, Field: "/memory/swap"}
		// A kernel without swap accounting has no such file. To forbid swap is
		// what the kubelet asks of every container, and it is not held against
		// such a kernel by runc either.
		s.Optional = swap == noLimit || swap == "0"
		t.set(s)
	}
	if limit != 0 {
		if v, ok := t.limit("/memory/limit", limit); ok {
			t.set(Setting{File: "memory.max", Value: v, Field: "/memory/limit", Optional: v == noLimit})
		}
	}
	if low := value(m.Reservation); low != 0 {
		if v, ok := t.limit("/memory/reservation", low); ok {
			t.set(Setting{File: "memory.low", Value: v, Field: "/memory/reservation"})
		}
	}
	if isTrue(m.CheckBeforeUpdate) && (limit > 0 || total > 0) {
		t.limits.belowUsage = &memoryCheck{limit: limit, total: total}
	}
	t.memoryOfV1(m)
}

// swap converts the limit of memory and swap to one of swap.
func (t *translation) swap(limit, total int64) (string, bool) {
	const field = "/memory/swap"
	switch {
	case limit < -1:
		return "", false // said about the limit
	case total == -1, limit == -1 && total == 0:
		return noLimit, true
	case total == 0:
		return "", true
	case total < 0:
		return t.limit(field, total)
	case limit == 0:
		t.fail(field, "needs memory/limit, being the limit of memory and swap together")
		return "", false
	case limit == -1:
		return fmt.Sprint(total), true // memory is not limited, so this is swap's share
	case total < limit:
		t.fail(field, "%d is less than memory/limit %d, which it includes", total, limit)
		return "", false
	}
	return fmt.Sprint(total - limit), true
}

// memoryOfV1 refuses what cgroup2 has nothing for. What engines send for "not
// set", and what is so anyway, is no wish: kernel memory of 0 comes with each
// docker update, a swappiness of 0 with podman's copies of containers, and one
// of -1, unsigned here, with old Dockers.
func (t *translation) memoryOfV1(m *specs.LinuxMemory) {
	//lint:ignore SA1019 it is deprecated, and still sent
	kernel := m.Kernel
	if n := value(kernel); n != 0 && n != -1 {
		t.fail("/memory/kernel", "not supported: cgroup2 counts kernel memory with the rest")
	}
	if n := value(m.KernelTCP); n != 0 && n != -1 {
		t.fail("/memory/kernelTCP", "not supported: cgroup2 counts kernel memory with the rest")
	}
	if m.UseHierarchy != nil && !*m.UseHierarchy {
		t.fail("/memory/useHierarchy", "not supported: cgroup2 is always hierarchical")
	}
	if n := value(m.Swappiness); n != 0 && n != math.MaxUint64 {
		t.fail("/memory/swappiness", "not supported: cgroup2 has none per cgroup")
	}
	if isTrue(m.DisableOOMKiller) {
		t.fail("/memory/disableOOMKiller", "not supported: cgroup2 cannot do without the OOM killer")
	}
}

// checkUsage refuses memory limits that are lower than what c uses: cgroup2
// would take them, and kill.
func (m *memoryCheck) checkUsage(c *Cgroup) error {
	if m == nil {
		return nil
	}
	memory, err := c.usage("memory.current")
	if err != nil {
		return err
	}
	swap, err := c.usage("memory.swap.current")
	if err != nil && !errors.Is(err, unix.ENOENT) { // a kernel that counts none
		return err
	}
	for _, l := range [...]struct {
		name  string
		value int64
		used  uint64
	}{{"memory/limit", m.limit, memory}, {"memory/swap", m.total, memory + swap}} {
		if l.value > 0 && uint64(l.value) < l.used {
			return fmt.Errorf("set %s to %d in %s: %d bytes are in use (memory/checkBeforeUpdate is set)", l.name, l.value, c.path, l.used)
		}
	}
	return nil
}

// usage reads how many bytes are in use.
func (c *Cgroup) usage(file string) (uint64, error) {
	text, err := c.read(file)
	if err != nil {
		return 0, err
	}
	n, _, err := parseMax(strings.TrimSpace(text))
	if err != nil {
		return 0, fmt.Errorf("read %s of cgroup %s: %w", file, c.path, err)
	}
	return n, nil
}

// value returns what p points to, 0 for nothing.
func value[T int64 | uint64](p *T) T {
	if p == nil {
		return 0
	}
	return *p
}

func isTrue(p *bool) bool { return p != nil && *p }
