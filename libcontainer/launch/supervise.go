package launch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/cgroup2"
	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/program"
	"github.com/mesoc/mesoc/libcontainer/stage"
)

// Supervisor is a process between us and the child: a stage, whose program
// clones the child, waits for its end, and writes an End. It has nothing of its
// caller's but namespaces: no standard streams, no working directory, no
// session, no signals but SIGKILL.
//
// Until Entrust it ends with us, and the child with it; after that only with
// the child. If somebody kills it, the child goes on without one.
type Supervisor struct {
	Cgroup  int            // the cgroup that it is born into
	Watched int            // the directory of the cgroup whose files it reads at the end
	Leaf    string         // the cgroup in there that holds the child
	Result  int            // where it writes: an empty file
	Label   string         // for who reads a list of processes
	Fault   *program.Fault // makes a step fail; for tests
	Trace   func(line string)
}

// What the supervisor has as descriptors, once it has made the child.
const (
	resultFD = iota
	watchedFD
	dialogueFD
	superviseFDs
)

// supervisorName is what the supervisor calls itself; comm has 15 characters.
const supervisorName = "mesoc-supervise"

// toldReady is the event that the supervisor waits for the child's end.
const toldReady = 1

// startSupervised starts a supervisor, which starts the child.
func (c *Child) startSupervised(s *Spec, theirs, memfd, exe int, inputs map[string]int) error {
	v := s.Supervisor
	p := supervise(s, theirs, memfd, exe, inputs)
	if v.Trace != nil {
		for line := range p.Lines() {
			v.Trace("supervisor: " + line)
		}
	}
	handed := map[string]int{"memfd": memfd, "exe": exe, "watched": v.Watched, "result": v.Result}
	for name, fd := range map[string]int{"cgroup": s.Cgroup, "pid": s.PidNamespace} {
		if fd >= 0 {
			handed[name] = fd
		}
	}
	for name, fd := range inputs {
		handed["child's "+name] = fd
	}
	supervisor, err := Start(&Spec{Program: p, Cgroup: v.Cgroup, PidNamespace: -1, Inputs: handed, Preserve: s.Preserve,
		Fault: v.Fault, label: v.Label, fork: s.fork})
	if err != nil {
		return fmt.Errorf("start the supervisor: %w", err)
	}
	c.supervisor, c.prologue = supervisor, p
	e, err := supervisor.Next()
	if err != nil {
		var step *StepError
		if errors.As(err, &step) && step.Call == "clone3" {
			err = explainClone(err, s)
		}
		return fmt.Errorf("supervise the process: %w", err)
	}
	// It cannot have been reaped, so the number is sure.
	if c.Pidfd, err = sys.PidfdOpen(int(e.Code)); err != nil {
		return err
	}
	c.Pid, c.first = int(e.Code), int(e.Code)
	if s.Maps != nil && s.Namespaces&unix.CLONE_NEWUSER != 0 {
		return c.Map(s.Maps)
	}
	return nil
}

// supervise writes the supervisor's program.
func supervise(s *Spec, theirs, memfd, exe int, inputs map[string]int) *program.Program {
	b := program.NewBuilder(program.Base)
	prctl := func(what string, option int, arg program.Arg) {
		b.Call(what, unix.SYS_PRCTL, program.Const(option), arg, program.Const(0), program.Const(0), program.Const(0))
	}
	prctl("set the parent death signal", unix.PR_SET_PDEATHSIG, program.Const(int(unix.SIGKILL)))
	prctl("make the supervisor undumpable", unix.PR_SET_DUMPABLE, program.Const(0))
	prctl("set the supervisor's name", unix.PR_SET_NAME, b.String(supervisorName).Arg())
	b.Call("make a session", unix.SYS_SETSID)
	b.Call("leave the working directory", unix.SYS_CHDIR, b.String("/").Arg())
	if s.PidNamespace >= 0 {
		b.Call("join pid namespace", unix.SYS_SETNS, program.Const(s.PidNamespace), program.Const(unix.CLONE_NEWPID))
	}
	child, first := b.Label(), b.Cell("child", 0)
	b.Call("clone the process", unix.SYS_CLONE3, cloneArgs(b, s).Arg(), program.Const(unsafe.Sizeof(stage.CloneArgs{}))).Keep(first)
	b.Check("find out which of the two processes this is", program.Addr(first), ^uint64(0), 0, uintptr(unix.ESRCH)).
		Skip(child, program.OK).Ignore(unix.ESRCH)
	attend(b, s.Supervisor, first)
	b.Here(child)
	b.Store64("report to the runtime from now on", program.Addr(b.Report()), program.Const(theirs))
	b.Store64("count as steps before the exec", program.Addr(b.IndexBase()), program.Const(program.BeforeExec))
	untilExec(b, s, theirs, memfd, exe, inputs)
	return b.Program()
}

