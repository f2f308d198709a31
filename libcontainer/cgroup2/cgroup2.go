// Package cgroup2 handles the directories in which cgroup2 counts and limits a
// container: the container's own, which holds the limits, and the leaf below
// it, which holds the processes.
//
// The parent process calls it, never a container's init. Translate decides
// what the resources of an OCI document mean as files and values, without
// touching the host; Create, Apply, Kill, WaitEmpty and Remove act, relative to
// descriptors. It knows cgroup2 wherever it is mounted and nothing of cgroup
// v1 and systemd, and it must not know what a container's state is or where it
// is kept.
package cgroup2

import (
	"fmt"
	"strings"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"golang.org/x/sys/unix"
)

// Cgroup is one open directory of cgroup2.
type Cgroup struct {
	fd   int
	path string // relative to the mount, for errors
}

// Open opens the cgroup at path, which is relative to the mount whether it
// begins with a slash or not. The error is fs.ErrNotExist where there is none.
func Open(m Mount, path string) (*Cgroup, error) {
	path, err := CleanPath(path)
	if err != nil {
		return nil, err
	}
	root, err := m.open()
	if err != nil {
		return nil, err
	}
	defer sys.Close(root)
	return openBelow(root, path, path)
}

// openBelow opens the cgroup name, one or several components below dir, whose
// path is path. Nothing in cgroup2 is a symlink or a mount of something else,
// unless somebody made it so.
func openBelow(dir int, name, path string) (*Cgroup, error) {
	const resolve = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV
	fd, err := sys.Openat2(dir, name, unix.O_RDONLY|unix.O_DIRECTORY, 0, resolve)
	if err != nil {
		return nil, fmt.Errorf("open cgroup %s: %w", path, sys.Called("openat2", errnoOf(err)))
	}
	return &Cgroup{fd: fd, path: path}, nil
}

// Path returns where the cgroup is, relative to the mount.
func (c *Cgroup) Path() string { return c.path }

// FD lends the descriptor, for clone3 and as the root of a mount. It is the
// Cgroup that closes it.
func (c *Cgroup) FD() int { return c.fd }

// Close drops the descriptor; the cgroup stays.
func (c *Cgroup) Close() error {
	if c.fd < 0 {
		return nil
	}
	fd := c.fd
	c.fd = -1
	return sys.Close(fd)
}

// CleanPath checks a path of cgroups and returns it without a leading slash.
// It is refused if a component is empty, `.` or `..` or holds what no name of
// a cgroup can, and if it is the root: limits on that would be the host's.
func CleanPath(path string) (string, error) {
	clean := strings.TrimPrefix(path, "/")
	if clean == "" {
		return "", fmt.Errorf("check cgroup path %q: names the root of cgroup2", path)
	}
	for name := range strings.SplitSeq(clean, "/") {
		if err := checkName(name); err != nil {
			return "", fmt.Errorf("check cgroup path %q: %w", path, err)
		}
	}
	return clean, nil
}

// nameMax is the longest name that a directory can have (NAME_MAX).
const nameMax = 255

// checkName refuses what cannot be one component of a cgroup's path.
func checkName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("a component is empty")
	case name == "." || name == "..":
		return fmt.Errorf("component %q is not allowed", name)
	case strings.ContainsAny(name, "/\x00\n"):
		return fmt.Errorf("component %q holds a slash, NUL or newline", name)
	case len(name) > nameMax:
		return fmt.Errorf("component %.20q… is longer than %d bytes", name, nameMax)
	}
	return nil
}

// errnoOf takes the errno out of an error of package sys, whose path is the
// name within a directory: the errors here say it in full themselves.
func errnoOf(err error) error {
	for inner := err; inner != nil; {
		if errno, ok := inner.(unix.Errno); ok {
			return errno
		}
		u, ok := inner.(interface{ Unwrap() error })
		if !ok {
			break
		}
		inner = u.Unwrap()
	}
	return err
}

// fileMax is more than any file that is read here has: the longest is a list
// of pids, which is read in pieces.
const fileMax = 4096

// read returns what a small file of the cgroup holds.
func (c *Cgroup) read(name string) (string, error) {
	var buf [fileMax]byte
	n, err := sys.ReadFileAt(c.fd, name, buf[:])
	if err != nil {
		return "", fmt.Errorf("read %s of cgroup %s: %w", name, c.path, errnoOf(err))
	}
	return string(buf[:n]), nil
}

// writeFile writes value to a file of the cgroup. The error is the bare errno.
func (c *Cgroup) writeFile(name, value string) error {
	fd, err := sys.Openat(c.fd, name, unix.O_WRONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return errnoOf(err)
	}
	defer sys.Close(fd)
	return sys.Write(fd, []byte(value))
}

// write is writeFile with an error that says it all.
func (c *Cgroup) write(name, value string) error {
	if err := c.writeFile(name, value); err != nil {
		return fmt.Errorf("set %s to %s in %s: %w", name, printable(value), c.path, err)
	}
	return nil
}
