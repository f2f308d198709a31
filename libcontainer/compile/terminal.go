package compile

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/program"
)

// terminal opens a pseudo terminal of the container's own devpts, makes it
// the controlling terminal and /dev/console, and sends the master to whoever
// asked for it. The slave is opened through the master (TIOCGPTPEER), never
// by its name, which another container could have replaced (CVE-2025-52565).
func (w *writer) terminal() {
	p := w.plan.Process
	if p == nil || !p.Terminal {
		return
	}
	master, slave := w.fdcell("ptmx"), w.fdcell("pts")
	w.openat2("open /dev/pts/ptmx in the root", w.root, "dev/pts/ptmx",
		openHow{flags: unix.O_RDWR | unix.O_NOCTTY | unix.O_CLOEXEC, resolve: noLinks}, master)
	fs := w.Space(statfsSize)
	w.Call("look at /dev/pts/ptmx", unix.SYS_FSTATFS, master.Arg(), fs.Arg())
	w.Check("see that /dev/pts is a devpts", fs, ^uint64(0), unix.DEVPTS_SUPER_MAGIC, uintptr(unix.ENODEV))
	w.Call("unlock the terminal", unix.SYS_IOCTL, master.Arg(), program.Const(unix.TIOCSPTLCK), w.Space(8).Arg())
	w.Call("open the terminal", unix.SYS_IOCTL, master.Arg(), program.Const(unix.TIOCGPTPEER),
		program.Const(unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)).Keep(slave)
	if p.Rows != 0 || p.Cols != 0 {
		var size [8]byte
		binary.NativeEndian.PutUint16(size[0:], p.Rows)
		binary.NativeEndian.PutUint16(size[2:], p.Cols)
		w.Call("set the size of the terminal", unix.SYS_IOCTL, slave.Arg(), program.Const(unix.TIOCSWINSZ), w.Bytes(size[:]).Arg())
	}
	if w.plan.OwnDev && w.plan.IsNew(unix.CLONE_NEWNS) {
		w.console(slave)
	}
	w.Call("make the terminal the controlling one", unix.SYS_IOCTL, slave.Arg(), program.Const(unix.TIOCSCTTY), program.Const(0))
	for fd := range 3 {
		w.Call("make the terminal standard input and output", unix.SYS_DUP3, slave.Arg(), program.Const(fd), program.Const(0))
	}
	w.close(slave)
	// A message must have some ordinary data: the name that terminals have.
	const name = "/dev/ptmx"
	socket := w.Input(InputConsole)
	w.sendFD("send the terminal to the console socket", socket, master, w.String(name), len(name))
	w.close(master)
	// Whoever reads it to its end is not to wait until the program is started.
	w.close(socket)
}

// console mounts the terminal on /dev/console.
func (w *writer) console(slave program.Cell) {
	const p = "/dev/console"
	done := w.Label()
	target, tree := w.fdcell("target"), w.fdcell("console")
	w.openat2("open "+p+" in the root", w.root, below(p), openHow{flags: handle, resolve: noLinks}, target).
		Skip(done, program.OK).Ignore(unix.ENOENT)
	w.makeFile(p, noLinks, target)
	w.Here(done)
	w.cloneTree("copy the mount of the terminal", slave, false, tree)
	w.moveMount("mount the terminal on "+p, tree, target)
	w.close(tree)
	w.close(target)
}

// sendFD sends n bytes of data and a descriptor over a socket (unix(7), cmsg(3)).
func (w *writer) sendFD(what string, socket, fd program.Cell, data program.Addr, n int) {
	iov := w.Space(16)
	w.PutAddr(iov, data)
	w.PutUint64(iov+8, uint64(n))
	cmsg := w.Space(24)
	w.PutUint64(cmsg, 20) // CMSG_LEN(4)
	w.PutUint32(cmsg+8, unix.SOL_SOCKET)
	w.PutUint32(cmsg+12, unix.SCM_RIGHTS)
	msg := w.Space(56)
	w.PutAddr(msg+16, iov)
	w.PutUint64(msg+24, 1)
	w.PutAddr(msg+32, cmsg)
	w.PutUint64(msg+40, 24)
	w.Store32("write down the descriptor", cmsg+16, fd.Arg())
	w.Call(what, unix.SYS_SENDMSG, socket.Arg(), msg.Arg(), program.Const(unix.MSG_NOSIGNAL)).Want(int64(n)).Again(unix.EINTR)
}

// receiveFD takes one byte and a descriptor from a socket (unix(7), cmsg(3)).
func (w *writer) receiveFD(what string, socket program.Cell) program.Cell {
	iov := w.Space(16)
	w.PutAddr(iov, w.Space(8))
	w.PutUint64(iov+8, 1)
	cmsg := w.Space(24)
	msg := w.Space(56)
	w.PutAddr(msg+16, iov)
	w.PutUint64(msg+24, 1)
	w.PutAddr(msg+32, cmsg)
	w.PutUint64(msg+40, 24)
	w.Call(what, unix.SYS_RECVMSG, socket.Arg(), msg.Arg(), program.Const(unix.MSG_CMSG_CLOEXEC)).Want(1).Again(unix.EINTR)
	w.Check("see that it has come", cmsg, ^uint64(0), 20, uintptr(unix.EBADF)) // CMSG_LEN(4)
	word := cmsg + 16
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		word -= 4 // the low half of eight bytes is the last there
	}
	fd := w.Cell("received", 0)
	w.Store32("take the descriptor", program.Addr(fd), program.Cell(word).Arg())
	return fd
}
