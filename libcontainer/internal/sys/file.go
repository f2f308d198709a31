package sys

import (
	"io"
	"math/rand/v2"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Openat opens name relative to dirfd (CWD for the working directory).
func Openat(dirfd int, name string, flags int, mode uint32) (int, error) {
	fd, err := openat(dirfd, name, flags, mode)
	if err != nil {
		return -1, fail("open", name, err)
	}
	return fd, nil
}

// openat is Openat with the bare errno.
func openat(dirfd int, name string, flags int, mode uint32) (fd int, err error) {
	err = retry(func() (err error) {
		fd, err = unix.Openat(dirfd, name, flags|unix.O_CLOEXEC, mode)
		return err
	})
	return fd, err
}

// openat2Tries bounds the retries on EAGAIN: with RESOLVE_BENEATH or
// RESOLVE_IN_ROOT the kernel gives up a walk over ".." when anything on the
// system was renamed or mounted meanwhile, which a loop elsewhere can keep up.
const openat2Tries = 64

// Openat2 opens path relative to dirfd under the given RESOLVE_* rules.
func Openat2(dirfd int, path string, flags int, mode uint32, resolve uint64) (int, error) {
	how := unix.OpenHow{Flags: uint64(flags) | unix.O_CLOEXEC, Mode: uint64(mode), Resolve: resolve}
	for try := 1; ; try++ {
		fd, err := unix.Openat2(dirfd, path, &how)
		switch {
		case err == nil:
			return fd, nil
		case err == unix.EINTR:
		case err == unix.EAGAIN && try < openat2Tries:
		default:
			return -1, fail("open", path, Called("openat2", err))
		}
	}
}

// Close closes fd. On Linux the descriptor is gone whatever close(2) says, so
// it is never retried.
func Close(fd int) error {
	return unix.Close(fd)
}

// Read fills buf from fd until it is full or the file ends, and returns how
// much it has read.
func Read(fd int, buf []byte) (int, error) {
	total := 0
	for total < len(buf) {
		n, err := unix.Read(fd, buf[total:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return total, err
		}
		if n == 0 {
			break
		}
		total += n
	}
	return total, nil
}

// Write writes all of data to fd.
func Write(fd int, data []byte) error {
	for len(data) > 0 {
		n, err := unix.Write(fd, data)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return io.ErrShortWrite
		}
		data = data[n:]
	}
	return nil
}

// ReadFileAt reads the file name below dirfd into buf, in one read where the
// file allows it, and returns how much there was. A file that does not fit
// into buf is an error (EFBIG), so give one byte more than is expected. Meant
// for the small files of proc and cgroup2.
func ReadFileAt(dirfd int, name string, buf []byte) (int, error) {
	fd, err := Openat(dirfd, name, unix.O_RDONLY|unix.O_NOCTTY, 0)
	if err != nil {
		return 0, err
	}
	defer Close(fd)
	n, err := Read(fd, buf)
	if err != nil {
		return n, fail("read", name, err)
	}
	if n == len(buf) {
		return n, fail("read", name, unix.EFBIG)
	}
	return n, nil
}

// ReadAll reads a file of any length below dirfd; a read error is bare.
func ReadAll(dirfd int, name string) (string, error) {
	fd, err := Openat(dirfd, name, unix.O_RDONLY|unix.O_NOCTTY, 0)
	if err != nil {
		return "", err
	}
	defer Close(fd)
	text := make([]byte, 0, 4096)
	for {
		if len(text) == cap(text) {
			text = append(text, 0)[:len(text)]
		}
		n, err := Read(fd, text[len(text):cap(text)])
		if err != nil {
			return "", err
		}
		if n == 0 {
			return string(text), nil
		}
		text = text[:len(text)+n]
	}
}

// writeFileTries bounds the search for a free temporary name; names are 64
// random bits, so a second try is already a sign of an attack.
const writeFileTries = 8

// WriteFileAt makes data the content of the file name below dirfd in one step:
// a reader sees the old file, or the new one, never a part, and a symlink that
// stands at name is replaced, not followed. The temporary file has a name of
// its own (a stale one of a killed process is never in the way) and is removed
// when anything fails. There is no fsync: what mesoc writes describes running
// processes and means nothing after a crash of the machine.
func WriteFileAt(dirfd int, name string, data []byte, mode uint32) error {
	tmp, fd, err := createTemp(dirfd, name, mode)
	if err != nil {
		return fail("create", tmp, err)
	}
	err = Write(fd, data)
	if closeErr := Close(fd); err == nil {
		err = closeErr // NFS and quotas report a lack of space here
	}
	if err == nil {
		err = unix.Renameat(dirfd, tmp, dirfd, name)
	}
	if err != nil {
		// Best effort: err is what the caller has to hear.
		_ = unix.Unlinkat(dirfd, tmp, 0)
		return fail("write", name, err)
	}
	return nil
}

// WriteForeignFileAt is WriteFileAt in a directory that nobody cleans up: where
// the file system can, a process that is killed on the way leaves nothing there.
// An old file is gone for a moment before the new one appears.
func WriteForeignFileAt(dirfd int, name string, data []byte, mode uint32) error {
	dir, base := split(name)
	if dir == "" {
		dir = "."
	}
	fd, err := openat(dirfd, dir, unix.O_WRONLY|unix.O_TMPFILE, mode)
	if err != nil || base == "" {
		if err == nil {
			Close(fd)
		}
		return WriteFileAt(dirfd, name, data, mode)
	}
	err = Write(fd, data)
	for range writeFileTries {
		if err != nil {
			break
		}
		if err = unix.Linkat(CWD, fdPath(fd), dirfd, name, unix.AT_SYMLINK_FOLLOW); err != unix.EEXIST {
			break
		}
		if err = unix.Unlinkat(dirfd, name, 0); err == unix.ENOENT {
			err = nil
		}
	}
	if closeErr := Close(fd); err == nil {
		err = closeErr
	}
	if err != nil {
		return fail("write", name, err)
	}
	return nil
}

// createTemp makes a new file beside name. The errors are bare.
func createTemp(dirfd int, name string, mode uint32) (tmp string, fd int, err error) {
	dir, base := split(name)
	// A temporary name must not break NAME_MAX where the final one fits.
	if len(base) > 200 {
		base = base[:200]
	}
	for range writeFileTries {
		tmp = dir + "." + base + "." + strconv.FormatUint(rand.Uint64(), 36)
		fd, err = openat(dirfd, tmp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, mode)
		if err != unix.EEXIST {
			break
		}
	}
	return tmp, fd, err
}

// split cuts path behind its last slash.
func split(path string) (dir, base string) {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '/' {
			return path[:i+1], path[i+1:]
		}
	}
	return "", path
}

