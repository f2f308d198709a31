package libcontainer

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/mesoc/mesoc/libcontainer/cgroup2"
	"github.com/mesoc/mesoc/libcontainer/store"
)

// Delete removes a container that has ended or was never started, and all
// that was made for it. With Force it ends what runs, removes what a create
// left half made, and takes an unknown id for one that is deleted already.
func (r *Runtime) Delete(_ context.Context, id string, o DeleteOptions) error {
	c, err := r.lock(id)
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
