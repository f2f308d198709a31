package cgroup2

import (
	"fmt"
	"strconv"
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
	mounts, err := sys.Mounts()
	if err != nil {
		return Mount{}, fmt.Errorf("find cgroup2: %w", err)
	}
	for _, path := range cgroup2Mounts(mounts) {
		if isCgroup2(path) { // nothing is mounted over it
			return Mount{Path: path}, nil
		}
	}
	return Mount{}, fmt.Errorf("find cgroup2: no such mount in %s: %w", sys.MountTable, unix.ENOENT)
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

// cgroup2Mounts returns the mount points of cgroup2, those of the whole tree
// before those of a part of it.
func cgroup2Mounts(mounts []sys.MountPoint) []string {
	var whole, parts []string
	for _, m := range mounts {
		switch {
		case m.Type != "cgroup2":
		case m.Root == "/":
			whole = append(whole, m.Path)
		default:
			parts = append(parts, m.Path)
		}
	}
	return append(whole, parts...)
}

// open opens the root of the mount, to look things up below it.
func (m Mount) open() (int, error) {
	fd, err := sys.Openat(sys.CWD, m.Path, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return -1, fmt.Errorf("open cgroup2 mount: %w", err)
	}
	return fd, nil
}

// PathOf returns the cgroup that a process is in, relative to the root of our
// cgroup namespace, which is that of the mount.
func PathOf(pid int) (string, error) {
	name := "/proc/" + strconv.Itoa(pid) + "/cgroup"
	text, err := sys.ReadAll(sys.CWD, name)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	for line := range strings.Lines(text) {
		if at, ok := strings.CutPrefix(line, "0::/"); ok {
			return strings.TrimSuffix(at, "\n"), nil
		}
	}
	return "", fmt.Errorf("read %s: it has no line for cgroup2", name)
}
