package cgroup2

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"golang.org/x/sys/unix"
)

// Kill sends SIGKILL to every process in the cgroup and below it, also to those
// that are started meanwhile, and does not wait for their end. A cgroup that
// has been removed is success.
func (c *Cgroup) Kill() error {
	err := c.writeFile("cgroup.kill", "1")
	switch {
	case err == nil:
		return nil
	case gone(err), err == unix.EOPNOTSUPP: // a kernel before 5.14, or threaded
		return c.Signal(unix.SIGKILL)
	}
	return fmt.Errorf("kill cgroup %s: %w", c.path, err)
}

// Processes returns the pids in the cgroup and below it. A cgroup that has
// been removed has none.
func (c *Cgroup) Processes() ([]int, error) {
	var pids []int
	err := c.walk(func(dir int) error {
		found, err := readPids(dir)
		pids = append(pids, found...)
		return err
	}, stay)
	if gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list processes of cgroup %s: %w", c.path, err)
	}
	return pids, nil
}

// readPids returns the processes of one cgroup, without those that our pid
// namespace does not show.
func readPids(dir int) ([]int, error) {
	text, err := sys.ReadAll(dir, "cgroup.procs")
	if errnoOf(err) == unix.EOPNOTSUPP {
		// A threaded cgroup: its processes are listed in the cgroup above that
		// is the root of its threaded subtree, and a leaf is never below one.
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	pids, err := parsePids(make([]int, 0, strings.Count(text, "\n")), text)
	shown := pids[:0]
	for _, pid := range pids {
		if pid != 0 {
			shown = append(shown, pid)
		}
	}
	return shown, err
}

// Signal sends a signal to every process in the cgroup and below it, once
// each, also to those that are started meanwhile.
//
// A pid that is read may be another process's by the time it is used. So a
// pidfd is opened for it and the list is read again: a pid that is on it now,
// while the process of the pidfd has it and lives, is that process's.
func (c *Cgroup) Signal(sig unix.Signal) error {
	// Bounds the race with a container that starts processes faster than they
	// are found.
	const rounds = 100
	done := map[int]bool{}
	for range rounds {
		pids, err := c.Processes()
		if err != nil {
			return err
		}
		fresh := pids[:0]
		for _, pid := range pids {
			if !done[pid] {
				fresh = append(fresh, pid)
			}
		}
		if len(fresh) == 0 {
			return nil
		}
		for len(fresh) > 0 {
			n := min(len(fresh), pidfdBatch)
			if err := c.signal(fresh[:n], sig); err != nil {
				return err
			}
			for _, pid := range fresh[:n] {
				done[pid] = true
			}
			fresh = fresh[n:]
		}
	}
	return fmt.Errorf("send %s to cgroup %s: processes are started faster than they are found", unix.SignalName(sig), c.path)
}

// pidfdBatch is how many pidfds are open at a time.
const pidfdBatch = 128

// signal sends a signal to those processes that are in the cgroup and have
// these pids.
func (c *Cgroup) signal(pids []int, sig unix.Signal) error {
	pidfds := make(map[int]int, len(pids))
	defer func() {
		for _, fd := range pidfds {
			sys.Close(fd)
		}
	}()
	for _, pid := range pids {
		fd, err := sys.PidfdOpen(pid)
		switch errnoOf(err) {
		case nil:
			pidfds[pid] = fd
		case unix.ESRCH: // ended
		default:
			return fmt.Errorf("send %s to cgroup %s: open pidfd of %d: %w", unix.SignalName(sig), c.path, pid, sys.Called("pidfd_open", errnoOf(err)))
		}
	}
	still, err := c.Processes()
	if err != nil {
		return err
	}
	for _, pid := range still {
		fd, ok := pidfds[pid]
		if !ok {
			continue
		}
		if err := sys.PidfdSignal(fd, sig); err != nil && errnoOf(err) != unix.ESRCH {
			return fmt.Errorf("send %s to pid %d of cgroup %s: %w", unix.SignalName(sig), pid, c.path, err)
		}
	}
	return nil
}

// Survivor is a process that has not ended in time.
type Survivor struct {
	Pid   int
	Comm  string
	State byte   // as in /proc/PID/stat; D is uninterruptible
	Wchan string // where in the kernel it waits, if that can be told
}

// SurvivorsError says that a cgroup still holds processes.
type SurvivorsError struct {
	Path      string
	Survivors []Survivor // none where our pid namespace does not show them
}

func (e *SurvivorsError) Error() string {
	var b strings.Builder
	b.WriteString("wait for cgroup ")
	b.WriteString(e.Path)
	b.WriteString(" to be empty: ")
	if len(e.Survivors) == 0 {
		b.WriteString("it holds processes that are not to be seen from here")
	}
	const few = 8
	for i, s := range e.Survivors {
		if i == few {
			b.WriteString(" and " + strconv.Itoa(len(e.Survivors)-few) + " more")
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "pid %d (%s) is in state %c", s.Pid, s.Comm, s.State)
		if s.Wchan != "" {
			b.WriteString(" in " + s.Wchan)
		}
	}
	return b.String()
}

// survivors looks at the processes that are left. Those that end meanwhile
// are not among them.
func (c *Cgroup) survivors() []Survivor {
	pids, err := c.Processes()
	if err != nil {
		return nil
	}
	var out []Survivor
	for _, pid := range pids {
		stat, err := sys.ReadStat(pid)
		if err != nil {
			continue
		}
		s := Survivor{Pid: pid, Comm: stat.Comm, State: stat.State}
		if wchan, err := sys.ReadAll(sys.CWD, "/proc/"+strconv.Itoa(pid)+"/wchan"); err == nil && wchan != "0" {
			s.Wchan = wchan
		}
		out = append(out, s)
	}
	return out
}
