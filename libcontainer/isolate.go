package libcontainer

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/mesoc/mesoc/libcontainer/bundle"
	"github.com/mesoc/mesoc/libcontainer/cgroup2"
	"github.com/mesoc/mesoc/libcontainer/isolator"
	"github.com/mesoc/mesoc/libcontainer/plan"
)

// chain is the isolators that the container was made with, whichever are
// enabled now.
func (c *container) chain() isolator.Chain {
	chain, missing := isolator.Select(c.runtime.Isolators, c.record.Isolation)
	for _, name := range missing {
		c.runtime.warn("container %s was made with isolator %s, which this mesoc does not have: what it has made may be left", c.record.ID, name)
	}
	return chain
}

// isolated is the container as isolators see it.
func (c *container) isolated(r plan.Resources) *isolator.Container {
	if c.record.ShareCgroups {
		return &isolator.Container{ID: c.record.ID} // the rest is another one's
	}
	return &isolator.Container{
		ID:        c.record.ID,
		Resources: r,
		Cgroup:    plan.Cgroup{Mount: c.record.CgroupMount, Path: c.record.Cgroup, Leaf: c.record.CgroupLeaf},
	}
}

// prepare lets the isolators prepare, and takes over what they want to have set.
func (c *creation) prepare(ctx context.Context) error {
	if len(c.record.Isolation) == 0 {
		return nil
	}
	if c.record.ShareCgroups {
		if err := c.join(ctx); err != nil {
			return err
		}
	}
	edits, err := c.chain().Prepare(ctx, c.isolated(c.wishes.Resources))
	if err != nil {
		return err
	}
	return addLimits(&c.limits, bundle.ConfigName, edits)
}

// isolate lets the isolators do what needs the child.
func (c *creation) isolate(ctx context.Context) error {
	if len(c.record.Isolation) == 0 {
		return nil
	}
	return c.chain().Isolate(ctx, c.isolated(c.wishes.Resources), c.child.Pid)
}

// cleanup takes back what the isolators have done. An undo is not called off,
// so it has no context of its caller's.
func (c *container) cleanup() error {
	if len(c.record.Isolation) == 0 {
		return nil
	}
	if err := c.part(); err != nil {
		return err
	}
	return c.chain().Cleanup(context.Background(), c.isolated(plan.Resources{}))
}

// softLimit is the request of processors, in processors; 0 for none.
func (c *container) softLimit(ctx context.Context) (float64, error) {
	if len(c.record.Isolation) == 0 {
		return 0, nil
	}
	r, err := c.runtime.together(&c.record)
	if err != nil {
		return 0, err
	}
	u, err := c.chain().Usage(ctx, c.isolated(r))
	return float64(u.CPUsSoftLimit) / float64(plan.OneCPU), err
}

// addLimits adds those of isolators to the owner's own.
func addLimits(limits *cgroup2.Limits, owner string, edits []plan.Edits) error {
	own := plan.Edits{Owner: owner}
	for _, s := range limits.Settings {
		own.Limits = append(own.Limits, plan.Limit{File: s.File, Value: s.Value, Field: s.Field})
	}
	merged, err := plan.Merge(append([]plan.Edits{own}, edits...)...)
	if err != nil {
		return err
	}
	for _, l := range merged[len(own.Limits):] {
		limits.Add(l.File, l.Value, l.Field)
	}
	return nil
}

// rewish is a change of what a container that lives asks for in annotations.
type rewish struct {
	chain       isolator.Chain
	was, now    *isolator.Container
	annotations map[string]string // all that the container has then
	edits       []plan.Edits
}

// rewish decides what changes with annotations, and lets the isolators do their
// part; revert takes that back. Without annotations nothing changes, and the
// edits say no more than whose the limits are.
func (c *container) rewish(ctx context.Context, annotations map[string]string) (*rewish, error) {
	policy := bundle.Policy{Isolation: strings.Join(c.record.Isolation, ",")}
	wishes, err := policy.ReadUpdate(annotations)
	if err != nil {
		return nil, err
	}
	resources, err := bundle.Requested(c.record.Annotations)
	if err != nil {
		return nil, err
	}
	if len(annotations) == 0 {
		wishes.Resources = resources
	}
	shared, err := c.runtime.shared(&c.record)
	if err == nil {
		err = covers(wishes.Resources, shared)
	}
	if err != nil {
		return nil, err
	}
	w := &rewish{chain: c.chain(), was: c.isolated(resources.Plus(shared)), now: c.isolated(wishes.Resources.Plus(shared))}
	w.annotations = map[string]string{}
	maps.Copy(w.annotations, c.record.Annotations)
	maps.Copy(w.annotations, annotations)
	w.edits, err = w.chain.Update(ctx, w.was, w.now)
	return w, err
}

// revert takes back what the isolators have done, because of err.
func (w *rewish) revert(ctx context.Context, err error) error {
	if undoErr := w.chain.Revert(ctx, w.was, w.now); undoErr != nil {
		return fmt.Errorf("%w; %w", err, undoErr)
	}
	return err
}
