package cgroup2

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestParseFlat(t *testing.T) {
	got, err := parseFlat("usage_usec 5\ncore_sched.force_idle_usec 0\nanon 18446744073709551615\n")
	want := map[string]uint64{"usage_usec": 5, "core_sched.force_idle_usec": 0, "anon": 1<<64 - 1}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for _, text := range []string{"\n", "a\n", "a b\n", "a 1 2\n", " 1\n", "a -1\n", "a 18446744073709551616\n", "a 1\n\n"} {
		if got, err := parseFlat(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

func TestParsePressure(t *testing.T) {
	full := Stall{Total: 7}
	for text, want := range map[string]*Pressure{
		"some avg10=1.50 avg60=0.00 avg300=99.99 total=12\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n": {
			Some: Stall{Avg10: 1.5, Avg300: 99.99, Total: 12}, Full: &full},
		"some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n":     {},
		"some avg10=0.00 avg60=0.00 avg300=0.00 new=1 total=0": {},
	} {
		if got, err := parsePressure(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "\n", "some\n", "some avg10=0.00 avg60=0.00 total=0\n", "more avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
		"full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n", "some avg10=NaN avg60=0.00 avg300=0.00 total=0\n",
		"some avg10=1e9 avg60=0.00 avg300=0.00 total=0\n", "some avg10=0.00 avg60=0.00 avg300=0.00 total=-1\n"} {
		if got, err := parsePressure(text); err == nil {
			t.Errorf("%q is read as %+v", text, got)
		}
	}
}

func TestParseIOStat(t *testing.T) {
	for text, want := range map[string][]IOStats{
		"": nil,
		"8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n253:1 rbytes=7 cost.usage=9 cost.vrate=100.00\n": {
			{8, 0, 1, 2, 3, 4, 5, 6}, {Major: 253, Minor: 1, ReadBytes: 7}},
		"8:0 8:16 rbytes=5\n8:32 \n": {{Major: 8, Minor: 16, ReadBytes: 5}, {Major: 8, Minor: 32}},
	} {
		got, err := parseIOStat(text)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"(unknown) rbytes=1\n", "8 rbytes=1\n", "rbytes=1\n", "8:0 rbytes=x\n", "8:0 rbytes=\n", "8:0 rbytes=1 8:1 wbytes=2\n", "8:-1\n"} {
		if got, err := parseIOStat(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

func TestParseBandwidth(t *testing.T) {
	for text, want := range map[string]float64{"max 100000\n": 0, "50000 100000\n": 0.5, "300000 100000\n": 3} {
		if got, err := parseBandwidth(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "max\n", "1 0\n", "x 100000\n", "1 2 3\n"} {
		if got, err := parseBandwidth(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

func FuzzParseStats(f *testing.F) {
	f.Add("usage_usec 5\n")
	f.Add("some avg10=1.50 avg60=0.00 avg300=99.99 total=12\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n")
	f.Add("8:0 8:16 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n")
	f.Add("max 100000\n")
	f.Fuzz(func(t *testing.T, text string) {
		if all, err := parseFlat(text); err == nil && len(all) > strings.Count(text, "\n")+1 {
			t.Fatalf("%q: %v", text, all)
		}
		if p, err := parsePressure(text); err == nil && (p.Some.Avg10 < 0 || !strings.Contains(text, "some ")) {
			t.Fatalf("%q: %+v", text, p)
		}
		if all, err := parseIOStat(text); err == nil && len(all) > strings.Count(text, "\n")+1 {
			t.Fatalf("%q: %v", text, all)
		}
		if n, err := parseBandwidth(text); err == nil && !(n >= 0) {
			t.Fatalf("%q: %v", text, n)
		}
		if n, err := parseLimit(text); err == nil && n == nil && strings.TrimSuffix(text, "\n") != "max" {
			t.Fatalf("%q is no limit", text)
		}
	})
}

// What is not counted is nil, not 0.
func TestStatsOfFewControllers(t *testing.T) {
	c := directory(t, map[string]string{"cgroup.controllers": "\n", "cpu.stat": "usage_usec 30\nuser_usec 10\nsystem_usec 20\n"})
	got, err := c.Stats()
	want := Stats{CPU: &CPUStats{Usage: 30, User: 10, System: 20}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestStatsOfAllControllers(t *testing.T) {
	c := directory(t, map[string]string{
		"cgroup.controllers": "cpuset cpu io memory hugetlb pids\n",
		"cpu.stat":           "usage_usec 30\nuser_usec 10\nsystem_usec 20\nnr_periods 5\nnr_throttled 2\nthrottled_usec 77\n",
		"cpu.max":            "150000 100000\n", "cpu.pressure": "some avg10=0.00 avg60=0.00 avg300=0.00 total=3\n",
		"memory.current": "4096\n", "memory.max": "8192\n", "memory.low": "0\n", "memory.peak": "5000\n",
		"memory.events": "low 0\nhigh 0\nmax 9\noom 1\noom_kill 1\n", "memory.stat": "anon 5\nfile 6\n",
		"memory.swap.current": "0\n", "memory.swap.max": "max\n",
		"pids.current": "2\n", "pids.max": "max\n", "io.stat": "8:0 rbytes=1\n",
		"hugetlb.2MB.current": "0\n", "hugetlb.2MB.max": "2097152\n", "hugetlb.2MB.events": "max 4\n", "hugetlb.2MB.rsvd.current": "0\n",
	})
	got, err := c.Stats()
	limit, peak, huge := uint64(8192), uint64(5000), uint64(2<<20)
	want := Stats{
		CPU: &CPUStats{Usage: 30, User: 10, System: 20, Throttling: &Throttling{5, 2, 77}, Limit: 1.5},
		Memory: &MemoryStats{Amount: Amount{Current: 4096, Limit: &limit, Peak: &peak, Failed: 9}, Swap: &Amount{},
			Detail: map[string]uint64{"anon": 5, "file": 6}},
		Pids: &Amount{Current: 2}, IO: []IOStats{{Major: 8, ReadBytes: 1}},
		Hugetlb:     map[string]Amount{"2MB": {Limit: &huge, Failed: 4}},
		CPUPressure: &Pressure{Some: Stall{Total: 3}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v\nwant %+v", got, err, want)
	}
}

func TestStatsOfWhatIsNone(t *testing.T) {
	for file, text := range map[string]string{"cpu.stat": "usage\n", "io.stat": "8 x=1\n", "memory.current": "max 1\n", "memory.pressure": "x\n"} {
		_, err := directory(t, map[string]string{file: text}).Stats()
		if want := "read " + file + " of cgroup mesos/c1: unexpected line "; err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", file, err, want)
		}
	}
}
