package cgroup2

import (
	"fmt"
	"strings"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"golang.org/x/sys/unix"
)

// Mount is a place where cgroup2 can be reached.
type Mount struct {
	Path string // absolute
}

// The places to look at before the mount table is read: where cgroup2 is all
// there is, and where systemd puts it beside the hierarchies of cgroup v1.
const (
	usualMount  = "/sys/fs/cgroup"
	hybridMount = "/sys/fs/cgroup/unified"
)

// FindMount finds where cgroup2 is mounted, usually with one system call. The
// error is fs.ErrNotExist where it is not mounted.
func FindMount() (Mount, error) {
	for _, path := range [...]string{usualMount, hybridMount} {
		if isCgroup2(path) {
			return Mount{Path: path}, nil
		}
	}
	const table = "/proc/self/mountinfo"
	text, err := readAll(sys.CWD, table)
	if err != nil {
		return Mount{}, fmt.Errorf("find cgroup2: %w", err)
	}
	for _, path := range cgroup2Mounts(text) {
		if isCgroup2(path) { // nothing is mounted over it
			return Mount{Path: path}, nil
		}
	}
	return Mount{}, fmt.Errorf("find cgroup2: no such mount in %s: %w", table, unix.ENOENT)
}

func isCgroup2(path string) bool {
	var st unix.Statfs_t
	for {
		switch err := unix.Statfs(path, &st); err {
		case nil:
			return st.Type == unix.CGROUP2_SUPER_MAGIC
		case unix.EINTR:
		default:
			return false
		}
	}
}

// cgroup2Mounts returns the mount points of cgroup2 in a mountinfo table,
// those of the whole tree before those of a part of it.
func cgroup2Mounts(table string) []string {
	var whole, parts []string
	for line := range strings.Lines(table) {
		// ID PARENT MAJOR:MINOR ROOT MOUNTPOINT OPTIONS FIELDS… - TYPE SOURCE SUPER
		before, after, ok := strings.Cut(line, " - ")
		if !ok || !strings.HasPrefix(after, "cgroup2 ") {
			continue
		}
		fields := strings.SplitN(before, " ", 6)
		if len(fields) < 6 {
			continue
		}
		point := unescape(fields[4])
		if fields[3] == "/" {
			whole = append(whole, point)
		} else {
			parts = append(parts, point)
		}
	}
	return append(whole, parts...)
}

// unescape undoes what the kernel does to blanks and backslashes in mount
// tables: a backslash and three octal digits.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) && octal(s[i+1]) && octal(s[i+2]) && octal(s[i+3]) {
			b.WriteByte((s[i+1]-'0')<<6 | (s[i+2]-'0')<<3 | (s[i+3] - '0'))
			i += 3
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func octal(c byte) bool { return c >= '0' && c <= '7' }

// open opens the root of the mount, to look things up below it.
func (m Mount) open() (int, error) {
	fd, err := sys.Openat(sys.CWD, m.Path, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return -1, fmt.Errorf("open cgroup2 mount: %w", err)
	}
	return fd, nil
}

// readAll reads a file of any length.
func readAll(dir int, name string) (string, error) {
	fd, err := sys.Openat(dir, name, unix.O_RDONLY, 0)
	if err != nil {
		return "", err
	}
	defer sys.Close(fd)
	text := make([]byte, 0, fileMax)
	for {
		if len(text) == cap(text) {
			text = append(text, 0)[:len(text)]
		}
		n, err := sys.Read(fd, text[len(text):cap(text)])
		if err != nil {
			return "", err
		}
		if n == 0 {
			return string(text), nil
		}
		text = text[:len(text)+n]
	}
}
