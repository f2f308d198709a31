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
	w.openat2("open "+p+" in the root", w.root, below(p), openHow{flags: handle, resolve: inRoot}, target).
		Skip(done, unix.ENOENT, unix.ENOTDIR)
	w.cloneTree("copy the mount of "+p, target, true, tree)
	w.mountSetattr("make "+p+" read-only", tree, true, unix.MOUNT_ATTR_RDONLY, 0, 0)
	w.moveMount("make "+p+" read-only", tree, target)
	w.close(tree)
	w.close(target)
	w.Here(done)
}

// mask hides p: a directory behind an empty one, anything else behind a null
// device. Both are the runtime's, opened before the container's root existed
// and looked at, because an image could replace its own (CVE-2025-31133).
// It must happen before the root is changed: a mount can only be copied while
// it is attached. So the empty directory itself goes on the first directory
// that is masked, and copies of it on the others: one file system serves all.
func (w *writer) mask(p string) {
	file, copied, put, end, done := w.Label(), w.Label(), w.Label(), w.Label(), w.Label()
	target, tree := w.fdcell("target"), w.fdcell("mask")
	w.openat2("open "+p+" in the root", w.root, below(p), openHow{flags: handle, resolve: inRoot}, target).
		Skip(done, unix.ENOENT, unix.ENOTDIR)
	w.statx("look at "+p+" in the root", target, unix.STATX_TYPE)
	w.isType("see whether "+p+" is a directory", unix.S_IFDIR, unix.ENOTDIR).Skip(file, unix.ENOTDIR)
	w.Check("see whether the empty directory is used", program.Addr(w.emptyUsed), ^uint64(0), 0, uintptr(unix.EEXIST)).
		Skip(copied, unix.EEXIST)
	w.moveMount("mask "+p, w.empty, target)
	w.Store64("remember that the empty directory is used", program.Addr(w.emptyUsed), program.Const(1))
	w.skipTo(end)
	w.Here(copied)
	w.cloneTree("copy the empty directory", w.empty, false, tree)
	w.skipTo(put)
	w.Here(file)
	w.cloneTree("copy the null device", w.null, false, tree)
	w.Here(put)
	w.moveMount("mask "+p, tree, target)
	w.close(tree)
	w.Here(end)
	w.close(target)
	w.Here(done)
}

// maskSources opens the host's null device, proving that it is one, and makes
// the empty directory.
func (w *writer) maskSources() {
	if len(w.plan.MaskedPaths) == 0 || !w.plan.IsNew(unix.CLONE_NEWNS) {
		return
	}
	w.null, w.empty, w.emptyUsed = w.fdcell("null"), w.fdcell("empty"), w.Cell("empty_used", 0)
	w.openHost("open /dev/null", "/dev/null", unix.O_PATH|unix.O_NOFOLLOW, w.null)
	w.statx("look at /dev/null", w.null, unix.STATX_TYPE)
	w.isType("see that /dev/null is the null device", unix.S_IFCHR, unix.ENODEV)
	w.Check("see that /dev/null is the null device", w.stat+statxRdev, ^uint64(0), rdev(1, 3), uintptr(unix.ENODEV))

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
		program.Const(unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)).Keep(w.empty)
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
