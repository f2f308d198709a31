package libcontainer

import (
	"context"
	"errors"
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesoc/mesoc/libcontainer/bundle"
	"github.com/mesoc/mesoc/libcontainer/cgroup2"
)

// UpdateOptions say what is to change.
type UpdateOptions struct {
	// Resources are limits as config.json has them; nil for none. Their name
	// says where they come from, for errors.
	Resources     *specs.LinuxResources
	ResourcesName string
	// L3CacheSchema and MemBwSchema are what config.json has in linux.intelRdt,
	// for the class of service that create has put the container into; empty
	// for none. Whatever else is in that class gets them too.
	L3CacheSchema, MemBwSchema string
	// Annotations replace those of the same key.
	Annotations map[string]string
}

// Update changes the limits of a container that is created, running or paused:
// all that are named, or none if one of them is refused. Device rules are left
// as they are: engines send the whole of a container's resources to change its
// processors, and would take away the devices that a hook has let in.
func (r *Runtime) Update(ctx context.Context, id string, o UpdateOptions) error {
	c, err := r.lock(id)
	defer c.close()
	if err != nil {
		return err
	}
	if err := c.update(ctx, &o); err != nil {
		return fmt.Errorf("update container %s: %w", id, err)
	}
	return nil
}

func (c *container) update(ctx context.Context, o *UpdateOptions) error {
	status, err := c.runtime.status(&c.record)
	if err != nil {
		return err
	}
	switch {
	case status == Stopped:
		return ErrNotRunning
	case status == Creating:
		return errors.New("its create did not finish")
	case c.record.ShareCgroups:
		return fmt.Errorf("it shares the cgroups of container %s [update that one]", c.record.Parent)
	case c.record.Cgroup == "":
		return errors.New("it has no cgroup of its own")
	}
	schemata, err := c.newSchemata(o)
	if err != nil {
		return err
	}
	mount := cgroup2.Mount{Path: c.record.CgroupMount}
	pair, err := cgroup2.OpenPair(mount, c.record.Cgroup, c.record.CgroupLeaf)
	if err != nil {
		return err
	}
	defer pair.Close()
	limits, err := c.newLimits(o, pair.Container)
	if err != nil {
		return err
	}
	if len(c.record.Children) > 0 {
		unlock, err := c.runtime.lockSum(c.record.ID)
		if err != nil {
			return err
		}
		defer unlock()
	}
	w, err := c.rewish(ctx, o.Annotations)
	if err != nil {
		return err
	}
	own := limits
	apply := func(l cgroup2.Limits) error {
		return c.reclass(schemata, func() error { return pair.Update(mount, l) })
	}
	if err := addLimits(&limits, o.ResourcesName, w.edits); err != nil {
		return w.revert(ctx, err)
	}
	if len(o.Annotations) == 0 {
		return apply(own)
	}
	if err := c.annotate(w.annotations, func() error { return apply(limits) }); err != nil {
		return w.revert(ctx, err)
	}
	for _, e := range w.edits {
		for _, note := range e.Notes {
			c.runtime.warn("update container %s: %s", c.record.ID, note)
		}
	}
	return nil
}

// annotate puts new annotations on record and does what they are about. If that
// fails, the old ones come back.
func (c *container) annotate(annotations map[string]string, do func() error) error {
	record := c.record
	record.Annotations = annotations
	if err := c.locked.Save(record); err != nil {
		return err
	}
	if err := do(); err != nil {
		if undoErr := c.locked.Save(c.record); undoErr != nil {
			return fmt.Errorf("%w; put back the annotations: %w", err, undoErr)
		}
		return err
	}
	return nil
}

// newLimits are what the resources ask for, checked.
func (c *container) newLimits(o *UpdateOptions, current *cgroup2.Cgroup) (limits cgroup2.Limits, err error) {
	r := o.Resources
	if r == nil {
		return limits, nil
	}
	if err := completeSwap(current, r.Memory); err != nil {
		return limits, err
	}
	if err := bundle.CheckResources(o.ResourcesName, r); err != nil {
		return limits, err
	}
	if len(r.Devices) > 0 {
		c.runtime.advise("/devices: ignored: the rules of a container stay as they are")
		others := *r
		others.Devices = nil
		r = &others
	}
	if limits, err = cgroup2.Translate(r); err != nil {
		return limits, err
	}
	for _, i := range limits.Ignored {
		c.runtime.advise("%s: ignored: %s", i.Field, i.Why)
	}
	return limits, nil
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
