package cgroup2

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"golang.org/x/sys/unix"
)

// Stats are the figures of a cgroup together with all below it. What the
// kernel does not count there, because a controller is not enabled or the
// kernel is too old, is nil.
type Stats struct {
	CPU    *CPUStats
	Memory *MemoryStats
	Pids   *Amount
	// IO has a line for each device that was used.
	IO []IOStats
	// Hugetlb is by page size, as file names have it: 2MB.
	Hugetlb map[string]Amount

	// The stalls for want of processors, memory and devices.
	CPUPressure, MemoryPressure, IOPressure *Pressure
}

// CPUStats are cpu.stat and cpu.max. Times are in microseconds.
type CPUStats struct {
	Usage, User, System uint64
	Throttling          *Throttling // nil where the controller is not enabled
	// Limit is how many processors may be used at a time; 0 for no limit.
	Limit float64
}

// Throttling is what the limit of bandwidth has done.
type Throttling struct {
	Periods   uint64 // that have passed
	Throttled uint64 // of them those in which the limit was reached
	Time      uint64 // that was waited, in microseconds
}

// Amount is how much of something is in use, and how much may be.
type Amount struct {
	Current uint64
	Limit   *uint64 // nil for none
	Peak    *uint64 // the most there was; nil where the kernel does not tell
	Failed  uint64  // times that the limit was in the way
}

// MemoryStats are the files memory.*, in bytes.
type MemoryStats struct {
	Amount
	Low    uint64  // what is left to the container when the host runs short
	Swap   *Amount // of swap alone; nil on a kernel that does not count it
	Detail map[string]uint64
}

// IOStats is a line of io.stat.
type IOStats struct {
	Major, Minor             uint64
	ReadBytes, WrittenBytes  uint64
	Reads, Writes            uint64
	DiscardedBytes, Discards uint64
}

// Pressure is one of the files *.pressure: how much of the time some or all
// processes were stalled.
type Pressure struct {
	Some Stall
	Full *Stall // nil where only some is counted
}

// Stall is a line of it: averages over 10, 60 and 300 seconds in percent, and
// the sum in microseconds.
type Stall struct {
	Avg10, Avg60, Avg300 float64
	Total                uint64
}

// Stats reads the figures, each file once.
func (c *Cgroup) Stats() (Stats, error) {
	r := statReader{c: c}
	s := Stats{
		CPU:            r.cpu(),
		Memory:         r.memory(),
		Pids:           r.amount("pids", ""),
		IO:             parse(&r, "io.stat", parseIOStat),
		Hugetlb:        r.hugetlb(),
		CPUPressure:    parse(&r, "cpu.pressure", parsePressure),
		MemoryPressure: parse(&r, "memory.pressure", parsePressure),
		IOPressure:     parse(&r, "io.pressure", parsePressure),
	}
	return s, r.err
}

// statReader reads files until one of them is not what it should be. Files
// that are not there read as nothing.
type statReader struct {
	c   *Cgroup
	err error
}

// text returns what a file holds, and whether it is there.
func (r *statReader) text(file string) (string, bool) {
	if r.err != nil {
		return "", false
	}
	text, err := sys.ReadAll(r.c.fd, file)
	switch errno := errnoOf(err); {
	case err == nil:
		return text, true
	case gone(err), errors.Is(err, unix.EOPNOTSUPP): // pressure that is switched off
	default:
		r.err = fmt.Errorf("read %s of cgroup %s: %w", file, r.c.path, errno)
	}
	return "", false
}

// parse reads a file with a parser; the zero value if it is not there.
func parse[T any](r *statReader, file string, parser func(string) (T, error)) (value T) {
	text, there := r.text(file)
	if !there {
		return value
	}
	parsed, err := parser(text)
	if err != nil {
		r.err = fmt.Errorf("read %s of cgroup %s: %w", file, r.c.path, err)
		return value
	}
	return parsed
}

func (r *statReader) cpu() *CPUStats {
	stat := parse(r, "cpu.stat", parseFlat)
	if stat == nil {
		return nil
	}
	s := &CPUStats{Usage: stat["usage_usec"], User: stat["user_usec"], System: stat["system_usec"]}
	if _, counted := stat["nr_periods"]; counted {
		s.Throttling = &Throttling{Periods: stat["nr_periods"], Throttled: stat["nr_throttled"], Time: stat["throttled_usec"]}
		s.Limit = parse(r, fileCPU, parseBandwidth)
	}
	return s
}

// amount reads NAME.current, .max and .peak, and how often the limit was in
// the way, which the key of NAME.events counts.
func (r *statReader) amount(name, key string) *Amount {
	current := parse(r, name+".current", parseLimit)
	if current == nil {
		return nil
	}
	a := &Amount{Current: *current, Limit: parse(r, name+".max", parseLimit), Peak: parse(r, name+".peak", parseLimit)}
	if key != "" {
		a.Failed = parse(r, name+".events", parseFlat)[key]
	}
	return a
}

func (r *statReader) memory() *MemoryStats {
	a := r.amount("memory", "max")
	if a == nil {
		return nil
	}
	m := &MemoryStats{Amount: *a, Swap: r.amount("memory.swap", "max"), Detail: parse(r, "memory.stat", parseFlat)}
	if low := parse(r, "memory.low", parseLimit); low != nil {
		m.Low = *low
	}
	return m
}

// MemoryLimit returns memory.max in bytes; nil for no limit, and where the
// controller is not enabled.
func (c *Cgroup) MemoryLimit() (*uint64, error) {
	r := statReader{c: c}
	limit := parse(&r, fileMemory, parseLimit)
	return limit, r.err
}

func (r *statReader) hugetlb() map[string]Amount {
	controllers, there := r.text("cgroup.controllers")
	if !there || len(Controllers{{Controller: "hugetlb"}}.missing(controllers)) > 0 {
		return nil
	}
	sizes, err := r.c.pageSizes()
	if err != nil {
		r.err = err
		return nil
	}
	all := map[string]Amount{}
	for _, size := range sizes {
		if a := r.amount("hugetlb."+size, "max"); a != nil {
			all[size] = *a
		}
	}
	return all
}

// pageSizes are the sizes of huge pages that the kernel counts.
func (c *Cgroup) pageSizes() ([]string, error) {
	dir, err := sys.Openat(c.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, fmt.Errorf("open cgroup %s: %w", c.path, errnoOf(err))
	}
	defer sys.Close(dir)
	files, err := sys.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list the files of cgroup %s: %w", c.path, err)
	}
	var sizes []string
	for _, f := range files {
		name, ours := strings.CutPrefix(f.Name, "hugetlb.")
		if size, ok := strings.CutSuffix(name, ".current"); ours && ok && pageSize(size) {
			sizes = append(sizes, size)
		}
	}
	return sizes, nil
}

// Tasks counts the processes and threads in the cgroup and below it.
func (c *Cgroup) Tasks() (processes, threads int, err error) {
	count := func(dir int, file string) (int, error) {
		text, err := sys.ReadAll(dir, file)
		if errnoOf(err) == unix.EOPNOTSUPP { // see readPids
			err = nil
		}
		return strings.Count(text, "\n"), err
	}
	err = c.walk(func(dir int) error {
		p, err := count(dir, "cgroup.procs")
		t, threadErr := count(dir, "cgroup.threads")
		processes, threads = processes+p, threads+t
		return errors.Join(err, threadErr)
	}, stay)
	if gone(err) {
		err = nil
	}
	return processes, threads, err
}