// cloneArgs is the child's struct clone_args.
func cloneArgs(b *program.Builder, s *Spec) program.Addr {
	args := b.Space(int(unsafe.Sizeof(stage.CloneArgs{})))
	flags := s.Namespaces | unix.CLONE_CLEAR_SIGHAND // the twin has handlers
	if s.Cgroup >= 0 {
		flags |= unix.CLONE_INTO_CGROUP
		b.PutUint64(args+program.Addr(unsafe.Offsetof(stage.CloneArgs{}.Cgroup)), uint64(s.Cgroup))
	}
	b.PutUint64(args+program.Addr(unsafe.Offsetof(stage.CloneArgs{}.Flags)), flags)
	b.PutUint64(args+program.Addr(unsafe.Offsetof(stage.CloneArgs{}.ExitSignal)), uint64(unix.SIGCHLD))
	return args
}

// attend writes what the supervisor does when there is a child.
func attend(b *program.Builder, v *Supervisor, first program.Cell) {
	// As long as it has the child's descriptors, nobody sees the child close them.
	sync := b.Input(program.InputSync)
	for fd, from := range [superviseFDs]program.Arg{program.Const(v.Result), program.Const(v.Watched), sync.Arg()} {
		b.Call("put descriptor "+strconv.Itoa(fd)+" in its place", unix.SYS_DUP3, from, program.Const(fd), program.Const(0))
	}
	b.Store64("report there from now on", program.Addr(b.Report()), program.Const(dialogueFD))
	b.Call("close all other descriptors", unix.SYS_CLOSE_RANGE, program.Const(superviseFDs), program.Const(uint32(0xffffffff)), program.Const(0))
	tell := func(what string, code program.Arg) {
		msg := b.Space(8)
		b.PutUint32(msg, program.Tell)
		b.Store32("write down "+what, msg+4, code)
		b.Call("tell the runtime "+what, unix.SYS_WRITE, program.Const(dialogueFD), msg.Arg(), program.Const(8)).Want(8).Again(unix.EINTR)
	}
	tell("the process id", first.Arg())

	const orderSize = 16
	order := b.Space(orderSize)
	child, before := program.Cell(order), program.Cell(order+8)
	b.Name(order, "entrusted")
	b.Name(order+8, "forerunner")
	b.Call("wait to be entrusted with the process", unix.SYS_READ, program.Const(dialogueFD), order.Arg(), program.Const(orderSize)).
		Want(orderSize).Again(unix.EINTR)
	b.Call("clear the parent death signal", unix.SYS_PRCTL, program.Const(unix.PR_SET_PDEATHSIG), program.Const(0), program.Const(0), program.Const(0), program.Const(0))
	one := b.Label()
	b.Check("see whether another process came first", program.Addr(before), ^uint64(0), 0, uintptr(unix.EEXIST)).
		Skip(one, program.OK).Ignore(unix.EEXIST)
	waitid := func(what string, pid program.Cell, info program.Arg) {
		b.Call(what, unix.SYS_WAITID, program.Const(unix.P_PID), pid.Arg(), info, program.Const(unix.WEXITED), program.Const(0)).Again(unix.EINTR)
	}
	waitid("reap the process that came first", before, program.Const(0))
	b.Here(one)
	tell("that the supervisor waits", program.Const(toldReady))
	b.Call("end the dialogue", unix.SYS_CLOSE, program.Const(dialogueFD))

	at := b.Space(int(unsafe.Sizeof(end{})))
	field := func(offset uintptr) program.Arg { return (at + program.Addr(offset)).Arg() }
	waitid("wait for the end", child, field(unsafe.Offsetof(end{}.info)))
	b.Call("look at the clock", unix.SYS_CLOCK_GETTIME, program.Const(unix.CLOCK_REALTIME), field(unsafe.Offsetof(end{}.time)))
	// Now, because the cgroup can be gone when somebody asks.
	keep := func(name string, offset, size uintptr) {
		fd := b.Cell(name, ^uint64(0))
		b.Call("open "+name, unix.SYS_OPENAT, program.Const(watchedFD), b.String(name).Arg(), program.Const(unix.O_RDONLY), program.Const(0)).
			Keep(fd).Ignore(program.AnyErrno)
		// The last byte is left: it ends the text.
		b.Call("read "+name, unix.SYS_READ, fd.Arg(), field(offset), program.Const(size-1)).Ignore(program.AnyErrno)
	}
	for i, name := range cgroup2.OwnMemoryFiles(v.Leaf) {
		size := unsafe.Sizeof(end{}.events[i])
		keep(name, unsafe.Offsetof(end{}.events)+uintptr(i)*size, size)
	}
	keep("memory.max", unsafe.Offsetof(end{}.max), unsafe.Sizeof(end{}.max))
	keep("memory.peak", unsafe.Offsetof(end{}.peak), unsafe.Sizeof(end{}.peak))
	b.Call("write down the end", unix.SYS_WRITE, program.Const(resultFD), at.Arg(), program.Const(unsafe.Sizeof(end{}))).
		Want(int64(unsafe.Sizeof(end{}))).Again(unix.EINTR)
	b.Call("end", unix.SYS_EXIT_GROUP, program.Const(0))
}

