package libcontainer

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
)

const (
	// linksMax is how many symlinks one path may lead through (MAXSYMLINKS).
	linksMax = 40
	inRoot   = unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS
)

// makeInRoot makes the directory, or the file and its directories, that a path
// means to a process whose root is the descriptor, where symlinks on the way
// lead to what does not exist yet. Every step is taken from the root by
// openat2: whoever changes the tree meanwhile can make it fail, not leave the root.
//
// What is made belongs to root, or to who is root in the container's user
// namespace.
func makeInRoot(root int, name string, file bool, own owner) error {
	fail := func(err error) error { return fmt.Errorf("make /%s in the root: %w", name, err) }
	defer unix.Umask(unix.Umask(0)) // the modes are meant as they are
	at, rest := "/", strings.Split(name, "/")
	for links := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, part)
		fd, err := sys.Openat2(root, next, unix.O_PATH|unix.O_NOFOLLOW, 0, inRoot)
		if errors.Is(err, unix.ENOENT) {
			if err := makeOne(root, at, part, file && len(rest) == 0, own); err != nil {
				return fail(err)
			}
			at = next
			continue
		}
		if err != nil {
			return fail(err)
		}
		target, err := readLink(fd)
		sys.Close(fd)
		if err != nil {
			return fail(err)
		}
		if target == "" { // no symlink
			at = next
			continue
		}
		if links++; links > linksMax {
			return fail(unix.ELOOP)
		}
		if path.IsAbs(target) {
			at = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return nil
}

// readLink is where a handle on a symlink points; empty if it is something else.
func readLink(fd int) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", buf)
	if errors.Is(err, unix.ENOENT) { // what it says of other kinds of files
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read a symlink: %w", err)
	}
	return string(buf[:n]), nil
}

// makeOne makes one directory or empty file in the directory dir of the root.
func makeOne(root int, dir, name string, file bool, own owner) error {
	parent, err := sys.Openat2(root, dir, unix.O_PATH|unix.O_DIRECTORY, 0, inRoot)
	if err != nil {
		return err
	}
	defer sys.Close(parent)
	if file {
		err = unix.Mknodat(parent, name, unix.S_IFREG|0o644, 0)
	} else {
		err = unix.Mkdirat(parent, name, 0o755)
	}
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	if err == nil && own != (owner{}) {
		err = unix.Fchownat(parent, name, int(own.uid), int(own.gid), unix.AT_SYMLINK_NOFOLLOW)
	}
	return err
}

// owner is a user and a group of the host.
type owner struct{ uid, gid uint32 }

// rootOwner is who is root in the container, for us.
func (c *creation) rootOwner() (owner, error) {
	switch {
	case !c.plan.UserMapped:
		return owner{}, nil
	case c.plan.IsNew(unix.CLONE_NEWUSER):
		return mappedRoot(c.spec.Linux.UIDMappings, c.spec.Linux.GIDMappings), nil
	}
	// Of a namespace that is joined the config need not know the mappings.
	var own owner
	for _, id := range [...]struct {
		file string
		to   *uint32
	}{{"uid_map", &own.uid}, {"gid_map", &own.gid}} {
		m, err := readIDMap(c.child.Pid, id.file)
		if err != nil {
			return own, err
		}
		*id.to, _ = m.host(0)
	}
	return own, nil
}

// mappedRoot is who is root in a user namespace with these mappings.
func mappedRoot(uid, gid []specs.LinuxIDMapping) owner {
	hostOf := func(maps []specs.LinuxIDMapping) uint32 {
		for _, m := range maps {
			if m.ContainerID == 0 {
				return m.HostID
			}
		}
		return 0
	}
	return owner{uid: hostOf(uid), gid: hostOf(gid)}
}
