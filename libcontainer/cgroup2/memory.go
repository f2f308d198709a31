package cgroup2

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"golang.org/x/sys/unix"
)

// NotifyMemory has the inotify queue told when memory.events of the
// container's cgroup changes, and when that of its leaf does. The kernel
// documents both for cgroup2's files of events. The error is fs.ErrNotExist
// where the memory controller is not enabled.
//
// The file of the container counts everything below, but where cgroup2 is
// mounted with memory_localevents; there the leaf's tells what the container's
// does not. Both are forgotten by InotifyRemove only: a cgroup that is removed
// says nothing.
func (c *Cgroup) NotifyMemory(queue int, leaf string) (watches []int, err error) {
	const name = "memory.events"
	for _, file := range [...]string{name, leaf + "/" + name} {
		watch, err := sys.InotifyAdd(queue, c.through(file), unix.IN_MODIFY)
		switch {
		case err == nil:
			watches = append(watches, watch)
		case gone(err) && len(watches) > 0: // no controller is enabled for the leaf
		default:
			for _, w := range watches {
				sys.InotifyRemove(queue, w)
			}
			return nil, c.notifyError(file, err)
		}
	}
	return watches, nil
}

// NotifyControllers has the inotify queue told when somebody enables
// controllers for the cgroup and those beside it.
func (c *Cgroup) NotifyControllers(queue int) (watch int, err error) {
	const file = "../cgroup.subtree_control"
	watch, err = sys.InotifyAdd(queue, c.through(file), unix.IN_MODIFY)
	return watch, c.notifyError(file, err)
}

func (c *Cgroup) notifyError(file string, err error) error {
	var path interface{ Unwrap() error }
	if !errors.As(err, &path) {
		return err
	}
	return fmt.Errorf("watch %s of cgroup %s: %w", file, c.path, path.Unwrap())
}

// through is a path for calls that take no descriptor.
func (c *Cgroup) through(file string) string {
	return "/proc/self/fd/" + strconv.Itoa(c.fd) + "/" + file
}

// OwnMemoryFiles are the files that together count what has happened to the
// container whose cgroup this is, without the containers inside it that have
// limits of their own. In its own cgroup there is no process, but the limit;
// the processes are in the leaf, and those of containers inside it that have no
// controllers are counted in the cgroup that holds these.
func OwnMemoryFiles(leaf string) [3]string {
	return [...]string{"memory.events.local", leaf + "/memory.events", Nested + "/memory.events.local"}
}

// OwnMemoryEvents adds up what these files count; nil where nothing is counted.
func (c *Cgroup) OwnMemoryEvents(leaf string) (*MemoryEvents, error) {
	var texts []string
	for _, file := range OwnMemoryFiles(leaf) {
		text, err := c.read(file)
		if gone(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	if len(texts) == 0 {
		return nil, nil
	}
	sum := SumMemoryEvents(texts...)
	return &sum, nil
}

// Memory reads the figures of memory alone; nil where it is not counted.
func (c *Cgroup) Memory() (*MemoryStats, error) {
	r := statReader{c: c}
	m := r.memory()
	return m, r.err
}
