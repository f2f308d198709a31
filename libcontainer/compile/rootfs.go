package compile

import (
	"path"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/program"
)

// procHandles opens what is needed of the host's procfs while paths still
// mean the host's: before a mount namespace is joined, whose /proc may be
// anything. Sysctls and time offsets are written through it later, so that
// nothing that another container or the image puts on /proc is ever trusted
// (CVE-2025-52881).
func (w *writer) procHandles() {
	if len(w.plan.Sysctls) == 0 && !w.plan.IsNew(unix.CLONE_NEWTIME) {
		return
	}
	w.proc = w.fdcell("proc")
	w.openProc("/proc", w.proc)
}

// openProc opens a directory of the host's procfs, and sees that it is one.
func (w *writer) openProc(name string, to program.Cell) {
	w.openHost("open "+name, name, unix.O_PATH|unix.O_DIRECTORY, to)
	fs := w.Space(statfsSize)
	w.Call("look at "+name, unix.SYS_FSTATFS, to.Arg(), fs.Arg())
	w.Check("see that "+name+" is procfs", fs, ^uint64(0), unix.PROC_SUPER_MAGIC, uintptr(unix.EINVAL))
}

// statfsSize is the length of struct statfs on 64-bit architectures.
const statfsSize = 120

// sysctls writes them below the handle of procHandles. What is written goes
// to the namespaces that init is in.
func (w *writer) sysctls() {
	for _, s := range w.plan.Sysctls {
		fd := w.fdcell("sysctl")
		w.openat2("open sysctl "+s.Name, w.proc, "sys/"+s.Path,
			openHow{flags: unix.O_WRONLY | unix.O_CLOEXEC, resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV}, fd)
		w.write("set sysctl "+s.Name+" to "+s.Value, fd, w.String(s.Value), len(s.Value))
		w.close(fd)
	}
	if w.proc != 0 {
		w.close(w.proc) // init may be looked at while it waits at the gate
	}
}

// rootfs makes a mount of the root directory and opens it. In a mount
// namespace that is not the container's own, the root is only opened.
func (w *writer) rootfs() {
	p := w.plan
	w.root = w.fdcell("root")
	if !p.IsNew(unix.CLONE_NEWNS) {
		where := p.Rootfs.Path
		if p.Namespace(unix.CLONE_NEWNS) != nil {
			where = "/"
		}
		w.openHost("open the root "+where, where, unix.O_PATH|unix.O_DIRECTORY, w.root)
		return
	}
	propagation := p.Rootfs.Propagation
	if propagation == 0 {
		propagation = unix.MS_SLAVE | unix.MS_REC
	}
	w.mountCall("set the propagation of all mounts", "", "/", "", propagation, "")
	w.privateParent(p.Rootfs.Path)
	w.openTree("copy the mount of "+p.Rootfs.Path, p.Rootfs.Path, true, w.root)
	target := w.fdcell("rootfs")
	w.openHost("open the root directory "+p.Rootfs.Path, p.Rootfs.Path, unix.O_PATH|unix.O_DIRECTORY, target)
	w.moveMount("mount "+p.Rootfs.Path+" on itself", w.root, target)
	w.close(target)
}

// privateParent makes the mount that holds the root directory private: neither
// pivot_root nor our mounts may be propagated to the host, and mounts that the
// host makes there later are not the container's. The nearest directory above
// that is a mount point is the one.
func (w *writer) privateParent(rootfs string) {
	done := w.Label()
	for dir := rootfs; dir != "/"; dir = path.Dir(dir) {
		w.mountCall("make the mount of "+dir+" private", "", dir, "", unix.MS_PRIVATE, "").
			Skip(done, program.OK).Ignore(unix.EINVAL)
	}
	w.mountCall("make the mount of / private", "", "/", "", unix.MS_PRIVATE, "")
	w.Here(done)
}

// mountCall is mount(2) on a path of the host, or on "." after an fchdir.
func (w *writer) mountCall(what, source, target, fstype string, flags uintptr, data string) *program.Op {
	arg := func(s string) program.Arg {
		if s == "" {
			return program.Const(0)
		}
		return w.String(s).Arg()
	}
	return w.Call(what, unix.SYS_MOUNT, arg(source), w.String(target).Arg(), arg(fstype), program.Const(flags), arg(data))
}

// openTree makes a detached copy of the mount at a path of the host.
func (w *writer) openTree(what, source string, recursive bool, to program.Cell) *program.Op {
	return w.Call(what, unix.SYS_OPEN_TREE, program.Const(unix.AT_FDCWD), w.String(source).Arg(),
		program.Const(treeFlags(recursive)), program.Const(0)).Keep(to)
}

// cloneTree makes a detached copy of the mount that a handle is on.
func (w *writer) cloneTree(what string, of program.Cell, recursive bool, to program.Cell) *program.Op {
	return w.Call(what, unix.SYS_OPEN_TREE, of.Arg(), w.String("").Arg(),
		program.Const(treeFlags(recursive)|unix.AT_EMPTY_PATH), program.Const(0)).Keep(to)
}

