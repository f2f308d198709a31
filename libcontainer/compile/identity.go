package compile

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/plan"
	"github.com/mesoc/mesoc/libcontainer/program"
)

// identity makes the process what the config says it is. The order is forced:
// limits and the bounding set need rights that the change of user takes away,
// the other sets must be set after it, and nothing that needs rights comes
// behind them.
func (w *writer) identity() {
	p := w.plan.Process
	w.ownStdio(p)
	w.enterCwd(p, func(cwd program.Cell) { w.makeDir(p.Cwd, inRoot, cwd) })
	if !w.plan.UserMapped {
		w.earlyRlimits(p)
	}
	w.waitForLimits(p)
	w.processAttributes(p)
	w.rights(p, w.plan.UserMapped)
	w.settleCwd(p)
	w.umask(p)
}

func (w *writer) umask(p *plan.Process) {
	w.Call(fmt.Sprintf("set umask %#o", p.Umask), unix.SYS_UMASK, program.Const(p.Umask))
}

// rights changes the user and leaves the process the capabilities it is to have.
func (w *writer) rights(p *plan.Process, userMapped bool) {
	w.dropBounding(p.Capabilities.Bounding)
	w.prctl("keep capabilities", unix.PR_SET_KEEPCAPS, 1)
	w.user(p, userMapped)
	w.prctl("keep capabilities no longer", unix.PR_SET_KEEPCAPS, 0)
	if filterNeedsAdmin(p) {
		keep := p.Capabilities
		keep.Effective |= 1 << unix.CAP_SYS_ADMIN
		keep.Permitted |= 1 << unix.CAP_SYS_ADMIN
		keep.Ambient = 0
		w.capabilities(&keep)
	} else {
		w.capabilities(&p.Capabilities)
	}
	if p.NoNewPrivs {
		w.prctl("forbid new privileges", unix.PR_SET_NO_NEW_PRIVS, 1)
	}
}

// filterNeedsAdmin says whether the process must keep CAP_SYS_ADMIN until its
// system call filter is in force: without no_new_privs a filter is the
// administrator's to set (seccomp(2)).
func filterNeedsAdmin(p *plan.Process) bool { return p.Seccomp != nil && !p.NoNewPrivs }

// filter puts the system call filter in force, as the last thing before the
// execve, so that a profile has to allow the program's calls and not init's.
// One with a listener is another matter, see listen.
func (w *writer) filter(p *plan.Process) {
	if p.Seccomp == nil {
		return
	}
	w.loadFilter(p.Seccomp)
	w.dropAdmin(p)
}

// dropAdmin takes away what was only kept for the filter.
func (w *writer) dropAdmin(p *plan.Process) {
	if filterNeedsAdmin(p) {
		w.capabilities(&p.Capabilities)
	}
}

func (w *writer) loadFilter(s *plan.Seccomp) *program.Op {
	insns := w.Space(8 * len(s.Program))
	for i, n := range s.Program {
		var b [8]byte
		binary.NativeEndian.PutUint16(b[0:], n.Code)
		b[2], b[3] = n.Jt, n.Jf
		binary.NativeEndian.PutUint32(b[4:], n.K)
		w.PutUint64(insns+program.Addr(8*i), binary.NativeEndian.Uint64(b[:]))
	}
	prog := w.Space(16) // struct sock_fprog
	w.PutUint32(prog, uint32(len(s.Program)))
	w.PutAddr(prog+8, insns)
	what := "put the system call filter in force"
	if s.Flags&unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV != 0 {
		what += " (its flag WAIT_KILLABLE_RECV needs Linux 5.19)"
	}
	return w.Call(what, unix.SYS_SECCOMP, program.Const(unix.SECCOMP_SET_MODE_FILTER), program.Const(s.Flags), prog.Arg())
}

// user changes the groups and the user.
func (w *writer) user(p *plan.Process, userMapped bool) {
	groups := w.Space(4 * len(p.Groups))
	for i, g := range p.Groups {
		w.PutUint32(groups+program.Addr(4*i), g)
	}
	op := w.Call("set additional groups", unix.SYS_SETGROUPS, program.Const(len(p.Groups)), groups.Arg())
	if userMapped && len(p.Groups) == 0 {
		op.Ignore(unix.EPERM) // setgroups is denied for good there, so there are none
	}
	w.Call(fmt.Sprintf("become group %d", p.GID), unix.SYS_SETRESGID,
		program.Const(p.GID), program.Const(p.GID), program.Const(p.GID))
	w.Call(fmt.Sprintf("become user %d", p.UID), unix.SYS_SETRESUID,
		program.Const(p.UID), program.Const(p.UID), program.Const(p.UID))
}

// ownStdio gives the program's user the files that it has as standard input
// and output, so that it can open /dev/stdout again. The null device, and
// whatever refuses, stays as it is.
func (w *writer) ownStdio(p *plan.Process) {
	if p.UID == 0 && !w.plan.UserMapped {
		return
	}
	for fd := range 3 {
		done := w.Label()
		what := fmt.Sprintf("look at descriptor %d", fd)
		w.Call(what, unix.SYS_STATX, program.Const(fd), w.String("").Arg(), program.Const(unix.AT_EMPTY_PATH),
			program.Const(unix.STATX_TYPE), w.stat.Arg()).Skip(done, unix.EBADF)
		w.Check(what, w.stat+statxRdev, ^uint64(0), rdev(1, 3), uintptr(unix.EEXIST)).
			Skip(done, program.OK).Ignore(unix.EEXIST)
		w.Call(fmt.Sprintf("set the owner of descriptor %d", fd), unix.SYS_FCHOWNAT, program.Const(fd), w.String("").Arg(),
			program.Const(p.UID), program.Const(uint32(0xffffffff)), program.Const(unix.AT_EMPTY_PATH)).
			Ignore(unix.EPERM, unix.EROFS, unix.EINVAL, unix.EOPNOTSUPP)
		w.Here(done)
	}
}

