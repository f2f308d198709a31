package compile

import (
	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/plan"
	"github.com/mesoc/mesoc/libcontainer/program"
)

// labels has the security modules confine the next program that this process
// executes. It is the first thing done, while /proc is the host's beyond doubt:
// written later, a label could go to a file that the container put there
// (CVE-2019-16884, CVE-2025-52881). It waits for the execve, whatever becomes of
// user, namespaces and rights in between; it must come before no_new_privs, with
// which a runtime that is confined itself could not change the profile any more.
// keys says that keys are made before that: they get the program's context.
func (w *writer) labels(l plan.Labels, keys bool) {
	if l == (plan.Labels{}) {
		return
	}
	proc := w.fdcell("proc")
	w.openProc("/proc", proc)
	if l.AppArmor != "" {
		// attr/exec belongs to one module only, and not to AppArmor where there are
		// several; before Linux 5.8 there is no other.
		w.setAttr(proc, "set AppArmor profile "+l.AppArmor+" [it must be loaded]", "exec "+l.AppArmor, "apparmor/exec", "exec")
	}
	if l.SELinux != "" {
		w.setAttr(proc, "set SELinux label "+l.SELinux, l.SELinux, "exec")
	}
	if l.SELinux != "" && keys {
		w.setAttr(proc, "set SELinux label "+l.SELinux+" for keys", l.SELinux, "keycreate")
	}
	w.close(proc)
}

// setAttr writes a text to the first of the files that is there, below the
// directory of this thread's security attributes. That is procfs itself all the
// way, with nothing mounted on any part of it.
func (w *writer) setAttr(proc program.Cell, what, text string, files ...string) {
	fd, found := w.fdcell("attr"), w.Label()
	for i, file := range files {
		name := "thread-self/attr/" + file
		op := w.openat2("open /proc/"+name, proc, name, openHow{flags: unix.O_WRONLY | unix.O_CLOEXEC,
			resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV}, fd)
		if i < len(files)-1 {
			op.Skip(found, program.OK).Ignore(unix.ENOENT)
		}
	}
	w.Here(found)
	w.write(what, fd, w.String(text), len(text))
	w.close(fd)
}

// labelMount gives the top of a new mount its context. It is the directory that
// is open as top.
func (w *writer) labelMount(destination, context string, top program.Cell) {
	w.Call("enter "+destination+" in the root", unix.SYS_FCHDIR, top.Arg())
	w.Call("set SELinux label "+context+" on "+destination, unix.SYS_LSETXATTR, w.String(".").Arg(),
		w.String("security.selinux").Arg(), w.String(context).Arg(), program.Const(len(context)), program.Const(0))
}
