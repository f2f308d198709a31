package libcontainer

import (
	"errors"
	"fmt"
	"path"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/cgroup2"
	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/store"
)

// State tells what is known of a container. It takes no lock: hooks call it
// while create holds it. An unknown id is fs.ErrNotExist.
func (r *Runtime) State(id string) (*State, error) {
	s, err := r.store()
	if err != nil {
		return nil, err
	}
	record, err := s.Load(id)
	if err != nil {
		return nil, err
	}
	return r.stateOf(&record)
}

// List tells the state of every container, sorted by id. What cannot be read
// is in the second result; it does not hide the others.
func (r *Runtime) List() ([]State, []error, error) {
	s, err := r.store()
	if err != nil {
		return nil, nil, err
	}
	ids, err := s.List()
	if err != nil {
		return nil, nil, err
	}
	var states []State
	var broken []error
	names := map[uint32]string{}
	for _, id := range ids {
		record, err := s.Load(id)
		if errors.Is(err, store.ErrNotExist) && !errors.Is(err, store.ErrIncomplete) {
			continue // deleted since
		}
		var state *State
		if err == nil {
			state, err = r.stateOf(&record)
		}
		if err != nil {
			broken = append(broken, fmt.Errorf("load container %s: %w", id, err))
			continue
		}
		if _, known := names[record.Owner]; !known {
			names[record.Owner] = userName(record.Owner)
		}
		state.Owner = names[record.Owner]
		states = append(states, *state)
	}
	return states, broken, nil
}

func (r *Runtime) stateOf(record *store.Record) (*State, error) {
	status, err := r.status(record)
	if err != nil {
		return nil, err
	}
	s := &State{
		OCIVersion:  record.OCIVersion,
		ID:          record.ID,
		Status:      status,
		Bundle:      record.Bundle,
		Rootfs:      record.Rootfs,
		Created:     record.Created.UTC().Round(0),
		Annotations: record.Annotations,
	}
	if status != Stopped {
		s.Pid = record.Pid
	}
	known := Extension{Parent: record.Parent, Isolation: record.Isolation}
	if known.Children, err = r.childrenOf(record); err != nil {
		return nil, err
	}
	if record.Cgroup != "" {
		known.Cgroup = &CgroupPaths{Path: record.Cgroup, Leaf: path.Join(record.Cgroup, record.CgroupLeaf)}
	}
	if status == Stopped {
		r.completeEnd(record)
		known.Termination = terminationOf(record)
	}
	if known.Parent != "" || known.Children != nil || known.Isolation != nil || known.Cgroup != nil || known.Termination != nil {
		s.Mesoc = &known
	}
	return s, nil
}

// status finds out what has become of a container since its record was written.
//
// A container is created, not running, as long as its gate is there and its
// init still has the name it has at the gate: either alone could be left over
// from a start that was killed, or be made up by the container.
func (r *Runtime) status(record *store.Record) (Status, error) {
	if record.BootID != "" {
		if boot, err := sys.BootID(); err == nil && boot != record.BootID {
			return Stopped, nil
		}
	}
	if record.Status == store.Creating {
		return Creating, nil
	}
	stat, err := sys.ReadStat(record.Pid)
	switch {
	case errors.Is(err, unix.ESRCH):
		return Stopped, nil
	case err != nil:
		return "", err
	case stat.StartTime != record.PidStartTime || stat.Ended():
		return Stopped, nil
	}
	frozen, err := isFrozen(record)
	switch {
	case err != nil:
		return "", err
	case frozen:
		return Paused, nil
	case stat.Comm == record.InitName && unix.Access(path.Join(r.Root, record.ID, gateName), unix.F_OK) == nil:
		return Created, nil
	}
	return Running, nil
}

func isFrozen(record *store.Record) (bool, error) {
	if record.Cgroup == "" {
		return false, nil
	}
	cg, err := cgroup2.Open(cgroup2.Mount{Path: record.CgroupMount}, record.Cgroup)
	if errors.Is(err, unix.ENOENT) {
		return false, nil // init was moved away and its cgroup removed
	}
	if err != nil {
		return false, err
	}
	defer cg.Close()
	return cg.Frozen()
}
