package compile

import (
	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/plan"
	"github.com/mesoc/mesoc/libcontainer/program"
)

// processAttributes sets what the process keeps when it becomes the program. It comes
// before the rights go: a real-time policy takes CAP_SYS_NICE in the initial
// user namespace, which init in another one never has. There the parent sets
// those two (create.adjust).
func (w *writer) processAttributes(p *plan.Process) {
	a := &p.Attributes
	if !w.plan.UserMapped {
		w.scheduler(a.Scheduler)
		w.ioPriority(a.IOPriority)
	}
	if a.Personality != nil {
		what := "set personality LINUX"
		if *a.Personality != 0 {
			what += "32"
		}
		w.Call(what, unix.SYS_PERSONALITY, program.Const(*a.Personality))
	}
	w.memoryPolicy(a.MemoryPolicy)
}

// waitForLimits waits until the cgroup's limits are in force. What depends on
// the processors and nodes that the cgroup leaves would otherwise succeed or
// fail by chance.
func (w *writer) waitForLimits(p *plan.Process) {
	a := &p.Attributes
	if a.MemoryPolicy == nil && (a.Scheduler == nil || w.plan.UserMapped) {
		return
	}
	w.tell("ask for the limits", ToldLimits)
	w.wait("wait for the limits")
}

func (w *writer) scheduler(s *plan.Scheduler) {
	if s == nil {
		return
	}
	attr := w.Space(unix.SizeofSchedAttr)
	w.PutUint32(attr, s.Size)
	w.PutUint32(attr+4, s.Policy)
	w.PutUint64(attr+8, s.Flags)
	w.PutUint32(attr+16, uint32(s.Nice))
	w.PutUint32(attr+20, s.Priority)
	w.PutUint64(attr+24, s.Runtime)
	w.PutUint64(attr+32, s.Deadline)
	w.PutUint64(attr+40, s.Period)
	w.Call("set scheduler "+s.String(), unix.SYS_SCHED_SETATTR, program.Const(0), attr.Arg(), program.Const(0))
}

// IOPrioWhoPgrp makes ioprio_set(2) mean a process group (linux/ioprio.h).
const IOPrioWhoPgrp = 2

// ioPriority is that of the process group, which is init's own.
func (w *writer) ioPriority(p *plan.IOPriority) {
	if p != nil {
		w.Call("set I/O priority "+p.String(), unix.SYS_IOPRIO_SET,
			program.Const(IOPrioWhoPgrp), program.Const(0), program.Const(p.Value()))
	}
}

func (w *writer) memoryPolicy(m *plan.MemoryPolicy) {
	if m == nil {
		return
	}
	nodes, bits := program.Const(0), 0
	if len(m.Nodes) > 0 {
		mask := w.Space(8 * len(m.Nodes))
		for i, word := range m.Nodes {
			w.PutUint64(mask+program.Addr(8*i), word)
		}
		// The kernel takes one bit less than it is told (set_mempolicy(2), bugs).
		nodes, bits = mask.Arg(), 64*len(m.Nodes)+1
	}
	w.Call("set memory policy "+m.String(), unix.SYS_SET_MEMPOLICY, program.Const(m.Mode|m.Flags), nodes, program.Const(bits))
}
