package libcontainer

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/bundle"
	"github.com/mesoc/mesoc/libcontainer/cgroup2"
	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/plan"
	"github.com/mesoc/mesoc/libcontainer/store"
)

// Containers that share cgroups are limited together: by the sum of what they
// ask for, in the cgroup of the one whose cgroups they are. The sum is that of
// the records, so that whoever comes or goes has it recomputed and no more.

// owner is the container whose cgroups another one shares.
func (r *Runtime) owner(of *store.Record) (store.Record, error) {
	record := *of
	s, err := r.store()
	for depth := 0; err == nil && record.ShareCgroups && depth < nestingMax; depth++ {
		record, err = s.Load(record.Parent)
	}
	return record, err
}

// together is what a container asks for together with all that share its
// cgroups and have not ended. One that cannot be read does not stop the others.
func (r *Runtime) together(record *store.Record) (plan.Resources, error) {
	sum, err := bundle.Requested(record.Annotations)
	if err != nil {
		return sum, err
	}
	shared, err := r.shared(record)
	return sum.Plus(shared), err
}

// shared is together without the container's own.
func (r *Runtime) shared(record *store.Record) (sum plan.Resources, err error) {
	if len(record.Children) == 0 {
		return sum, nil
	}
	s, err := r.store()
	if err != nil {
		return sum, err
	}
	for _, id := range record.Children {
		child, err := s.Load(id)
		if err != nil || child.Parent != record.ID || !child.ShareCgroups {
			continue
		}
		if status, err := r.status(&child); err == nil && status == Stopped {
			continue
		}
		asked, err := r.together(&child)
		if err != nil {
			r.warn("add up what containers ask for: container %s: %v", id, err)
		}
		sum = sum.Plus(asked)
	}
	return sum, nil
}

// checkShare makes sure that somebody obeys what a container asks for that
// shares its parent's cgroups: the one whose they are must ask for the same
// resources, or there is nothing to add to.
func (c *creation) checkShare() error {
	if !c.sharesCgroups() || c.wishes.Resources == (plan.Resources{}) {
		return nil
	}
	owner, err := c.runtime.owner(&c.parent.record)
	if err != nil {
		return err
	}
	policy := bundle.Policy{Isolation: strings.Join(owner.Isolation, ",")}
	key := plan.ResourcesAnnotation
	if _, err := policy.ReadUpdate(map[string]string{key: c.record.Annotations[key]}); err != nil {
		return fmt.Errorf("share the limits of container %s: %w", owner.ID, err)
	}
	own, err := bundle.Requested(owner.Annotations)
	if err == nil {
		err = covers(own, c.wishes.Resources)
	}
	if err != nil {
		return fmt.Errorf("share the limits of container %s: %w", owner.ID, err)
	}
	return nil
}

// covers says whether one that asks for own can have the limits of those that
// share its cgroups added to its own.
func covers(own, shared plan.Resources) error {
	switch {
	case shared.Requests.CPUs+shared.Limits.CPUs != 0 && own.Requests.CPUs+own.Limits.CPUs == 0:
		return errors.New("it asks for no cpus itself to which those of others could be added")
	case shared.Requests.Memory+shared.Limits.Memory != 0 && own.Requests.Memory+own.Limits.Memory == 0:
		return errors.New("it asks for no mem itself to which that of others could be added")
	}
	return nil
}

// join has the limits of the shared cgroups raised by what the container asks for.
func (c *creation) join(ctx context.Context) error {
	if c.wishes.Resources == (plan.Resources{}) {
		return nil
	}
	return c.fitOwner(ctx)
}

// part has the limits of the shared cgroups lowered by what the container asks
// for. That goes off the record first, or the sum would have it.
func (c *container) part() error {
	if _, asks := c.record.Annotations[plan.ResourcesAnnotation]; !c.record.ShareCgroups || !asks {
		return nil
	}
	delete(c.record.Annotations, plan.ResourcesAnnotation)
	if err := c.locked.Save(c.record); err != nil {
		return err
	}
	if err := c.fitOwner(context.Background()); err != nil {
		c.runtime.warn("%v", err) // it lives, or does not, as before
	}
	return nil
}

// fitOwner sets the limits of the cgroups that the container shares to the sum.
func (c *container) fitOwner(ctx context.Context) error {
	owner, err := c.runtime.owner(&c.record)
	if err == nil {
		err = c.runtime.fit(ctx, owner.ID)
	}
	if errors.Is(err, store.ErrNotExist) || errors.Is(err, unix.ENOENT) {
		return nil // gone, and its limits with it
	}
	if err != nil {
		return fmt.Errorf("limit container %s, whose cgroups it shares: %w", owner.ID, err)
	}
	return nil
}

func (r *Runtime) fit(ctx context.Context, id string) error {
	s, err := r.store()
	if err != nil {
		return err
	}
	unlock, err := r.lockSum(id)
	if err != nil {
		return err
	}
	defer unlock()
	c := &container{runtime: r}
	if c.record, err = s.Load(id); err != nil {
		return err
	}
	sum, err := r.together(&c.record)
	if err != nil {
		return err
	}
	edits, err := c.chain().Update(ctx, c.isolated(sum), c.isolated(sum))
	if err != nil {
		return err
	}
	var limits cgroup2.Limits
	if err := addLimits(&limits, "", edits); err != nil {
		return err
	}
	mount := cgroup2.Mount{Path: c.record.CgroupMount}
	pair, err := cgroup2.OpenPair(mount, c.record.Cgroup, c.record.CgroupLeaf)
	if err != nil {
		return err
	}
	defer pair.Close()
	return pair.Update(mount, limits)
}

// sumName is the file in the directory of the container whose cgroups others
// share that is locked while its limits are computed and set: from reading the
// first record until the last limit is in force. It is the innermost lock.
const sumName = "sum"

// lockSum takes that lock. If the container is gone, the error is ErrNotExist.
func (r *Runtime) lockSum(id string) (unlock func(), err error) {
	path := filepath.Join(r.Root, id, sumName)
	fd, err := sys.Openat(sys.CWD, path, unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(lockWait); ; time.Sleep(time.Millisecond) {
		err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return func() { sys.Close(fd) }, nil
		case err != unix.EWOULDBLOCK && err != unix.EINTR:
			sys.Close(fd)
			return nil, fmt.Errorf("lock %s: %w", path, err)
		case !time.Now().Before(deadline):
			sys.Close(fd)
			return nil, fmt.Errorf("lock %s: %w", path, store.ErrLocked)
		}
	}
}
