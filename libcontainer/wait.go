package libcontainer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/store"
)

// errUnseen is why nobody knows how a container ended.
var errUnseen = errors.New("it has ended, and how was not seen: who waits must have begun before, and on a kernel before 6.15 be faster than its parent")

// Wait waits until the container's init has ended, and tells how. That is put
// on record for those who ask later. Without having seen it, on record or with
// its own eyes, there is an error and no guess.
func (r *Runtime) Wait(_ context.Context, id string) (*Termination, error) {
	s, err := r.store()
	if err != nil {
		return nil, err
	}
	record, err := s.Load(id)
	if err != nil {
		return nil, err
	}
	end, err := r.awaitEnd(&record)
	if err != nil {
		return nil, fmt.Errorf("wait for container %s: %w", id, err)
	}
	return terminationOf(end), nil
}

func (r *Runtime) awaitEnd(record *store.Record) (*store.Termination, error) {
	if record.Termination != nil {
		return record.Termination, nil
	}
	switch status, err := r.status(record); {
	case err != nil:
		return nil, err
	case status == Creating:
		return nil, errors.New("its create has not finished")
	}
	pidfd, err := openInit(record)
	if errors.Is(err, unix.ESRCH) {
		return nil, errUnseen
	}
	if err != nil {
		return nil, err
	}
	defer sys.Close(pidfd)
	end := &store.Termination{}
	before, err := sys.PidfdWait(pidfd, time.Now())
	if err == nil && !before {
		_, err = sys.PidfdWait(pidfd, time.Time{})
		end.Finished = time.Now()
	}
	if err != nil {
		return nil, err
	}
	status, err := sys.PidfdExit(record.Init(), pidfd)
	switch {
	case errors.Is(err, unix.ENODATA):
		return r.endSeenByOthers(record)
	case err != nil:
		return nil, err
	}
	end.ExitCode, end.Signal = status.Code, int(status.Signal)
	return r.recordEnd(record, end), nil
}

// endSeenByOthers is what others have put on record meanwhile.
func (r *Runtime) endSeenByOthers(record *store.Record) (*store.Termination, error) {
	s, err := r.store()
	if err != nil {
		return nil, err
	}
	now, err := s.Load(record.ID)
	if err != nil || now.Init() != record.Init() || now.Termination == nil {
		return nil, errUnseen
	}
	return now.Termination, nil
}

// recordEnd puts on record how a container ended, unless the container is gone,
// and returns what is on record: the first who has seen it is believed.
func (r *Runtime) recordEnd(record *store.Record, end *store.Termination) *store.Termination {
	c, err := r.lock(record.ID)
	defer c.close()
	if err == nil && c.record.Init() == record.Init() {
		if c.record.Termination != nil {
			return c.record.Termination
		}
		c.record.Termination = end
		err = c.locked.Save(c.record)
	}
	if err != nil && !errors.Is(err, store.ErrNotExist) {
		r.warn("record the end of container %s: %v", record.ID, err)
	}
	return end
}

// terminationOf is what callers are told of a termination on record.
func terminationOf(e *store.Termination) *Termination {
	if e == nil {
		return nil
	}
	t := &Termination{Signal: e.Signal}
	if e.Signal == 0 {
		t.ExitCode = &e.ExitCode
	}
	if !e.Finished.IsZero() {
		finished := e.Finished.UTC().Round(0)
		t.FinishedAt = &finished
	}
	return t
}
