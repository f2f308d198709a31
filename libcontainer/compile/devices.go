package compile

import (
	"path"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/plan"
	"github.com/mesoc/mesoc/libcontainer/program"
)

// devices makes the nodes of the plan, and the links that every /dev has,
// unless the container shows the host's /dev.
func (w *writer) devices() {
	p := w.plan
	if !p.OwnDev || !p.IsNew(unix.CLONE_NEWNS) {
		return
	}
	dev, made := w.places["/dev"]
	if !made {
		dev = w.fdcell("dev")
		w.openDir("/dev", inRoot, dev, nil)
	}
	for i := range p.Devices {
		d := &p.Devices[i]
		dir := dev
		if parent := path.Dir(d.Path); parent != "/dev" {
			dir = w.fdcell(parent)
			w.openDir(parent, inRoot, dir, nil)
		}
		if p.UserMapped && d.Type != unix.S_IFIFO {
			w.bindDevice(d)
		} else {
			w.makeDevice(d, dir)
		}
		if dir != dev {
			w.close(dir)
		}
	}
	w.links(dev)
	if !made {
		w.close(dev)
	}
}

// makeDevice makes a node. One that is there already must be the very same
// device: an image could have left /dev/null as something else.
func (w *writer) makeDevice(d *plan.Device, dir program.Cell) {
	done, owned := w.Label(), w.Label()
	name := w.String(path.Base(d.Path))
	w.Call("make device "+d.Path, unix.SYS_MKNODAT, dir.Arg(), name.Arg(),
		program.Const(d.Type|d.Mode), program.Const(unix.Mkdev(d.Major, d.Minor))).
		Skip(owned, program.OK).Ignore(unix.EEXIST)
	w.Call("look at device "+d.Path, unix.SYS_STATX, dir.Arg(), name.Arg(), program.Const(unix.AT_SYMLINK_NOFOLLOW),
		program.Const(unix.STATX_TYPE), w.stat.Arg())
	w.isType("see that "+d.Path+" is the device that is asked for", d.Type, unix.EEXIST)
	if d.Type != unix.S_IFIFO {
		w.Check("see that "+d.Path+" is the device that is asked for", w.stat+statxRdev, ^uint64(0),
			rdev(d.Major, d.Minor), uintptr(unix.EEXIST))
	}
	w.Here(owned)
	if d.UID != 0 || d.GID != 0 {
		w.Call("set the owner of device "+d.Path, unix.SYS_FCHOWNAT, dir.Arg(), name.Arg(),
			program.Const(d.UID), program.Const(d.GID), program.Const(unix.AT_SYMLINK_NOFOLLOW))
	}
	w.Here(done)
}

// bindDevice shows the host's node: in a user namespace none can be made.
func (w *writer) bindDevice(d *plan.Device) {
	tree, target, done := w.fdcell("source"), w.fdcell("target"), w.Label()
	w.openTree("open the host's "+d.Path, d.Path, false, tree)
	w.statx("look at the host's "+d.Path, tree, unix.STATX_TYPE)
	w.isType("see that the host's "+d.Path+" is the device that is asked for", d.Type, unix.ENODEV)
	w.Check("see that the host's "+d.Path+" is the device that is asked for", w.stat+statxRdev, ^uint64(0),
		rdev(d.Major, d.Minor), uintptr(unix.ENODEV))
	// Read-only is the node, not the device: its mode and owner are the host's.
	w.mountSetattr("make the host's "+d.Path+" read-only", tree, false, unix.MOUNT_ATTR_RDONLY, 0, 0)
	w.openat2("open "+d.Path+" in the root", w.root, below(d.Path), openHow{flags: handle, resolve: inRoot}, target).
		Skip(done, program.OK).Ignore(unix.ENOENT)
	w.makeFile(d.Path, inRoot, target)
	w.Here(done)
	w.moveMount("mount the host's "+d.Path, tree, target)
	w.close(tree)
	w.close(target)
}

// links makes the symlinks that the spec asks for (config-linux, default
// devices and /dev symbolic links). Those into /proc need one.
func (w *writer) links(dev program.Cell) {
	for i := range w.plan.Mounts {
		if w.plan.Mounts[i].Destination == "/proc" {
			for _, l := range [...][2]string{{"/proc/self/fd", "fd"}, {"/proc/self/fd/0", "stdin"},
				{"/proc/self/fd/1", "stdout"}, {"/proc/self/fd/2", "stderr"}} {
				w.Call("link /dev/"+l[1]+" to "+l[0], unix.SYS_SYMLINKAT, w.String(l[0]).Arg(), dev.Arg(), w.String(l[1]).Arg()).
					Ignore(unix.EEXIST)
			}
			break
		}
	}
	w.Call("remove /dev/ptmx", unix.SYS_UNLINKAT, dev.Arg(), w.String("ptmx").Arg(), program.Const(0)).Ignore(unix.ENOENT)
	w.Call("link /dev/ptmx to pts/ptmx", unix.SYS_SYMLINKAT, w.String("pts/ptmx").Arg(), dev.Arg(), w.String("ptmx").Arg())
}
