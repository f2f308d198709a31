package compile

import (
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/plan"
	"github.com/mesoc/mesoc/libcontainer/program"
)

// mount makes one mount of the config.
func (w *writer) mount(index int) {
	m := &w.plan.Mounts[index]
	switch {
	case m.Remount:
		w.remount(index)
	case m.IDMapped:
		w.bind(m, w.Input(InputSource(index)))
	case m.Bind:
		w.bind(m, w.source(index))
	case m.Type == "cgroup" || m.Type == "cgroup2":
		w.cgroupMount(m)
	default:
		w.filesystem(index)
	}
}

// source makes a detached copy of what a bind shows. The root of a user
// namespace is nobody on the host, and may not pass a directory that only its
// owner may; then the parent opens the way, in this mount namespace: a copy made
// in the parent's could be freed of the flags that a user namespace may not clear.
func (w *writer) source(index int) program.Cell {
	m := &w.plan.Mounts[index]
	tree, done, what := w.fdcell("source"), w.Label(), "open "+m.Source+" for "+m.Destination
	op := w.openTree(what, m.Source, m.Recursive, tree)
	if w.plan.UserMapped {
		op.Skip(done, program.OK).Ignore(unix.EACCES)
		w.tell("ask the runtime for "+m.Source, ToldSource+uint32(index))
		handle := w.receiveFD("wait for a handle on "+m.Source, w.sync)
		w.cloneTree(what, handle, m.Recursive, tree)
		w.close(handle)
	}
	w.Here(done)
	return tree
}

// openTop opens what is mounted on a handle. No path is resolved again, which
// could lead to another mount by now: ".." from a root is the root, and as for
// every name what is mounted there is entered.
func (w *writer) openTop(destination string, target, to program.Cell) {
	w.openat2("open the mount on "+destination, target, "..", openHow{flags: handle, resolve: inRoot}, to)
}

// resolveFor is how a mount's destination is looked up. /proc and /sys must be
// what they seem: if the image could send them elsewhere, every mask below
// them would miss (CVE-2019-19921).
func resolveFor(destination string) uint64 {
	if destination == "/proc" || destination == "/sys" {
		return noLinks
	}
	return inRoot
}

// readonlyLast says whether a file system is made read-only only at the end,
// because mount points and devices are still made in it.
func readonlyLast(m *plan.Mount) bool {
	return m.Type == "tmpfs" && !m.Bind && m.Flags&unix.MS_RDONLY != 0
}

// filesystem mounts a new file system. It is mounted on ".", after an fchdir
// to the handle: mount(2) knows every option that a file system ever had,
// where fsconfig(2) cuts values at 255 bytes, and no path is resolved twice.
func (w *writer) filesystem(index int) {
	m := &w.plan.Mounts[index]
	target := w.fdcell("target")
	flags := m.Flags
	if readonlyLast(m) {
		flags &^= unix.MS_RDONLY
	}
	var existed program.Cell
	var existing func()
	inherit := m.Type == "tmpfs" && !hasOption(m.Data, "mode")
	if inherit {
		existed = w.Cell("existed", 0)
		existing = func() {
			w.statx("look at "+m.Destination+" in the root", target, unix.STATX_MODE)
			w.Store64("remember that "+m.Destination+" was there", program.Addr(existed), program.Const(1))
		}
	}
	w.openDir(m.Destination, resolveFor(m.Destination), target, existing)
	w.Call("enter "+m.Destination+" in the root", unix.SYS_FCHDIR, target.Arg())
	done := w.Label()
	op := w.mountCall("mount "+m.Type+" on "+m.Destination, m.Source, ".", m.Type, flags, m.Data)
	if m.Type == "sysfs" && w.plan.UserMapped {
		// Only the owner of the network namespace may mount sysfs.
		op.Skip(done, program.OK).Ignore(unix.EPERM)
		tree := w.fdcell("sysfs")
		w.openTree("copy the mount of /sys", "/sys", true, tree)
		w.mountSetattr("make /sys read-only", tree, true, unix.MOUNT_ATTR_RDONLY, 0, 0)
		w.moveMount("bind /sys on "+m.Destination, tree, target)
	}
	w.Here(done)
	change := len(m.Propagation) > 0 || m.RecSet|m.RecClear != 0 || m.Label != ""
	place, last := w.isPlace(index), readonlyLast(m)
	if inherit || change || place || last || m.TmpCopyUp {
		top := w.fdcell("top")
		w.openTop(m.Destination, target, top)
		if m.TmpCopyUp {
			w.copyUp(index, target, top)
		}
		if inherit {
			w.inheritMode(m.Destination, existed, top)
		}
		if change {
			w.change(m, top)
		}
		if place {
			w.places[m.Destination] = top
		}
		if last {
			w.later[index] = top
		}
		if !place && !last {
			w.close(top)
		}
	}
	w.close(target)
}

