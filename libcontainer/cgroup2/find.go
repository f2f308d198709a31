package cgroup2

import (
	"errors"
	"fmt"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"golang.org/x/sys/unix"
)

// Nested is the cgroup within a container's own that holds those of the
// containers inside it.
const Nested = "mesos"

// Find returns the paths of all cgroups below root that look like a
// container's, each before those inside it: they have a leaf, or, if somebody
// else made them, processes of their own. What is in a leaf is the container's
// business and not looked at. Where there is no root there are none. An error
// can come with what was found elsewhere.
func Find(m Mount, root, leaf string) ([]string, error) {
	top, err := Open(m, root)
	if gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer top.Close()
	f := finder{leaf: leaf}
	err = f.below(top)
	return f.found, err
}

type finder struct {
	leaf  string
	found []string
}

// below looks at the cgroups in c.
func (f *finder) below(c *Cgroup) error {
	names, err := subdirectories(c.fd)
	if gone(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list cgroups below %s: %w", c.path, err)
	}
	var failed []error
	for _, name := range names {
		if name == Supervisors {
			continue
		}
		child, err := openBelow(c.fd, name, c.path+"/"+name)
		if err == nil {
			err = f.visit(child)
			child.Close()
		}
		if err != nil && !gone(err) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

func (f *finder) visit(c *Cgroup) error {
	// Before the names are read: there are fifty files, and what else stands
	// beside a leaf is the limits'.
	err := unix.Faccessat(c.fd, f.leaf, unix.F_OK, 0)
	if err == unix.ENOENT {
		used, err := c.used()
		if err != nil {
			return err
		}
		if !used {
			return f.below(c)
		}
	} else if err != nil {
		return fmt.Errorf("look for the leaf of cgroup %s: %w", c.path, err)
	}
	f.found = append(f.found, c.path)
	nested, err := openBelow(c.fd, Nested, c.path+"/"+Nested)
	if err != nil {
		return err // mostly there is none
	}
	defer nested.Close()
	return f.below(nested)
}

// used says whether the cgroup itself holds processes, be they of a pid
// namespace that is not to be seen from here.
func (c *Cgroup) used() (bool, error) {
	text, err := sys.ReadAll(c.fd, "cgroup.procs")
	if errnoOf(err) == unix.EOPNOTSUPP { // threaded: they are listed above
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("list processes of cgroup %s: %w", c.path, errnoOf(err))
	}
	return text != "", nil
}
