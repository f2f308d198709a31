package libcontainer

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/cgroup2"
	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/store"
)

// Delete removes a container that has ended or was never started, and all
// that was made for it. With Force it ends what runs, removes what a create
// left half made, and takes an unknown id for one that is deleted already.
func (r *Runtime) Delete(_ context.Context, id string, o DeleteOptions) error {
	lock := r.lock
	if o.Force {
		lock = r.lockByForce
	}
	c, err := lock(id)
	defer c.close()
	switch {
	case c == nil && o.Force && errors.Is(err, store.ErrNotExist):
		return nil
	case c != nil && errors.Is(err, store.ErrIncomplete) && o.Force:
		return c.locked.Remove() // nothing but the directory was made
	case c != nil && err != nil && o.Force:
		r.warn("delete container %s: %v", id, err)
		if err := c.assume(id); err != nil {
			return err
		}
	case err != nil:
		return err
	}
	if !o.Force {
		children, err := r.childrenOf(&c.record)
		if err != nil {
			return err
		}
		if len(children) > 0 {
			return fmt.Errorf("cannot delete container %s that has nested containers: %s [--force destroys them first]", id, strings.Join(children, ", "))
		}
		status, err := r.status(&c.record)
		if err != nil {
			return err
		}
		if status != Stopped && status != Created {
			return fmt.Errorf("cannot delete container %s that is not stopped: %s", id, status)
		}
	}
	if err := c.destroy(); err != nil {
		return fmt.Errorf("delete container %s: %w", id, err)
	}
	return nil
}

// forceWait is how long the end of a container waits for another command that
// has it locked, before it kills what that may wait for.
const forceWait = time.Second

// lockByForce is lock for those who end the container. Whoever has it locked
// may be waiting for its processes, a start for a hook in the container or for
// an init that was paused just then: with their end that command ends too.
func (r *Runtime) lockByForce(id string) (*container, error) {
	c, err := r.lockUntil(id, time.Now().Add(forceWait))
	if !errors.Is(err, store.ErrLocked) {
		return c, err
	}
	record, status, lookErr := r.look(id)
	// What a create has started ends with the create, and is not all on record.
	if lookErr == nil && status != Creating {
		held := &container{runtime: r, record: record}
		if err := held.killAll(); err != nil {
			return nil, fmt.Errorf("kill container %s, which another command is changing: %w", id, err)
		}
	}
	return r.lock(id)
}

// killAll kills what runs of the container, and waits for nothing.
func (c *container) killAll() error {
	if fd, err := c.openInit(); err == nil {
		// init may have been moved to another cgroup; if it has ended it is no matter.
		_ = sys.PidfdSignal(fd, unix.SIGKILL)
		sys.Close(fd)
	}
	cg, err := c.cgroup()
	if err != nil || cg == nil {
		return err
	}
	defer cg.Close()
	return c.killCgroup(cg)
}

// assume takes a container whose record cannot be read for one that has what
// every container has: its cgroup where the settings say, or in that of the
// container whose child it is. A record of which only the hooks are unreadable
// stands.
func (c *container) assume(id string) error {
	if c.record.ID != "" {
		return nil
	}
	var nested bool
	c.runtime.eachRecord(func(other *store.Record) {
		if slices.Contains(other.Children, id) && hasCgroupIn(other, id) {
			above := container{runtime: c.runtime, record: *other}
			c.record, nested = above.assumeChild(id), true
		}
	})
	if nested {
		return nil
	}
	mount, err := cgroup2.FindMount()
	if err != nil {
		return err
	}
	c.record = store.Record{
		ID:          id,
		Cgroup:      path.Join(c.runtime.CgroupsRoot, id),
		CgroupLeaf:  c.runtime.CgroupsLeaf,
		CgroupMount: mount.Path,
		CgroupMade:  true,
		Children:    c.runtime.claimants(id),
	}
	return nil
}