func treeFlags(recursive bool) uint64 {
	f := uint64(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC)
	if recursive {
		f |= unix.AT_RECURSIVE
	}
	return f
}

// moveMount puts a detached tree on a handle.
func (w *writer) moveMount(what string, tree, target program.Cell) *program.Op {
	return w.Call(what, unix.SYS_MOVE_MOUNT, tree.Arg(), w.String("").Arg(), target.Arg(), w.String("").Arg(),
		program.Const(unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH))
}

// mountSetattr changes a mount by its handle (mount_setattr(2)).
func (w *writer) mountSetattr(what string, tree program.Cell, recursive bool, set, clear, propagation uint64) *program.Op {
	attr := w.Space(32)
	for i, v := range [...]uint64{set, clear, propagation} {
		w.PutUint64(attr+program.Addr(8*i), v)
	}
	flags := uint64(unix.AT_EMPTY_PATH)
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	return w.Call(what, unix.SYS_MOUNT_SETATTR, tree.Arg(), w.String("").Arg(), program.Const(flags), attr.Arg(), program.Const(32))
}

// changeRoot makes the root the root. The old one is detached without a path:
// after pivot_root(".", ".") it lies on top of the new one (pivot_root(2),
// notes), and is entered by a handle. It is made a slave before, so that taking
// it away is not propagated to the host.
func (w *writer) changeRoot() {
	p := w.plan
	if !p.IsNew(unix.CLONE_NEWNS) {
		if p.Namespace(unix.CLONE_NEWNS) == nil {
			w.Call("enter the root", unix.SYS_FCHDIR, w.root.Arg())
			w.Call("change the root", unix.SYS_CHROOT, w.String(".").Arg())
		}
		w.Call("go to /", unix.SYS_CHDIR, w.String("/").Arg())
		return
	}
	if p.Rootfs.NoPivot {
		w.moveRoot()
		return
	}
	old := w.fdcell("old_root")
	w.openHost("open the old root", "/", unix.O_PATH|unix.O_DIRECTORY, old)
	w.Call("enter the root", unix.SYS_FCHDIR, w.root.Arg())
	w.Call("pivot to the root", unix.SYS_PIVOT_ROOT, w.String(".").Arg(), w.String(".").Arg())
	w.Call("enter the old root", unix.SYS_FCHDIR, old.Arg())
	w.close(old)
	w.mountCall("make the old root a slave", "", ".", "", unix.MS_SLAVE|unix.MS_REC, "")
	w.Call("detach the old root", unix.SYS_UMOUNT2, w.String(".").Arg(), program.Const(unix.MNT_DETACH))
	w.Call("go to /", unix.SYS_CHDIR, w.String("/").Arg())
}

// moveRoot is for hosts whose root is the initial ramfs, which cannot be
// pivoted away. The host's proc and sysfs would stay reachable beneath, and
// the kernel would let the container mount an unmasked proc while it sees
// one: they are taken away, or covered where that is not allowed.
func (w *writer) moveRoot() {
	for _, m := range w.plan.Rootfs.Cover {
		done := w.Label()
		w.mountCall("make "+m+" private", "", m, "", unix.MS_SLAVE|unix.MS_REC, "").Ignore(unix.EINVAL, unix.ENOENT)
		w.Call("unmount "+m, unix.SYS_UMOUNT2, w.String(m).Arg(), program.Const(unix.MNT_DETACH)).
			Skip(done, program.OK, unix.ENOENT).Ignore(unix.EINVAL, unix.EPERM)
		w.mountCall("cover "+m, "tmpfs", m, "tmpfs", 0, "")
		w.Here(done)
	}
	w.Call("enter the root", unix.SYS_FCHDIR, w.root.Arg())
	w.mountCall("move the root to /", ".", "/", "", unix.MS_MOVE, "")
	w.Call("change the root", unix.SYS_CHROOT, w.String(".").Arg())
	w.Call("go to /", unix.SYS_CHDIR, w.String("/").Arg())
}

// finishRootfs does what had to wait until everything below the root existed.
func (w *writer) finishRootfs() {
	p := w.plan
	if !p.IsNew(unix.CLONE_NEWNS) {
		return
	}
	for i := range p.Mounts {
		if m := &p.Mounts[i]; readonlyLast(m) {
			w.mountSetattr("make "+m.Destination+" read-only", w.later[i], false, unix.MOUNT_ATTR_RDONLY, 0, 0)
		}
	}
	if p.Rootfs.Propagation != 0 {
		w.mountCall("set the propagation of the root", "", "/", "", p.Rootfs.Propagation, "")
	}
	if p.Rootfs.Readonly {
		w.mountSetattr("make the root read-only", w.root, false, unix.MOUNT_ATTR_RDONLY, 0, 0)
	}
}
