package cgroup2

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"golang.org/x/sys/unix"
)

// Removal says what of a container's cgroups is to go, and by when.
type Removal struct {
	Leaf string // name of the leaf
	// KeepContainer leaves the container's own cgroup, which existed before
	// the container, and what others have made in it: only the leaf goes.
	KeepContainer bool
	// Nested says that the cgroup is in a directory for nested ones, which goes
	// with the last of them, and Nests that it has had such a directory itself.
	Nested, Nests bool
	// Deadline is until when to wait for processes to end. Zero does not
	// wait: the cgroups are empty, or the error is a *SurvivorsError.
	Deadline time.Time
}

// Remove removes a container's cgroup at path with everything below it, or the
// leaf alone, from the bottom up. It ends no process; it waits for the end of
// those that are ending. Cgroups that do not exist are success, like a mount
// that does not.
func Remove(m Mount, path string, r Removal) error {
	path, err := CleanPath(path)
	if err != nil {
		return err
	}
	if err := checkName(r.Leaf); err != nil {
		return fmt.Errorf("check name of leaf cgroup %q: %w", r.Leaf, err)
	}
	root, err := m.open()
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer sys.Close(root)
	leaf := path + "/" + r.Leaf
	err = removeTree(root, leaf, r.Deadline)
	switch {
	case err != nil:
		return err
	case r.KeepContainer && r.Nests:
		return removeSeparator(root, path+"/"+Nested)
	case r.KeepContainer:
		return nil
	}
	if err := removeTree(root, path, r.Deadline); err != nil || !r.Nested {
		return err
	}
	return removeSeparator(root, parentOf(path))
}

// removeSeparator removes the directory of nested cgroups if it is empty.
func removeSeparator(root int, path string) error {
	switch err := unix.Unlinkat(root, path, unix.AT_REMOVEDIR); err {
	case nil, unix.ENOENT, unix.ENODEV, unix.EBUSY, unix.ENOTEMPTY:
		return nil
	default:
		return fmt.Errorf("remove cgroup %s: %w", path, err)
	}
}

// removeTree removes the cgroup at path and those below it. Mostly there are
// none and it is empty, so that is tried before anything is looked at.
func removeTree(root int, path string, deadline time.Time) error {
	for {
		err := unix.Unlinkat(root, path, unix.AT_REMOVEDIR)
		switch err {
		case nil, unix.ENOENT, unix.ENODEV:
			return nil
		case unix.EINTR:
			continue
		case unix.EBUSY: // processes in it, or cgroups below it
		default:
			return fmt.Errorf("remove cgroup %s: %w", path, err)
		}
		c, err := openBelow(root, path, path)
		if gone(err) {
			return nil
		}
		if err == nil {
			err = c.empty(deadline)
			c.Close()
		}
		if err != nil {
			return fmt.Errorf("remove cgroup %s: %w", path, err)
		}
	}
}

// empty waits until there are no processes and removes the cgroups below c.
// When it returns without an error c can be removed, unless somebody has been
// quick to put something in: then the caller comes back.
func (c *Cgroup) empty(deadline time.Time) error {
	if deadline.IsZero() {
		deadline = time.Unix(0, 1)
	}
	for {
		if err := c.WaitEmpty(deadline); err != nil {
			return err
		}
		var busy string
		err := c.walk(func(int) error { return nil }, func(parent int, name string) error {
			err := unix.Unlinkat(parent, name, unix.AT_REMOVEDIR)
			if err == unix.EBUSY {
				busy = name
				return nil
			}
			if err != nil && !gone(err) {
				return fmt.Errorf("remove cgroup %s below it: %w", name, err)
			}
			return nil
		})
		if err != nil || busy == "" {
			return err
		}
		if !time.Now().Before(deadline) {
			return fmt.Errorf("cgroup %s below it is in use again and again", busy)
		}
	}
}

// parentOf returns the path of the cgroup above, empty for the root.
func parentOf(path string) string {
	return path[:max(0, strings.LastIndexByte(path, '/'))]
}
