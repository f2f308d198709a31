// Package launch starts the processes that run programs: a container's init,
// and hooks. It clones a child straight into its cgroup and namespaces, makes
// it the stage, hands it the program and its descriptors, and holds the
// dialogue with it: what the child tells, and which step failed with which
// errno.
//
// libcontainer calls it, in the parent. It knows neither bundle nor state,
// and what a program is for only as far as the messages go.
package launch

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/program"
	"github.com/mesoc/mesoc/libcontainer/stage"
)

// Spec says what is to be started.
type Spec struct {
	Program *program.Program
	// Namespaces are those the child is born into (CLONE_NEW*).
	Namespaces uint64
	// Cgroup is the descriptor of the cgroup that the child is born into, or
	// -1 for the caller's. It is borrowed.
	Cgroup int
	// PidNamespace is the descriptor of a pid namespace that the child is
	// born into, or a pidfd of a process in it, or -1. It is borrowed.
	PidNamespace int
	// Inputs are the descriptors that the program asks for, by the names of
	// its inputs. The child gets them under the same numbers. Borrowed.
	Inputs map[string]int
	// Preserve is how many descriptors from 3 on the child inherits beside
	// those. All others that the caller was started with are not even its
	// own while it runs the program (CVE-2024-21626).
	Preserve int
	// Maps are written when the child has a new user namespace.
	Maps *Maps
	// Alone is for children that WaitAlone is going to be called for.
	Alone bool
	// Limited says that the cgroup has its limits already: who runs out of
	// memory there before the child has its own must not take us along.
	Limited bool
	// Supervisor, if set, is to be the child's parent.
	Supervisor *Supervisor
	// Fault makes a step fail; for tests.
	Fault *program.Fault
	// label is a word for who reads a list of processes.
	label string
	// fork has the child made without assembly; for tests.
	fork bool
}

// Child is a process that runs a program.
type Child struct {
	Pid   int
	Pidfd int

	sync     int
	alone    int // reads as ended when the child has memory of its own, or -1
	program  *program.Program
	prologue *program.Program
	memory   []byte

	followed   bool   // Pid is the process that goes on with the program
	supervisor *Child // the parent, if that is not us
	first      int    // with a supervisor: the process that it has made
}

// StepError is a step of a program that failed. It is the errno that the
// kernel gave, to errors.Is too.
type StepError struct {
	Step  int
	What  string
	Call  string // the system call, if it is one
	Errno unix.Errno
}

func (e *StepError) Error() string { return e.What + ": " + e.Errno.Error() }

// Unwrap gives the errno.
func (e *StepError) Unwrap() error { return e.Errno }

// ErrDied says that the child has ended without a word.
var ErrDied = errors.New("the process has ended")

// ErrSilent says that the child has said nothing in time.
var ErrSilent = errors.New("the process has said nothing in time")

// Start clones the child and returns when it is on its way. On error nothing
// is left of it.
func Start(s *Spec) (*Child, error) {
	ours, theirs, err := sys.SeqpacketPair()
	if err != nil {
		return nil, err
	}
	defer sys.Close(theirs)
	c := &Child{sync: ours, alone: -1, program: s.Program, Pidfd: -1}
	inputs := map[string]int{program.InputSync: theirs}
	for name, fd := range s.Inputs {
		inputs[name] = fd
	}
	if err := c.start(s, theirs, inputs); err != nil {
		c.Kill()
		c.free()
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Child) start(s *Spec, theirs int, inputs map[string]int) error {
	values := make(map[string]uint64, len(inputs))
	for name, fd := range inputs {
		values[name] = uint64(fd)
	}
	memfd, err := sys.MemfdWritten("program", func(write func([]byte) error) error {
		return s.Program.EncodeTo(write, program.Image{Report: theirs, Inputs: values, Fault: s.Fault})
	})
	if err != nil {
		return err
	}
	defer sys.Close(memfd)
	exe, err := openSelf()
	if err != nil {
		return err
	}
	defer sys.Close(exe)
	if s.Supervisor != nil {
		return c.startSupervised(s, theirs, memfd, exe, inputs)
	}
	if !stage.Supported || s.fork {
		return inPidNamespace(s.PidNamespace, func() error { return c.fork(s, memfd, exe, inputs) })
	}
	if err := c.write(s, theirs, memfd, exe, inputs); err != nil {
		return err
	}
	if s.Alone {
		var pipe [2]int
		if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
			return fmt.Errorf("make a pipe: %w", err)
		}
		c.alone = pipe[0]
		defer sys.Close(pipe[1]) // the child's copy goes with its execve
	}
	if err := inPidNamespace(s.PidNamespace, func() error { return c.clone(s) }); err != nil {
		return err
	}
	if s.Maps != nil && s.Namespaces&unix.CLONE_NEWUSER != 0 {
		return c.Map(s.Maps)
	}
	return nil
}

