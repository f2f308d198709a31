package libcontainer

import (
	"errors"
	"fmt"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/plan"
)

// tmpcopyup: a new tmpfs begins with a copy of what it hides. Init, which
// cannot walk trees, hands over both directories. Every step is taken from a
// directory that is open, into an entry that is looked at before it is opened;
// no link is followed and no mount entered, so that nothing but what lies below
// is read. The tmpfs is seen by nobody else yet.

// copyDepth is how deep a tree may be: each level keeps descriptors open.
const copyDepth = 200

// copier copies trees into a tmpfs.
type copier struct {
	to int // the root of the tmpfs
	// users and groups are the maps of the container's user namespace, nil
	// without one.
	users, groups idMap
	// links are the paths in the tmpfs of files that have several names.
	links map[[2]uint64]string
}

// copyUp copies what is below the mount m, whose root is to, into it.
func (c *creation) copyUp(m *plan.Mount, from, to int) error {
	fail := func(err error) error {
		return fmt.Errorf("copy what is below %s into its tmpfs: %w", m.Destination, err)
	}
	var st unix.Statx_t
	var fs unix.Statfs_t
	if err := unix.Statx(to, "", unix.AT_EMPTY_PATH, 0, &st); err != nil {
		return fail(err)
	}
	if err := unix.Fstatfs(to, &fs); err != nil {
		return fail(err)
	}
	if fs.Type != unix.TMPFS_MAGIC || st.Attributes&unix.STATX_ATTR_MOUNT_ROOT == 0 {
		return fail(errors.New("somebody has changed the path meanwhile"))
	}
	job := copier{to: to, links: map[[2]uint64]string{}}
	run := func() error { return job.root(from, m.Data) }
	if c.plan.UserMapped {
		var err error
		if job.users, err = readIDMap(c.child.Pid, "uid_map"); err != nil {
			return fail(err)
		}
		if job.groups, err = readIDMap(c.child.Pid, "gid_map"); err != nil {
			return fail(err)
		}
		run = func() error { return asRootOf(job.users, job.groups, func() error { return job.root(from, m.Data) }) }
	}
	if err := run(); err != nil {
		return fail(err)
	}
	return nil
}

// asRootOf calls f as somebody who may make files on a file system of that user
// namespace, as only its own users may, and who keeps all capabilities. The
// thread must not end with its changed rights instead: init dies with the thread
// that made it.
func asRootOf(users, groups idMap, f func() error) error {
	uid, _ := users.host(0)
	gid, _ := groups.host(0)
	if int(uid) == unix.Geteuid() && int(gid) == unix.Getegid() {
		return f()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	bits, err := unix.PrctlRetInt(unix.PR_GET_SECUREBITS, 0, 0, 0, 0)
	if err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_SECUREBITS, uintptr(bits|secbitNoSetuidFixup), 0, 0, 0); err != nil {
		return fmt.Errorf("keep capabilities: %w", err)
	}
	_ = unix.Setfsgid(int(gid)) // says nothing of what became of it: making files will
	_ = unix.Setfsuid(int(uid))
	err = f()
	_ = unix.Setfsuid(unix.Geteuid())
	_ = unix.Setfsgid(unix.Getegid())
	if back := unix.Prctl(unix.PR_SET_SECUREBITS, uintptr(bits), 0, 0, 0); back != nil && err == nil {
		err = fmt.Errorf("be as before: %w", back)
	}
	return err
}

// secbitNoSetuidFixup keeps the capabilities of who becomes another user
// (capabilities(7), SECBIT_NO_SETUID_FIXUP).
const secbitNoSetuidFixup = 1 << 2

// root copies the top directory, whose owner the tmpfs takes over unless its
// options say otherwise; its mode is init's business.
func (c *copier) root(from int, options string) error {
	var st unix.Stat_t
	if err := unix.Fstat(from, &st); err != nil {
		return err
	}
	if _, err := c.adopt(&st); err != nil {
		return err
	}
	uid, gid := int(st.Uid), int(st.Gid)
	for option := range strings.SplitSeq(options, ",") {
		switch {
		case strings.HasPrefix(option, "uid="):
			uid = -1
		case strings.HasPrefix(option, "gid="):
			gid = -1
		}
	}
	if err := unix.Fchownat(c.to, "", uid, gid, unix.AT_EMPTY_PATH); err != nil {
		return err
	}
	return c.directory(from, c.to, ".", copyDepth)
}

// adopt decides who owns a copy. What belongs to nobody whom the container
// knows comes to belong to its root, without set-id bits, if everybody may read
// it; foreign says so. Else a copy would show what is hidden from the container.
func (c *copier) adopt(st *unix.Stat_t) (foreign bool, err error) {
	if c.users == nil || c.users.maps(st.Uid) && c.groups.maps(st.Gid) {
		return false, nil
	}
	need := uint32(0o4)
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		need = 0o5
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK && st.Mode&need != need {
		return true, fmt.Errorf("its owner %d:%d is not mapped: %w", st.Uid, st.Gid, unix.EACCES)
	}
	st.Uid, _ = c.users.host(0)
	st.Gid, _ = c.groups.host(0)
	st.Mode &^= unix.S_ISUID | unix.S_ISGID
	return true, nil
}

// directory copies what a directory holds; name is the copy's path.
func (c *copier) directory(from, to int, name string, depth int) error {
	if depth == 0 {
		return fmt.Errorf("%s: more than %d directories deep", name, copyDepth)
	}
	dir, err := sys.Openat(sys.CWD, handlePath(from), unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer sys.Close(dir)
	entries, err := sys.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read directory %s: %w", name, err)
	}
	for i := range entries {
		if err := c.entry(dir, to, path.Join(name, entries[i].Name), depth); err != nil {
			return err
		}
	}
	return nil
}

