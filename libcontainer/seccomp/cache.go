package seccomp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// A cache is a directory with a file a filter. The file has what the filter
// was compiled from in full, and is used only if that is the same byte by
// byte: its name, a short hash, need not resist anyone, although profiles are
// the bundle author's to choose. What a file has is executed as root's word on
// what a container may do, so it must belong to us and be writable by us alone.

// compilerVersion changes with every change to what Compile makes.
const compilerVersion = "mesoc-seccomp-2 " + tableSource

const (
	cacheMax   = 64      // files, after which the cache starts anew
	cacheBytes = 1 << 20 // of a file
	insnBytes  = 8
)

var errStale = errors.New("not the wanted filter")

// Cached is Compile with a cache in the directory dirfd, which must belong to
// the caller and be writable by it alone. A cache that cannot be read or
// written costs time and nothing else; hit says whether it served.
func Cached(dirfd int, s *specs.LinuxSeccomp, o Options) (f Filter, hit bool, err error) {
	key := cacheKey(s, o)
	name := "filter-" + strconv.FormatUint(fnv1a(key), 16)
	if f, err := readCached(dirfd, name, key); err == nil {
		return f, true, nil
	}
	if f, err = Compile(s, o); err != nil {
		return Filter{}, false, err
	}
	if err := writeCached(dirfd, name, key, f); err == nil {
		prune(dirfd, name)
	}
	return f, false, nil
}

// cacheKey writes down everything that Compile looks at, every part with its
// length, so that no two profiles have the same key.
func cacheKey(s *specs.LinuxSeccomp, o Options) []byte {
	b := make([]byte, 0, 16<<10)
	str := func(s string) {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	num := func(n uint64) { b = binary.AppendUvarint(b, n) }
	errno := func(e *uint) {
		if e == nil {
			num(0)
			return
		}
		num(1)
		num(uint64(*e))
	}
	str(compilerVersion)
	str(string(o.Native))
	if o.Enosys {
		num(1)
	} else {
		num(0)
	}
	str(string(s.DefaultAction))
	errno(s.DefaultErrnoRet)
	num(uint64(len(s.Architectures)))
	for _, a := range s.Architectures {
		str(string(a))
	}
	num(uint64(len(s.Flags)))
	for _, f := range s.Flags {
		str(string(f))
	}
	num(uint64(len(s.Syscalls)))
	for i := range s.Syscalls {
		r := &s.Syscalls[i]
		num(uint64(len(r.Names)))
		for _, n := range r.Names {
			str(n)
		}
		str(string(r.Action))
		errno(r.ErrnoRet)
		num(uint64(len(r.Args)))
		for _, a := range r.Args {
			num(uint64(a.Index))
			num(a.Value)
			num(a.ValueTwo)
			str(string(a.Op))
		}
	}
	return b
}

func fnv1a(parts ...[]byte) uint64 {
	h := uint64(14695981039346656037)
	for _, part := range parts {
		for _, c := range part {
			h = (h ^ uint64(c)) * 1099511628211
		}
	}
	return h
}

// A file is the key's length, flags with the notify bit above them, the key,
// the program, and a hash of all that, against torn writes. Numbers are in the
// machine's byte order, as the kernel wants the program.

const notifyBit = 1 << 63

func readCached(dirfd int, name string, key []byte) (Filter, error) {
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
	b := make([]byte, st.Size)
	for read := 0; read < len(b); {
		n, err := unix.Read(fd, b[read:])
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return Filter{}, errStale
		}
		read += n
	}
	return decodeCached(b, key)
}

func decodeCached(b, key []byte) (Filter, error) {
	order := binary.NativeEndian
	if len(b) < 24+len(key) || order.Uint64(b) != uint64(len(key)) || string(b[16:16+len(key)]) != string(key) {
		return Filter{}, errStale
	}
	head, sum := b[:len(b)-8], order.Uint64(b[len(b)-8:])
	code := head[16+len(key):]
	n := len(code) / insnBytes
	if fnv1a(head) != sum || len(code)%insnBytes != 0 || n == 0 || n > unix.BPF_MAXINSNS {
		return Filter{}, errStale
	}
	f := Filter{Program: make([]unix.SockFilter, n)}
	for i := range f.Program {
		c := code[i*insnBytes:]
		f.Program[i] = unix.SockFilter{Code: order.Uint16(c), Jt: c[2], Jf: c[3], K: order.Uint32(c[4:])}
	}
	flags := order.Uint64(b[8:])
	f.Notify, f.Flags = flags&notifyBit != 0, uint32(flags)
	return f, nil
}

func encodeCached(key []byte, f Filter) []byte {
	order := binary.NativeEndian
	b := make([]byte, 0, 24+len(key)+len(f.Program)*insnBytes)
	b = order.AppendUint64(b, uint64(len(key)))
	flags := uint64(f.Flags)
	if f.Notify {
		flags |= notifyBit
	}
	b = order.AppendUint64(b, flags)
	b = append(b, key...)
	for _, in := range f.Program {
		b = order.AppendUint16(b, in.Code)
		b = append(b, in.Jt, in.Jf)
		b = order.AppendUint32(b, in.K)
	}
	return order.AppendUint64(b, fnv1a(b))
}

// writeCached puts the file in place whole, by rename. It is not synced: the
// hash finds what a crash has left.
func writeCached(dirfd int, name string, key []byte, f Filter) error {
	b := encodeCached(key, f)
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