// prologueSize is the room for the steps between clone and execve.
const prologueSize = 1 << 16

// write makes the program that the child runs between clone and execve. It
// runs in our memory, so nothing of it lies on Go's heap.
func (c *Child) write(s *Spec, theirs, memfd, exe int, inputs map[string]int) error {
	memory, err := unix.Mmap(-1, 0, prologueSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return fmt.Errorf("map memory for a child: %w", err)
	}
	c.memory = memory
	b := program.NewBuilder(uint64(uintptr(unsafe.Pointer(&memory[0]))))
	if s.Namespaces&unix.CLONE_NEWUSER != 0 {
		// While it waits it must see the end of the parent, not its own copy of
		// the parent's end.
		b.Call("close the parent's end of the dialogue", unix.SYS_CLOSE, program.Const(c.sync))
	}
	untilExec(b, s, theirs, memfd, exe, inputs)
	c.prologue = b.Program()
	image, err := c.prologue.Encode(program.Image{Report: theirs, IndexBase: program.BeforeExec})
	if err != nil {
		return err
	}
	if len(image) > prologueSize {
		return fmt.Errorf("hand %d descriptors over: too many", len(inputs))
	}
	copy(memory, image)
	return nil
}

// untilExec writes the steps by which a process that was cloned becomes the
// stage, with the descriptors that are handed over and no others.
func untilExec(b *program.Builder, s *Spec, theirs, memfd, exe int, inputs map[string]int) {
	if s.Namespaces&unix.CLONE_NEWUSER != 0 {
		// Without a mapped user the execve would take all capabilities away.
		b.Call("wait for the id mappings", unix.SYS_READ, program.Const(theirs), b.Space(8).Arg(), program.Const(1)).Want(1).Again(unix.EINTR)
	}
	if s.Namespaces&unix.CLONE_NEWUSER != 0 && s.Maps.root() {
		b.Call("become group 0 of the user namespace", unix.SYS_SETRESGID, program.Const(0), program.Const(0), program.Const(0))
		b.Call("become user 0 of the user namespace", unix.SYS_SETRESUID, program.Const(0), program.Const(0), program.Const(0))
	}
	b.Call("mark descriptors close-on-exec", unix.SYS_CLOSE_RANGE,
		program.Const(3+s.Preserve), program.Const(uint32(0xffffffff)), program.Const(unix.CLOSE_RANGE_CLOEXEC))
	keep := func(fd int) {
		b.Call(fmt.Sprintf("hand descriptor %d over", fd), unix.SYS_FCNTL, program.Const(fd), program.Const(unix.F_SETFD), program.Const(0))
	}
	keep(memfd)
	fds := make([]int, 0, len(inputs))
	for _, fd := range inputs {
		fds = append(fds, fd)
	}
	slices.Sort(fds) // the same program each time
	for _, fd := range fds {
		keep(fd)
	}
	argv := s.argv(memfd)
	// For the twin, which is a Go program; the assembly stage does not look.
	env := twinEnv()
	b.Call("exec the stage", unix.SYS_EXECVEAT, program.Const(exe), b.String("").Arg(),
		b.Vector(argv).Arg(), b.Vector(env).Arg(), program.Const(unix.AT_EMPTY_PATH))
}

