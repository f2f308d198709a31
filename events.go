package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/mesoc/mesoc/libcontainer"
)

var eventsCommand = command{
	name:      "events",
	usage:     "print what happens to a container",
	arguments: "ID",
	description: `Prints a line of JSON whenever the container runs out of memory, and one with
its figures once an interval, until it ends.`,
	options: [][]option{{
		{name: "interval", meta: "DURATION", usage: "time between two lines of figures (default: 5s)"},
		{name: "stats", kind: boolean, usage: "print the figures once and nothing else"},
	}},
	minArgs: 1, maxArgs: 1, takesID: true,
	run: events,
}

func events(c *call) error {
	interval, err := c.flags.interval(5 * time.Second)
	if err != nil {
		return err
	}
	out := json.NewEncoder(c.stdout)
	if c.flags.is("stats") {
		s, err := c.runtime().Usage(c.id())
		if err != nil {
			return err
		}
		return out.Encode(runcEvent{Type: "stats", ID: c.id(), Data: newRuncStats(s)})
	}
	return c.runtime().Events(c.id(), interval, func(e libcontainer.Event) error {
		if e.Stats == nil {
			return out.Encode(runcEvent{Type: "oom", ID: e.ID})
		}
		return out.Encode(runcEvent{Type: "stats", ID: e.ID, Data: newRuncStats(e.Stats)})
	})
}

// interval is the duration that was asked for.
func (g given) interval(byDefault time.Duration) (time.Duration, error) {
	value, ok := g.last("interval")
	if !ok {
		return byDefault, nil
	}
	d, err := time.ParseDuration(value)
	if err != nil {
		return 0, fmt.Errorf("read --interval %q: must be a duration such as 5s or 500ms", value)
	}
	if d <= 0 {
		return 0, errors.New("duration interval must be greater than 0") // runc's words
	}
	return d, nil
}

// runcEvent and what is in it are runc's, types/events.go: engines decode it
// into those. What cgroup2 does not count is 0 there.
type runcEvent struct {
	Type string     `json:"type"`
	ID   string     `json:"id"`
	Data *runcStats `json:"data,omitempty"`
}

type runcStats struct {
	CPU        runcCPU                `json:"cpu"`
	CPUSet     runcCPUSet             `json:"cpuset"`
	Memory     runcMemory             `json:"memory"`
	Pids       runcPids               `json:"pids"`
	Blkio      runcBlkio              `json:"blkio"`
	Hugetlb    map[string]runcHugetlb `json:"hugetlb"`
	IntelRdt   struct{}               `json:"intel_rdt"`
	Interfaces []runcInterface        `json:"network_interfaces"`
}

type runcCPU struct {
	Usage struct {
		Total  uint64 `json:"total,omitempty"`
		Kernel uint64 `json:"kernel"`
		User   uint64 `json:"user"`
	} `json:"usage"`
	Throttling struct {
		Periods          uint64 `json:"periods,omitempty"`
		ThrottledPeriods uint64 `json:"throttledPeriods,omitempty"`
		ThrottledTime    uint64 `json:"throttledTime,omitempty"`
	} `json:"throttling"`
	PSI *runcPSI `json:"psi,omitempty"`
}

// runcCPUSet is of cgroup v1.
type runcCPUSet struct {
	CPUExclusive     int `json:"cpu_exclusive"`
	MemHardwall      int `json:"mem_hardwall"`
	MemExclusive     int `json:"mem_exclusive"`
	MemoryMigrate    int `json:"memory_migrate"`
	MemorySpreadPage int `json:"memory_spread_page"`
	MemorySpreadSlab int `json:"memory_spread_slab"`
	MemoryPressure   int `json:"memory_pressure"`
	SchedLoadBalance int `json:"sched_load_balance"`
	SchedRelaxLevel  int `json:"sched_relax_domain_level"`
}

type runcMemory struct {
	Cache     uint64            `json:"cache,omitempty"`
	Usage     runcMemoryEntry   `json:"usage"`
	Swap      runcMemoryEntry   `json:"swap"`
	Kernel    runcMemoryEntry   `json:"kernel"`
	KernelTCP runcMemoryEntry   `json:"kernelTCP"`
	Raw       map[string]uint64 `json:"raw,omitempty"`
	PSI       *runcPSI          `json:"psi,omitempty"`
}

type runcMemoryEntry struct {
	Limit   uint64 `json:"limit"`
	Usage   uint64 `json:"usage,omitempty"`
	Max     uint64 `json:"max,omitempty"`
	Failcnt uint64 `json:"failcnt"`
}

type runcPids struct {
	Current uint64 `json:"current,omitempty"`
	Limit   uint64 `json:"limit,omitempty"`
}

type runcBlkio struct {
	ServiceBytes []runcBlkioEntry `json:"ioServiceBytesRecursive,omitempty"`
	Serviced     []runcBlkioEntry `json:"ioServicedRecursive,omitempty"`
	PSI          *runcPSI         `json:"psi,omitempty"`
}

type runcBlkioEntry struct {
	Major uint64 `json:"major,omitempty"`
	Minor uint64 `json:"minor,omitempty"`
	Op    string `json:"op,omitempty"`
	Value uint64 `json:"value,omitempty"`
}

type runcHugetlb struct {
	Usage   uint64 `json:"usage,omitempty"`
	Max     uint64 `json:"max,omitempty"`
	Failcnt uint64 `json:"failcnt"`
}

type runcInterface struct {
	Name                                    string
	RxBytes, RxPackets, RxErrors, RxDropped uint64
	TxBytes, TxPackets, TxErrors, TxDropped uint64
}

type runcPSI struct {
	Some runcStall `json:"some"`
	Full runcStall `json:"full"`
}

type runcStall struct {
	Avg10  float64 `json:"avg10"`
	Avg60  float64 `json:"avg60"`
	Avg300 float64 `json:"avg300"`
	Total  uint64  `json:"total"`
}
