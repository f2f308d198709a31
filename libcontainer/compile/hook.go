package compile

import (
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/plan"
	"github.com/mesoc/mesoc/libcontainer/program"
)

// Inputs of a hook's program.
const (
	InputInit   = "init"   // a process whose namespaces are joined, as a pidfd
	InputStdin  = "stdin"  // what the hook reads
	InputStdout = "stdout" // where both its outputs go
)

// hookReport is the descriptor of a hook's dialogue with the runtime at its end.
const hookReport = 3

// Hook is a program that runs once and is waited for.
type Hook struct {
	Path string // as the namespaces that are joined see it
	Args []string
	Env  []string
	Cwd  string
	// Join are the kinds of namespaces of another process that it runs in; a
	// pid namespace is not among them, since only the parent can join one for
	// its child.
	Join uint64
	// Identity are the rights that it is left with; nil for the runtime's. A
	// hook whose file the container chooses must not have more than the
	// container.
	Identity *plan.Process
	// UserMapped says that it runs in a user namespace of the container's.
	UserMapped bool
	// Nofile is the limit on open files to go back to; nil for the runtime's.
	Nofile *plan.Rlimit
}

// NewHook writes the program of a hook. It is init's in small: it dies with
// the runtime, its descriptors are its own, and what fails is reported.
func NewHook(h *Hook) *program.Program {
	w := &writer{Builder: program.NewBuilder(program.Base), how: map[openHow]program.Addr{}}
	w.sync = w.Input(program.InputSync)
	w.prctl("set the parent death signal", unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL))
	w.Call("make a session", unix.SYS_SETSID)
	if h.Identity != nil {
		w.labels(h.Identity.Labels, false)
	}
	for fd, input := range []string{InputStdin, InputStdout, InputStdout} {
		w.Call("set descriptor "+strconv.Itoa(fd), unix.SYS_DUP3, w.Input(input).Arg(), program.Const(fd), program.Const(0))
	}
	w.joinProcess(h.Join)
	w.Call("change to directory "+h.Cwd, unix.SYS_CHDIR, w.String(h.Cwd).Arg())
	if h.Identity != nil {
		w.rights(h.Identity, h.UserMapped)
	}
	w.defaultSignals()
	w.Call("put the report descriptor in its place", unix.SYS_DUP3, w.sync.Arg(), program.Const(hookReport), program.Const(unix.O_CLOEXEC)).
		Ignore(unix.EINVAL)
	w.Store64("report there from now on", program.Addr(w.Report()), program.Const(hookReport))
	w.Call("close all other descriptors", unix.SYS_CLOSE_RANGE, program.Const(hookReport+1), program.Const(uint32(0xffffffff)), program.Const(0))
	if h.Nofile != nil {
		w.rlimit(*h.Nofile)
	}
	switch {
	case Listens(h.Identity):
		w.Store64("talk to the runtime there from now on", program.Addr(w.sync), program.Const(hookReport))
		w.listen(h.Identity, HookListener, func() { w.wait("wait until the listener has been passed on") })
		w.dropAdmin(h.Identity)
	case h.Identity != nil:
		w.filter(h.Identity)
	}
	w.Call("exec "+strconv.Quote(h.Path), unix.SYS_EXECVE, w.String(h.Path).Arg(), w.Vector(h.Args).Arg(), w.Vector(h.Env).Arg())
	return w.Program()
}

// NewHolder writes the program of a process that does nothing but hold its
// namespaces until the parent has gone or ends it.
func NewHolder() *program.Program {
	w := &writer{Builder: program.NewBuilder(program.Base)}
	w.sync = w.Input(program.InputSync)
	w.prctl("set the parent death signal", unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL))
	w.tell("tell the runtime that the namespaces are there", ToldReady)
	w.wait("wait for the end")
	w.Call("end", unix.SYS_EXIT_GROUP, program.Const(0))
	return w.Program()
}
