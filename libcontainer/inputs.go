package libcontainer

import (
	"errors"
	"fmt"
	"math/bits"
	"os"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/compile"
	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/plan"
)

// inputs are the descriptors that init's program works with.
type inputs struct {
	fds map[string]int
	pid int // the pid namespace that init is born into, or -1
}

// donate gives a descriptor to the inputs, which close it.
func (in *inputs) donate(name string, fd int) {
	if in.fds == nil {
		in.fds = map[string]int{}
	}
	in.fds[name] = fd
}

func (in *inputs) close() {
	for _, fd := range in.fds {
		sys.Close(fd)
	}
	if in.pid >= 0 {
		sys.Close(in.pid)
	}
	in.fds, in.pid = nil, -1
}

// open opens everything that is the caller's: namespaces to join, the console
// socket. It has no effect on the host.
func (c *creation) open() error {
	for _, n := range c.plan.Namespaces {
		if n.Path == "" || n.Inherited { // those are open
			continue
		}
		fd, err := openNamespace(&n)
		if err != nil {
			return err
		}
		if n.Flag == unix.CLONE_NEWPID {
			c.inputs.pid = fd
		} else {
			c.inputs.donate(compile.InputNamespace(n.Type), fd)
		}
	}
	if err := c.checkNetwork(); err != nil {
		return err
	}
	if err := c.openMaps(); err != nil {
		return err
	}
	return c.inputs.openConsole(c.plan.Process != nil && c.plan.Process.Terminal, &c.console, c.options.ConsoleSocket)
}

// openNamespace opens the namespace at a path and sees that it is one of the
// kind that the config says.
func openNamespace(n *plan.Namespace) (int, error) {
	fd, err := sys.Openat(sys.CWD, n.Path, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return -1, fmt.Errorf("join %s namespace: %w", n.Type, err)
	}
	flag, err := unix.IoctlRetInt(fd, unix.NS_GET_NSTYPE)
	switch {
	case err != nil:
		err = fmt.Errorf("join %s namespace: %s is no namespace: %w", n.Type, n.Path, err)
	case flag != n.Flag:
		kind := "another kind of"
		for _, k := range plan.NamespaceKinds() {
			if int(k.Flag) == flag {
				kind = "a " + k.Type
			}
		}
		err = fmt.Errorf("join %s namespace: %s is %s namespace: %w", n.Type, n.Path, kind, unix.EINVAL)
	default:
		return fd, nil
	}
	sys.Close(fd)
	return -1, err
}

// duplicate returns another descriptor of the same.
func duplicate(fd int) (int, error) {
	other, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("keep a descriptor open: %w", err)
	}
	return other, nil
}

// openConsole connects to the socket that is to get the terminal. Attached
// commands bring their own, which is donated.
func (in *inputs) openConsole(terminal bool, own *int, socket string) error {
	switch {
	case terminal && *own >= 0:
		if _, err := unix.IoctlGetTermios(0, unix.TCGETS); err != nil {
			return errors.New("attach the terminal: standard input is none [set process.terminal to false]")
		}
		in.donate(compile.InputConsole, *own)
		*own = -1
		return nil
	case terminal && socket == "":
		return errors.New("cannot allocate tty if mesoc will detach without setting console socket [give --console-socket]")
	case !terminal && socket != "":
		return errors.New("cannot use console socket if mesoc will not detach or allocate tty [process.terminal is false]")
	case !terminal:
		return nil
	}
	fd, err := sys.Connect(unix.SOCK_STREAM, socket)
	if err != nil {
		return fmt.Errorf("connect to the console socket: %w", err)
	}
	in.donate(compile.InputConsole, fd)
	return nil
}

// activation is what a caller hands on beside --preserve-fds.
type activation struct {
	listen int      // sockets, from descriptor 3 on
	env    []string // how the program learns of them
}

// socketActivation checks the descriptors that the caller hands on: preserve
// of them, behind those of a socket activation that is meant for us
// (sd_listen_fds(3)).
func socketActivation(preserve int) (activation, error) {
	var a activation
	n, err := strconv.ParseInt(os.Getenv("LISTEN_FDS"), 10, 32)
	if err == nil && n > 0 && os.Getenv("LISTEN_PID") == strconv.Itoa(os.Getpid()) {
		a = activation{listen: int(n), env: []string{"LISTEN_FDS=" + strconv.FormatInt(n, 10), "LISTEN_PID=1"}}
	}
	for fd := 3; fd < 3+a.listen+preserve; fd++ {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err == nil && flags&unix.FD_CLOEXEC != 0 {
			err = unix.EBADF // it is our own: none that a caller hands on is closed by exec
		}
		if err != nil {
			return a, fmt.Errorf("hand descriptor %d on (LISTEN_FDS=%d, --preserve-fds %d): %w", fd, a.listen, preserve, err)
		}
	}
	return a, nil
}

// heldCapabilities are the capabilities that the runtime has to give.
func heldCapabilities() uint64 {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return ^uint64(0) // capset will tell
	}
	return uint64(data[1].Permitted)<<32 | uint64(data[0].Permitted)
}

// missingCapabilities names the capabilities that the config asks for and the
// runtime does not hold.
func missingCapabilities(spec *specs.Spec, held uint64) string {
	if spec.Process == nil || spec.Process.Capabilities == nil {
		return ""
	}
	c := spec.Process.Capabilities
	asked := plan.CapabilityMask(c.Effective) | plan.CapabilityMask(c.Permitted) | plan.CapabilityMask(c.Inheritable)
	var names []string
	for m := asked &^ held; m != 0; m &= m - 1 {
		names = append(names, plan.CapabilityName(bits.TrailingZeros64(m)))
	}
	return strings.Join(names, ", ")
}

// setOOMScoreAdj makes a process likelier or less likely to be killed when
// memory runs out (proc_pid_oom_score_adj(5)).
func setOOMScoreAdj(pid, score int) error {
	fd, err := sys.Openat(sys.CWD, "/proc/"+strconv.Itoa(pid)+"/oom_score_adj", unix.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer sys.Close(fd)
	if err := sys.Write(fd, strconv.AppendInt(nil, int64(score), 10)); err != nil {
		return fmt.Errorf("set oom_score_adj to %d: %w", score, err)
	}
	return nil
}

// prioritise sets the scheduler of a process and the I/O priority of the group
// that it leads, which one in a user namespace has no right to.
func prioritise(pid int, a *plan.Attributes) error {
	if a.Scheduler != nil {
		if err := unix.SchedSetAttr(pid, &a.Scheduler.SchedAttr, 0); err != nil {
			return fmt.Errorf("set scheduler %s: %w", a.Scheduler, err)
		}
	}
	if p := a.IOPriority; p != nil {
		_, _, errno := unix.Syscall(unix.SYS_IOPRIO_SET, compile.IOPrioWhoPgrp, uintptr(pid), uintptr(p.Value()))
		if errno != 0 {
			return fmt.Errorf("set I/O priority %s: %w", p, errno)
		}
	}
	return nil
}
