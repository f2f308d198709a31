package libcontainer

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/guard"
	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/store"
)

// watched is what a watcher knows of a container of the state directory.
type watched struct {
	id    string
	phase watchPhase
	// directory is the inotify watch of its directory as long as its record is
	// to change before there is something to watch; -1 otherwise.
	directory int
	problem   string // what was said last to be wrong with it

	init  sys.Process // of the record that was looked at
	pidfd int         // of one that lives; -1 otherwise
	// memory are the inotify watches for memory, or for the controller.
	memory              []int
	counted             bool // the watches are for memory
	cgroup, leaf, mount string
	made                bool // the cgroup was made for it

	pending note
	again   time.Time // when to try again to put that on record
}

type watchPhase uint8

const (
	phaseAwaited watchPhase = iota // its create has not finished, or it cannot be watched
	phaseAlive                     // its init lives
	phaseEnding                    // its init has ended, and that is to be put on record
	phaseOver                      // there is nothing to watch
)

// rootWatch is how a watcher learns of containers that come and go.
type rootWatch struct {
	watch int    // of the inotify queue; -1 for none
	next  string // what has to appear first in that directory; empty in the state directory itself
}

// watchRoot watches the state directory, or as long as that is not there, the
// nearest directory above it that is.
func (w *watcher) watchRoot() error {
	const self = unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR
	const coming = unix.IN_CREATE | unix.IN_MOVED_TO
	if w.root.watch >= 0 {
		w.silence(w.root.watch, "")
		w.root.watch = -1
	}
	w.rescan = true
	for dir, next := w.store.Root, ""; ; {
		mask := uint32(self | coming)
		if next == "" {
			mask |= unix.IN_DELETE | unix.IN_MOVED_FROM
		}
		watch, err := sys.InotifyAdd(w.inotify, dir, mask)
		switch {
		case errors.Is(err, fs.ErrNotExist) && dir != "/":
			dir, next = path.Dir(dir), path.Base(dir)
			continue
		case err != nil:
			return err
		case next != "" && unix.Access(dir+"/"+next, unix.F_OK) == nil:
			// It has come meanwhile.
			sys.InotifyRemove(w.inotify, watch)
			dir, next = w.store.Root, ""
			continue
		}
		w.root = rootWatch{watch, next}
		w.notify(watch, noticeRoot, "")
		return nil
	}
}

func (w *watcher) rootChanged(c sys.Change) error {
	const lost = unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_UNMOUNT | unix.IN_IGNORED
	switch {
	case c.Mask&lost != 0, w.root.next != "" && c.Name == w.root.next:
		return w.watchRoot()
	case w.root.next == "" && c.Mask&unix.IN_ISDIR != 0 && store.ValidID(c.Name) == nil:
		w.dirty[c.Name] = true
	}
	return nil
}

// look looks at the containers that have come, gone or changed.
func (w *watcher) look() {
	if w.rescan {
		w.rescan = false
		ids, err := w.store.List()
		if err != nil {
			w.runtime.warn("list containers: %v", err)
		}
		for _, id := range ids {
			w.dirty[id] = true
		}
		for id := range w.containers {
			w.dirty[id] = true
		}
	}
	for _, id := range take(w.dirty) {
		w.lookAt(id)
	}
}

func (w *watcher) lookAt(id string) {
	c := w.containers[id]
	if c == nil {
		c = &watched{id: id, directory: -1, pidfd: -1}
		w.containers[id] = c
	}
	if c.phase == phaseEnding {
		c.again = time.Time{} // whoever has the record locked may be done, and delete is
		return
	}
	if c.phase == phaseAwaited {
		// Before the record is read, so that no change of it is missed.
		if err := w.follow(c); err != nil {
			w.unwatchable(c, err)
			return
		}
	}
	record, err := w.store.Load(id)
	switch {
	case errors.Is(err, store.ErrIncomplete):
	case errors.Is(err, store.ErrNotExist):
		w.gone(c)
	case err != nil:
		w.unwatchable(c, err)
	case c.init == record.Init() && c.phase != phaseAwaited:
		if c.phase == phaseAlive {
			w.watchMemory(c) // which may be counted since
		}
	default:
		w.renew(c, &record)
	}
}

// follow watches a container's directory.
func (w *watcher) follow(c *watched) error {
	const mask = unix.IN_MOVED_TO | unix.IN_CLOSE_WRITE | unix.IN_ATTRIB | unix.IN_ONLYDIR | unix.IN_DONT_FOLLOW
	watch, err := sys.InotifyAdd(w.inotify, path.Join(w.store.Root, c.id), mask)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil // the record is not there then either
	}
	if err != nil {
		return err
	}
	if c.directory >= 0 && c.directory != watch {
		w.silence(c.directory, c.id)
	}
	c.directory = watch
	w.notify(watch, noticeDirectory, c.id)
	return nil
}

