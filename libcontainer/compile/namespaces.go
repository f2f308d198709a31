package compile

import (
	"encoding/binary"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/plan"
	"github.com/mesoc/mesoc/libcontainer/program"
)

// namespaces enters the namespaces of the plan and returns those that the
// process must be born into.
//
// As a rule new ones come with clone3, which costs least, and the others are
// joined here. Two kinds cannot come with it: the cgroup namespace, whose root
// would be the runtime's cgroup instead of the leaf, and the time namespace,
// whose offsets must be written before anybody is in it. The pid namespace
// that is joined is the parent's business, because it only holds for children.
//
// A user namespace together with joined ones is the hard case: joining needs
// rights over namespaces that the new user namespace does not have, so
// everything is joined first, then the user namespace is entered, then the
// rest is made, in that order, by a process that had none of it at birth.
func (w *writer) namespaces() uint64 {
	var fresh uint64
	joined := false
	for _, n := range w.plan.Namespaces {
		switch {
		case n.Path != "":
			joined = joined || n.Flag != unix.CLONE_NEWPID
		case n.Flag != unix.CLONE_NEWCGROUP && n.Flag != unix.CLONE_NEWTIME:
			fresh |= uint64(n.Flag)
		}
	}
	user := w.plan.Namespace(unix.CLONE_NEWUSER)
	step := user != nil && joined
	w.join()
	if step {
		w.enterUser(user)
		w.unshare("make namespaces", fresh&^(unix.CLONE_NEWUSER|unix.CLONE_NEWPID))
		if fresh&unix.CLONE_NEWPID != 0 {
			w.takeOver("make a process in a new pid namespace", unix.CLONE_NEWPID)
		}
		fresh = 0
	}
	if w.plan.IsNew(unix.CLONE_NEWCGROUP) {
		w.unshare("make a cgroup namespace", unix.CLONE_NEWCGROUP)
	}
	if w.plan.IsNew(unix.CLONE_NEWTIME) {
		w.timeNamespace()
	}
	if w.plan.IsNew(unix.CLONE_NEWNET) {
		w.loopback()
	}
	// Only now: /proc/self belongs to the global root as soon as init cannot
	// be dumped, and the time offsets are written through it.
	w.prctl("make init undumpable", unix.PR_SET_DUMPABLE, 0)
	return fresh
}

func (w *writer) unshare(what string, flags uint64) {
	if flags != 0 {
		w.Call(what, unix.SYS_UNSHARE, program.Const(flags))
	}
}

// join enters the namespaces that exist already, but for pid and user.
func (w *writer) join() {
	for _, flag := range joinOrder {
		n := w.plan.Namespace(flag)
		if n == nil || n.Path == "" {
			continue
		}
		w.Call(fmt.Sprintf("join %s namespace %s", n.Type, n.Path), unix.SYS_SETNS,
			w.Input(InputNamespace(n.Type)).Arg(), program.Const(flag))
	}
}

// joinOrder leaves out pid, which the parent joins, and user, which takes the
// rights over all others away. The mount namespace comes last because it
// changes what paths mean.
var joinOrder = [...]int{unix.CLONE_NEWIPC, unix.CLONE_NEWUTS, unix.CLONE_NEWNET,
	unix.CLONE_NEWCGROUP, unix.CLONE_NEWTIME, unix.CLONE_NEWNS}

// enterUser joins the user namespace, or makes it and has the parent map it,
// and becomes its root.
func (w *writer) enterUser(n *plan.Namespace) {
	if n.Path != "" {
		w.Call("join user namespace "+n.Path, unix.SYS_SETNS,
			w.Input(InputNamespace(n.Type)).Arg(), program.Const(unix.CLONE_NEWUSER))
	} else {
		w.unshare("make a user namespace", unix.CLONE_NEWUSER)
		w.tell("ask the runtime for the id mappings", ToldMap)
		w.wait("wait for the id mappings")
	}
	w.becomeMappedRoot()
}

// becomeMappedRoot makes a process that has entered a user namespace its root.
func (w *writer) becomeMappedRoot() {
	w.Call("become group 0 of the user namespace", unix.SYS_SETRESGID, program.Const(0), program.Const(0), program.Const(0))
	w.Call("become user 0 of the user namespace", unix.SYS_SETRESUID, program.Const(0), program.Const(0), program.Const(0))
	// A change of credentials clears it.
	w.prctl("set the parent death signal", unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL))
}

