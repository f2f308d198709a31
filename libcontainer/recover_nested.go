package libcontainer

import (
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/mesoc/mesoc/libcontainer/cgroup2"
	"github.com/mesoc/mesoc/libcontainer/store"
)

// What recover does about nested containers: those whose parent is gone have
// nobody who would ever destroy them, and count as orphans.

// findFatherless takes the containers whose parent no state knows, and those
// that are nested in them, for orphans, whether they live or not.
func (v *recovery) findFatherless() {
	for _, list := range []*[]string{&v.Recovered, &v.Stale} {
		*list = slices.DeleteFunc(*list, func(id string) bool {
			if !v.isFatherless(id) {
				return false
			}
			at := canonical(v.cgroups[id])
			v.fatherless[id] = true
			v.Orphans = append(v.Orphans, Orphan{ID: id, Cgroup: at, Processes: v.processesIn(id, at)})
			return true
		})
	}
}

func (v *recovery) isFatherless(id string) bool {
	for parent, depth := v.parents[id], 0; parent != "" && depth < nestingMax; parent, depth = v.parents[parent], depth+1 {
		if _, examined := v.cgroups[parent]; examined {
			continue
		}
		// It may have been too new for the list, or have no record yet.
		_, err := v.store.Load(parent)
		return errors.Is(err, store.ErrNotExist) && !errors.Is(err, store.ErrIncomplete)
	}
	return false
}

// cleanFatherless destroys a container whose parent is gone.
func (v *recovery) cleanFatherless(id string) (done bool, err error) {
	c, err := v.runtime.lockUntil(id, v.deadline)
	defer c.close()
	switch {
	case errors.Is(err, store.ErrNotExist):
		return false, nil // deleted since
	case err != nil:
		return false, err
	case c.record.Parent != v.parents[id]:
		return false, nil // another one of that name
	}
	if err := v.spare(canonical(c.record.Cgroup)); err != nil {
		return false, err
	}
	if err := c.destroy(); err != nil {
		return false, err
	}
	delete(v.cgroups, id)
	return true, nil
}

// layout is where the containers' cgroups are.
func (v *recovery) layout() cgroup2.Layout {
	return cgroup2.Layout{
		Root: v.runtime.CgroupsRoot, Leaf: v.runtime.CgroupsLeaf,
		ValidID: func(id string) bool { return store.ValidID(id) == nil },
	}
}

// idOf is the id of the container that has, or had, a cgroup.
func (v *recovery) idOf(at string) string {
	if ids, _, ok := v.layout().Parse(at); ok {
		return ids[len(ids)-1]
	}
	return path.Base(at) // its config wanted it elsewhere, or somebody else made it
}

// parentAt is the container in whose cgroup there is one for a nested
// container; empty if the state knows none.
func (v *recovery) parentAt(at string) string {
	dir := path.Dir(at)
	if path.Base(dir) != cgroup2.Nested {
		return ""
	}
	for id, cgroup := range v.cgroups {
		if canonical(cgroup) == path.Dir(dir) {
			return id
		}
	}
	return ""
}

// findElsewhere finds the cgroups of containers that are nested in those whose
// config wanted a cgroup outside of the root cgroup. The records have been read
// by then, so they are read again.
func (v *recovery) findElsewhere() []string {
	var found []string
	for id, cgroup := range v.cgroups {
		if cgroup == "" || within(canonical(cgroup), v.runtime.CgroupsRoot) || v.parents[id] != "" {
			continue
		}
		nested, err := cgroup2.Find(v.mount, canonical(cgroup)+"/"+cgroup2.Nested, v.runtime.CgroupsLeaf)
		if err != nil {
			v.fail(id, fmt.Errorf("look for containers nested in container %s: %w", id, err))
		}
		for _, at := range nested {
			if record, err := v.store.Load(path.Base(at)); err == nil && canonical(record.Cgroup) == at {
				continue
			}
			found = append(found, at)
		}
	}
	slices.Sort(found)
	return found
}
