package libcontainer

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/cgroup2"
	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/store"
)

// Event is something that Events tells: figures, or that the container has run
// out of memory.
type Event struct {
	ID    string
	Stats *Stats // nil: out of memory
}

// Usage returns the figures of a container that runs.
func (r *Runtime) Usage(id string) (*Stats, error) {
	record, err := r.alive(id)
	if err != nil {
		return nil, err
	}
	return r.measure(&record)
}

// alive loads a container that has not ended.
func (r *Runtime) alive(id string) (store.Record, error) {
	record, status, err := r.look(id)
	if err == nil && (status == Stopped || status == Creating) {
		err = fmt.Errorf("watch container %s: %w", id, ErrNotRunning)
	}
	return record, err
}

// Events tells of a container until it ends: whenever it runs out of memory
// from now on, and its figures once an interval.
func (r *Runtime) Events(id string, interval time.Duration, tell func(Event) error) error {
	record, err := r.alive(id)
	if err != nil {
		return err
	}
	debug.SetGCPercent(100) // see Run
	w := &watch{runtime: r, record: record, next: time.Now().Add(interval)}
	if w.init, err = openInit(&record); err != nil {
		if errors.Is(err, unix.ESRCH) {
			return nil
		}
		return err
	}
	defer w.close()
	if err := w.run(interval, tell); err != nil {
		return fmt.Errorf("watch container %s: %w", id, err)
	}
	return nil
}

// watch is an Events under way.
type watch struct {
	runtime *Runtime
	record  store.Record
	init    int               // its pidfd
	oom     *cgroup2.OOMWatch // nil as long as memory is not counted
	next    time.Time         // when figures are due
}

func (w *watch) close() {
	sys.Close(w.init)
	if w.oom != nil {
		w.oom.Close()
	}
}

func (w *watch) run(interval time.Duration, tell func(Event) error) error {
	for {
		if err := w.openOOM(); err != nil {
			return err
		}
		ended, err := w.wait()
		if err != nil {
			return err
		}
		// Even of a container that has ended: that may be what ended it.
		if happened, err := w.ranOut(); err != nil {
			return err
		} else if happened {
			if err := tell(Event{ID: w.record.ID}); err != nil {
				return err
			}
		}
		if ended {
			return nil
		}
		if time.Now().Before(w.next) {
			continue
		}
		w.next = time.Now().Add(interval)
		stats, err := w.runtime.measure(&w.record)
		if err != nil {
			if ended, waitErr := sys.PidfdWait(w.init, time.Now().Add(time.Second)); waitErr == nil && ended {
				continue // in the middle of that
			}
			return err
		}
		if err := tell(Event{ID: w.record.ID, Stats: stats}); err != nil {
			return err
		}
	}
}

// openOOM begins to watch memory, once the controller is there: an update may
// enable it.
func (w *watch) openOOM() error {
	if w.oom != nil {
		return nil
	}
	c := &container{runtime: w.runtime, record: w.record}
	cg, err := c.cgroup()
	if err != nil || cg == nil {
		return err
	}
	defer cg.Close()
	w.oom, err = cg.WatchOOM(w.record.CgroupLeaf)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (w *watch) ranOut() (bool, error) {
	if w.oom == nil {
		return false, nil
	}
	happened, err := w.oom.Happened()
	if errors.Is(err, fs.ErrNotExist) { // removed: poll would tell of it for ever
		w.oom.Close()
		w.oom = nil
		return false, nil
	}
	return happened, err
}

// wait waits until there is something to look at, and says whether init has
// ended.
func (w *watch) wait() (ended bool, err error) {
	fds := []unix.PollFd{{Fd: int32(w.init), Events: unix.POLLIN}}
	if w.oom != nil {
		for _, fd := range w.oom.FDs() {
			fds = append(fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLPRI})
		}
	}
	for {
		// Rounded up: a poll that returns early would spin.
		left := (time.Until(w.next) + time.Millisecond - 1) / time.Millisecond
		_, err := unix.Poll(fds, int(min(max(0, left), math.MaxInt32)))
		if err != unix.EINTR {
			return fds[0].Revents != 0, err
		}
	}
}