// takeOver goes on as a new process, in a new pid namespace or in the one that
// was joined. It is made the parent's child, not ours, and the parent is told
// its process id.
func (w *writer) takeOver(what string, flags uint64) {
	w.GoesOn()
	child := w.Label()
	pid := w.Cell("pid", 0)
	w.Call(what, unix.SYS_CLONE, program.Const(flags|unix.CLONE_PARENT|uint64(unix.SIGCHLD))).Keep(pid)
	w.Check("find out which of the two processes this is", program.Addr(pid), ^uint64(0), 0, uintptr(unix.ESRCH)).
		Skip(child, program.OK).Ignore(unix.ESRCH)
	msg := w.message(program.TellPid, 0)
	w.Store32("write down the process id", msg+4, pid.Arg())
	w.write("tell the runtime the process id", w.sync, msg, 8)
	w.Call("leave the rest to the new process", unix.SYS_EXIT_GROUP, program.Const(0))
	w.Here(child)
	w.prctl("set the parent death signal", unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL))
}

// timeNamespace makes one, sets its clocks and enters it (time_namespaces(7)).
// Entering needs a call of its own: before Linux 6.1 only children did.
func (w *writer) timeNamespace() {
	w.unshare("make a time namespace", unix.CLONE_NEWTIME)
	if offsets := w.plan.TimeOffsets; len(offsets) > 0 {
		var lines strings.Builder
		for _, o := range offsets {
			fmt.Fprintf(&lines, "%s %d %d\n", o.Clock, o.Secs, o.Nanos)
		}
		fd := w.fdcell("timens_offsets")
		w.openBelowProc("open the time offsets", "self/timens_offsets", unix.O_WRONLY, fd)
		text := lines.String()
		w.write("set time offsets", fd, w.String(text), len(text))
		w.close(fd)
	}
	ns := w.fdcell("time")
	w.openBelowProc("open the time namespace", "self/ns/time_for_children", unix.O_RDONLY, ns)
	w.Call("enter the time namespace", unix.SYS_SETNS, ns.Arg(), program.Const(unix.CLONE_NEWTIME))
	w.close(ns)
}

// loopback brings the loopback interface of a new network namespace up, which
// programs take for granted (netdevice(7), SIOCSIFFLAGS).
func (w *writer) loopback() {
	var ifreq [40]byte
	copy(ifreq[:], "lo")
	binary.NativeEndian.PutUint16(ifreq[unix.IFNAMSIZ:], unix.IFF_UP|unix.IFF_RUNNING)
	fd := w.fdcell("socket")
	w.Call("open a socket to bring lo up", unix.SYS_SOCKET, program.Const(unix.AF_INET),
		program.Const(unix.SOCK_DGRAM|unix.SOCK_CLOEXEC), program.Const(0)).Keep(fd)
	w.Call("bring lo up", unix.SYS_IOCTL, fd.Arg(), program.Const(unix.SIOCSIFFLAGS), w.Bytes(ifreq[:]).Arg())
	w.close(fd)
}

// openHost opens a path of the host. It may only be used before the root of
// the container has been opened.
func (w *writer) openHost(what, name string, flags int, to program.Cell) *program.Op {
	return w.Call(what, unix.SYS_OPENAT, program.Const(unix.AT_FDCWD), w.String(name).Arg(),
		program.Const(flags|unix.O_CLOEXEC), program.Const(0)).Keep(to)
}

// openBelowProc opens a file below the handle of procHandles.
func (w *writer) openBelowProc(what, name string, flags int, to program.Cell) *program.Op {
	return w.Call(what, unix.SYS_OPENAT, w.proc.Arg(), w.String(name).Arg(),
		program.Const(flags|unix.O_CLOEXEC), program.Const(0)).Keep(to)
}

// keyring joins a session keyring of the container's own, so that it cannot
// read the caller's keys, and lets the container's user search it
// (keyctl(2), KEYCTL_JOIN_SESSION_KEYRING). Kernels without keyrings have
// nothing to protect.
func (w *writer) keyring() {
	if w.plan.Keyring == "" {
		return
	}
	done := w.Label()
	ring := w.Cell("keyring", 0)
	w.Call("join session keyring "+w.plan.Keyring, unix.SYS_KEYCTL,
		program.Const(unix.KEYCTL_JOIN_SESSION_KEYRING), w.String(w.plan.Keyring).Arg()).
		Keep(ring).Skip(done, unix.ENOSYS)
	w.Call("open keyring "+w.plan.Keyring+" to the container's user", unix.SYS_KEYCTL,
		program.Const(unix.KEYCTL_SETPERM), ring.Arg(), program.Const(keyPossessorAll|keyUserSearch))
	w.Here(done)
}

// Permission bits of a key (include/linux/key.h).
const (
	keyPossessorAll = 0x3f000000
	keyUserAll      = 0x003f0000
	keyUserSearch   = keyUserAll
)

// names sets the host name and the domain name.
func (w *writer) names() {
	if n := w.plan.Hostname; n != "" {
		w.Call("set host name "+n, unix.SYS_SETHOSTNAME, w.String(n).Arg(), program.Const(len(n)))
	}
	if n := w.plan.Domainname; n != "" {
		w.Call("set domain name "+n, unix.SYS_SETDOMAINNAME, w.String(n).Arg(), program.Const(len(n)))
	}
}
