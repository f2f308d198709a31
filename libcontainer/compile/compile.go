// Package compile turns a Plan into a Program: the exact list of system calls
// that the container's init makes between its birth and the execve of the
// user's program, and the short programs that run hooks in its namespaces.
//
// It is called by libcontainer in the parent and is pure: it reads no file
// and makes no system call, so that its programs can be golden files and can
// be printed. What only the host can tell (does this directory exist, is that
// source a file) is asked by the program itself, with a rule for each answer.
//
// A file a topic, in the order in which init goes through them: namespaces,
// rootfs, mounts, devices, terminal, paths, identity, gate.
package compile

import (
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/plan"
	"github.com/mesoc/mesoc/libcontainer/program"
)

// Inputs that the parent fills in before it hands the program over.
const (
	InputGate    = "gate"    // the listening socket that start connects to, or a pipe
	InputConsole = "console" // the socket that is sent the terminal
)

// InputNamespace is the input that holds the descriptor of a joined namespace.
func InputNamespace(typ string) string { return "ns:" + typ }

// InputSource is the input that holds the prepared tree of the mount with
// that index in the plan.
func InputSource(index int) string { return "source:" + strconv.Itoa(index) }

// The events that init tells its parent (program.Tell).
const (
	ToldMounted = 1 // mounts are made, hooks may run, init waits
	ToldReady   = 2 // everything is done, init stands at the gate
	ToldMap     = 3 // a user namespace was made and wants its id maps, init waits
	ToldLimits  = 4 // init waits until the limits are in force
	ToldBelow   = 5 // the directory below a new tmpfs comes with the message, init waits
	// ToldFilter: the next call puts the filter in force, after which nothing is
	// told any more. The process waits for its listener to be fetched; init does
	// at the gate.
	ToldFilter = 6
	// ToldMissing and above: something below the root has to be made, whose
	// descriptor comes with the message; the difference is an index into
	// Init.Missing. Init waits.
	ToldMissing = 1000
	// ToldCopyUp and above: the root of a tmpfs comes with the message, and is
	// to be filled with what the last ToldBelow brought; the difference is the
	// mount's index in the plan. Init waits.
	ToldCopyUp = 1 << 24
	// ToldSource and above: init may not reach the source of a bind, and waits
	// for a handle on it; the difference is the mount's index in the plan.
	ToldSource = 1 << 25
)

// ProcessName is what init calls itself until it becomes the user's program.
const ProcessName = "mesoc-init"

// Init is the program of a container's init and what must be true of the
// process that runs it.
type Init struct {
	Program *program.Program
	// CloneFlags are the namespaces that the process is born into.
	CloneFlags uint64
	// Missing is what init may ask the parent to make.
	Missing []Missing
	// AfterGate is the index of the first step that runs once the gate is open.
	AfterGate int
	// Listener is the number of the filter's listener in init, 0 if it has none.
	Listener int
}

// writer is a program being written.
type writer struct {
	*program.Builder
	plan *plan.Plan
	sync program.Cell
	root program.Cell // O_PATH descriptor of the container's root
	how  map[openHow]program.Addr
	stat program.Addr // room for one struct statx

	proc   program.Cell            // handle on the host's /proc, if it is needed
	places map[string]program.Cell // handles on the mounts at /proc, /sys and /dev, if they are needed
	later  map[int]program.Cell    // the mounts that are made read-only at the end, by index
	null   maskSource              // masks files
	empty  maskSource              // masks directories
	inside program.Cell            // whether init is in the working directory
	exe    program.Cell            // address of the path that is executed
	zero   program.Addr            // eight zero bytes

	missing []Missing

	listener    int // its number
	afterFilter int // the first step behind the wait for its being fetched
}

