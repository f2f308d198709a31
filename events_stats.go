package main

import (
	"math"

	"github.com/mesoc/mesoc/libcontainer"
)

// newRuncStats puts figures into runc's shape, in which cgroup2 is told in the
// terms of cgroup v1.
func newRuncStats(s *libcontainer.Stats) *runcStats {
	r := &runcStats{Hugetlb: map[string]runcHugetlb{}}
	const nanoseconds = 1000 // in a microsecond
	if s.CPU != nil {
		u := &r.CPU.Usage
		u.Total, u.User, u.Kernel = s.CPU.Usage*nanoseconds, s.CPU.User*nanoseconds, s.CPU.System*nanoseconds
		if t := s.CPU.Throttling; t != nil {
			r.CPU.Throttling.Periods, r.CPU.Throttling.ThrottledPeriods = t.Periods, t.Throttled
			r.CPU.Throttling.ThrottledTime = t.Time * nanoseconds
		}
	}
	if m := s.Memory; m != nil {
		r.Memory.Cache, r.Memory.Raw = m.Detail["file"], m.Detail
		r.Memory.Usage = runcMemoryOf(m.Amount)
		if m.Swap != nil {
			// Cgroup v1 counts memory and swap together.
			swap := runcMemoryOf(*m.Swap)
			swap.Usage += r.Memory.Usage.Usage
			swap.Max = 0
			if m.Swap.Limit != nil && m.Limit != nil {
				swap.Limit += *m.Limit
			} else {
				swap.Limit = noLimit
			}
			r.Memory.Swap = swap
		}
	}
	if p := s.Pids; p != nil {
		r.Pids.Current = p.Current
		if p.Limit != nil {
			r.Pids.Limit = *p.Limit
		}
	}
	for _, d := range s.IO {
		entry := func(op string, value uint64) runcBlkioEntry { return runcBlkioEntry{d.Major, d.Minor, op, value} }
		r.Blkio.ServiceBytes = append(r.Blkio.ServiceBytes, entry("Read", d.ReadBytes), entry("Write", d.WrittenBytes))
		r.Blkio.Serviced = append(r.Blkio.Serviced, entry("Read", d.Reads), entry("Write", d.Writes))
	}
	for size, a := range s.Hugetlb {
		h := runcHugetlb{Usage: a.Current, Failcnt: a.Failed}
		if a.Peak != nil {
			h.Max = *a.Peak
		}
		r.Hugetlb[size] = h
	}
	for i := range s.Interfaces {
		n := &s.Interfaces[i]
		r.Interfaces = append(r.Interfaces, runcInterface{
			Name:    n.Name,
			RxBytes: n.Rx.Bytes, RxPackets: n.Rx.Packets, RxErrors: n.Rx.Errors, RxDropped: n.Rx.Dropped,
			TxBytes: n.Tx.Bytes, TxPackets: n.Tx.Packets, TxErrors: n.Tx.Errors, TxDropped: n.Tx.Dropped,
		})
	}
	r.CPU.PSI, r.Memory.PSI, r.Blkio.PSI = runcPSIOf(s.CPUPressure), runcPSIOf(s.MemoryPressure), runcPSIOf(s.IOPressure)
	return r
}

// noLimit is how runc writes that there is none.
const noLimit = math.MaxUint64

func runcMemoryOf(a libcontainer.Amount) runcMemoryEntry {
	e := runcMemoryEntry{Limit: noLimit, Usage: a.Current, Failcnt: a.Failed}
	if a.Limit != nil {
		e.Limit = *a.Limit
	}
	if a.Peak != nil {
		e.Max = *a.Peak
	}
	return e
}

func runcPSIOf(p *libcontainer.Pressure) *runcPSI {
	if p == nil {
		return nil
	}
	psi := &runcPSI{Some: runcStall(p.Some)}
	if p.Full != nil {
		psi.Full = runcStall(*p.Full)
	}
	return psi
}
