package libcontainer

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/cgroup2"
	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/store"
)

// Stats are the figures of a container and of all that it has started. What
// nobody measures is nil.
type Stats struct {
	ID   string
	Time time.Time
	cgroup2.Stats
	Tasks *Tasks
	// CPUsSoftLimit is the request of processors; 0 for none.
	CPUsSoftLimit float64
	// Interfaces are those of the container's network namespace, without
	// loopback; nil where it has none of its own: the figures are the host's then.
	Interfaces []Interface
}

// Pressure is how much of the time processes were stalled.
type Pressure = cgroup2.Pressure

// Amount is how much of something is in use, and how much may be.
type Amount = cgroup2.Amount

// Tasks are numbers of processes and threads.
type Tasks struct{ Processes, Threads int }

// Interface is what has gone through a network interface.
type Interface struct {
	Name   string
	Rx, Tx Traffic
}

// Traffic is one direction of an interface.
type Traffic struct{ Bytes, Packets, Errors, Dropped uint64 }

// Stats reads the figures of a container in whatever status it is. It takes no
// lock.
func (r *Runtime) Stats(ctx context.Context, id string) (*Stats, error) {
	record, _, err := r.look(id)
	if err != nil {
		return nil, err
	}
	stats, err := r.measure(&record)
	if err == nil {
		c := &container{runtime: r, record: record}
		stats.CPUsSoftLimit, err = c.softLimit(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("measure container %s: %w", id, err)
	}
	return stats, nil
}

func (r *Runtime) measure(record *store.Record) (*Stats, error) {
	s := &Stats{ID: record.ID, Time: time.Now()}
	c := &container{runtime: r, record: *record}
	cg, err := c.cgroup()
	if err != nil {
		return nil, err
	}
	if cg != nil {
		defer cg.Close()
		if s.Stats, err = cg.Stats(); err != nil {
			return nil, err
		}
		s.Tasks = &Tasks{}
		if s.Tasks.Processes, s.Tasks.Threads, err = cg.Tasks(); err != nil {
			return nil, err
		}
	}
	s.Interfaces, err = c.interfaces()
	return s, err
}

// interfaces reads what the container's network namespace counts.
func (c *container) interfaces() ([]Interface, error) {
	fd, err := c.openInit()
	if errors.Is(err, unix.ESRCH) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer sys.Close(fd)
	proc := "/proc/" + strconv.Itoa(c.record.Pid)
	text, err := networkCounters(proc)
	// As long as init has not ended nobody else can have its pid. On its way
	// there it loses its namespaces first.
	deadline := time.Now()
	if err != nil {
		deadline = deadline.Add(time.Second)
	}
	if ended, waitErr := sys.PidfdWait(fd, deadline); ended || waitErr != nil {
		return nil, waitErr
	}
	if err != nil || text == "" {
		return nil, err
	}
	list, err := parseInterfaces(text)
	if err != nil {
		return nil, fmt.Errorf("read %s/net/dev: %w", proc, err)
	}
	return list, nil
}

// networkCounters returns what net/dev of a process holds; nothing if its
// network namespace is ours.
func networkCounters(proc string) (string, error) {
	var its, ours unix.Stat_t
	for path, into := range map[string]*unix.Stat_t{proc + "/ns/net": &its, "/proc/self/ns/net": &ours} {
		if err := unix.Stat(path, into); err != nil {
			return "", fmt.Errorf("stat %s: %w", path, err)
		}
	}
	if its.Ino == ours.Ino && its.Dev == ours.Dev {
		return "", nil
	}
	text, err := sys.ReadAll(sys.CWD, proc+"/net/dev")
	if err != nil {
		return "", fmt.Errorf("read %s/net/dev: %w", proc, err)
	}
	return text, nil
}

// loopback is the interface whose traffic goes nowhere.
const loopback = "lo"

// parseInterfaces reads /proc/net/dev (proc(5)): two lines of headings, then
// an interface a line, with eight figures for each direction.
func parseInterfaces(text string) ([]Interface, error) {
	const headings, figures, transmit = 2, 16, 8
	list := []Interface{}
	at := 0
	for line := range strings.Lines(text) {
		if at++; at <= headings {
			continue
		}
		name, rest, ok := strings.Cut(line, ":")
		i := Interface{Name: strings.TrimSpace(name)}
		var n [figures]uint64
		count := 0
		for word := range strings.FieldsSeq(rest) {
			value, err := strconv.ParseUint(word, 10, 64)
			if err != nil || count == figures {
				ok = false
				break
			}
			n[count] = value
			count++
		}
		if !ok || count != figures || i.Name == "" {
			return nil, fmt.Errorf("unexpected line %q", strings.TrimSuffix(line, "\n"))
		}
		if i.Name == loopback {
			continue
		}
		i.Rx = Traffic{n[0], n[1], n[2], n[3]}
		i.Tx = Traffic{n[transmit], n[transmit+1], n[transmit+2], n[transmit+3]}
		list = append(list, i)
	}
	return list, nil
}

// Add adds what has gone through another interface.
func (t *Traffic) Add(o Traffic) {
	t.Bytes, t.Packets, t.Errors, t.Dropped = t.Bytes+o.Bytes, t.Packets+o.Packets, t.Errors+o.Errors, t.Dropped+o.Dropped
}
