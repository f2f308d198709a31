package cgroup2

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
)

// Supervisors is the name of the cgroup, below the root of all containers',
// with the processes that wait for containers' ends: one for all of them, and
// none of the containers'. What is done to a container's cgroup does not reach
// them, and neither does the end of the session or the service that made the
// container. No container can have the name.
const Supervisors = "@supervisors"

// MakeShared makes a cgroup that several have in common, if it is not there,
// with what is missing above it, and opens it. Until something is in it
// RemoveShared of another one can remove it: what is put in is told ENODEV then.
func MakeShared(m Mount, path string) (*Cgroup, error) {
	path, err := CleanPath(path)
	if err != nil {
		return nil, err
	}
	root, err := m.open()
	if err != nil {
		return nil, err
	}
	defer sys.Close(root)
	for {
		if err := (&Pair{}).makePath(root, path); err != nil {
			return nil, err
		}
		c, err := openBelow(root, path, path)
		if !gone(err) {
			return c, err
		}
	}
}

// RemoveShared removes the cgroup unless somebody is in it, until the deadline
// has passed. A process that is about to be gone can still be in the way.
func RemoveShared(m Mount, path string, deadline time.Time) error {
	path, err := CleanPath(path)
	if err != nil {
		return err
	}
	root, err := m.open()
	if err != nil {
		return err
	}
	defer sys.Close(root)
	for {
		err := unix.Unlinkat(root, path, unix.AT_REMOVEDIR)
		switch {
		case err == nil, gone(err):
			return nil
		case err == unix.EBUSY && time.Now().Before(deadline):
			time.Sleep(time.Millisecond)
		case err == unix.EBUSY:
			return nil
		default:
			return fmt.Errorf("remove cgroup %s: %w", path, err)
		}
	}
}
