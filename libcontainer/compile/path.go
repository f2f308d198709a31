package compile

import (
	"encoding/binary"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/program"
)

// Every access below the container's root goes through openat2 from the
// descriptor of the root, because the image may hold any symlink and a volume
// that another container writes to may change under our feet. What comes back
// is an O_PATH handle; from then on no string is resolved again.

// openHow is struct open_how of openat2(2).
type openHow struct {
	flags, mode, resolve uint64
}

const (
	// inRoot takes a path as the container would see it. Magic links, which
	// could lead out, are refused by the kernel.
	inRoot = unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS
	// noLinks is for places that must be what they seem.
	noLinks = inRoot | unix.RESOLVE_NO_SYMLINKS

	handle    = unix.O_PATH | unix.O_CLOEXEC
	dirHandle = handle | unix.O_DIRECTORY
)

// openat2 opens name below dir and keeps the descriptor. EAGAIN says that a
// rename was going on; the kernel asks to try again.
func (w *writer) openat2(what string, dir program.Cell, name string, how openHow, to program.Cell) *program.Op {
	at, ok := w.how[how]
	if !ok {
		var b [24]byte
		binary.NativeEndian.PutUint64(b[0:], how.flags)
		binary.NativeEndian.PutUint64(b[8:], how.mode)
		binary.NativeEndian.PutUint64(b[16:], how.resolve)
		at = w.Bytes(b[:])
		w.Name(at, describeHow(how))
		w.how[how] = at
	}
	return w.Call(what, unix.SYS_OPENAT2, dir.Arg(), w.String(name).Arg(), at.Arg(), program.Const(24)).
		Keep(to).Again(unix.EAGAIN, unix.EINTR)
}

func describeHow(h openHow) string {
	var s []string
	for _, f := range []struct {
		bit  uint64
		name string
	}{{unix.O_PATH, "O_PATH"}, {unix.O_DIRECTORY, "O_DIRECTORY"}, {unix.O_WRONLY, "O_WRONLY"},
		{unix.O_RDWR, "O_RDWR"}, {unix.O_NOFOLLOW, "O_NOFOLLOW"}} {
		if h.flags&f.bit != 0 {
			s = append(s, f.name)
		}
	}
	for _, f := range []struct {
		bit  uint64
		name string
	}{{unix.RESOLVE_IN_ROOT, "IN_ROOT"}, {unix.RESOLVE_BENEATH, "BENEATH"},
		{unix.RESOLVE_NO_SYMLINKS, "NO_SYMLINKS"}, {unix.RESOLVE_NO_XDEV, "NO_XDEV"}} {
		if h.resolve&f.bit != 0 {
			s = append(s, f.name)
		}
	}
	return "{" + strings.Join(s, "|") + "}"
}

// below makes an absolute path of the container relative to its root.
func below(p string) string {
	p = strings.TrimPrefix(path.Clean("/"+p), "/")
	if p == "" {
		return "."
	}
	return p
}

// openDir opens the directory p, making it where it is missing, as the
// container's root would see it. existing, if not nil, writes what is to be
// done to one that was there.
func (w *writer) openDir(p string, resolve uint64, to program.Cell, existing func()) {
	done, missing := w.Label(), w.Label()
	w.openat2("open "+p+" in the root", w.root, below(p), openHow{flags: dirHandle, resolve: resolve}, to).
		Skip(missing, unix.ENOENT)
	if existing != nil {
		existing()
	}
	w.skipTo(done)
	w.Here(missing)
	w.makeDir(p, resolve, to)
	w.Here(done)
}

// makeDir makes the directory p and opens it.
func (w *writer) makeDir(p string, resolve uint64, to program.Cell) {
	w.makeOne(Missing{Path: below(p)}, openHow{flags: dirHandle, resolve: resolve}, to)
}

// makeFile makes an empty regular file at p for something to be mounted on,
// and opens it.
func (w *writer) makeFile(p string, resolve uint64, to program.Cell) {
	w.makeOne(Missing{Path: below(p), File: true}, openHow{flags: handle, resolve: resolve}, to)
}

