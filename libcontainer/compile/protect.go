package compile

import (
	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/program"
)

// protectPaths masks and freezes what the config names, through handles below
// the root. A path that is not there needs no protection; every other failure
// is one.
func (w *writer) protectPaths() {
	if !w.plan.IsNew(unix.CLONE_NEWNS) {
		return
	}
	for _, p := range w.plan.ReadonlyPaths {
		w.freeze(p)
	}
	for _, p := range w.plan.MaskedPaths {
		w.mask(p)
	}
}

// freeze makes p and what is mounted below it read-only, by mounting it on itself.
func (w *writer) freeze(p string) {
	done := w.Label()
	target, tree := w.fdcell("target"), w.fdcell("frozen")
	w.openPlace(p, target).Skip(done, unix.ENOENT, unix.ENOTDIR)
	w.cloneTree("copy the mount of "+p, target, true, tree)
	w.mountSetattr("make "+p+" read-only", tree, true, unix.MOUNT_ATTR_RDONLY, 0, 0)
	w.moveMount("make "+p+" read-only", tree, target)
	w.close(tree)
	w.close(target)
	w.Here(done)
}

// openPlace opens a path that is to be protected.
func (w *writer) openPlace(p string, to program.Cell) *program.Op {
	dir, name := w.place(p)
	return w.openat2("open "+p+" in the root", dir, name, openHow{flags: handle, resolve: inRoot}, to)
}

// maskSource is a mount that hides others.
type maskSource struct {
	what string
	tree program.Cell
	used program.Cell // 1 once it is mounted somewhere
}

func (w *writer) maskSource(name, what string) maskSource {
	return maskSource{what: what, tree: w.fdcell(name), used: w.Cell(name+"_used", 0)}
}

// mask hides p: a directory behind an empty one, anything else behind a null
// device. Both are the runtime's, opened before the container's root existed
// and looked at, because an image could replace its own (CVE-2025-31133).
func (w *writer) mask(p string) {
	file, end, done := w.Label(), w.Label(), w.Label()
	target := w.fdcell("target")
	w.openPlace(p, target).Skip(done, unix.ENOENT, unix.ENOTDIR)
	w.statx("look at "+p+" in the root", target, unix.STATX_TYPE)
	w.isType("see whether "+p+" is a directory", unix.S_IFDIR, unix.ENOTDIR).Skip(file, unix.ENOTDIR)
	w.cover(p, target, &w.empty)
	w.skipTo(end)
	w.Here(file)
	w.cover(p, target, &w.null)
	w.Here(end)
	w.close(target)
	w.Here(done)
}

// cover puts a mask on a handle. It must happen before the root is changed: a
// mount can only be copied while it is attached. So the mask itself goes on the
// first path, and copies of it on the others: one file system serves all.
func (w *writer) cover(p string, target program.Cell, m *maskSource) {
	used, done := w.Label(), w.Label()
	w.Check("see whether the "+m.what+" is used", program.Addr(m.used), ^uint64(0), 0, uintptr(unix.EEXIST)).
		Skip(used, unix.EEXIST)
	w.moveMount("mask "+p, m.tree, target)
	w.Store64("remember that the "+m.what+" is used", program.Addr(m.used), program.Const(1))
	w.skipTo(done)
	w.Here(used)
	tree := w.fdcell("mask")
	w.cloneTree("copy the "+m.what, m.tree, false, tree)
	w.moveMount("mask "+p, tree, target)
	w.close(tree)
	w.Here(done)
}

// maskSources opens the host's null device, proving that it is one, and makes
// the empty directory. The null device is mounted read-only, which it is as a
// file, not as a device: the container could change the mode and the owner of
// the host's.
func (w *writer) maskSources() {
	if len(w.plan.MaskedPaths) == 0 || !w.plan.IsNew(unix.CLONE_NEWNS) {
		return
	}
	w.null, w.empty = w.maskSource("null", "null device"), w.maskSource("empty", "empty directory")
	null, empty := w.null.tree, w.empty.tree
	w.Call("copy the mount of /dev/null", unix.SYS_OPEN_TREE, program.Const(unix.AT_FDCWD), w.String("/dev/null").Arg(),
		program.Const(treeFlags(false)|unix.AT_SYMLINK_NOFOLLOW), program.Const(0)).Keep(null)
	w.statx("look at /dev/null", null, unix.STATX_TYPE)
	w.isType("see that /dev/null is the null device", unix.S_IFCHR, unix.ENODEV)
	w.Check("see that /dev/null is the null device", w.stat+statxRdev, ^uint64(0), rdev(1, 3), uintptr(unix.ENODEV))
	w.mountSetattr("make the null device read-only", null, false, unix.MOUNT_ATTR_RDONLY, 0, unix.MS_PRIVATE)

	const what = "make an empty directory"
	fs := w.fdcell("fs")
	w.Call(what, unix.SYS_FSOPEN, w.String("tmpfs").Arg(), program.Const(unix.FSOPEN_CLOEXEC)).Keep(fs)
	w.Call(what, unix.SYS_FSCONFIG, fs.Arg(), program.Const(unix.FSCONFIG_SET_STRING),
		w.String("nr_inodes").Arg(), w.String("2").Arg(), program.Const(0))
	if label := w.plan.MountLabel; label != "" {
		w.Call("give the empty directory SELinux label "+label, unix.SYS_FSCONFIG, fs.Arg(), program.Const(unix.FSCONFIG_SET_STRING),
			w.String("context").Arg(), w.String(label).Arg(), program.Const(0))
	}
	w.Call(what, unix.SYS_FSCONFIG, fs.Arg(), program.Const(unix.FSCONFIG_CMD_CREATE),
		program.Const(0), program.Const(0), program.Const(0))
	w.Call(what, unix.SYS_FSMOUNT, fs.Arg(), program.Const(unix.FSMOUNT_CLOEXEC),
		program.Const(unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)).Keep(empty)
	w.close(fs)
}

// skipTo goes on at the label, whatever comes between.
func (w *writer) skipTo(l *program.Label) {
	w.Check("go on", w.alwaysZero(), 0, 0, 0).Skip(l, program.OK)
}

// alwaysZero is a place for comparisons whose outcome is known.
func (w *writer) alwaysZero() program.Addr {
	if w.zero == 0 {
		w.zero = w.Space(8)
		w.Name(w.zero, "zero")
	}
	return w.zero
}
