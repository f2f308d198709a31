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
var errUnseen = errors.New("it has ended, and how was not seen: who waits must have begun before, and on a kernel before 6.15 be root on the host or faster than its parent")

// Wait waits until the container's init has ended, and tells how. That is put
// on record for those who ask later. Without having seen it, on record or with
// its own eyes, there is an error and no guess.
func (r *Runtime) Wait(_ context.Context, id string) (*Termination, error) {
	s, err := r.store()
	if err != nil {
		return nil, err
	}
	record, err := s.Load(id)
	if errors.Is(err, store.ErrNotExist) && !errors.Is(err, store.ErrIncomplete) {
		// It may have been nested in one that is there still.
		record, err = s.Ended(id)
	} else if err == nil {
		if err = r.awaitEnd(&record); err != nil {
			err = fmt.Errorf("wait for container %s: %w", id, err)
		}
	}
	if err != nil {
		return nil, err
	}
	return terminationOf(&record), nil
}

// awaitEnd waits until the container has ended, and has the record say how.
func (r *Runtime) awaitEnd(record *store.Record) error {
	if r.completeEnd(record); record.Termination != nil {
		return nil
	}
	switch status, err := r.status(record); {
	case err != nil:
		return err
	case status == Creating:
		return errors.New("its create has not finished")
	}
	pidfd, err := openInit(record)
	if errors.Is(err, unix.ESRCH) {
		if r.completeEnd(record); record.Termination != nil {
			return nil
		}
		return errUnseen
	}
	if err != nil {
		return err
	}
	defer sys.Close(pidfd)
	end := &store.Termination{}
	var events *sys.ExitEvents // nil: who may not listen has the other ways
	if !sys.PidfdTellsExit(pidfd) {
		events, _ = sys.OpenExitEvents(record.Pid)
		defer events.Close()
	}
	before, err := sys.PidfdWait(pidfd, time.Now())
	if err == nil && !before {
		_, err = sys.PidfdWait(pidfd, time.Time{})
		end.Finished = time.Now()
	}
	if err != nil {
		return err
	}
	if r.completeEnd(record); record.Termination != nil {
		return nil
	}
	status, err := sys.PidfdExit(record.Init(), pidfd)
	if errors.Is(err, unix.ENODATA) && !before {
		status, err = events.Exit()
	}
	switch {
	case errors.Is(err, unix.ENODATA):
		return r.endSeenByOthers(record)
	case err != nil:
		return err
	}
	end.ExitCode, end.Signal = status.Code, int(status.Signal)
	r.recordEnd(record, end, nil)
	return nil
}

// endSeenByOthers takes over what others have put on record meanwhile.
func (r *Runtime) endSeenByOthers(record *store.Record) error {
	s, err := r.store()
	if err != nil {
		return err
	}
	now, err := s.Load(record.ID)
	if err != nil || now.Init() != record.Init() || now.Termination == nil {
		return errUnseen
	}
	*record = now
	return nil
}

// recordEnd puts on record how a container ended, for which limit, or both; nil
// is what the caller does not know. Of each the first who has seen it is
// believed, and what the record lacks it gets, whoever comes first. Afterwards
// record says what is known of the end, also if the container is gone.
func (r *Runtime) recordEnd(record *store.Record, end *store.Termination, limit *store.Limitation) {
	c, err := r.lock(record.ID)
	defer c.close()
	if err == nil && c.record.Init() == record.Init() {
		if mergeEnd(&c.record, end, limit) {
			err = c.locked.Save(c.record)
		}
		end, limit = c.record.Termination, c.record.Limitation
	}
	mergeEnd(record, end, limit)
	if err != nil && !errors.Is(err, store.ErrNotExist) {
		r.warn("record the end of container %s: %v", record.ID, err)
	}
}

// mergeEnd adds what the record lacks, and says whether it did.
func mergeEnd(record *store.Record, end *store.Termination, limit *store.Limitation) (changed bool) {
	if record.Termination == nil && end != nil {
		record.Termination, changed = end, true
	}
	if record.Limitation == nil && limit != nil {
		record.Limitation, changed = limit, true
	}
	return changed
}

// terminationOf is what callers are told of the end on record; nil if nothing
// is known of it.
func terminationOf(record *store.Record) *Termination {
	t := &Termination{}
	if e := record.Termination; e != nil {
		if t.Signal = e.Signal; e.Signal == 0 {
			t.ExitCode = &e.ExitCode
		}
		if !e.Finished.IsZero() {
			finished := e.Finished.UTC().Round(0)
			t.FinishedAt = &finished
		}
	}
	if l := record.Limitation; l != nil {
		t.Reason, t.Message, t.Resources = l.Reason, l.Message, resourcesOf(l.Resources)
	}
	if *t == (Termination{}) {
		return nil
	}
	return t
}

// resourcesOf is nil where no limit has a figure.
func resourcesOf(r store.Resources) *Resources {
	const megabyte = 1 << 20
	if r == (store.Resources{}) {
		return nil
	}
	return &Resources{Mem: float64(r.Mem) / megabyte, Disk: float64(r.Disk) / megabyte}
}