// end is what the supervisor writes, in one piece: who reads finds nothing or
// all of it.
type end struct {
	info   sys.ChildInfo
	time   unix.Timespec
	events [3][256]byte // of cgroup2.OwnMemoryFiles
	max    [32]byte
	peak   [32]byte
}

// EndSize is the length of what a supervisor writes.
const EndSize = int(unsafe.Sizeof(end{}))

// End is how a supervised process has ended. The texts are those of the files
// of the watched cgroup, and empty where it has none.
type End struct {
	Status                sys.ExitStatus
	Time                  time.Time
	MemoryEvents          [3]string // of cgroup2.OwnMemoryFiles
	MemoryMax, MemoryPeak string
}

// ReadEnd reads what a supervisor has written; false if it has not yet.
func ReadEnd(data []byte) (End, bool) {
	var e end
	if len(data) != EndSize {
		return End{}, false
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&e)), EndSize), data)
	read := End{
		Status:     e.info.Status(),
		Time:       time.Unix(e.time.Unix()),
		MemoryMax:  unix.ByteSliceToString(e.max[:]),
		MemoryPeak: unix.ByteSliceToString(e.peak[:]),
	}
	for i := range e.events {
		read.MemoryEvents[i] = unix.ByteSliceToString(e.events[i][:])
	}
	return read, true
}

// Supervisor is the process that is the child's parent; nil if we are.
func (c *Child) Supervisor() *Child { return c.supervisor }

// LostSupervisor is why the child has died with its supervisor; nil if it has
// none, or that lives.
func (c *Child) LostSupervisor() error {
	if c.supervisor == nil {
		return nil
	}
	_, err := c.supervisor.NextBefore(time.Now())
	if err == nil || errors.Is(err, ErrSilent) {
		return nil
	}
	return fmt.Errorf("supervise the process: %w", err)
}

// Entrust leaves the child to its supervisor, if it has one: from then on that
// does not end with us.
func (c *Child) Entrust() error {
	v := c.supervisor
	if v == nil {
		return nil
	}
	var order [16]byte
	binary.NativeEndian.PutUint64(order[:], uint64(c.Pid))
	if c.first != c.Pid {
		binary.NativeEndian.PutUint64(order[8:], uint64(c.first))
	}
	err := sys.SendFD(v.sync, order[:])
	if err != nil {
		if lost := c.LostSupervisor(); lost != nil {
			return lost
		}
		return fmt.Errorf("entrust the process to its supervisor: %w", err)
	}
	e, err := v.Next()
	if err == nil && e.Code != toldReady {
		err = fmt.Errorf("event %d is unknown", e.Code)
	}
	if err != nil {
		return fmt.Errorf("supervise the process: %w", err)
	}
	return nil
}

// lookOn waits for the end of a child that is the supervisor's.
func (c *Child) lookOn() (sys.ExitStatus, error) {
	if _, err := sys.PidfdWait(c.Pidfd, time.Time{}); err != nil {
		return sys.ExitStatus{}, err
	}
	stat, err := sys.ReadStat(c.Pid)
	if err != nil {
		return sys.ExitStatus{}, err
	}
	return sys.PidfdExit(sys.Process{Pid: c.Pid, StartTime: stat.StartTime}, c.Pidfd)
}