// enterCwd goes to the working directory while the process may still make it,
// if make, which writes how, is not nil. If root is not let in (a user
// namespace, a network file system), the user may be: settleCwd tries again.
func (w *writer) enterCwd(p *plan.Process, make func(cwd program.Cell)) {
	w.inside = w.Cell("inside", 0)
	cwd := w.fdcell("cwd")
	done, open := w.Label(), w.Label()
	op := w.openat2("open working directory "+p.Cwd, w.root, below(p.Cwd), openHow{flags: dirHandle, resolve: inRoot}, cwd)
	if make != nil {
		op.Skip(open, program.OK).Skip(done, unix.EACCES).Ignore(unix.ENOENT)
		make(cwd)
	} else {
		op.Skip(done, unix.EACCES)
	}
	w.Here(open)
	w.Call("change to working directory "+p.Cwd, unix.SYS_FCHDIR, cwd.Arg()).Skip(done, unix.EACCES)
	w.Store64("remember that this is the working directory", program.Addr(w.inside), program.Const(1))
	w.Here(done)
}

// settleCwd goes to the working directory unless that was done, and proves
// that it lies within the root: the kernel would call another one
// "(unreachable)" (CVE-2024-21626).
func (w *writer) settleCwd(p *plan.Process) {
	there := w.Label()
	cwd := w.fdcell("cwd")
	w.Check("see whether this is the working directory", program.Addr(w.inside), ^uint64(0), 0, uintptr(unix.EEXIST)).
		Skip(there, unix.EEXIST)
	w.openat2("open working directory "+p.Cwd, w.root, below(p.Cwd), openHow{flags: dirHandle, resolve: inRoot}, cwd)
	w.Call("change to working directory "+p.Cwd, unix.SYS_FCHDIR, cwd.Arg())
	w.Here(there)
	buf := w.Space(unix.PathMax)
	w.Call("look up the working directory", unix.SYS_GETCWD, buf.Arg(), program.Const(unix.PathMax))
	var slash, mask [8]byte
	slash[0], mask[0] = '/', 0xff
	w.Check("see that working directory "+p.Cwd+" is inside the root", buf,
		binary.NativeEndian.Uint64(mask[:]), binary.NativeEndian.Uint64(slash[:]), uintptr(unix.EXDEV))
}

// minFiles is how many descriptors init needs itself at the end.
const minFiles = 64

// early is a limit as init can live with it; late sets what is missing.
func early(l plan.Rlimit) plan.Rlimit {
	if l.Resource == unix.RLIMIT_NOFILE {
		l.Soft, l.Hard = max(l.Soft, minFiles), max(l.Hard, minFiles)
	}
	return l
}

func (w *writer) earlyRlimits(p *plan.Process) {
	for _, l := range p.Rlimits {
		w.rlimit(early(l))
	}
}

// EarlyRlimits are the limits that the parent sets on an init in a user
// namespace, which has no right to raise any.
func EarlyRlimits(p *plan.Process) []plan.Rlimit {
	list := make([]plan.Rlimit, len(p.Rlimits))
	for i, l := range p.Rlimits {
		list[i] = early(l)
	}
	return list
}

// lateRlimits sets those limits that init could not have lived with. They
// only ever get lower here, which needs no right.
func (w *writer) lateRlimits(p *plan.Process) {
	for _, l := range p.Rlimits {
		if early(l) != l {
			w.rlimit(l)
		}
	}
}

func (w *writer) rlimit(l plan.Rlimit) {
	lim := w.Space(16)
	w.PutUint64(lim, l.Soft)
	w.PutUint64(lim+8, l.Hard)
	w.Call(fmt.Sprintf("set rlimit %s to %d/%d", l.Name, l.Soft, l.Hard), unix.SYS_PRLIMIT64,
		program.Const(0), program.Const(l.Resource), lim.Arg(), program.Const(0))
}

// lastCap is the highest capability that has a name; kernels that do not know
// one say EINVAL.
const lastCap = unix.CAP_LAST_CAP

func (w *writer) dropBounding(keep uint64) {
	for c := range lastCap + 1 {
		if keep&(1<<c) == 0 {
			w.prctl("drop "+plan.CapabilityName(c)+" from the bounding set", unix.PR_CAPBSET_DROP, uintptr(c)).Ignore(unix.EINVAL)
		}
	}
}

// capabilities sets the other four sets (capabilities(7)). Ambient ones can
// only be raised when they are permitted and inheritable.
func (w *writer) capabilities(c *plan.Capabilities) {
	const version3 = 0x20080522
	header, data := w.Space(8), w.Space(24)
	w.PutUint32(header, version3)
	for i, set := range [...]uint64{c.Effective, c.Permitted, c.Inheritable} {
		w.PutUint32(data+program.Addr(4*i), uint32(set))
		w.PutUint32(data+program.Addr(12+4*i), uint32(set>>32))
	}
	w.Call("set capabilities", unix.SYS_CAPSET, header.Arg(), data.Arg())
	w.prctl("clear ambient capabilities", unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL)
	for b := range lastCap + 1 {
		if c.Ambient&(1<<b) != 0 {
			w.prctl("raise ambient "+plan.CapabilityName(b), unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, uintptr(b))
		}
	}
}