// entry copies one entry of a directory. What is gone meanwhile is left out, and
// so are mounts and sockets: a socket without its listener is nothing.
func (c *copier) entry(from, to int, name string, depth int) error {
	const resolve = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV
	base := path.Base(name)
	fd, err := sys.Openat2(from, base, unix.O_PATH|unix.O_NOFOLLOW, 0, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_XDEV)
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EXDEV):
		return nil
	case err != nil:
		return err
	}
	defer sys.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	foreign, err := c.adopt(&st)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	kind, perm := st.Mode&unix.S_IFMT, st.Mode&0o7777
	switch kind {
	case unix.S_IFSOCK:
		return nil
	case unix.S_IFLNK:
		return c.symlink(fd, to, base, &st)
	case unix.S_IFDIR:
		err = unix.Mkdirat(to, base, 0o700)
	case unix.S_IFREG:
		inode := [2]uint64{uint64(st.Dev), st.Ino}
		if first, ok := c.links[inode]; ok {
			return c.named(name, unix.Linkat(c.to, first, to, base, 0))
		}
		if st.Nlink > 1 {
			c.links[inode] = name
		}
		err = unix.Mknodat(to, base, unix.S_IFREG|0o600, 0)
	default: // devices and pipes
		err = unix.Mknodat(to, base, kind|0o600, int(st.Rdev))
	}
	if err != nil {
		return c.named(name, err)
	}
	made, err := sys.Openat2(to, base, unix.O_PATH|unix.O_NOFOLLOW, 0, resolve)
	if err != nil {
		return err
	}
	defer sys.Close(made)
	switch kind {
	case unix.S_IFDIR:
		err = c.directory(fd, made, name, depth-1)
	case unix.S_IFREG:
		err = c.named(name, copyFile(fd, made, st.Size))
	}
	if err != nil {
		return err
	}
	return c.named(name, dress(fd, made, &st, perm, !foreign))
}

// named says of an entry what went wrong.
func (c *copier) named(name string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (c *copier) symlink(fd, to int, name string, st *unix.Stat_t) error {
	target, err := readLink(fd)
	if err == nil {
		err = unix.Symlinkat(target, to, name)
	}
	if err == nil {
		err = unix.Fchownat(to, name, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW)
	}
	return c.named(name, err)
}

// handlePath is the path by which a handle is opened for reading and writing:
// what it is was looked at, and it can be nothing else any more.
func handlePath(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// copyFile copies the contents of a file, size bytes and no more, but not its
// holes: a log of logins has terabytes of them.
func copyFile(from, to int, size int64) error {
	in, err := sys.Openat(sys.CWD, handlePath(from), unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer sys.Close(in)
	out, err := sys.Openat(sys.CWD, handlePath(to), unix.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer sys.Close(out)
	for at := int64(0); at < size; {
		data, err := unix.Seek(in, at, unix.SEEK_DATA)
		switch {
		case errors.Is(err, unix.ENXIO): // nothing but a hole is left
			data = size
		case err != nil:
			data = at
		}
		at, err = unix.Seek(in, data, unix.SEEK_HOLE)
		if err != nil {
			at = size
		}
		if err := copyRange(in, out, data, min(at, size)); err != nil {
			return err
		}
	}
	return unix.Ftruncate(out, size)
}

func copyRange(in, out int, from, end int64) error {
	if _, err := unix.Seek(out, from, unix.SEEK_SET); err != nil {
		return err
	}
	for from < end {
		n, err := unix.Sendfile(out, in, &from, int(min(end-from, 1<<30)))
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return err
		case n == 0:
			return nil // it was made shorter meanwhile
		}
	}
	return nil
}

// dress gives a copy owner, attributes, mode and time, in the order in which
// none takes another away.
func dress(from, to int, st *unix.Stat_t, perm uint32, attributes bool) error {
	if err := unix.Fchownat(to, "", int(st.Uid), int(st.Gid), unix.AT_EMPTY_PATH); err != nil {
		return err
	}
	if attributes {
		if err := copyXattrs(handlePath(from), handlePath(to)); err != nil {
			return err
		}
	}
	if err := unix.Fchmodat(unix.AT_FDCWD, handlePath(to), perm, 0); err != nil {
		return err
	}
	return unix.UtimesNanoAt(unix.AT_FDCWD, handlePath(to), []unix.Timespec{st.Atim, st.Mtim}, 0)
}

// copyXattrs copies the extended attributes that are the image's: those of
// users, the access lists, the capabilities of programs. Labels and the marks of
// file systems are the host's.
func copyXattrs(from, to string) error {
	size, err := unix.Listxattr(from, nil)
	if err != nil || size == 0 {
		return ignoreUnsupported(err)
	}
	list := make([]byte, size)
	if size, err = unix.Listxattr(from, list); err != nil {
		return err
	}
	value := make([]byte, 64<<10) // XATTR_SIZE_MAX
	for name := range strings.SplitSeq(string(list[:size]), "\x00") {
		if !strings.HasPrefix(name, "user.") && !slices.Contains(copiedXattrs[:], name) {
			continue
		}
		n, err := unix.Getxattr(from, name, value)
		if errors.Is(err, unix.ENODATA) {
			continue
		}
		if err == nil {
			err = ignoreUnsupported(unix.Setxattr(to, name, value[:n], 0))
		}
		if err != nil {
			return fmt.Errorf("copy attribute %s: %w", name, err)
		}
	}
	return nil
}

var copiedXattrs = [...]string{"security.capability", "system.posix_acl_access", "system.posix_acl_default"}

// ignoreUnsupported is for attributes that one of the file systems has not.
func ignoreUnsupported(err error) error {
	if errors.Is(err, unix.EOPNOTSUPP) {
		return nil
	}
	return err
}
