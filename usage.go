package main

import "github.com/mesoc/mesoc/libcontainer"

// usage is what stats prints of a container.
type usage struct {
	ContainerID string     `json:"container_id"`
	Timestamp   float64    `json:"timestamp"` // seconds since 1970
	Statistics  statistics `json:"statistics"`
}

// statistics have the names, and the meaning, of Mesos' ResourceStatistics
// (include/mesos/mesos.proto): times in seconds, sizes in bytes. A limit is
// absent where there is none.
type statistics struct {
	Processes *int `json:"processes,omitempty"`
	Threads   *int `json:"threads,omitempty"`

	CPUUser          *float64 `json:"cpus_user_time_secs,omitempty"`
	CPUSystem        *float64 `json:"cpus_system_time_secs,omitempty"`
	CPUSoftLimit     *float64 `json:"cpus_soft_limit,omitempty"`
	CPULimit         *float64 `json:"cpus_limit,omitempty"`
	CPUPeriods       *uint64  `json:"cpus_nr_periods,omitempty"`
	CPUThrottled     *uint64  `json:"cpus_nr_throttled,omitempty"`
	CPUThrottledTime *float64 `json:"cpus_throttled_time_secs,omitempty"`

	MemTotal       *uint64 `json:"mem_total_bytes,omitempty"`
	MemTotalMemsw  *uint64 `json:"mem_total_memsw_bytes,omitempty"` // and swap
	MemLimit       *uint64 `json:"mem_limit_bytes,omitempty"`
	MemSoftLimit   *uint64 `json:"mem_soft_limit_bytes,omitempty"`
	MemAnon        *uint64 `json:"mem_anon_bytes,omitempty"`
	MemRSS         *uint64 `json:"mem_rss_bytes,omitempty"`
	MemFile        *uint64 `json:"mem_file_bytes,omitempty"`
	MemCache       *uint64 `json:"mem_cache_bytes,omitempty"`
	MemMappedFile  *uint64 `json:"mem_mapped_file_bytes,omitempty"`
	MemSwap        *uint64 `json:"mem_swap_bytes,omitempty"`
	MemUnevictable *uint64 `json:"mem_unevictable_bytes,omitempty"`
	MemKernel      *uint64 `json:"mem_kmem_usage_bytes,omitempty"`
	MemKernelTCP   *uint64 `json:"mem_kmem_tcp_usage_bytes,omitempty"`

	NetRxPackets *uint64 `json:"net_rx_packets,omitempty"`
	NetRxBytes   *uint64 `json:"net_rx_bytes,omitempty"`
	NetRxErrors  *uint64 `json:"net_rx_errors,omitempty"`
	NetRxDropped *uint64 `json:"net_rx_dropped,omitempty"`
	NetTxPackets *uint64 `json:"net_tx_packets,omitempty"`
	NetTxBytes   *uint64 `json:"net_tx_bytes,omitempty"`
	NetTxErrors  *uint64 `json:"net_tx_errors,omitempty"`
	NetTxDropped *uint64 `json:"net_tx_dropped,omitempty"`
}

func newUsage(s *libcontainer.Stats) *usage {
	u := &usage{ContainerID: s.ID, Timestamp: float64(s.Time.UnixMicro()) / 1e6}
	t := &u.Statistics
	if s.Tasks != nil {
		t.Processes, t.Threads = &s.Tasks.Processes, &s.Tasks.Threads
	}
	if s.CPUsSoftLimit > 0 {
		t.CPUSoftLimit = &s.CPUsSoftLimit
	}
	t.cpu(s)
	t.memory(s)
	t.network(s.Interfaces)
	return u
}

func (t *statistics) cpu(s *libcontainer.Stats) {
	c := s.CPU
	if c == nil {
		return
	}
	t.CPUUser, t.CPUSystem = seconds(c.User), seconds(c.System)
	if c.Limit > 0 {
		t.CPULimit = &c.Limit
	}
	if c.Throttling != nil {
		t.CPUPeriods, t.CPUThrottled = &c.Throttling.Periods, &c.Throttling.Throttled
		t.CPUThrottledTime = seconds(c.Throttling.Time)
	}
}

func seconds(microseconds uint64) *float64 {
	s := float64(microseconds) / 1e6
	return &s
}

func (t *statistics) memory(s *libcontainer.Stats) {
	m := s.Memory
	if m == nil {
		return
	}
	t.MemTotal, t.MemLimit = &m.Current, m.Limit
	if m.Low > 0 {
		t.MemSoftLimit = &m.Low
	}
	if m.Swap != nil {
		both := m.Current + m.Swap.Current
		t.MemSwap, t.MemTotalMemsw = &m.Swap.Current, &both
	}
	for _, f := range [...]struct {
		key  string
		into **uint64
	}{
		{"anon", &t.MemAnon}, {"anon", &t.MemRSS}, {"file", &t.MemFile}, {"file", &t.MemCache},
		{"file_mapped", &t.MemMappedFile}, {"unevictable", &t.MemUnevictable},
		{"kernel", &t.MemKernel}, {"sock", &t.MemKernelTCP},
	} {
		if n, counted := m.Detail[f.key]; counted {
			*f.into = &n
		}
	}
}

// network sums up the interfaces.
func (t *statistics) network(interfaces []libcontainer.Interface) {
	if interfaces == nil {
		return
	}
	var rx, tx libcontainer.Traffic
	for i := range interfaces {
		rx.Add(interfaces[i].Rx)
		tx.Add(interfaces[i].Tx)
	}
	t.NetRxBytes, t.NetRxPackets, t.NetRxErrors, t.NetRxDropped = &rx.Bytes, &rx.Packets, &rx.Errors, &rx.Dropped
	t.NetTxBytes, t.NetTxPackets, t.NetTxErrors, t.NetTxDropped = &tx.Bytes, &tx.Packets, &tx.Errors, &tx.Dropped
}
