package cgroup2

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"time"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"golang.org/x/sys/unix"
)

// waitEvent waits until key in cgroup.events is want, and says whether it came
// to that before the deadline; a zero deadline waits for ever. A cgroup that is
// removed meanwhile is gone, which err tells (fs.ErrNotExist).
func (c *Cgroup) waitEvent(key string, want uint64, deadline time.Time) (bool, error) {
	const name = "cgroup.events"
	fd, err := sys.Openat(c.fd, name, unix.O_RDONLY, 0)
	if err != nil {
		return false, c.eventError(err)
	}
	defer sys.Close(fd)
	var buf [fileMax]byte
	pause := firstPause
	for {
		// Reading arms the poll: the kernel compares with what was read last.
		n, err := pread(fd, buf[:])
		if err != nil {
			return false, c.eventError(err)
		}
		value, ok := parseKey(string(buf[:n]), key)
		if !ok {
			return false, fmt.Errorf("read %s of cgroup %s: no %s in it", name, c.path, key)
		}
		if value == want {
			return true, nil
		}
		if !deadline.IsZero() && !time.Now().Before(deadline) {
			return false, nil
		}
		if err := pollPriority(fd, earlier(deadline, time.Now().Add(pause))); err != nil {
			return false, c.eventError(err)
		}
		pause = min(2*pause, time.Minute)
	}
}

// firstPause is how long a wait first relies on being told. The kernel tells of
// changes of one file at most every 10 ms, and those that matter follow each
// other faster when a container is short-lived, so the first looks are taken
// without being told.
const firstPause = time.Millisecond

// earlier returns the earlier of a deadline, zero for never, and t.
func earlier(deadline, t time.Time) time.Time {
	if !deadline.IsZero() && deadline.Before(t) {
		return deadline
	}
	return t
}

// eventError completes an error, if there is one.
func (c *Cgroup) eventError(err error) error {
	if err == nil {
		return nil
	}
	err = errnoOf(err)
	if err == unix.ENODEV { // what files of removed cgroups say
		err = unix.ENOENT
	}
	return fmt.Errorf("watch cgroup %s: %w", c.path, err)
}

func pread(fd int, buf []byte) (int, error) {
	for {
		n, err := unix.Pread(fd, buf, 0)
		if err != unix.EINTR {
			return n, err
		}
	}
}

// pollPriority waits for fd to change, until the given time at most.
func pollPriority(fd int, until time.Time) error {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLPRI}}
	for {
		// Rounded up: a poll that returns early would spin.
		timeout := (time.Until(until) + time.Millisecond - 1) / time.Millisecond
		_, err := unix.Poll(fds, int(min(max(0, timeout), math.MaxInt32)))
		if err != unix.EINTR {
			return err
		}
	}
}

// Populated says whether there are processes in the cgroup or below it. A
// cgroup that has been removed has none.
func (c *Cgroup) Populated() (bool, error) {
	text, err := c.read("cgroup.events")
	if gone(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	n, _ := parseKey(text, "populated")
	return n != 0, nil
}

// WaitEmpty waits until there is no process in the cgroup and below it. At the
// deadline the error is a *SurvivorsError; a zero deadline waits for ever.
func (c *Cgroup) WaitEmpty(deadline time.Time) error {
	empty, err := c.waitEvent("populated", 0, deadline)
	switch {
	case gone(err):
		return nil
	case err != nil:
		return err
	case empty:
		return nil
	}
	e := &SurvivorsError{Path: c.path, Survivors: c.survivors()}
	if len(e.Survivors) == 0 {
		// Ended while they were looked for, or of another pid namespace.
		if populated, err := c.Populated(); err == nil && !populated {
			return nil
		}
	}
	return e
}

// gone says that an error means that the cgroup has been removed.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV)
}

// MemoryEvents counts what the memory limits of cgroups have done.
type MemoryEvents struct {
	Max     uint64 // times that usage was about to exceed memory.max
	OOM     uint64 // times that nothing could be reclaimed
	OOMKill uint64 // processes killed for it
}

// ParseMemoryEvents reads what memory.events holds. What an old kernel does not
// count is none.
func ParseMemoryEvents(text string) MemoryEvents {
	var e MemoryEvents
	e.Max, _ = parseKey(text, "max")
	e.OOM, _ = parseKey(text, "oom")
	e.OOMKill, _ = parseKey(text, "oom_kill")
	return e
}

// SumMemoryEvents adds up what several files hold.
func SumMemoryEvents(texts ...string) MemoryEvents {
	var sum MemoryEvents
	for _, text := range texts {
		e := ParseMemoryEvents(text)
		sum.Max, sum.OOM, sum.OOMKill = sum.Max+e.Max, sum.OOM+e.OOM, sum.OOMKill+e.OOMKill
	}
	return sum
}

// Freeze stops every process in the cgroup and below it and waits until they
// have stopped. At the deadline they are let go again.
func (c *Cgroup) Freeze(deadline time.Time) error {
	if err := c.write("cgroup.freeze", "1"); err != nil {
		return err
	}
	frozen, err := c.waitEvent("frozen", 1, deadline)
	if err == nil && frozen {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("freeze cgroup %s: not frozen in time: %w", c.path, unix.ETIMEDOUT)
	}
	return errors.Join(err, c.write("cgroup.freeze", "0"))
}

// Thaw lets the processes go on. They may still be frozen by a cgroup above.
func (c *Cgroup) Thaw() error {
	return c.write("cgroup.freeze", "0")
}

// Frozen says whether every process in the cgroup and below it is stopped. A
// cgroup that has been removed has none.
func (c *Cgroup) Frozen() (bool, error) {
	text, err := c.read("cgroup.events")
	if gone(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	n, _ := parseKey(text, "frozen")
	return n != 0, nil
}
