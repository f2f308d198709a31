package libcontainer

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/cgroup2"
	"github.com/mesoc/mesoc/libcontainer/store"
)

// RecoverOptions say what Recover may do.
type RecoverOptions struct {
	// Clean destroys orphans and incomplete containers.
	Clean bool
}

// Recovery is what is there of containers, and what was done about it.
type Recovery struct {
	Recovered  []string        `json:"recovered"`  // their init lives
	Orphans    []Orphan        `json:"orphans"`    // cgroups that no state knows
	Incomplete []Incomplete    `json:"incomplete"` // their create was killed
	Stale      []string        `json:"stale"`      // their init has ended
	Cleaned    []string        `json:"cleaned"`    // of the orphans and the incomplete ones
	Errors     []RecoveryError `json:"errors"`
}

// Orphan is a container's cgroup that no state knows.
type Orphan struct {
	ID        string `json:"id"`        // the cgroup's name
	Cgroup    string `json:"cgroup"`    // relative to the cgroup2 mount
	Processes []int  `json:"processes"` // in it and below
}

// Incomplete is a container whose create was killed.
type Incomplete struct {
	ID    string `json:"id"`
	Phase Phase  `json:"phase"`
}

// Phase is how far a create had come.
type Phase string

// The phases of a create, in their order.
const (
	PhaseReserved Phase = "reserved" // it had the id, and nothing was on record
	PhaseRecorded Phase = "recorded" // it was on record what was to be made
	PhasePrepared Phase = "prepared" // the cgroup was made
	PhaseLaunched Phase = "launched" // a process runs
)

// RecoveryError is what went wrong with one container; the id is empty for
// what concerns them all.
type RecoveryError struct {
	ID    string `json:"id"`
	Error string `json:"error"`
}

// createPatience is how long all creates together that go on meanwhile are
// waited for, and children of one that was killed, which hold its lock until
// they notice.
const createPatience = 300 * time.Millisecond

// recovery is a Recover on its way.
type recovery struct {
	Recovery
	runtime *Runtime
	store   *store.Store
	mount   cgroup2.Mount
	cgroups map[string]string // of each container that the state knows
	parents map[string]string // of each of them that is nested
	// unreadable are those whose records cannot be read, wherever they are nested.
	unreadable map[string]bool
	fatherless map[string]bool // those whose parent is gone
	deadline   time.Time       // of createPatience
}

// Recover compares the state directory with processes and cgroups. What goes
// wrong with one container is in the result and does not keep it from the
// others; without Clean it changes nothing.
func (r *Runtime) Recover(_ context.Context, o RecoverOptions) (*Recovery, error) {
	s, err := r.store()
	if err != nil {
		return nil, err
	}
	v := &recovery{runtime: r, store: s, deadline: time.Now().Add(createPatience),
		cgroups: map[string]string{}, parents: map[string]string{}, unreadable: map[string]bool{}, fatherless: map[string]bool{}}
	v.Recovered, v.Orphans, v.Incomplete, v.Stale = []string{}, []Orphan{}, []Incomplete{}, []string{}
	v.Cleaned, v.Errors = []string{}, []RecoveryError{}
	// The cgroups first: a container is on record before its cgroup is made,
	// and until after it is gone, so one without a record by then has none.
	var found []string
	if v.mount, err = cgroup2.FindMount(); err == nil {
		found, err = cgroup2.Find(v.mount, r.CgroupsRoot, r.CgroupsLeaf)
	}
	if err != nil {
		v.fail("", err)
	}
	ids, err := s.List()
	if err != nil {
		// Without it every container would be taken for an orphan.
		return nil, err
	}
	for _, id := range ids {
		if err := v.examine(id); err != nil {
			v.fail(id, err)
		}
	}
	v.findOrphans(append(found, v.findElsewhere()...))
	v.findFatherless()
	if o.Clean {
		v.clean()
	}
	return &v.Recovery, nil
}

func (v *recovery) fail(id string, err error) {
	v.Errors = append(v.Errors, RecoveryError{ID: id, Error: err.Error()})
}