// NewInit writes the program of a container's init.
func NewInit(p *plan.Plan) (*Init, error) {
	w := &writer{Builder: program.NewBuilder(program.Base), plan: p, how: map[openHow]program.Addr{}, places: map[string]program.Cell{}, later: map[int]program.Cell{}}
	w.sync = w.Input(program.InputSync)
	w.stat = w.Space(statxSize)
	w.Name(w.stat, "statx")

	w.harden()
	if p.Process != nil {
		w.labels(p.Process.Labels, p.Keyring != "")
	}
	w.procHandles()
	flags := w.namespaces()
	w.keyring()
	w.maskSources()
	w.rootfs()
	for i := range p.Mounts {
		w.mount(i)
	}
	w.devices()
	w.terminal()
	if p.Hooks {
		w.tell("tell the runtime that the mounts are made", ToldMounted)
		w.wait("wait for the runtime's hooks")
	}
	w.names()
	w.sysctls()
	w.protectPaths()
	w.changeRoot()
	w.finishRootfs()
	if p.Process != nil {
		w.identity()
		w.findProgram()
	}
	gate := w.gate()
	return &Init{Program: w.Program(), CloneFlags: flags, Missing: w.missing, AfterGate: gate, Listener: w.listener}, nil
}

// harden makes init unreachable before anything else: it dies with its
// parent, and nothing can attach to it.
func (w *writer) harden() {
	w.prctl("set the parent death signal", unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL))
	w.Call("set the process name", unix.SYS_PRCTL,
		program.Const(unix.PR_SET_NAME), w.String(ProcessName).Arg())
	w.Call("clear the umask", unix.SYS_UMASK, program.Const(0))
	w.Call("make a session", unix.SYS_SETSID).Ignore(unix.EPERM)
}

// inheritable are the signals that the Go runtime leaves ignored when its
// caller ignored them: a shell's background job, nohup. The last three are the C
// library's own; glibc's posix_spawn, and so make, hands them on ignored.
var inheritable = []unix.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGCONT, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU, 32, 33, 34}

// defaultSignals undoes what the runtime's caller did to signals: all act by
// default, none is blocked. The runtime's own handlers are not inherited.
func (w *writer) defaultSignals() {
	const sigactionSize = 32 // handler, flags, restorer, mask
	act, mask := w.Space(sigactionSize), w.Space(8)
	for _, s := range inheritable {
		name := unix.SignalName(s)
		if name == "" {
			name = "signal " + strconv.Itoa(int(s))
		}
		w.Call("let "+name+" act by default", unix.SYS_RT_SIGACTION,
			program.Const(s), act.Arg(), program.Const(0), program.Const(8))
	}
	w.Call("unblock signals", unix.SYS_RT_SIGPROCMASK, program.Const(unix.SIG_SETMASK), mask.Arg(), program.Const(0), program.Const(8))
}

func (w *writer) prctl(what string, option int, args ...uintptr) *program.Op {
	list := make([]program.Arg, 5)
	list[0] = program.Const(option)
	for i := range 4 {
		if i < len(args) {
			list[i+1] = program.Const(args[i])
		}
	}
	return w.Call(what, unix.SYS_PRCTL, list...)
}

// tell sends the parent a message.
func (w *writer) tell(what string, code uint32) {
	w.write(what, w.sync, w.message(program.Tell, code), 8)
}

// message is the eight bytes of a message to the parent.
func (w *writer) message(first, second uint32) program.Addr {
	msg := w.Space(8)
	w.PutUint32(msg, first)
	w.PutUint32(msg+4, second)
	return msg
}

// wait blocks until the parent has sent its one byte; a parent that is gone
// reads as end of file, which is not one byte.
func (w *writer) wait(what string) {
	w.read(what, w.sync)
}

func (w *writer) read(what string, fd program.Cell) *program.Op {
	return w.Call(what, unix.SYS_READ, fd.Arg(), w.Space(8).Arg(), program.Const(1)).Want(1).Again(unix.EINTR)
}

func (w *writer) write(what string, fd program.Cell, at program.Addr, n int) *program.Op {
	return w.Call(what, unix.SYS_WRITE, fd.Arg(), at.Arg(), program.Const(n)).Want(int64(n)).Again(unix.EINTR)
}

func (w *writer) close(fd program.Cell) {
	w.Call("close a handle", unix.SYS_CLOSE, fd.Arg())
}

// fdcell is a cell that holds no descriptor yet.
func (w *writer) fdcell(name string) program.Cell { return w.Cell(name, ^uint64(0)) }

// StepsAfterGate describes the steps behind the gate, in order: a report that
// start gets counts from there.
func (i *Init) StepsAfterGate() []string {
	var steps []string
	for n := i.AfterGate; n < i.Program.Len(); n++ {
		steps = append(steps, i.Program.What(n))
	}
	return steps
}