// unwatchable says what is wrong with a container, once.
func (w *watcher) unwatchable(c *watched, err error) {
	for _, errno := range []error{unix.EMFILE, unix.ENFILE, unix.ENOSPC, unix.ENOMEM} {
		w.short = w.short || errors.Is(err, errno)
	}
	if errors.Is(err, unix.EMFILE) {
		err = fmt.Errorf("%w [raise RLIMIT_NOFILE: each container takes a descriptor]", err)
	}
	if text := err.Error(); text != c.problem {
		c.problem = text
		w.runtime.warn("watch container %s: %v", c.id, err)
	}
}

// gone forgets a container that has no record any more. One whose init lives
// all the same is watched until that ends.
func (w *watcher) gone(c *watched) {
	if c.phase == phaseAlive {
		return
	}
	if c.directory >= 0 {
		w.silence(c.directory, c.id)
	}
	delete(w.containers, c.id)
	delete(w.named, c.id)
}

// renew is for a container that has not been looked at yet, or whose record is
// about another process than it was.
func (w *watcher) renew(c *watched, record *store.Record) {
	if c.phase == phaseAlive {
		// Another container has its id. This one has ended, or nobody knows it any more.
		if ended, err := sys.PidfdWait(c.pidfd, time.Now()); err == nil && ended {
			w.ended = append(w.ended, c)
			return
		}
		w.release(c)
	}
	if c.phase != phaseAwaited {
		c.phase = phaseAwaited
		w.dirty[c.id] = true // its directory was not watched
		return
	}
	if record.Status == store.Creating {
		return
	}
	c.init = record.Init()
	c.cgroup, c.leaf, c.mount, c.made = record.Cgroup, record.CgroupLeaf, record.CgroupMount, record.CgroupMade
	pidfd, err := openInit(record)
	switch {
	case err == nil && (record.Termination != nil || !w.wanted(record)):
		sys.Close(pidfd)
		w.over(c, record)
	case errors.Is(err, unix.ESRCH):
		w.over(c, record)
	case err == nil && uint64(pidfd) >= w.descriptors:
		sys.Close(pidfd)
		err = unix.EMFILE
		fallthrough
	case err != nil:
		w.unwatchable(c, err)
	default:
		w.attach(c, record, pidfd)
	}
}

// wanted says whether the container, or one that it is nested in, was named.
func (w *watcher) wanted(record *store.Record) bool {
	if w.named == nil || w.named[record.ID] {
		return true
	}
	for id, depth := record.Parent, 0; id != "" && depth < nestingMax; depth++ {
		if w.named[id] {
			return true
		}
		above, err := w.store.Load(id)
		if err != nil {
			break
		}
		id = above.Parent
	}
	return false
}

// over is for a container that has ended before there was something to see.
func (w *watcher) over(c *watched, record *store.Record) {
	if w.named[c.id] {
		w.runtime.completeEnd(record)
		w.tell(WatchEvent{Type: WatchExited, ID: c.id, Termination: terminationOf(record)})
	}
	w.settle(c)
}

// settle is when nothing has to be watched any more.
func (w *watcher) settle(c *watched) {
	c.phase = phaseOver
	if c.directory >= 0 {
		w.silence(c.directory, c.id)
		c.directory = -1
	}
	delete(w.named, c.id)
}

// attach begins to watch a container that lives.
func (w *watcher) attach(c *watched, record *store.Record, pidfd int) {
	if err := sys.EpollAdd(w.epoll, pidfd); err != nil {
		sys.Close(pidfd)
		w.unwatchable(c, err)
		return
	}
	c.phase, c.pidfd, c.problem = phaseAlive, pidfd, ""
	c.pending = note{}
	if before, err := sys.PidfdWait(pidfd, time.Now()); err == nil && before {
		c.pending.late = true
	}
	w.pidfds[pidfd] = c
	if c.directory >= 0 {
		w.silence(c.directory, c.id)
		c.directory = -1
	}
	g := guard.Container{ID: c.id, Parent: record.Parent, Shares: record.ShareCgroups, Limited: record.Limitation != nil}
	if record.MemorySeen != nil {
		g.Seen = guard.Counts{OOM: record.MemorySeen.OOM, Kills: record.MemorySeen.Kills}
	} else {
		g.Used = !record.CgroupMade
	}
	w.guard.Add(g)
	w.watchMemory(c)
	w.uncounted[c.id] = true
	if g.Limited {
		// Whoever put that on record was killed before it could do it.
		w.kill(c)
	}
}

// release gives up what a container that lives takes.
func (w *watcher) release(c *watched) {
	w.guard.Remove(c.id)
	w.forgetMemory(c)
	delete(w.pidfds, c.pidfd)
	sys.Close(c.pidfd)
	c.pidfd = -1
	if w.short {
		// There is room for one that could not be watched.
		w.short = false
		for _, other := range w.containers {
			if other.phase == phaseAwaited || other.phase == phaseAlive && !other.counted {
				w.dirty[other.id] = true
			}
		}
	}
}