// Dirent is one entry of a directory; Type is DT_DIR and so on, DT_UNKNOWN
// where the file system does not say.
type Dirent struct {
	Name string
	Type uint8
}

// dirBuffer is what one getdents may return, some 100 entries: a page, for most directories read are small and
// memory that was not touched before costs more than a few calls.
const dirBuffer = 4 << 10

// ReadDir returns what the directory fd holds from its current position on,
// without "." and "..", in the kernel's order.
func ReadDir(fd int) ([]Dirent, error) {
	var entries []Dirent
	buf := make([]byte, dirBuffer)
	for {
		n, err := unix.Getdents(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return entries, nil
		}
		entries = appendDirents(entries, buf[:n])
	}
}

// appendDirents parses what getdents64 returned: records of inode (8 bytes),
// offset (8), length (2), type (1) and the name, ended by NUL.
func appendDirents(entries []Dirent, buf []byte) []Dirent {
	const (
		reclen = unsafe.Offsetof(unix.Dirent{}.Reclen)
		typ    = unsafe.Offsetof(unix.Dirent{}.Type)
		name   = unsafe.Offsetof(unix.Dirent{}.Name)
	)
	for len(buf) > int(name) {
		size := int(*(*uint16)(unsafe.Pointer(&buf[reclen])))
		if size <= int(name) || size > len(buf) {
			break
		}
		record := buf[:size]
		buf = buf[size:]
		end := int(name)
		for end < size && record[end] != 0 {
			end++
		}
		if s := string(record[name:end]); s != "." && s != ".." {
			entries = append(entries, Dirent{Name: s, Type: record[typ]})
		}
	}
	return entries
}
