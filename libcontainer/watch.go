package libcontainer

import (
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/guard"
	"github.com/mesoc/mesoc/libcontainer/internal/signals"
	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/store"
)

// WatchEvent is something that Watch tells.
type WatchEvent struct {
	Type WatchType `json:"type"`
	ID   string    `json:"id"`
	// Of a limitation; Resources are absent if it was no limit of its own.
	Reason    Reason     `json:"reason,omitempty"`
	Message   string     `json:"message,omitempty"`
	Resources *Resources `json:"resources,omitempty"`
	// Of an exit; absent if nobody knows how.
	Termination *Termination `json:"termination,omitempty"`
}

// WatchType is a kind of WatchEvent.
type WatchType string

// What Watch tells: that memory has run out for a container, that it is ended
// because of that, and that it has ended.
const (
	WatchOOM        WatchType = "oom"
	WatchLimitation WatchType = "limitation"
	WatchExited     WatchType = "exited"
)

// Watch watches containers, those that are there and those that come: one of
// which the kernel kills a process because memory has run out it ends
// altogether, and how each has ended it puts on record. It tells what happens.
//
// With ids it watches these and what is nested in them, and returns when all
// of them have ended; otherwise a SIGINT or SIGTERM ends it, or an error of
// tell. What goes wrong with one container is a warning and does not keep it
// from the others. It can be called once in a process.
func (r *Runtime) Watch(ids []string, tell func(WatchEvent) error) error {
	debug.SetGCPercent(100) // see passSignals
	w := &watcher{
		runtime: r, told: tell, guard: guard.New(),
		root: rootWatch{watch: -1}, inotify: -1, epoll: -1,
		notices: map[int]*notice{}, containers: map[string]*watched{}, pidfds: map[int]*watched{},
		dirty: map[string]bool{}, uncounted: map[string]bool{}, noted: map[*watched]bool{},
	}
	defer w.close()
	err := w.open(ids)
	if err == nil {
		err = w.run()
	}
	if err != nil {
		return fmt.Errorf("watch containers: %w", err)
	}
	return nil
}

// watcher is a Watch under way. Everything that happens comes through one
// epoll: signals, the pidfds of the containers, and an inotify queue for the
// state directory and the cgroups' files of events. So it costs nothing as
// long as nothing happens, and a container takes one descriptor.
type watcher struct {
	runtime        *Runtime
	store          *store.Store
	guard          *guard.Guard
	told           func(WatchEvent) error
	failed         error // of told
	signals        signals.Queue
	inotify, epoll int

	named map[string]bool // that have not ended; nil: all are watched
	root  rootWatch
	// By watch of the inotify queue, by id, and by pidfd.
	notices    map[int]*notice
	containers map[string]*watched
	pidfds     map[int]*watched
	// descriptors are how many a container may see taken: the rest is for the
	// work itself.
	descriptors uint64
	short       bool // something could not be watched for the want of descriptors and the like

	// What has to be done in this round.
	rescan    bool            // look at all containers
	dirty     map[string]bool // look at these
	uncounted map[string]bool // read what the kernel has counted of these
	ended     []*watched      // whose init has ended

	noted map[*watched]bool // that something has to be put on record of
}

// notice is what a watch of the inotify queue is for.
type notice struct {
	kind noticeKind
	ids  map[string]bool
}

type noticeKind uint8

const (
	noticeRoot        noticeKind = iota // the state directory, or what is there of it
	noticeDirectory                     // a container's directory in it
	noticeMemory                        // a file of memory events
	noticeControllers                   // a file by which controllers are enabled
)

// spareDescriptors are more than are open at a time beside the pidfds. Go has
// raised the soft limit to the hard one.
const spareDescriptors = 32

