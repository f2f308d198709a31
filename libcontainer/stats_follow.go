package libcontainer

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/signals"
	"github.com/mesoc/mesoc/libcontainer/store"
)

// Running are the ids of the containers that live, in order. What cannot be
// read is told to Warn, and does not hide the others.
func (r *Runtime) Running() ([]string, error) {
	s, err := r.store()
	if err != nil {
		return nil, err
	}
	all, err := s.List()
	if err != nil {
		return nil, err
	}
	ids := all[:0]
	for _, id := range all {
		switch _, status, err := r.look(id); {
		case errors.Is(err, store.ErrNotExist): // deleted since, or not made yet
		case err != nil:
			r.warn("load container %s: %v", id, err)
		case status != Stopped && status != Creating:
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// FollowStats measures containers once an interval and gives the figures to
// see, until SIGINT or SIGTERM comes, which is no error, or see returns one. Of
// those named it ends with the last; without ids it is about all that live,
// also those that come later.
func (r *Runtime) FollowStats(ctx context.Context, ids []string, interval time.Duration, see func([]*Stats) error) error {
	queue, err := signals.Catch([]unix.Signal{unix.SIGINT, unix.SIGTERM})
	if err != nil {
		return fmt.Errorf("follow figures: %w", err)
	}
	debug.SetGCPercent(100) // it may take days, so the collector is needed after all
	f := follower{runtime: r, ids: ids, told: map[string]string{}}
	for next := time.Now(); ; {
		now, live, err := f.measure(ctx)
		if err == nil {
			err = see(now)
		}
		if err != nil || !live {
			return err
		}
		if next = next.Add(interval); next.Before(time.Now()) {
			next = time.Now() // it takes longer than that
		}
		// Rounded up: a wait that returns early would spin.
		if s, err := queue.Next(max(0, time.Until(next)) + time.Millisecond); s != 0 || err != nil {
			return err
		}
	}
}

type follower struct {
	runtime *Runtime
	ids     []string          // that were named
	told    map[string]string // the last error of each container
	begun   bool
}

// measure returns the figures of all that can be measured, and whether there
// can be more of them later.
func (f *follower) measure(ctx context.Context) (now []*Stats, live bool, err error) {
	ids := f.ids
	if len(f.ids) == 0 {
		live = true
		if ids, err = f.runtime.Running(); err != nil {
			return nil, false, err
		}
	}
	for _, id := range ids {
		s, err := f.runtime.Stats(ctx, id)
		gone := errors.Is(err, store.ErrNotExist)
		switch {
		case err == nil:
			now = append(now, s)
			live = live || s.Tasks != nil && s.Tasks.Processes > 0
		case gone && (f.begun || len(f.ids) == 0):
			// Who is deleted meanwhile is not missed.
		case !f.begun && len(f.ids) == 1:
			return nil, false, err
		default:
			live = live || !gone
			if f.told[id] != err.Error() { // once, not at each interval
				f.runtime.warn("%v", err)
				f.told[id] = err.Error()
			}
		}
	}
	f.begun = true
	return now, live, nil
}
