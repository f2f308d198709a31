package libcontainer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mesoc/mesoc/libcontainer/cgroup2"
	"github.com/mesoc/mesoc/libcontainer/store"
)

// ErrNotPaused says that there is nothing to resume.
var ErrNotPaused = errors.New("container not paused")

// freezeWait is how long processes may take to stop: one that waits for a disk
// stops when it has been answered.
const freezeWait = 10 * time.Second

// Pause stops all processes of a created or running container, and returns
// when they have stopped. It takes no lock, as little as Kill.
func (r *Runtime) Pause(_ context.Context, id string) error {
	return r.changeFreezer(id, "pause", func(status Status, cg *cgroup2.Cgroup) error {
		switch status {
		case Created, Running:
			return cg.Freeze(time.Now().Add(freezeWait))
		case Paused:
			return errors.New("it is already paused")
		}
		return ErrNotRunning
	})
}

// Resume lets a paused container go on.
func (r *Runtime) Resume(_ context.Context, id string) error {
	return r.changeFreezer(id, "resume", func(status Status, cg *cgroup2.Cgroup) error {
		if status != Paused {
			return ErrNotPaused
		}
		if above := r.pausedAbove(id); above != "" {
			return fmt.Errorf("container %s, which it is nested in, is paused [resume that]", above)
		}
		return cg.Thaw()
	})
}

// pausedAbove is a container that a nested one is frozen with, if there is one.
func (r *Runtime) pausedAbove(id string) string {
	record, _, err := r.look(id)
	if err != nil || record.Parent == "" {
		return ""
	}
	if above, status, err := r.look(record.Parent); err == nil && status == Paused {
		return above.ID
	}
	return ""
}

func (r *Runtime) changeFreezer(id, verb string, change func(Status, *cgroup2.Cgroup) error) error {
	record, status, err := r.look(id)
	if err != nil {
		return err
	}
	c := &container{runtime: r, record: record}
	cg, err := c.cgroup()
	if err == nil && cg == nil {
		err = ErrNotRunning
	}
	if err == nil {
		err = change(status, cg)
		cg.Close()
	}
	if err != nil {
		return fmt.Errorf("%s container %s: %w", verb, id, err)
	}
	return nil
}

// Processes are the pids of all processes of a container, also of those in
// cgroups that it has made. One that has stopped has none.
func (r *Runtime) Processes(id string) ([]int, error) {
	record, _, err := r.look(id)
	if err != nil {
		return nil, err
	}
	c := &container{runtime: r, record: record}
	cg, err := c.cgroup()
	if err != nil || cg == nil {
		return nil, err
	}
	defer cg.Close()
	return cg.Processes()
}

// look loads a container without a lock and finds out its status.
func (r *Runtime) look(id string) (record store.Record, status Status, err error) {
	s, err := r.store()
	if err != nil {
		return record, "", err
	}
	if record, err = s.Load(id); err == nil {
		status, err = r.status(&record)
	}
	return record, status, err
}
