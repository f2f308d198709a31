package bundle

import (
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesoc/mesoc/libcontainer/plan"
)

// attributes checks what a process is to the scheduler and to the security modules.
func (c *checker) attributes(p *specs.Process) {
	c.scheduler(p.Scheduler)
	if i := p.IOPriority; i != nil {
		c.oneOf("/process/ioPriority/class", string(i.Class), plan.IOPriorityClasses())
		if i.Priority < 0 || i.Priority > 7 {
			c.bad("/process/ioPriority/priority", i.Priority, "must be from 0 to 7")
		}
	}
	if a := p.ExecCPUAffinity; a != nil {
		c.idSet("/process/execCPUAffinity/initial", a.Initial, plan.MaxCPUs)
		c.idSet("/process/execCPUAffinity/final", a.Final, plan.MaxCPUs)
	}
	if name := p.ApparmorProfile; strings.ContainsAny(name, "\x00\n") {
		c.bad("/process/apparmorProfile", name, "must not contain a NUL byte or a newline")
	}
	c.selinuxLabel("/process/selinuxLabel", p.SelinuxLabel)
}

// oneOf checks a word of the spec's and reports whether it is good.
func (c *checker) oneOf(pointer, value string, words []string) bool {
	switch {
	case value == "":
		c.bad(pointer, nil, ruleRequired)
	case !slices.Contains(words, value):
		c.bad(pointer, value, "must be one of "+strings.Join(words, ", "))
	default:
		return true
	}
	return false
}

// idSet checks a list of processors or nodes.
func (c *checker) idSet(pointer, list string, limit int) {
	if _, err := plan.ParseIDs(list, limit); err != nil {
		c.bad(pointer, list, err.Error())
	}
}

func (c *checker) selinuxLabel(pointer, label string) {
	if label == "" {
		return
	}
	if err := plan.CheckSELinuxLabel(label); err != nil {
		c.bad(pointer, label, err.Error())
	}
}

// scheduler checks what sched_setattr(2) would call invalid without saying what
// of it. With SCHED_FLAG_KEEP_PARAMS the values are those that the process has.
func (c *checker) scheduler(s *specs.Scheduler) {
	const pointer = "/process/scheduler"
	if s == nil {
		return
	}
	known := c.oneOf(pointer+"/policy", string(s.Policy), plan.SchedulerPolicies())
	keep := false
	for i, f := range s.Flags {
		c.oneOf(at(pointer, "flags", i), string(f), plan.SchedulerFlags())
		keep = keep || f == specs.SchedFlagKeepParams
	}
	if s.Nice < -20 || s.Nice > 19 {
		c.bad(pointer+"/nice", s.Nice, "must be from -20 to 19")
	}
	if !known {
		return
	}
	realtime := s.Policy == specs.SchedFIFO || s.Policy == specs.SchedRR
	switch {
	case !realtime && s.Priority != 0:
		c.bad(pointer+"/priority", s.Priority, "is for SCHED_FIFO and SCHED_RR only")
	case realtime && !keep && (s.Priority < 1 || s.Priority > 99):
		c.bad(pointer+"/priority", s.Priority, "must be from 1 to 99 for "+string(s.Policy))
	}
	switch deadline := s.Policy == specs.SchedDeadline; {
	case !deadline:
		for _, v := range [...]struct {
			name  string
			value uint64
		}{{"/runtime", s.Runtime}, {"/deadline", s.Deadline}, {"/period", s.Period}} {
			if v.value != 0 {
				c.bad(pointer+v.name, v.value, "is for SCHED_DEADLINE only")
			}
		}
	case keep:
	case s.Runtime < minRuntime:
		c.bad(pointer+"/runtime", s.Runtime, "must be at least 1024 ns for SCHED_DEADLINE")
	case s.Deadline < s.Runtime:
		c.bad(pointer+"/deadline", s.Deadline, "must not be below the runtime")
	case s.Period != 0 && s.Period < s.Deadline:
		c.bad(pointer+"/period", s.Period, "must not be below the deadline, unless it is 0 for the same")
	case max(s.Deadline, s.Period) > 1<<63-1:
		c.bad(pointer+"/deadline", s.Deadline, "must be below 2^63 ns, like the period")
	}
}

// minRuntime is the least that a deadline task can ask for (sched_setattr(2)).
const minRuntime = 1024

func (c *checker) personality(p *specs.LinuxPersonality) {
	if p == nil {
		return
	}
	c.oneOf("/linux/personality/domain", string(p.Domain), []string{string(specs.PerLinux), string(specs.PerLinux32)})
	for i, f := range p.Flags {
		c.bad(at("/linux/personality/flags", i), string(f), "unknown flag: the spec has none")
	}
}

// memoryPolicy checks what set_mempolicy(2) would call invalid on any machine.
func (c *checker) memoryPolicy(m *specs.LinuxMemoryPolicy) {
	const pointer = "/linux/memoryPolicy"
	if m == nil {
		return
	}
	c.idSet(pointer+"/nodes", m.Nodes, plan.MaxNodes)
	if c.oneOf(pointer+"/mode", string(m.Mode), plan.MemoryPolicyModes()) {
		switch m.Mode {
		case specs.MpolDefault, specs.MpolLocal:
			if m.Nodes != "" {
				c.bad(pointer+"/nodes", m.Nodes, "must be empty for "+string(m.Mode))
			}
		case specs.MpolPreferred:
		default:
			if m.Nodes == "" {
				c.bad(pointer+"/nodes", nil, "must not be empty for "+string(m.Mode))
			}
		}
	}
	for i, f := range m.Flags {
		c.oneOf(at(pointer, "flags", i), string(f), plan.MemoryPolicyFlags())
	}
	if slices.Contains(m.Flags, specs.MpolFStaticNodes) && slices.Contains(m.Flags, specs.MpolFRelativeNodes) {
		c.bad(pointer+"/flags", nil, "must not have both MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES")
	}
}