// isPlace says whether a new file system is one in which devices are made, or
// paths are protected. They are looked up from a handle on it: the way to its
// destination could be another one by then, and every mask would miss.
func (w *writer) isPlace(index int) bool {
	p := w.plan
	destination := p.Mounts[index].Destination
	for i := range p.Mounts[index+1:] {
		if p.Mounts[index+1+i].Destination == destination {
			return false // that is what the container sees
		}
	}
	inside := func(path string) bool { return strings.HasPrefix("/"+below(path), destination+"/") }
	switch destination {
	case "/dev":
		return p.OwnDev
	case "/proc", "/sys":
		return slices.ContainsFunc(p.MaskedPaths, inside) || slices.ContainsFunc(p.ReadonlyPaths, inside)
	}
	return false
}

// place is where to look up a path of the container, and its name there.
func (w *writer) place(p string) (dir program.Cell, name string) {
	p = below(p)
	for destination, top := range w.places {
		if name, inside := strings.CutPrefix(p, below(destination)+"/"); inside {
			return top, name
		}
	}
	return w.root, p
}

// copyUp has the parent copy what a new tmpfs hides into it: below is the
// handle on that, which stays beneath the mount.
func (w *writer) copyUp(index int, below, top program.Cell) {
	destination := w.plan.Mounts[index].Destination
	w.sendFD("show the runtime what is below "+destination, w.sync, below, w.message(program.Tell, ToldBelow), 8)
	w.wait("wait for the runtime to have it")
	w.sendFD("ask the runtime to copy it into "+destination, w.sync, top, w.message(program.Tell, ToldCopyUp+uint32(index)), 8)
	w.wait("wait for the copy in " + destination)
}

// remount changes the mount that is at the destination already.
func (w *writer) remount(index int) {
	m := &w.plan.Mounts[index]
	target := w.fdcell("target")
	open := openHow{flags: dirHandle, resolve: inRoot}
	if m.Bind {
		open.flags = handle // a file, too
	}
	w.openat2("open "+m.Destination+" in the root", w.root, below(m.Destination), open, target)
	flags := m.Flags | unix.MS_REMOUNT
	last := readonlyLast(m)
	if last {
		flags &^= unix.MS_RDONLY
		w.later[index] = target
	}
	if m.Bind {
		w.attributes(m, target)
	} else {
		w.Call("enter "+m.Destination+" in the root", unix.SYS_FCHDIR, target.Arg())
		w.mountCall("remount "+m.Destination, m.Source, ".", m.Type, flags, m.Data)
	}
	w.setPropagation(m, target)
	if !last {
		w.close(target)
	}
}

// inheritMode gives the root of a tmpfs the mode that the directory beneath
// has, as the last statx found it, if it was there before: a tmpfs on /tmp
// stays sticky.
func (w *writer) inheritMode(destination string, existed, top program.Cell) {
	done := w.Label()
	w.Check("see whether "+destination+" was there", program.Addr(existed), ^uint64(0), 1, uintptr(unix.ENOENT)).
		Skip(done, unix.ENOENT)
	w.Call("keep the mode of "+destination, unix.SYS_FCHMODAT, top.Arg(), w.String(".").Arg(),
		program.Cell(w.stat+statxMode).Arg())
	w.Here(done)
}

