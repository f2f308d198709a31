package plan

import (
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Attributes are what a process keeps when it executes another program, beside
// its rights, its limits and its files. Each is nil if it is to stay as it is.
type Attributes struct {
	Scheduler    *Scheduler
	IOPriority   *IOPriority
	Personality  *uint32 // for personality(2)
	MemoryPolicy *MemoryPolicy
}

// Scheduler is the argument of sched_setattr(2).
type Scheduler struct {
	unix.SchedAttr
}

// IOPriority is a class and a level in it, for ioprio_set(2).
type IOPriority struct {
	Class, Level uint32
}

// MemoryPolicy is the argument of set_mempolicy(2).
type MemoryPolicy struct {
	Mode, Flags uint32
	Nodes       []uint64 // a bit for each node; nil for none
	NodeList    string   // the same, as the config has it
}

// Affinity is where a process may run that is executed in a container: before
// it has joined the container's cgroup, and from then on. A bit for each
// processor; nil for no wish.
type Affinity struct {
	Initial, Final []uint64
}

// The names of the spec; the index is the kernel's number for what is named,
// or its bit (linux/sched.h, linux/ioprio.h, linux/mempolicy.h). The lowest
// flag of a memory policy is bit memoryFlagShift.
var (
	schedulerPolicies = [...]string{
		"SCHED_OTHER", "SCHED_FIFO", "SCHED_RR", "SCHED_BATCH", "SCHED_ISO", "SCHED_IDLE", "SCHED_DEADLINE",
	}
	schedulerFlags = [...]string{
		"SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_RECLAIM", "SCHED_FLAG_DL_OVERRUN", "SCHED_FLAG_KEEP_POLICY",
		"SCHED_FLAG_KEEP_PARAMS", "SCHED_FLAG_UTIL_CLAMP_MIN", "SCHED_FLAG_UTIL_CLAMP_MAX",
	}
	ioPriorityClasses = [...]string{"", "IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE"}
	memoryPolicyModes = [...]string{
		"MPOL_DEFAULT", "MPOL_PREFERRED", "MPOL_BIND", "MPOL_INTERLEAVE", "MPOL_LOCAL",
		"MPOL_PREFERRED_MANY", "MPOL_WEIGHTED_INTERLEAVE",
	}
	memoryPolicyFlags = [...]string{"MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES"}
)

const memoryFlagShift = 13

// ioClassShift is where the class stands in an I/O priority (linux/ioprio.h).
const ioClassShift = 13

// SchedulerPolicies are the names of scheduling policies (sched(7)).
func SchedulerPolicies() []string { return slices.Clone(schedulerPolicies[:]) }

// SchedulerFlags are the names of flags for sched_setattr(2).
func SchedulerFlags() []string { return slices.Clone(schedulerFlags[:]) }

// IOPriorityClasses are the names of classes of I/O priorities (ioprio_set(2)).
func IOPriorityClasses() []string { return slices.Clone(ioPriorityClasses[1:]) }

// MemoryPolicyModes are the names of modes of memory policies (set_mempolicy(2)).
func MemoryPolicyModes() []string { return slices.Clone(memoryPolicyModes[:]) }

// MemoryPolicyFlags are the names of flags of memory policies (set_mempolicy(2)).
func MemoryPolicyFlags() []string { return slices.Clone(memoryPolicyFlags[:]) }

// Personality is the number of an execution domain of the spec (personality(2)).
func Personality(domain string) (persona uint32, known bool) {
	switch specs.LinuxPersonalityDomain(domain) {
	case specs.PerLinux:
		return 0, true
	case specs.PerLinux32:
		return 8, true
	}
	return 0, false
}

// NewAttributes translates those of a valid process and of its container; l may be nil.
func NewAttributes(s *specs.Process, l *specs.Linux) Attributes {
	var a Attributes
	if s.Scheduler != nil {
		a.Scheduler = newScheduler(s.Scheduler)
	}
	if p := s.IOPriority; p != nil {
		a.IOPriority = &IOPriority{Class: number(ioPriorityClasses[:], string(p.Class)), Level: uint32(p.Priority)}
	}
	if l != nil && l.Personality != nil {
		persona, _ := Personality(string(l.Personality.Domain))
		a.Personality = &persona
	}
	if l != nil && l.MemoryPolicy != nil {
		m := l.MemoryPolicy
		a.MemoryPolicy = &MemoryPolicy{Mode: number(memoryPolicyModes[:], string(m.Mode)), NodeList: m.Nodes}
		for _, f := range m.Flags {
			a.MemoryPolicy.Flags |= 1 << (memoryFlagShift + number(memoryPolicyFlags[:], string(f)))
		}
		a.MemoryPolicy.Nodes, _ = ParseIDs(m.Nodes, MaxNodes)
	}
	return a
}

// NewAffinity translates a valid wish; a may be nil.
func NewAffinity(a *specs.CPUAffinity) Affinity {
	var n Affinity
	if a != nil {
		n.Initial, _ = ParseIDs(a.Initial, MaxCPUs)
		n.Final, _ = ParseIDs(a.Final, MaxCPUs)
	}
	return n
}

func newScheduler(s *specs.Scheduler) *Scheduler {
	n := &Scheduler{unix.SchedAttr{
		Size:     unix.SizeofSchedAttr,
		Policy:   number(schedulerPolicies[:], string(s.Policy)),
		Nice:     s.Nice,
		Priority: uint32(s.Priority),
		Runtime:  s.Runtime,
		Deadline: s.Deadline,
		Period:   s.Period,
	}}
	for _, f := range s.Flags {
		n.Flags |= 1 << number(schedulerFlags[:], string(f))
	}
	return n
}

// number is that of a name that is known to be in the table.
func number(names []string, name string) uint32 { return uint32(slices.Index(names, name)) }

// String names the policy and the values that say something.
func (s *Scheduler) String() string {
	text := schedulerPolicies[s.Policy]
	for _, v := range [...]struct {
		name  string
		value int64
	}{{"nice", int64(s.Nice)}, {"priority", int64(s.Priority)}, {"runtime", int64(s.Runtime)},
		{"deadline", int64(s.Deadline)}, {"period", int64(s.Period)}} {
		if v.value != 0 {
			text += ", " + v.name + " " + strconv.FormatInt(v.value, 10)
		}
	}
	return text + flagNames(schedulerFlags[:], s.Flags)
}

// Value is the number for ioprio_set(2).
func (p *IOPriority) Value() uint32 { return p.Class<<ioClassShift | p.Level }

func (p *IOPriority) String() string {
	return ioPriorityClasses[p.Class] + " " + strconv.FormatUint(uint64(p.Level), 10)
}

// String names the policy, and the first kernel that has it where that is a
// newer one than the runtime needs: an older one says no more than EINVAL.
func (m *MemoryPolicy) String() string {
	text := memoryPolicyModes[m.Mode]
	if m.NodeList != "" {
		text += " on nodes " + m.NodeList
	}
	text += flagNames(memoryPolicyFlags[:], uint64(m.Flags>>memoryFlagShift))
	switch memoryPolicyModes[m.Mode] {
	case "MPOL_PREFERRED_MANY":
		text += " [since Linux 5.15]"
	case "MPOL_WEIGHTED_INTERLEAVE":
		text += " [since Linux 6.9]"
	}
	return text
}

func flagNames(names []string, flags uint64) string {
	var text strings.Builder
	for i, name := range names {
		if flags&(1<<i) != 0 {
			text.WriteString(", " + name)
		}
	}
	return text.String()
}
