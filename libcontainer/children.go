package libcontainer

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/cgroup2"
	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/store"
)

// What becomes of containers that are nested in another one.

// childrenOf are the containers that are nested in one, sorted. A record that
// cannot be read is a child's if its cgroup is where a child's is. The answer
// lasts if the container is locked.
func (r *Runtime) childrenOf(record *store.Record) ([]string, error) {
	if len(record.Children) == 0 {
		return nil, nil
	}
	s, err := r.store()
	if err != nil {
		return nil, err
	}
	var children []string
	for _, id := range record.Children {
		child, err := s.Load(id)
		switch {
		case errors.Is(err, store.ErrNotExist):
			continue
		case err == nil && child.Parent != record.ID:
			continue
		case err != nil && !hasCgroupIn(record, id):
			continue
		}
		children = append(children, id)
	}
	slices.Sort(children)
	return children, nil
}

// hasCgroupIn says whether there is the cgroup of a container nested in another.
func hasCgroupIn(record *store.Record, id string) bool {
	p := parent{container: container{record: *record}}
	there, err := cgroup2.Exists(cgroup2.Mount{Path: record.CgroupMount}, p.nested(id))
	return err == nil && there
}

// destroyChildren destroys the containers that are nested in this one, and
// before each those that are nested in it. One that cannot be destroyed does
// not keep the others; the error is the first one's.
func (c *container) destroyChildren() (err error) {
	for _, id := range c.record.Children {
		if childErr := c.destroyChild(id); childErr != nil && err == nil {
			err = fmt.Errorf("destroy container %s, which is nested in it: %w", id, childErr)
		}
	}
	return err
}

func (c *container) destroyChild(id string) error {
	child, err := c.runtime.lockByForce(id)
	defer child.close()
	switch {
	case errors.Is(err, store.ErrIncomplete) && child != nil:
		return child.locked.Remove() // all that a delete has left, or a create made, that was killed
	case errors.Is(err, store.ErrNotExist): // deleted since
		return nil
	case child == nil:
		return err
	case child.record.ID == "" && !hasCgroupIn(&c.record, id): // not its child's, then
		return nil
	case child.record.ID == "":
		c.runtime.warn("delete container %s: %v", id, err)
		child.record = c.assumeChild(id)
	case err != nil: // its hooks cannot be read
		c.runtime.warn("delete container %s: %v", id, err)
	case child.record.Parent != c.record.ID:
		return nil
	}
	return child.destroy()
}

// assumeChild is the record of a child whose own cannot be read.
func (c *container) assumeChild(id string) store.Record {
	p := parent{container: *c}
	return store.Record{
		ID:          id,
		Status:      store.Stopped,
		Parent:      c.record.ID,
		Children:    c.runtime.claimants(id),
		Cgroup:      p.nested(id),
		CgroupLeaf:  c.record.CgroupLeaf,
		CgroupMount: c.record.CgroupMount,
		CgroupMade:  true,
	}
}

// claimants are the containers whose records name this one as their parent. To
// find them all records are read.
func (r *Runtime) claimants(id string) []string {
	var found []string
	r.eachRecord(func(other *store.Record) {
		if other.Parent == id {
			found = append(found, other.ID)
		}
	})
	return found
}

// eachRecord calls f for all records that can be read.
func (r *Runtime) eachRecord(f func(*store.Record)) {
	s, err := r.store()
	if err != nil {
		return
	}
	ids, err := s.List()
	if err != nil {
		return
	}
	for _, id := range ids {
		if record, err := s.Load(id); err == nil {
			f(&record)
		}
	}
}

// nestingMax bounds the way up through records, which may name each other.
const nestingMax = 1000

// root is the outermost of the containers that this one is nested in; empty if
// that cannot be told.
func (c *container) root() string {
	s, err := c.runtime.store()
	if err != nil {
		return ""
	}
	for id, depth := c.record.Parent, 0; depth < nestingMax; depth++ {
		record, err := s.Load(id)
		if err != nil {
			return ""
		}
		if record.Parent == "" {
			return id
		}
		id = record.Parent
	}
	return ""
}

// livesAsChild says whether init of a nested container has not ended yet.
func (c *container) livesAsChild(pidfd int) bool {
	if c.record.Parent == "" {
		return false
	}
	ended, err := sys.PidfdWait(pidfd, time.Now())
	return err == nil && !ended
}

// seeEnd notes how init of a nested container has ended, which its root is
// going to remember, if its pidfd tells and no supervisor is to. seen says that
// it lived a moment ago.
func (c *container) seeEnd(pidfd int, seen bool) {
	if c.record.Parent == "" || c.record.Termination != nil || c.record.SupervisorCgroup != "" {
		return
	}
	if ended, err := sys.PidfdWait(pidfd, time.Now()); err != nil || !ended {
		return
	}
	status, err := sys.PidfdExit(c.record.Init(), pidfd)
	if err != nil {
		return
	}
	end := &store.Termination{ExitCode: status.Code, Signal: int(status.Signal)}
	if seen {
		end.Finished = time.Now()
	}
	c.record.Termination = end
}

// keepEnd has the root of a nested container remember how it ended, before its
// record goes.
func (c *container) keepEnd() error {
	if c.record.Parent == "" {
		return nil
	}
	root := c.root()
	if root == "" {
		return nil // nobody is left who would be asked
	}
	s, err := c.runtime.store()
	if err != nil {
		return err
	}
	end := store.Record{
		ID: c.record.ID, Parent: c.record.Parent, Created: c.record.Created, Status: store.Stopped,
		Termination: c.record.Termination, Limitation: c.record.Limitation,
	}
	if end.Termination == nil && end.Limitation == nil {
		err = s.ForgetEnd(root, end.ID)
	} else {
		err = s.KeepEnd(root, &end)
	}
	if errors.Is(err, store.ErrNotExist) || errors.Is(err, unix.ENOENT) {
		return nil // the root is gone
	}
	return err
}