// makeOne makes what is missing and opens it. That is two calls where only the
// last component is not there. Everything else takes thinking, and the parent is
// asked: several components are missing, or one that is there leads nowhere,
// because it is a symlink to something that is missing.
func (w *writer) makeOne(m Missing, how openHow, to program.Cell) {
	done, ask := w.Label(), w.Label()
	dir, parent := w.root, path.Dir(m.Path)
	if parent != "." {
		dir = w.fdcell(parent)
		w.openat2("open /"+parent+" in the root", w.root, parent, openHow{flags: dirHandle, resolve: how.resolve}, dir).
			Skip(ask, unix.ENOENT)
	}
	name := w.String(path.Base(m.Path)).Arg()
	if m.File {
		w.Call("make file /"+m.Path+" in the root", unix.SYS_MKNODAT, dir.Arg(), name,
			program.Const(unix.S_IFREG|0o644), program.Const(0)).Ignore(unix.EEXIST)
	} else {
		w.Call("make directory /"+m.Path+" in the root", unix.SYS_MKDIRAT, dir.Arg(), name, program.Const(0o755)).
			Ignore(unix.EEXIST)
	}
	if dir != w.root {
		w.close(dir)
	}
	what := "open /" + m.Path + " in the root"
	op := w.openat2(what, w.root, m.Path, how, to)
	if how.resolve&unix.RESOLVE_NO_SYMLINKS != 0 && parent == "." {
		return // nothing can be dangling
	}
	op.Skip(done, program.OK).Ignore(unix.ENOENT)
	w.Here(ask)
	w.ask(m)
	w.openat2(what, w.root, m.Path, how, to)
	w.Here(done)
}

// Missing is something that init cannot make alone.
type Missing struct {
	Path string // relative to the container's root
	File bool   // a regular file is wanted, not a directory
}

// ask has the parent make something below the root, whose handle it is sent.
func (w *writer) ask(m Missing) {
	w.missing = append(w.missing, m)
	msg := w.message(program.Tell, ToldMissing+uint32(len(w.missing)-1))
	w.sendFD("ask the runtime to make /"+m.Path+" in the root", w.sync, w.root, msg, 8)
	w.wait("wait for /" + m.Path + " in the root")
}

// fail ends the program with errno.
func (w *writer) fail(what string, errno unix.Errno) {
	w.Check(what, w.alwaysZero(), 0, 1, uintptr(errno))
}

// struct statx, as far as programs read it (statx(2)).
const (
	statxSize     = 256
	statxMode     = 28  // u16, two bytes of padding behind it
	statxRdev     = 128 // u32 major, u32 minor
	statxModeMask = unix.S_IFMT
)

// statx asks for the type and mode of a handle.
func (w *writer) statx(what string, fd program.Cell, mask uint32) {
	w.Call(what, unix.SYS_STATX, fd.Arg(), w.String("").Arg(), program.Const(unix.AT_EMPTY_PATH),
		program.Const(mask), w.stat.Arg())
}

// isType compares the type in the last statx; if it is another one, the
// operation ends with errno.
func (w *writer) isType(what string, typ uint32, errno unix.Errno) *program.Op {
	return w.Check(what, w.stat+statxMode, uint64(fileType(unix.S_IFMT)), fileType(typ), uintptr(errno))
}

// fileType is the bits of a type as the first two of eight bytes in memory hold them.
func fileType(typ uint32) uint64 {
	var b [8]byte
	binary.NativeEndian.PutUint16(b[:], uint16(typ))
	return binary.NativeEndian.Uint64(b[:])
}

// rdev is a device number as the eight bytes at statxRdev hold it.
func rdev(major, minor uint32) uint64 {
	var b [8]byte
	binary.NativeEndian.PutUint32(b[0:], major)
	binary.NativeEndian.PutUint32(b[4:], minor)
	return binary.NativeEndian.Uint64(b[:])
}