// examine finds out what there is of a container of the state directory.
func (v *recovery) examine(id string) error {
	record, err := v.store.Load(id)
	switch {
	case errors.Is(err, store.ErrIncomplete):
		return v.examineUnfinished(id)
	case errors.Is(err, store.ErrNotExist):
		return nil // deleted since
	case err != nil:
		// What every container has is not to be taken for an orphan's.
		v.cgroups[id], v.unreadable[id] = path.Join(v.runtime.CgroupsRoot, id), true
		return err
	}
	return v.classify(&record)
}

func (v *recovery) classify(record *store.Record) error {
	v.cgroups[record.ID] = record.Cgroup
	if record.Parent != "" {
		v.parents[record.ID] = record.Parent
	}
	status, err := v.runtime.status(record)
	switch {
	case err != nil:
		return err
	case status == Creating:
		return v.examineUnfinished(record.ID)
	case status == Stopped:
		v.Stale = append(v.Stale, record.ID)
	default:
		v.Recovered = append(v.Recovered, record.ID)
	}
	return nil
}

// examineUnfinished tells a create that was killed from one that goes on,
// which has the container locked.
func (v *recovery) examineUnfinished(id string) error {
	c, err := v.runtime.lockUntil(id, v.deadline)
	defer c.close()
	switch {
	case errors.Is(err, store.ErrLocked):
		return nil
	case errors.Is(err, store.ErrIncomplete) && c != nil:
		v.Incomplete = append(v.Incomplete, Incomplete{id, PhaseReserved})
		return nil
	case errors.Is(err, store.ErrNotExist):
		delete(v.cgroups, id)
		return nil // deleted since
	case err != nil:
		return err
	case c.record.Status != store.Creating:
		return v.classify(&c.record) // created since
	}
	phase, err := c.phase()
	v.cgroups[id] = c.record.Cgroup
	v.Incomplete = append(v.Incomplete, Incomplete{id, phase})
	return err
}

// phase is how far the create came that was killed.
func (c *container) phase() (Phase, error) {
	leaf, err := cgroup2.Open(cgroup2.Mount{Path: c.record.CgroupMount}, c.record.Cgroup+"/"+c.record.CgroupLeaf)
	if errors.Is(err, unix.ENOENT) {
		return PhaseRecorded, nil
	}
	if err != nil {
		return PhaseRecorded, err
	}
	defer leaf.Close()
	populated, err := leaf.Populated()
	if populated {
		return PhaseLaunched, err
	}
	return PhasePrepared, err
}

// findOrphans takes from the cgroups that were found those that are known.
func (v *recovery) findOrphans(found []string) {
	known := make(map[string]bool, len(v.cgroups))
	for _, cgroup := range v.cgroups {
		known[canonical(cgroup)] = true
	}
	for _, at := range found {
		id := v.idOf(at)
		if known[at] || v.unreadable[id] {
			continue
		}
		if there, err := cgroup2.Exists(v.mount, at); err == nil && !there {
			continue // of a container that was deleted since
		}
		v.Orphans = append(v.Orphans, Orphan{ID: id, Cgroup: at, Processes: v.processesIn(id, at)})
	}
}

// processesIn are those of an orphan, sorted.
func (v *recovery) processesIn(id, at string) []int {
	cg, err := cgroup2.Open(v.mount, at)
	if errors.Is(err, unix.ENOENT) {
		return []int{}
	}
	var pids []int
	if err == nil {
		pids, err = cg.Processes()
		cg.Close()
	}
	if err != nil {
		v.fail(id, err)
	}
	slices.Sort(pids)
	return append([]int{}, pids...)
}

// canonical is a cgroup's path as cgroup2 has it.
func canonical(cgroup string) string {
	return strings.TrimPrefix(path.Clean("/"+cgroup), "/")
}

// within says whether a cgroup is another one or below it.
func within(cgroup, other string) bool {
	return cgroup == other || strings.HasPrefix(cgroup, other+"/")
}
