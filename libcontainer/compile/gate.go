package compile

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/plan"
	"github.com/mesoc/mesoc/libcontainer/program"
)

// findProgram looks for the program as the container's user, where execve
// will look, so that create already says that it is not there.
func (w *writer) findProgram() {
	name := w.plan.Process.Args[0]
	w.exe = w.Cell("program", 0)
	if strings.Contains(name, "/") {
		what := "exec " + strconv.Quote(name)
		w.Store64("choose "+name, program.Addr(w.exe), w.String(name).Arg())
		w.statPath(what, name)
		w.isNotDirectory(what)
		w.mayExecute(what, name)
		return
	}
	found := w.Label()
	for _, dir := range searchPath(w.plan.Process.Env) {
		next := w.Label()
		file := strings.TrimSuffix(dir, "/") + "/" + name
		w.statPath("look for "+file, file).Skip(next, program.AnyErrno)
		w.isNotDirectory("look for "+file).Skip(next, unix.EACCES)
		w.mayExecute("look for "+file, file).Skip(next, program.AnyErrno)
		w.Store64("choose "+file, program.Addr(w.exe), w.String(file).Arg())
		w.skipTo(found)
		w.Here(next)
	}
	w.fail("exec "+strconv.Quote(name)+": executable file not found in $PATH", unix.ENOENT)
	w.Here(found)
}

// searchPath is the list of directories in the PATH of an environment; the
// last PATH counts, as it does for getenv after deduplication.
func searchPath(env []string) []string {
	var dirs []string
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, "PATH="); ok {
			dirs = dirs[:0]
			for _, d := range strings.Split(v, ":") {
				if strings.HasPrefix(d, "/") { // an empty or relative one would mean the working directory
					dirs = append(dirs, d)
				}
			}
		}
	}
	return dirs
}

func (w *writer) statPath(what, file string) *program.Op {
	return w.Call(what, unix.SYS_STATX, program.Const(unix.AT_FDCWD), w.String(file).Arg(), program.Const(0),
		program.Const(unix.STATX_TYPE), w.stat.Arg())
}

// isNotDirectory fails as execve would for a directory: engines know what permission denied means,
// and make it exit code 126.
func (w *writer) isNotDirectory(what string) *program.Op {
	fine := w.Label()
	w.isType(what, unix.S_IFDIR, unix.ENOTDIR).Skip(fine, unix.ENOTDIR)
	op := w.Check(what, w.alwaysZero(), 0, 1, uintptr(unix.EACCES))
	w.Here(fine)
	return op
}

func (w *writer) mayExecute(what, file string) *program.Op {
	return w.Call(what, unix.SYS_FACCESSAT2, program.Const(unix.AT_FDCWD), w.String(file).Arg(),
		program.Const(unix.X_OK), program.Const(unix.AT_EACCESS))
}

// gate waits until the container is started and becomes the user's program.
// It returns the index of the first step behind the gate.
//
// Whoever opens the gate hears how it went: from then on reports go to the
// connection that start made, and the kernel closes it when execve succeeds.
func (w *writer) gate() int {
	w.prctl("clear the parent death signal", unix.PR_SET_PDEATHSIG, 0)
	w.defaultSignals()
	if Listens(w.plan.Process) {
		return w.gateBehindFilter()
	}
	w.tell("tell the runtime that init is ready", ToldReady)
	conn := w.sync
	if w.plan.Gate == plan.GateSocket {
		conn = w.waitSocket()
	} else {
		w.wait("wait for start")
	}
	first := w.Len()
	if w.plan.Process == nil {
		w.Call("end without a program", unix.SYS_EXIT_GROUP, program.Const(0))
		return first
	}
	w.exec(conn)
	return first
}

// waitSocket waits for start to connect, and reports to it from then on. Who
// starts the container does not have the program, only the descriptions of the
// steps behind the gate, so indices count from there.
func (w *writer) waitSocket() program.Cell {
	conn := w.fdcell("start")
	w.Call("wait for start", unix.SYS_ACCEPT4, w.Input(InputGate).Arg(), program.Const(0), program.Const(0),
		program.Const(unix.SOCK_CLOEXEC)).Keep(conn).Again(unix.EINTR)
	w.Store64("report to start from now on", program.Addr(w.Report()), conn.Arg())
	first := w.Len() + 1
	w.Store64("count steps from the gate", program.Addr(w.IndexBase()), program.Const(-first))
	return conn
}

// exec closes every descriptor that the program has no business with and
// executes it. The one that reports go to stands first behind those that the
// program inherits, so that one sweep gets all others.
func (w *writer) exec(conn program.Cell) {
	p := w.plan.Process
	report := 3 + w.plan.PreserveFDs
	w.Call("put the report descriptor in its place", unix.SYS_DUP3, conn.Arg(), program.Const(report), program.Const(unix.O_CLOEXEC)).
		Ignore(unix.EINVAL)
	w.Store64("report there from now on", program.Addr(w.Report()), program.Const(report))
	w.Call("close all other descriptors", unix.SYS_CLOSE_RANGE, program.Const(report+1), program.Const(uint32(0xffffffff)), program.Const(0))
	w.lateRlimits(p)
	w.filter(p)
	w.execve(p)
}

func (w *writer) execve(p *plan.Process) {
	w.Call("exec "+strconv.Quote(p.Args[0]), unix.SYS_EXECVE, w.exe.Arg(), w.Vector(p.Args).Arg(), w.Vector(p.Env).Arg())
}
