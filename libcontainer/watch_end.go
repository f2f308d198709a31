package libcontainer

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/store"
)

// note is what has to be put on record of a container. The record may be
// locked by another command, by delete for one, and that must not keep the
// watcher from the others: then it is tried again.
type note struct {
	seen  *store.MemorySeen
	limit *store.Limitation
	end   *store.Termination // nil if it lives, or nobody knows how it ended
	late  bool               // it had ended before it was watched
	kill  bool               // it lived when we killed it
	since time.Time          // when it was tried first
}

// finish finds out how containers have ended, and takes them from guard.
func (w *watcher) finish() {
	for _, c := range w.ended {
		if c.phase != phaseAlive {
			continue
		}
		status, err := sys.PidfdExit(c.init, c.pidfd)
		switch {
		case err == nil:
			c.pending.end = &store.Termination{ExitCode: status.Code, Signal: int(status.Signal)}
			if !c.pending.late {
				c.pending.end.Finished = time.Now()
			}
		case errors.Is(err, unix.ENODATA) && c.pending.kill:
			// Its parent was faster, but it was our doing.
			c.pending.end = &store.Termination{Signal: int(unix.SIGKILL), Finished: time.Now()}
		case !errors.Is(err, unix.ENODATA):
			w.runtime.warn("watch container %s: find out how it ended: %v", c.id, err)
		}
		w.release(c)
		c.phase = phaseEnding
		w.noted[c] = true
	}
	w.ended = nil
}

// note puts on record what has to be, and tells of the end of those that have
// ended.
func (w *watcher) note() {
	for c := range w.noted {
		if !time.Now().Before(c.again) {
			w.record(c)
		}
	}
}

// giveUp tells of the end of those whose record is still locked.
func (w *watcher) giveUp() {
	for c := range w.noted {
		if record, done := w.tryRecord(c); done || c.phase == phaseEnding {
			w.recorded(c, record)
		}
	}
}

// record puts on record what is noted of a container, or has it tried again.
func (w *watcher) record(c *watched) {
	record, done := w.tryRecord(c)
	if done {
		w.recorded(c, record)
		return
	}
	now := time.Now()
	if c.pending.since.IsZero() {
		c.pending.since = now
	}
	waited := now.Sub(c.pending.since)
	if waited >= lockWait {
		w.runtime.warn("record the end of container %s: %v", c.id, store.ErrLocked)
		w.recorded(c, record)
		return
	}
	c.again = now.Add(min(10*time.Millisecond+waited/2, 100*time.Millisecond))
}

// recorded is after something was put on record, or cannot be. What is known
// of the end is in record.
func (w *watcher) recorded(c *watched, record *store.Record) {
	delete(w.noted, c)
	c.pending.since, c.again = time.Time{}, time.Time{}
	if c.phase != phaseEnding {
		c.pending.seen = nil // the limit is told again with the end
		return
	}
	c.pending = note{}
	w.tell(WatchEvent{Type: WatchExited, ID: c.id, Termination: terminationOf(record)})
	w.settle(c)
	w.dirty[c.id] = true // another container may have its id by now
}

// tryRecord is not done if somebody else is changing the container. It returns
// what is known of the end.
func (w *watcher) tryRecord(c *watched) (record *store.Record, done bool) {
	record = &store.Record{}
	mergeEnd(record, c.pending.end, c.pending.limit)
	locked, err := w.runtime.lockUntil(c.id, time.Time{})
	defer locked.close()
	switch {
	case errors.Is(err, store.ErrLocked):
		return record, false
	case errors.Is(err, store.ErrNotExist), err == nil && locked.record.Init() != c.init:
		return record, true // it is deleted
	case err == nil:
		changed := mergeEnd(&locked.record, c.pending.end, c.pending.limit)
		c.pending.limit = locked.record.Limitation
		if seen := c.pending.seen; seen != nil {
			locked.record.MemorySeen, changed = seen, true
		}
		record = &locked.record
		if changed {
			err = locked.locked.Save(locked.record)
		}
	}
	if err != nil {
		w.runtime.warn("record the end of container %s: %v", c.id, err)
	}
	return record, true
}
