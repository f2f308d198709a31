package cgroup2

import (
	"errors"
	"fmt"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"golang.org/x/sys/unix"
)

// OOMWatch notices that a cgroup or one below it has run out of memory.
type OOMWatch struct {
	cgroup *Cgroup
	files  []int // memory.events of the cgroup, its memory.events.local, memory.events of the leaf
	seen   uint64
}

// WatchOOM begins to watch: what has happened by now does not count. The
// error is fs.ErrNotExist where the memory controller is not enabled.
func (c *Cgroup) WatchOOM(leaf string) (*OOMWatch, error) {
	w := &OOMWatch{cgroup: c}
	for _, file := range [...]string{"memory.events", "memory.events.local", leaf + "/memory.events"} {
		fd, err := sys.Openat(c.fd, file, unix.O_RDONLY, 0)
		if gone(err) && len(w.files) > 0 {
			continue // no controller is enabled for the leaf
		}
		if err != nil {
			return nil, errors.Join(c.eventError(err), w.Close())
		}
		w.files = append(w.files, fd)
	}
	if _, err := w.Happened(); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// FDs lends the descriptors that poll(2) tells to have changed (POLLPRI).
func (w *OOMWatch) FDs() []int { return w.files }

// Close ends the watch.
func (w *OOMWatch) Close() error {
	var err error
	for _, fd := range w.files {
		err = errors.Join(err, sys.Close(fd))
	}
	return err
}

// Happened says whether memory has run out since it was asked last, and makes
// poll(2) wait for the next change. A cgroup that has been removed is
// fs.ErrNotExist.
//
// One of the container's own limits first counts as oom and then, when a
// process has been killed for it, as oom_kill; where the host runs out of
// memory, only the kill is counted. The greater of the two grows once for
// either.
//
// The cgroup's memory.events counts everything below it, and so at least what
// the other files do together. Where cgroup2 is mounted with
// memory_localevents they count more: its limit counts there, and in the leaf
// who was killed, for that limit or another one.
func (w *OOMWatch) Happened() (bool, error) {
	var texts [3]string
	for i, fd := range w.files {
		var buf [fileMax]byte
		n, err := pread(fd, buf[:])
		if err != nil {
			return false, w.cgroup.eventError(err)
		}
		if n == len(buf) {
			return false, fmt.Errorf("read memory.events of cgroup %s: too long", w.cgroup.path)
		}
		texts[i] = string(buf[:n])
	}
	all, own := ParseMemoryEvents(texts[0]), SumMemoryEvents(texts[1:]...)
	count := max(all.OOM, all.OOMKill, own.OOM, own.OOMKill)
	more := count > w.seen
	w.seen = max(w.seen, count)
	return more, nil
}