// change does to a new file system what only mount_setattr can: recursive
// attributes, and the propagation; and what only its own files can be told.
func (w *writer) change(m *plan.Mount, top program.Cell) {
	if m.Label != "" {
		w.labelMount(m.Destination, m.Label, top)
	}
	if m.RecSet|m.RecClear != 0 {
		w.mountSetattr("set "+attributeNames(m.RecSet, m.RecClear)+" recursively on "+m.Destination, top, true, m.RecSet, m.RecClear, 0)
	}
	w.setPropagation(m, top)
}

func (w *writer) setPropagation(m *plan.Mount, tree program.Cell) {
	for _, p := range m.Propagation {
		w.mountSetattr("set the propagation of "+m.Destination, tree, p&unix.MS_REC != 0, 0, 0, uint64(p&^unix.MS_REC))
	}
}

// bind mounts a file or directory of the host. The copy is finished while it
// is detached, so that nobody sees it half done.
func (w *writer) bind(m *plan.Mount, tree program.Cell) {
	if m.Destination == "/proc" {
		// A directory that only looks like it would be believed by everybody inside.
		fs := w.Space(statfsSize)
		w.Call("look at "+m.Source+" for /proc", unix.SYS_FSTATFS, tree.Arg(), fs.Arg())
		w.Check("see that "+m.Source+" is a proc, for /proc", fs, ^uint64(0), unix.PROC_SUPER_MAGIC, uintptr(unix.EINVAL))
	}
	w.attributes(m, tree)
	target := w.fdcell("target")
	w.openTarget(m, tree, target)
	done := w.Label()
	what := "mount " + m.Source + " on " + m.Destination
	w.moveMount(what, tree, target).Skip(done, program.OK).Ignore(unix.EINVAL)
	w.explainBind(what, tree, target)
	w.Here(done)
	w.close(target)
	// After the move: a mount takes part in the propagation of where it is put.
	w.setPropagation(m, tree)
	w.close(tree)
}

// explainBind says of a bind that the kernel calls invalid whether one side is
// a directory and the other is not.
func (w *writer) explainBind(what string, tree, target program.Cell) {
	file, invalid := w.Label(), w.Label()
	w.statx(what, tree, unix.STATX_TYPE)
	w.isType(what, unix.S_IFDIR, unix.ENOTDIR).Skip(file, unix.ENOTDIR)
	w.statx(what, target, unix.STATX_TYPE)
	w.isType(what, unix.S_IFDIR, unix.ENOTDIR).Skip(invalid, program.OK)
	w.Here(file)
	w.statx(what, target, unix.STATX_TYPE)
	w.isType(what, unix.S_IFDIR, unix.EINVAL).Skip(invalid, unix.EINVAL)
	w.fail(what, unix.ENOTDIR)
	w.Here(invalid)
	w.fail(what, unix.EINVAL)
}

// attributes sets and clears what the options of a bind ask for. What they do
// not mention stays, and with it what a user namespace may not clear.
func (w *writer) attributes(m *plan.Mount, tree program.Cell) {
	if m.RecSet|m.RecClear != 0 {
		w.mountSetattr("set "+attributeNames(m.RecSet, m.RecClear)+" recursively on "+m.Destination, tree, true, m.RecSet, m.RecClear, 0)
	}
	if m.Set|m.Clear != 0 {
		w.mountSetattr("set "+attributeNames(m.Set, m.Clear)+" on "+m.Destination, tree, false, m.Set, m.Clear, 0)
	}
}

// openTarget opens the destination of a bind, making it what the source is:
// a directory, or a file.
func (w *writer) openTarget(m *plan.Mount, source, target program.Cell) {
	done, file := w.Label(), w.Label()
	rel, resolve := below(m.Destination), resolveFor(m.Destination)
	w.openat2("open "+m.Destination+" in the root", w.root, rel, openHow{flags: handle, resolve: resolve}, target).
		Skip(done, program.OK).Ignore(unix.ENOENT)
	w.statx("look at "+m.Source, source, unix.STATX_TYPE)
	w.isType("see whether "+m.Source+" is a directory", unix.S_IFDIR, unix.ENOTDIR).Skip(file, unix.ENOTDIR)
	w.openDir(m.Destination, resolve, target, nil)
	w.skipTo(done)
	w.Here(file)
	w.makeFile(m.Destination, resolve, target)
	w.Here(done)
}

