package seccomp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A cache is a directory with a file a filter. The file has the text of the
// profile that the filter was compiled from, and is used only if that is the
// same byte by byte: its name, a short hash, need not resist anyone, although
// profiles are the bundle author's to choose. The text, so that a profile that
// is found need not be decoded. What a file has is executed as root's word on
// what a container may do, so it must belong to us and be writable by us alone.

// compilerVersion changes with every change to what Compile makes, or to what
// is wrong with a profile: what is found is not checked again.
const compilerVersion = "mesoc-seccomp-3 " + tableSource

const (
	cacheMax   = 64      // files, after which the cache starts anew
	cacheBytes = 1 << 20 // of a file
	insnBytes  = int(unsafe.Sizeof(unix.SockFilter{}))
)

var errStale = errors.New("not the wanted filter")

// Lookup finds the filter that was stored for a profile of that text, in the
// directory dirfd, which must belong to the caller and be writable by it alone.
func Lookup(dirfd int, text []byte, o Options) (Filter, bool) {
	f, err := readCached(dirfd, cacheName(text), &o, text)
	return f, err == nil
}

// Store keeps a filter for Lookup. One that cannot be kept, or is not worth it,
// costs time later and nothing else.
func Store(dirfd int, text []byte, o Options, f Filter) {
	if f.Notify { // who is notified often has a name of its own for every container
		return
	}
	name := cacheName(text)
	if err := writeCached(dirfd, name, encodeCached(o.key(), text, f)); err == nil {
		prune(dirfd, name)
	}
}

// key is what a filter depends on besides the profile.
func (o *Options) key() string {
	return compilerVersion + o.enosys() + string(o.Native)
}

func (o *Options) enosys() string {
	if o.Enosys {
		return " enosys "
	}
	return " "
}

// isKey says whether b is the key. It makes no string: the first of a size costs
// more than all else here.
func (o *Options) isKey(b []byte) bool {
	b, version := bytes.CutPrefix(b, []byte(compilerVersion))
	b, enosys := bytes.CutPrefix(b, []byte(o.enosys()))
	return version && enosys && string(b) == string(o.Native)
}

// cacheName leaves the key out: who asks with another one replaces the file.
func cacheName(text []byte) string {
	return string(strconv.AppendUint([]byte("filter-"), sum(text), 16))
}

// sum hashes like FNV-1a, but by words, since texts are long.
func sum(b []byte) uint64 {
	h := uint64(14695981039346656037)
	mix := func(v uint64) {
		h = bits.RotateLeft64((h^v)*1099511628211, 29)
	}
	mix(uint64(len(b)))
	for ; len(b) >= 8; b = b[8:] {
		mix(binary.NativeEndian.Uint64(b))
	}
	for _, c := range b {
		mix(uint64(c))
	}
	return h
}

// A file has a hash of the next three, against torn writes, the flags, the number
// of instructions, and the program; then the key and the text, which are compared
// anyway. Numbers are in the machine's byte order, as the kernel wants the program.
const headBytes = 3 * 8

func readCached(dirfd int, name string, o *Options, text []byte) (Filter, error) {
	fd, err := openat(dirfd, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return Filter{}, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return Filter{}, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Mode&0o022 != 0 || int(st.Uid) != unix.Geteuid() || st.Size > cacheBytes {
		return Filter{}, errStale
	}
	origin := st.Size - int64(len(text))
	if origin < headBytes {
		return Filter{}, errStale
	}
	// The text goes through the memory that the program is going to be in: the
	// first use of a page costs more than a system call.
	b := make([]byte, max(origin, 2048))
	for at := origin; len(text) > 0; {
		part := b[:min(len(b), len(text))]
		if err := readAll(fd, part, at); err != nil || !bytes.Equal(part, text[:len(part)]) {
			return Filter{}, errStale
		}
		text, at = text[len(part):], at+int64(len(part))
	}
	if err := readAll(fd, b[:origin], 0); err != nil {
		return Filter{}, errStale
	}
	return decodeCached(b[:origin], o)
}

func readAll(fd int, b []byte, at int64) error {
	for len(b) > 0 {
		n, err := unix.Pread(fd, b, at)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return errStale
		}
		b, at = b[n:], at+int64(n)
	}
	return nil
}

// decodeCached reads what stands before the text.
func decodeCached(b []byte, o *Options) (Filter, error) {
	order := binary.NativeEndian
	n := int(order.Uint64(b[16:]))
	if n <= 0 || n > min(unix.BPF_MAXINSNS, (len(b)-headBytes)/insnBytes) {
		return Filter{}, errStale
	}
	end := headBytes + n*insnBytes
	if !o.isKey(b[end:]) || sum(b[8:end]) != order.Uint64(b) {
		return Filter{}, errStale
	}
	program := unsafe.Slice((*unix.SockFilter)(unsafe.Pointer(&b[headBytes])), n)
	return Filter{Program: program, Flags: uint32(order.Uint64(b[8:]))}, nil
}

func encodeCached(key string, text []byte, f Filter) []byte {
	order := binary.NativeEndian
	b := make([]byte, headBytes)
	order.PutUint64(b[8:], uint64(f.Flags))
	order.PutUint64(b[16:], uint64(len(f.Program)))
	code := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(f.Program))), len(f.Program)*insnBytes)
	b = slices.Concat(b, code)
	order.PutUint64(b, sum(b[8:]))
	return slices.Concat(b, []byte(key), text)
}

// writeCached puts the file in place whole, by rename. It is not synced: the
// hash finds what a crash has left.
func writeCached(dirfd int, name string, b []byte) error {
	if len(b) > cacheBytes {
		return errStale
	}
	temporary := "." + name + "." + strconv.Itoa(unix.Getpid())
	// What is there is from a process that died and had our pid.
	if err := unix.Unlinkat(dirfd, temporary, 0); err != nil && err != unix.ENOENT {
		return fmt.Errorf("remove %s: %w", temporary, err)
	}
	fd, err := openat(dirfd, temporary, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("create %s: %w", temporary, err)
	}
	err = writeAll(fd, b)
	unix.Close(fd)
	if err == nil {
		err = unix.Renameat(dirfd, temporary, dirfd, name)
	}
	if err != nil {
		unix.Unlinkat(dirfd, temporary, 0)
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

func openat(dirfd int, name string, flags int, mode uint32) (int, error) {
	for {
		fd, err := unix.Openat(dirfd, name, flags|unix.O_CLOEXEC, mode)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

func writeAll(fd int, b []byte) error {
	for len(b) > 0 {
		n, err := unix.Write(fd, b)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// prune empties a cache that has got too large, except for the file keep.
// Nobody misses a file: readers have it open or compile anew.
func prune(dirfd int, keep string) {
	fd, err := openat(dirfd, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	var names []string
	buf := make([]byte, 8<<10)
	for {
		n, err := unix.ReadDirent(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			break
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
	if len(names) <= cacheMax {
		return
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name == keep })
	for _, name := range names {
		unix.Unlinkat(dirfd, name, 0)
	}
}