func (w *watcher) open(ids []string) (err error) {
	if w.store, err = w.runtime.store(); err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := w.store.Load(id); err != nil && !errors.Is(err, store.ErrIncomplete) {
			return err
		}
		if w.named == nil {
			w.named = map[string]bool{}
		}
		w.named[id] = true
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("read RLIMIT_NOFILE: %w", err)
	}
	if limit.Cur <= spareDescriptors {
		return fmt.Errorf("RLIMIT_NOFILE is %d, and must be more than %d", limit.Cur, spareDescriptors)
	}
	w.descriptors = limit.Cur - spareDescriptors
	if w.inotify, err = sys.InotifyOpen(); err != nil {
		return err
	}
	if w.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("open epoll: %w", err)
	}
	if w.signals, err = signals.Catch([]unix.Signal{unix.SIGINT, unix.SIGTERM}); err != nil {
		return err
	}
	if err := sys.EpollAdd(w.epoll, w.signals.FD()); err != nil {
		return err
	}
	if err := sys.EpollAdd(w.epoll, w.inotify); err != nil {
		return err
	}
	return w.watchRoot()
}

func (w *watcher) close() {
	for _, c := range w.containers {
		if c.pidfd >= 0 {
			sys.Close(c.pidfd)
		}
	}
	for _, fd := range []int{w.inotify, w.epoll} {
		if fd >= 0 {
			sys.Close(fd)
		}
	}
}

func (w *watcher) run() error {
	for {
		// One step may be the cause of another: a container that has ended gives
		// a descriptor back, and its id may be another's by then.
		for again := true; again; again = w.rescan || len(w.dirty)+len(w.uncounted)+len(w.ended) > 0 {
			w.look()
			w.count()
			w.finish()
			w.note()
		}
		if w.failed != nil || w.named != nil && len(w.named)+len(w.noted) == 0 {
			return w.failed
		}
		ready, err := sys.Ready(w.epoll, w.patience())
		if err != nil {
			return err
		}
		for _, fd := range ready {
			switch {
			case fd == w.signals.FD():
				w.giveUp()
				return w.failed
			case fd == w.inotify:
				err = w.readChanges()
			default:
				if c := w.pidfds[fd]; c != nil {
					// A limit may be why.
					w.uncounted[c.id] = true
					w.ended = append(w.ended, c)
				}
			}
			if err != nil {
				return err
			}
		}
	}
}

// tell tells, and remembers that it could not.
func (w *watcher) tell(e WatchEvent) {
	if err := w.told(e); err != nil && w.failed == nil {
		w.failed = err
	}
}

// readChanges notes what there is to look at.
func (w *watcher) readChanges() error {
	changes, err := sys.InotifyRead(w.inotify)
	if err != nil {
		return err
	}
	for _, c := range changes {
		if c.Mask&unix.IN_Q_OVERFLOW != 0 {
			w.rescan = true
			for id := range w.containers {
				w.uncounted[id] = true
			}
			continue
		}
		n := w.notices[c.Watch]
		if n == nil {
			continue // it has been given up since
		}
		switch n.kind {
		case noticeRoot:
			if err := w.rootChanged(c); err != nil {
				return err
			}
		case noticeMemory:
			maps.Copy(w.uncounted, n.ids)
		default:
			maps.Copy(w.dirty, n.ids)
		}
	}
	return nil
}

// notify has the queue's watch of that number mean the container.
func (w *watcher) notify(watch int, kind noticeKind, id string) {
	if w.notices[watch] == nil {
		w.notices[watch] = &notice{kind: kind, ids: map[string]bool{}}
	}
	w.notices[watch].ids[id] = true
}

// silence gives a watch of the queue up, unless it means others, too.
func (w *watcher) silence(watch int, id string) {
	n := w.notices[watch]
	if n == nil {
		return
	}
	if delete(n.ids, id); len(n.ids) == 0 {
		delete(w.notices, watch)
		sys.InotifyRemove(w.inotify, watch)
	}
}

// take empties a set and returns what was in it, in order.
func take(set map[string]bool) []string {
	ids := slices.Sorted(maps.Keys(set))
	clear(set)
	return ids
}

// patience is how many milliseconds there are until something has to be put on
// record that could not be; negative if there is nothing of that.
func (w *watcher) patience() int {
	soonest := -1
	for c := range w.noted {
		// Rounded up: a wait that returns early would spin.
		left := int(max(0, time.Until(c.again)+time.Millisecond-1) / time.Millisecond)
		if soonest < 0 || left < soonest {
			soonest = left
		}
	}
	return soonest
}