// argv is what the stage is started with. It reads no more than two words.
func (s *Spec) argv(memfd int) []string {
	argv := []string{stage.Name, strconv.Itoa(memfd)}
	if s.label != "" {
		argv = append(argv, s.label)
	}
	return argv
}

func (c *Child) clone(s *Spec) error {
	args := stage.CloneArgs{ExitSignal: uint64(unix.SIGCHLD), Flags: s.Namespaces | unix.CLONE_PIDFD}
	var pidfd int32 = -1
	args.Pidfd = &pidfd
	if s.Cgroup >= 0 {
		args.Flags |= unix.CLONE_INTO_CGROUP
		args.Cgroup = uint64(s.Cgroup)
	}
	if s.Limited {
		args.Flags |= unix.CLONE_VFORK
	}
	pid, err := stage.Clone(&args, uintptr(unsafe.Pointer(&c.memory[0])))
	if err != nil {
		return fmt.Errorf("clone the process: %w", explainClone(err, s))
	}
	c.Pid, c.Pidfd = pid, int(pidfd)
	return nil
}

// explainClone says what the kernel's answer to clone3 means here.
func explainClone(err error, s *Spec) error {
	switch {
	case errors.Is(err, unix.EAGAIN) && s.Cgroup >= 0:
		return fmt.Errorf("a limit on processes (pids.max or RLIMIT_NPROC) forbids one more: %w", err)
	case errors.Is(err, unix.EBUSY) && s.Cgroup >= 0:
		return fmt.Errorf("the leaf cgroup has controllers enabled for children of its own: %w", err)
	case errors.Is(err, unix.ENOSPC):
		return fmt.Errorf("a limit on namespaces (/proc/sys/user/max_*_namespaces) is reached: %w", err)
	}
	return sys.Called("clone3", err)
}

// inPidNamespace calls f with children of this thread born into the namespace,
// unless that is -1.
func inPidNamespace(ns int, f func() error) error {
	if ns < 0 {
		return f()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	own, err := sys.Openat(sys.CWD, "/proc/thread-self/ns/pid", unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer sys.Close(own)
	// The child can be seen there while it still shares our memory
	// (CVE-2016-9962).
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("become undumpable: %w", err)
	}
	if err := unix.Setns(ns, unix.CLONE_NEWPID); err != nil {
		return fmt.Errorf("join pid namespace: %w", err)
	}
	err = f()
	if back := unix.Setns(own, unix.CLONE_NEWPID); back != nil && err == nil {
		err = fmt.Errorf("return to the runtime's pid namespace: %w", back)
	}
	return err
}

// openSelf opens our own executable so that nobody who gets hold of the
// descriptor, or of /proc/PID/exe of a process that runs it, can write to it
// (CVE-2019-5736): a copy of its mount that is read-only and lies nowhere.
// Where the mount cannot be copied the file is, into sealed memory.
func openSelf() (int, error) {
	const self = "/proc/self/exe"
	fd, err := sys.OpenTree(sys.CWD, self, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err == nil {
		err = sys.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
		if err == nil {
			return fd, nil
		}
		sys.Close(fd)
	}
	fd, copyErr := copySelf(self)
	if copyErr != nil {
		return -1, fmt.Errorf("seal the runtime's executable: %w; %w", err, copyErr)
	}
	return fd, nil
}

func copySelf(self string) (int, error) {
	fd, err := sys.Openat(sys.CWD, self, unix.O_RDONLY, 0)
	if err != nil {
		return -1, err
	}
	defer sys.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return -1, err
	}
	data, err := unix.Mmap(fd, 0, int(st.Size), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return -1, err
	}
	defer func() { _ = unix.Munmap(data) }()
	return sys.MemfdExecutable("mesoc", data)
}
