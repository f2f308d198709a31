package libcontainer

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/cgroup2"
	"github.com/mesoc/mesoc/libcontainer/store"
)

// clean destroys orphans and incomplete containers, children before parents.
func (v *recovery) clean() {
	type task struct {
		id, cgroup string
		do         func() (done bool, err error)
	}
	var tasks []task
	for i := range v.Incomplete {
		id := v.Incomplete[i].ID
		tasks = append(tasks, task{id, canonical(v.cgroups[id]), func() (bool, error) { return v.cleanIncomplete(id) }})
	}
	for i := range v.Orphans {
		o := &v.Orphans[i]
		tasks = append(tasks, task{o.ID, o.Cgroup, func() (bool, error) { return v.cleanOrphan(o) }})
	}
	slices.SortStableFunc(tasks, func(a, b task) int {
		if a.cgroup == "" || b.cgroup == "" {
			// Only the id was taken, which an orphan that has it is going to need.
			return cmp.Compare(len(a.cgroup), len(b.cgroup))
		}
		return strings.Count(b.cgroup, "/") - strings.Count(a.cgroup, "/")
	})
	v.deadline = time.Now().Add(createPatience)
	for _, t := range tasks {
		done, err := t.do()
		if err != nil {
			v.fail(t.id, fmt.Errorf("clean container %s: %w", t.id, err))
		}
		if done && err == nil {
			v.Cleaned = append(v.Cleaned, t.id)
		}
	}
	slices.Sort(v.Cleaned)
	v.Cleaned = slices.Compact(v.Cleaned)
}

// cleanIncomplete destroys what a create has left that was killed. It is not
// done if somebody else has done it, or is about to.
func (v *recovery) cleanIncomplete(id string) (done bool, err error) {
	c, err := v.runtime.lockUntil(id, v.deadline)
	defer c.close()
	switch {
	case c != nil && errors.Is(err, store.ErrIncomplete):
		return true, c.locked.Remove() // nothing but the directory was made
	case errors.Is(err, store.ErrNotExist), errors.Is(err, store.ErrLocked):
		return false, nil
	case err != nil:
		return false, err
	case c.record.Status != store.Creating:
		return false, nil
	}
	// A record gets both when it says created. In one that has a pid before,
	// somebody else wrote it.
	c.record.Pid, c.record.PidStartTime = 0, 0
	if c.record.CgroupMade {
		if err := v.disown(c); err != nil {
			return false, err
		}
	}
	if err := c.destroy(); err != nil {
		return false, err
	}
	delete(v.cgroups, id)
	return true, nil
}

// disown makes sure that the cgroup that c says it has made is its own.
func (v *recovery) disown(c *container) error {
	cgroup := canonical(c.record.Cgroup)
	switch other, its := v.claimant(c.record.ID, cgroup); {
	case its == cgroup:
		// Another create was faster, and this one died before it could say so.
		c.record.Cgroup = ""
		return nil
	case other != "":
		return fmt.Errorf("keep cgroup %s: container %s is in it", cgroup, other)
	}
	cg, err := c.cgroup()
	if err != nil || cg == nil {
		return err
	}
	defer cg.Close()
	if err := v.spare(cgroup); err != nil {
		return err
	}
	// Of what runs in it, a create starts all in the leaf.
	all, err := cg.Processes()
	if err != nil || len(all) == 0 {
		return err
	}
	var own []int
	leaf, err := cgroup2.Open(cgroup2.Mount{Path: c.record.CgroupMount}, cgroup+"/"+c.record.CgroupLeaf)
	if err == nil {
		own, err = leaf.Processes()
		leaf.Close()
	}
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return err
	}
	for _, pid := range all {
		if !slices.Contains(own, pid) {
			return fmt.Errorf("keep cgroup %s: process %d in it is not the container's", cgroup, pid)
		}
	}
	return nil
}

// claimant finds a container, other than id, that the state knows and whose
// cgroup is the one named or below it.
func (v *recovery) claimant(id, cgroup string) (other, its string) {
	for known, at := range v.cgroups {
		if at = canonical(at); known != id && within(at, cgroup) {
			return known, at
		}
	}
	return "", ""
}

// spare refuses a cgroup that this process is in.
func (v *recovery) spare(cgroup string) error {
	own, err := cgroup2.PathOf(os.Getpid())
	if err != nil {
		return err
	}
	if within(own, cgroup) {
		return fmt.Errorf("keep cgroup %s: this process is in it", cgroup)
	}
	return nil
}

// cleanOrphan takes an orphan for a container whose create was killed, and
// puts it on record as that: then nobody makes a container of that name
// meanwhile, and if this one is killed the next can go on.
func (v *recovery) cleanOrphan(o *Orphan) (done bool, err error) {
	if v.fatherless[o.ID] && canonical(v.cgroups[o.ID]) == o.Cgroup {
		return v.cleanFatherless(o.ID)
	}
	if other, _ := v.claimant("", o.Cgroup); other != "" {
		return false, fmt.Errorf("keep cgroup %s: container %s is in it", o.Cgroup, other)
	}
	if err := v.spare(o.Cgroup); err != nil {
		return false, err
	}
	c := &container{runtime: v.runtime, record: store.Record{
		ID:          o.ID,
		Created:     time.Now(),
		Status:      store.Creating,
		Parent:      v.parentAt(o.Cgroup),
		Cgroup:      o.Cgroup,
		CgroupLeaf:  v.runtime.CgroupsLeaf,
		CgroupMount: v.mount.Path,
		CgroupMade:  true,
		Owner:       uint32(os.Geteuid()),
	}}
	_, taken := v.cgroups[o.ID]
	if taken || store.ValidID(o.ID) != nil {
		// The name is a container's that is somewhere else, or can be nobody's.
		return true, c.removeCgroup(time.Now().Add(endWait))
	}
	if c.locked, err = v.store.Create(o.ID, c.record); errors.Is(err, store.ErrExist) {
		return false, nil // it is a container's since
	}
	if err != nil {
		return false, err
	}
	defer c.close()
	return true, c.destroy()
}
