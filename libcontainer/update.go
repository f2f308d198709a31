package libcontainer

import (
	"context"
	"errors"
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesoc/mesoc/libcontainer/bundle"
	"github.com/mesoc/mesoc/libcontainer/cgroup2"
)

// Update changes the limits of a container that is created, running or paused:
// those that r names, and none if one of them is refused. Device rules are left
// as they are: engines send the whole of a container's resources to change its
// processors, and would take away the devices that a hook has let in. The name
// says where the resources come from, for errors.
func (r *Runtime) Update(_ context.Context, id, name string, resources *specs.LinuxResources) error {
	c, err := r.lock(id)
	defer c.close()
	if err != nil {
		return err
	}
	if err := c.update(name, resources); err != nil {
		return fmt.Errorf("update container %s: %w", id, err)
	}
	return nil
}

func (c *container) update(name string, r *specs.LinuxResources) error {
	status, err := c.runtime.status(&c.record)
	if err != nil {
		return err
	}
	switch {
	case status == Stopped:
		return ErrNotRunning
	case status == Creating:
		return errors.New("its create did not finish")
	case c.record.Cgroup == "":
		return errors.New("it has no cgroup of its own")
	}
	mount := cgroup2.Mount{Path: c.record.CgroupMount}
	pair, err := cgroup2.OpenPair(mount, c.record.Cgroup, c.record.CgroupLeaf)
	if err != nil {
		return err
	}
	defer pair.Close()
	if err := completeSwap(pair.Container, r.Memory); err != nil {
		return err
	}
	if err := bundle.CheckResources(name, r); err != nil {
		return err
	}
	limits, err := cgroup2.Translate(r)
	if err != nil {
		return err
	}
	for _, i := range limits.Ignored {
		c.runtime.advise("%s: ignored: %s", i.Field, i.Why)
	}
	if len(limits.Devices) > 0 {
		c.runtime.advise("/devices: ignored: the rules of a container stay as they are")
	}
	return pair.Update(mount, limits)
}

// completeSwap adds the memory limit that the container has to a wish for a
// limit of memory and swap that does not come with one.
func completeSwap(c *cgroup2.Cgroup, m *specs.LinuxMemory) error {
	if m == nil || m.Swap == nil || *m.Swap <= 0 || m.Limit != nil && *m.Limit != 0 {
		return nil
	}
	limit, err := c.MemoryLimit()
	if err == nil && limit != nil {
		inUse := int64(*limit)
		m.Limit = &inUse
	}
	return err
}
