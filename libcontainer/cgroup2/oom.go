package cgroup2

import (
	"fmt"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"golang.org/x/sys/unix"
)

// OOMWatch notices that a cgroup or one below it has run out of memory.
type OOMWatch struct {
	cgroup *Cgroup
	fd     int
	seen   uint64
}

// WatchOOM begins to watch: what has happened by now does not count. The
// error is fs.ErrNotExist where the memory controller is not enabled.
func (c *Cgroup) WatchOOM() (*OOMWatch, error) {
	fd, err := sys.Openat(c.fd, "memory.events", unix.O_RDONLY, 0)
	if err != nil {
		return nil, c.eventError(err)
	}
	w := &OOMWatch{cgroup: c, fd: fd}
	if _, err := w.Happened(); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// FD lends the descriptor that poll(2) tells to have changed (POLLPRI).
func (w *OOMWatch) FD() int { return w.fd }

// Close ends the watch.
func (w *OOMWatch) Close() error { return sys.Close(w.fd) }

// Happened says whether memory has run out since it was asked last, and makes
// poll(2) wait for the next change. A cgroup that has been removed is
// fs.ErrNotExist.
//
// One of the container's own limits first counts as oom and then, when a
// process has been killed for it, as oom_kill; where the host runs out of
// memory, only the kill is counted. The greater of the two grows once for
// either.
func (w *OOMWatch) Happened() (bool, error) {
	var buf [fileMax]byte
	n, err := pread(w.fd, buf[:])
	if err != nil {
		return false, w.cgroup.eventError(err)
	}
	if n == len(buf) {
		return false, fmt.Errorf("read memory.events of cgroup %s: too long", w.cgroup.path)
	}
	e := ParseMemoryEvents(string(buf[:n]))
	count := max(e.OOM, e.OOMKill)
	more := count > w.seen
	w.seen = max(w.seen, count)
	return more, nil
}