// cgroupMount shows the container its cgroups. In a cgroup namespace that is
// a new mount of cgroup2, whose root is the leaf; where that is refused, the
// leaf itself is bound, as it is in the parent's cgroup namespace, whose root is
// the parent's leaf. In the runtime's own cgroup namespace a new mount would set
// the options of the host's anew, so the host's tree is bound.
func (w *writer) cgroupMount(m *plan.Mount) {
	const flagMask = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_RELATIME | unix.MS_NOATIME | unix.MS_NODIRATIME
	cg := &w.plan.Cgroup
	source := cg.Mount
	target := w.fdcell("target")
	w.openDir(m.Destination, resolveFor(m.Destination), target, nil)
	done := w.Label()
	ns := w.plan.Namespace(unix.CLONE_NEWCGROUP)
	if ns != nil {
		source = path.Join(cg.Mount, cg.Path, cg.Leaf)
	}
	if ns != nil && !ns.Inherited {
		w.Call("enter "+m.Destination+" in the root", unix.SYS_FCHDIR, target.Arg())
		w.mountCall("mount cgroup2 on "+m.Destination, "cgroup", ".", "cgroup2", m.Flags&flagMask, "").
			Skip(done, program.OK).Ignore(unix.EPERM, unix.EBUSY)
	}
	tree := w.fdcell("cgroup")
	w.openTree("open "+source+" for "+m.Destination, source, false, tree)
	if set := attributesOf(m.Flags); set != 0 {
		w.mountSetattr("set "+attributeNames(set, 0)+" on "+m.Destination, tree, false, set, 0, 0)
	}
	w.moveMount("mount "+source+" on "+m.Destination, tree, target)
	w.close(tree)
	w.Here(done)
	if len(m.Propagation) > 0 || m.RecSet|m.RecClear != 0 {
		top := w.fdcell("top")
		w.openTop(m.Destination, target, top)
		w.change(m, top)
		w.close(top)
	}
	w.close(target)
}

// attributesOf translates the flags of mount(2) that say the same of one mount.
func attributesOf(flags uintptr) uint64 {
	var set uint64
	for _, f := range [...]struct {
		flag uintptr
		attr uint64
	}{{unix.MS_RDONLY, unix.MOUNT_ATTR_RDONLY}, {unix.MS_NOSUID, unix.MOUNT_ATTR_NOSUID},
		{unix.MS_NODEV, unix.MOUNT_ATTR_NODEV}, {unix.MS_NOEXEC, unix.MOUNT_ATTR_NOEXEC},
		{unix.MS_NODIRATIME, unix.MOUNT_ATTR_NODIRATIME}} {
		if flags&f.flag != 0 {
			set |= f.attr
		}
	}
	return set
}

// attributeNames names mount attributes for an error message.
func attributeNames(set, clear uint64) string {
	var names []string
	for _, a := range [...]struct {
		attr    uint64
		on, off string
	}{{unix.MOUNT_ATTR_RDONLY, "ro", "rw"}, {unix.MOUNT_ATTR_NOSUID, "nosuid", "suid"},
		{unix.MOUNT_ATTR_NODEV, "nodev", "dev"}, {unix.MOUNT_ATTR_NOEXEC, "noexec", "exec"},
		{unix.MOUNT_ATTR_NODIRATIME, "nodiratime", "diratime"}, {unix.MOUNT_ATTR_NOSYMFOLLOW, "nosymfollow", "symfollow"}} {
		switch {
		case set&a.attr != 0:
			names = append(names, a.on)
		case clear&a.attr != 0:
			names = append(names, a.off)
		}
	}
	if clear&unix.MOUNT_ATTR__ATIME != 0 {
		names = append(names, "atime")
	}
	if len(names) == 0 {
		return "attributes"
	}
	return strings.Join(names, ",")
}

// hasOption says whether a list of file system options sets one.
func hasOption(data, name string) bool {
	for _, o := range strings.Split(data, ",") {
		if o == name || strings.HasPrefix(o, name+"=") {
			return true
		}
	}
	return false
}
