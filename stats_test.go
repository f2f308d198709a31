package main

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/mesoc/mesoc/libcontainer"
)

// measured are figures of which all that there can be are there.
func measured(t *testing.T) *libcontainer.Stats {
	t.Helper()
	s := &libcontainer.Stats{}
	// By way of JSON, because the types of package cgroup2 are not to be named here.
	err := json.Unmarshal([]byte(`{"ID":"c1","Time":"2026-01-02T03:04:05.25Z",
		"CPUsSoftLimit":0.5,"CPU":{"Usage":3500000,"User":1500000,"System":2000000,"Throttling":{"Periods":9,"Throttled":4,"Time":250000},"Limit":1.5},
		"Memory":{"Current":1536,"Limit":2097152,"Peak":4096,"Failed":3,"Low":512,"Swap":{"Current":64,"Limit":1024,"Peak":99},
			"Detail":{"anon":1,"file":2,"file_mapped":3,"unevictable":4,"kernel":5,"sock":0}},
		"Pids":{"Current":7,"Limit":20},"IO":[{"Major":8,"Minor":16,"ReadBytes":1,"WrittenBytes":2,"Reads":3,"Writes":4,"Discards":5}],
		"Hugetlb":{"2MB":{"Current":2097152,"Failed":1}},
		"MemoryPressure":{"Some":{"Avg10":0.5,"Total":8},"Full":{"Total":7}},
		"Tasks":{"Processes":2,"Threads":7},
		"Interfaces":[{"Name":"eth0","Rx":{"Bytes":1000,"Packets":10,"Errors":1,"Dropped":2},"Tx":{"Bytes":2000,"Packets":20,"Errors":3,"Dropped":4}},
			{"Name":"eth1","Rx":{"Bytes":24},"Tx":{"Packets":1}}]}`), s)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestUsage(t *testing.T) {
	want := `{"container_id":"c1","timestamp":1767323045.25,"statistics":{"processes":2,"threads":7,` +
		`"cpus_user_time_secs":1.5,"cpus_system_time_secs":2,"cpus_soft_limit":0.5,"cpus_limit":1.5,"cpus_nr_periods":9,"cpus_nr_throttled":4,"cpus_throttled_time_secs":0.25,` +
		`"mem_total_bytes":1536,"mem_total_memsw_bytes":1600,"mem_limit_bytes":2097152,"mem_soft_limit_bytes":512,"mem_anon_bytes":1,"mem_rss_bytes":1,` +
		`"mem_file_bytes":2,"mem_cache_bytes":2,"mem_mapped_file_bytes":3,"mem_swap_bytes":64,"mem_unevictable_bytes":4,"mem_kmem_usage_bytes":5,"mem_kmem_tcp_usage_bytes":0,` +
		`"net_rx_packets":10,"net_rx_bytes":1024,"net_rx_errors":1,"net_rx_dropped":2,"net_tx_packets":21,"net_tx_bytes":2000,"net_tx_errors":3,"net_tx_dropped":4}}`
	if got := marshal(t, newUsage(measured(t))); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// Nobody measures anything, and a namespace without interfaces counts to 0.
	none := &libcontainer.Stats{ID: "c2", Time: time.Unix(1, 0), Interfaces: nil}
	if got, want := marshal(t, newUsage(none)), `{"container_id":"c2","timestamp":1,"statistics":{}}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	none.Interfaces = []libcontainer.Interface{}
	if u := newUsage(none).Statistics; u.NetRxBytes == nil || *u.NetRxBytes != 0 {
		t.Error("a namespace of its own without interfaces is not counted")
	}
}

func TestRuncStats(t *testing.T) {
	const cpuset = `"cpuset":{"cpu_exclusive":0,"mem_hardwall":0,"mem_exclusive":0,"memory_migrate":0,"memory_spread_page":0,"memory_spread_slab":0,` +
		`"memory_pressure":0,"sched_load_balance":0,"sched_relax_domain_level":0}`
	want := `{"cpu":{"usage":{"total":3500000000,"kernel":2000000000,"user":1500000000},"throttling":{"periods":9,"throttledPeriods":4,"throttledTime":250000000}},` + cpuset +
		`,"memory":{"cache":2,"usage":{"limit":2097152,"usage":1536,"max":4096,"failcnt":3},"swap":{"limit":2098176,"usage":1600,"failcnt":0},` +
		`"kernel":{"limit":0,"failcnt":0},"kernelTCP":{"limit":0,"failcnt":0},"raw":{"anon":1,"file":2,"file_mapped":3,"kernel":5,"sock":0,"unevictable":4},` +
		`"psi":{"some":{"avg10":0.5,"avg60":0,"avg300":0,"total":8},"full":{"avg10":0,"avg60":0,"avg300":0,"total":7}}},` +
		`"pids":{"current":7,"limit":20},"blkio":{"ioServiceBytesRecursive":[{"major":8,"minor":16,"op":"Read","value":1},{"major":8,"minor":16,"op":"Write","value":2}],` +
		`"ioServicedRecursive":[{"major":8,"minor":16,"op":"Read","value":3},{"major":8,"minor":16,"op":"Write","value":4}]},` +
		`"hugetlb":{"2MB":{"usage":2097152,"failcnt":1}},"intel_rdt":{},"network_interfaces":[` +
		`{"Name":"eth0","RxBytes":1000,"RxPackets":10,"RxErrors":1,"RxDropped":2,"TxBytes":2000,"TxPackets":20,"TxErrors":3,"TxDropped":4},` +
		`{"Name":"eth1","RxBytes":24,"RxPackets":0,"RxErrors":0,"RxDropped":0,"TxBytes":0,"TxPackets":1,"TxErrors":0,"TxDropped":0}]}`
	if got := marshal(t, newRuncStats(measured(t))); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	unlimited := measured(t)
	unlimited.Memory.Limit, unlimited.Pids.Limit = nil, nil
	r := newRuncStats(unlimited)
	if r.Memory.Usage.Limit != noLimit || r.Memory.Swap.Limit != noLimit || r.Pids.Limit != 0 {
		t.Errorf("no limits: %+v, %+v", r.Memory, r.Pids)
	}
	want = `{"type":"oom","id":"c1"}`
	if got := marshal(t, runcEvent{Type: "oom", ID: "c1"}); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	want = `{"cpu":{"usage":{"kernel":0,"user":0},"throttling":{}},` + cpuset + `,"memory":{"usage":{"limit":0,"failcnt":0},"swap":{"limit":0,"failcnt":0},` +
		`"kernel":{"limit":0,"failcnt":0},"kernelTCP":{"limit":0,"failcnt":0}},"pids":{},"blkio":{},"hugetlb":{},"intel_rdt":{},"network_interfaces":null}`
	if got := marshal(t, newRuncStats(&libcontainer.Stats{})); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestStatsTable(t *testing.T) {
	s := measured(t)
	none := &libcontainer.Stats{ID: "container-2"}
	var out bytes.Buffer
	statsTable(&out, []*libcontainer.Stats{s, none}, nil)
	want := "" +
		"ID            CPU TIME   MEMORY   LIMIT    PROCESSES   THREADS   RECEIVED   SENT     READ   WRITTEN\n" +
		"c1            3.5s       1.5KiB   2.0MiB   2           7         1.0KiB     2.0KiB   1B     2B\n" +
		"container-2   -          -        -        -           -         -          -        -      -\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
	before := measured(t)
	before.CPU.Usage -= 1250000
	before.Time = s.Time.Add(-time.Second)
	out.Reset()
	statsTable(&out, []*libcontainer.Stats{s, none}, map[string]*libcontainer.Stats{"c1": before})
	want = "" +
		"ID            LOAD     CPU TIME   MEMORY   LIMIT    PROCESSES   THREADS   RECEIVED   SENT     READ   WRITTEN\n" +
		"c1            125.0%   3.5s       1.5KiB   2.0MiB   2           7         1.0KiB     2.0KiB   1B     2B\n" +
		"container-2   -        -          -        -        -           -         -          -        -      -\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[uint64]string{0: "0B", 1023: "1023B", 1024: "1.0KiB", 1048575: "1.0MiB", 5 << 30: "5.0GiB", 1<<64 - 1: "16.0EiB"} {
		if got := size(&n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
}

func TestIntervals(t *testing.T) {
	for value, want := range map[string]string{"0s": "duration interval must be greater than 0", "-1s": "duration interval must be greater than 0",
		"5": `read --interval "5": must be a duration such as 5s or 500ms`} {
		if _, err := (given{{"interval", value}}).interval(0); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", value, err, want)
		}
	}
	if d, err := (given{{"interval", "1m"}}).interval(0); d != time.Minute || err != nil {
		t.Errorf("1m is %v, %v", d, err)
	}
}

// A table on a terminal stays within it, and nothing of the last one shows.
func TestRedraw(t *testing.T) {
	table := []byte("ID   LOAD\nc1   1.0%\nc2   2.0%\nc3   3.0%\n")
	for _, c := range []struct {
		rows, columns int
		fresh         bool
		want          string
	}{
		{24, 80, true, "\x1b[H\x1b[JID   LOAD\x1b[K\nc1   1.0%\x1b[K\nc2   2.0%\x1b[K\nc3   3.0%\x1b[K\n\x1b[J"},
		{5, 7, false, "\x1b[HID   LO\x1b[K\nc1   1.\x1b[K\nc2   2.\x1b[K\nc3   3.\x1b[K\n\x1b[J"},
		{4, 80, false, "\x1b[HID   LOAD\x1b[K\nc1   1.0%\x1b[K\nand 2 more\x1b[K\n\x1b[J"},
		{1, 80, false, "\x1b[HID   LOAD\x1b[K\nand 3 more\x1b[K\n\x1b[J"},
	} {
		if got := string(redraw(table, c.rows, c.columns, c.fresh)); got != c.want {
			t.Errorf("%d rows, %d columns: got\n%q\nwant\n%q", c.rows, c.columns, got, c.want)
		}
	}
}
