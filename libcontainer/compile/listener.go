package compile

import (
	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/plan"
	"github.com/mesoc/mesoc/libcontainer/program"
)

// A filter with SCMP_ACT_NOTIFY comes with a listener, which an agent is sent
// while the container is being created (config-linux.md, seccomp; its state is
// creating). So, unlike others, it is in force before the gate, and what init
// still does behind it is filtered, and notified, like the program's own calls.
// That is kept to what the program could not do without either:
//
//   - a read, which is the gate;
//   - a close of the listener, so that calls fail when the agent has gone
//     rather than wait for ever; a filter may forbid it;
//   - a prlimit64 for a limit on open files below what init needs itself;
//   - capset and prctl, without no_new_privs;
//   - the execve.
//
// Nothing is told or sent behind it: the parent takes the listener, whose number
// is known, out of the process. So write and sendmsg, or all calls, may be
// notified, and the profile need not allow what only init would want.

// InputAnswer is the pipe that start hears from how it went, when the gate is a pipe.
const InputAnswer = "answer"

// HookListener is the number of the listener in the process of a hook.
const HookListener = hookReport + 1

// ExecListener is that in the process of an exec that is handed preserveFDs
// descriptors: behind the one that reports go to.
func ExecListener(preserveFDs int) int { return 3 + preserveFDs + 1 }

// Listens says whether the filter of a process comes with a listener.
func Listens(p *plan.Process) bool { return p != nil && p.Seccomp != nil && p.Seccomp.Listener != nil }

// gateBehindFilter is gate for a filter with a listener. The gate of a
// container that start opens is a pair of pipes, so that one read is all
// that it takes.
func (w *writer) gateBehindFilter() int {
	p := w.plan.Process
	first := 3 + w.plan.PreserveFDs
	keep := []program.Cell{w.sync}
	if w.plan.Gate == plan.GateSocket {
		keep = append(keep, w.Input(InputGate), w.Input(InputAnswer))
	}
	w.keepOnly(first, keep)
	w.listener = first + len(keep)
	w.listen(p, w.listener, func() {
		if w.plan.Gate == plan.GateParent {
			w.wait("wait for start")
			return
		}
		w.read("wait for start", keep[1])
		w.Store64("report to start from now on", program.Addr(w.Report()), keep[2].Arg())
		after := w.Len() + 1
		w.Store64("count steps from the gate", program.Addr(w.IndexBase()), program.Const(-after))
	})
	w.lateRlimits(p)
	w.dropAdmin(p)
	w.execve(p)
	return w.afterFilter
}

// keepOnly moves descriptors to the numbers from first on and closes all above
// them, so that the next one made has a number that is known now.
func (w *writer) keepOnly(first int, fds []program.Cell) {
	for _, fd := range fds { // out of the way of each other
		w.Call("make room for descriptors", unix.SYS_FCNTL, fd.Arg(), program.Const(unix.F_DUPFD_CLOEXEC), program.Const(first+len(fds))).Keep(fd)
	}
	for i, fd := range fds {
		w.Call("put a descriptor in its place", unix.SYS_DUP3, fd.Arg(), program.Const(first+i), program.Const(unix.O_CLOEXEC))
		w.Store64("use it there from now on", program.Addr(fd), program.Const(first+i))
	}
	w.Store64("report there from now on", program.Addr(w.Report()), w.sync.Arg())
	w.Call("close all other descriptors", unix.SYS_CLOSE_RANGE, program.Const(first+len(fds)), program.Const(uint32(0xffffffff)), program.Const(0))
}

// listen puts a filter in force whose listener becomes fd, the lowest
// descriptor that is free. wait waits until the parent has fetched it.
func (w *writer) listen(p *plan.Process, fd int, wait func()) {
	w.tell("tell the runtime that the filter comes", ToldFilter)
	w.loadFilter(p.Seccomp).Want(int64(fd))
	wait()
	w.afterFilter = w.Len()
	w.Call("close the listener", unix.SYS_CLOSE, program.Const(fd)).Ignore(program.AnyErrno)
}
