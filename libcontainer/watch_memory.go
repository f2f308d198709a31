package libcontainer

import (
	"errors"
	"io/fs"
	"path"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/cgroup2"
	"github.com/mesoc/mesoc/libcontainer/guard"
	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/store"
)

// container is what other commands make of its record.
func (c *watched) container() *container {
	return &container{record: store.Record{
		ID: c.id, Status: store.Running, Cgroup: c.cgroup, CgroupLeaf: c.leaf, CgroupMount: c.mount, CgroupMade: c.made,
	}}
}

// openCgroup opens the container's cgroup; nil if it has none or it is gone.
func (c *watched) openCgroup() (*cgroup2.Cgroup, error) { return c.container().cgroup() }

// watchMemory has the queue tell when memory runs out for a container. Where
// the memory controller is not enabled, an update may enable it: then the queue
// tells that, and it is tried again.
func (w *watcher) watchMemory(c *watched) {
	if c.counted {
		return
	}
	cg, err := c.openCgroup()
	if err == nil && cg == nil {
		return
	}
	if err == nil {
		defer cg.Close()
		err = w.watchCgroup(c, cg)
	}
	if err != nil {
		w.unwatchable(c, err)
	}
}

func (w *watcher) watchCgroup(c *watched, cg *cgroup2.Cgroup) error {
	watches, err := cg.NotifyMemory(w.inotify, c.leaf)
	if errors.Is(err, fs.ErrNotExist) && len(c.memory) == 0 {
		watch, controllersErr := cg.NotifyControllers(w.inotify)
		if controllersErr != nil {
			return controllersErr
		}
		c.memory = []int{watch}
		w.notify(watch, noticeControllers, c.id)
		watches, err = cg.NotifyMemory(w.inotify, c.leaf) // somebody may have been faster
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	w.forgetMemory(c)
	c.memory, c.counted = watches, true
	for _, watch := range watches {
		w.notify(watch, noticeMemory, c.id)
	}
	w.uncounted[c.id] = true
	return nil
}

func (w *watcher) forgetMemory(c *watched) {
	for _, watch := range c.memory {
		w.silence(watch, c.id)
	}
	c.memory, c.counted = nil, false
}

// count reads what the kernel has counted, and does what the guard makes of it.
func (w *watcher) count() {
	var list []*watched
	listed := map[string]bool{}
	for _, id := range take(w.uncounted) {
		for _, id := range append([]string{id}, w.guard.Above(id)...) {
			if c := w.containers[id]; c != nil && c.phase == phaseAlive && !listed[id] {
				list = append(list, c)
				listed[id] = true
			}
		}
	}
	// The kernel counts a limit that was hit before what it kills for it: so the
	// kills of all are read first.
	kills, hits := w.read(list), w.read(list)
	var readings []guard.Reading
	for i, c := range list {
		if kills[i] != nil && hits[i] != nil {
			readings = append(readings, guard.Reading{ID: c.id, Counts: guard.Counts{OOM: hits[i].OOM, Kills: kills[i].OOMKill}})
		}
	}
	for _, a := range w.guard.Count(time.Now(), readings) {
		c := w.containers[a.ID]
		switch a.Kind {
		case guard.Tell:
			w.tell(WatchEvent{Type: WatchOOM, ID: a.ID})
		case guard.Remember:
			c.pending.seen = &store.MemorySeen{OOM: a.Counts.OOM, Kills: a.Counts.Kills}
			w.noted[c] = true
		default:
			w.limit(c, a.Kind == guard.End)
		}
	}
}

// read reads the counts of some containers; nil where there are none.
func (w *watcher) read(list []*watched) []*cgroup2.MemoryEvents {
	all := make([]*cgroup2.MemoryEvents, len(list))
	for i, c := range list {
		cg, err := c.openCgroup()
		if err == nil && cg != nil {
			all[i], err = cg.OwnMemoryEvents(c.leaf)
			cg.Close()
		}
		if err != nil {
			w.runtime.warn("watch container %s: %v", c.id, err)
		}
	}
	return all
}

// limit ends a container because memory has run out: for a limit of its own,
// or for others'.
func (w *watcher) limit(c *watched, own bool) {
	l := &store.Limitation{Reason: store.LimitationMemory, Message: "Memory ran out around the container, and the kernel has killed a process of it"}
	if cg, err := c.openCgroup(); err == nil && cg != nil {
		m, err := cg.Memory()
		cg.Close()
		if err == nil && m != nil && own {
			l = memoryExceeded(m.Limit, m.Peak, figures(m.Detail))
		}
	}
	c.pending.limit = l
	w.noted[c] = true
	w.record(c) // before it is done, if nobody has the record locked
	l = c.pending.limit
	w.kill(c)
	w.tell(WatchEvent{Type: WatchLimitation, ID: c.id, Reason: l.Reason, Message: l.Message, Resources: resourcesOf(l.Resources)})
}

// figures are what a container has left after the kernel has killed.
func figures(detail map[string]uint64) string {
	text := "now anon " + inMegabytes(detail["anon"]) + ", file " + inMegabytes(detail["file"])
	if kernel, told := detail["kernel"]; told { // from Linux 5.18 on
		text += ", kernel " + inMegabytes(kernel)
	}
	return text
}

// kill ends all processes of a container and of those inside it.
func (w *watcher) kill(c *watched) {
	cg, err := c.openCgroup()
	if err == nil && cg != nil {
		defer cg.Close()
		if err = w.proven(c); err == nil {
			ended, waitErr := sys.PidfdWait(c.pidfd, time.Now())
			c.pending.kill = waitErr == nil && !ended
			err = c.killCgroups(cg)
		}
	}
	if err == nil {
		// It may have been moved out of its cgroup.
		err = sys.PidfdSignal(c.pidfd, unix.SIGKILL)
	}
	if err != nil && !errors.Is(err, unix.ESRCH) {
		w.runtime.warn("end container %s, which is out of memory: %v", c.id, err)
	}
}

// killCgroups kills what is in the container's cgroup: where that was there
// before the container, what is its own.
func (c *watched) killCgroups(cg *cgroup2.Cgroup) error {
	if err := c.container().killCgroup(cg); err != nil || c.made {
		return err
	}
	nested, err := cgroup2.Open(cgroup2.Mount{Path: c.mount}, path.Join(c.cgroup, cgroup2.Nested))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer nested.Close()
	return nested.Kill()
}

// proven makes sure that the cgroup that was just opened is still the
// container's: it is as long as its init lives, or its record is there.
func (w *watcher) proven(c *watched) error {
	if ended, err := sys.PidfdWait(c.pidfd, time.Now()); err != nil || !ended {
		return err
	}
	record, err := w.store.Load(c.id)
	if err == nil && record.Init() != c.init {
		err = unix.ESRCH
	}
	if errors.Is(err, store.ErrNotExist) {
		err = unix.ESRCH
	}
	return err
}
