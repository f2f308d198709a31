package cgroup2

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// showWrites writes a plan as the tables have it: in the container's cgroup,
// FILE=VALUE, in the leaf, >FILE=VALUE, and what takes it back in brackets.
func showWrites(writes []write) string {
	var all []string
	for _, w := range writes {
		text := w.file + "=" + w.value + " [" + w.before + "]"
		if w.leaf {
			text = ">" + text
		}
		all = append(all, strings.ReplaceAll(text, "\n", `\n`))
	}
	return strings.Join(all, "\n")
}

// fresh are the files of a container without limits.
var fresh = values{
	"memory.max": "max", "memory.swap.max": "max", "memory.low": "0", "memory.reclaim": "", "memory.pressure": "some avg10=0.00",
	"cpu.max": "max 100000", "cpu.max.burst": "0", "cpu.weight": "100", "cpu.idle": "0",
	"cpuset.cpus": "", "cpuset.mems": "", "cpuset.cpus.partition": "member", "pids.max": "max",
	"io.max": "", "io.weight": "default 100", "rdma.max": "mlx4_0 hca_handle=max hca_object=2000",
	"hugetlb.2MB.max": "max", "hugetlb.2MB.rsvd.max": "max", "misc.max": "a max\nb 5",
}

func TestPlanUpdate(t *testing.T) {
	for _, c := range []struct {
		name   string
		old    values // other than fresh
		json   string
		writes []string
	}{
		{"nothing", nil, `{}`, nil},
		{"what is so already", values{"memory.max": "4096", "pids.max": "7"}, `{"memory":{"limit":4096},"pids":{"limit":7}}`, nil},
		{"lower", nil, `{"pids":{"limit":5}}`, []string{">pids.max=5 [max]", "pids.max=5 [max]"}},
		{"raise", values{"pids.max": "4"}, `{"pids":{"limit":5}}`, []string{"pids.max=5 [4]", ">pids.max=5 [4]"}},
		{"no limit", values{"pids.max": "4"}, `{"pids":{"limit":-1}}`, []string{"pids.max=max [4]", ">pids.max=max [4]"}},
		{"memory and swap lower", values{"memory.max": "8192", "memory.swap.max": "8192"}, `{"memory":{"limit":4096,"swap":8192}}`, []string{
			">memory.swap.max=4096 [8192]", "memory.swap.max=4096 [8192]", ">memory.max=4096 [8192]", "memory.max=4096 [8192]"}},
		{"swap instead of memory", values{"memory.max": "8192", "memory.swap.max": "0"}, `{"memory":{"limit":4096,"swap":8192}}`, []string{
			"memory.swap.max=4096 [0]", ">memory.swap.max=4096 [0]", ">memory.max=4096 [8192]", "memory.max=4096 [8192]"}},
		{"memory instead of swap", values{"memory.max": "4096", "memory.swap.max": "4096"}, `{"memory":{"limit":8192,"swap":8192}}`, []string{
			"memory.max=8192 [4096]", ">memory.max=8192 [4096]", ">memory.swap.max=0 [4096]", "memory.swap.max=0 [4096]"}},
		{"quota and burst grow", values{"cpu.max": "1000 100000", "cpu.max.burst": "500"}, `{"cpu":{"quota":9000,"burst":8000}}`, []string{
			"cpu.max=9000 100000 [1000 100000]", ">cpu.max=9000 100000 [1000 100000]", "cpu.max.burst=8000 [500]", ">cpu.max.burst=8000 [500]"}},
		{"quota and burst shrink", values{"cpu.max": "9000 100000", "cpu.max.burst": "8000"}, `{"cpu":{"quota":1000,"burst":500}}`, []string{
			">cpu.max.burst=500 [8000]", "cpu.max.burst=500 [8000]", ">cpu.max=1000 100000 [9000 100000]", "cpu.max=1000 100000 [9000 100000]"}},
		{"quota grows, burst shrinks", values{"cpu.max": "1000 100000", "cpu.max.burst": "500"}, `{"cpu":{"quota":9000,"burst":0}}`, []string{
			">cpu.max.burst=0 [500]", "cpu.max.burst=0 [500]", "cpu.max=9000 100000 [1000 100000]", ">cpu.max=9000 100000 [1000 100000]"}},
		{"period alone, longer: a lower limit", values{"cpu.max": "1000 100000"}, `{"cpu":{"period":200000}}`, []string{
			">cpu.max=1000 200000 [1000 100000]", "cpu.max=1000 200000 [1000 100000]"}},
		{"idle", values{"cpu.weight": "300"}, `{"cpu":{"idle":1}}`, []string{
			"cpu.weight=300 [300]", "cpu.idle=1 [0]", ">cpu.weight=300 [300]", ">cpu.idle=1 [0]"}},
		{"idle no more", values{"cpu.weight": "0", "cpu.idle": "1"}, `{"cpu":{"idle":0,"shares":2048},"pids":{"limit":5}}`, []string{
			">pids.max=5 [max]", "pids.max=5 [max]", ">cpu.idle=0 [1]", "cpu.idle=0 [1]", "cpu.weight=174 []", ">cpu.weight=174 []"}},
		{"cpus", nil, `{"cpu":{"cpus":"0-1","mems":"0"}}`, []string{
			`cpuset.cpus=0-1 [\n]`, `>cpuset.cpus=0-1 [\n]`, `cpuset.mems=0 [\n]`, `>cpuset.mems=0 [\n]`}},
		{"cpus no more", values{"cpuset.cpus": "0-1"}, `{"unified":{"cpuset.cpus":""}}`, []string{`cpuset.cpus=\n [0-1]`, `>cpuset.cpus=\n [0-1]`}},
		{"io of a new device and of one that has limits", values{"io.max": "8:16 rbps=1 wbps=max riops=max wiops=max"},
			`{"blockIO":{"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":5},{"major":8,"minor":16,"rate":6}]}}`, []string{
				"io.max=8:0 rbps=5 [8:0 rbps=max wbps=max riops=max wiops=max]", ">io.max=8:0 rbps=5 [8:0 rbps=max wbps=max riops=max wiops=max]",
				"io.max=8:16 rbps=6 [8:16 rbps=1 wbps=max riops=max wiops=max]", ">io.max=8:16 rbps=6 [8:16 rbps=1 wbps=max riops=max wiops=max]"}},
		{"weights", values{"io.weight": "default 100\n8:0 50"},
			`{"blockIO":{"weight":500,"weightDevice":[{"major":8,"minor":0,"weight":10},{"major":8,"minor":16,"weight":10}]}}`, []string{
				"io.weight=4950 [default 100]", ">io.weight=4950 [default 100]", "io.weight=8:0 1 [8:0 50]", ">io.weight=8:0 1 [8:0 50]",
				"io.weight=8:16 1 [8:16 default]", ">io.weight=8:16 1 [8:16 default]"}},
		{"the scheduler's weight", values{"io.bfq.weight": "100"}, `{"blockIO":{"weight":500}}`, []string{"io.bfq.weight=500 [100]", ">io.bfq.weight=500 [100]"}},
		{"rdma", nil, `{"rdma":{"mlx4_0":{"hcaHandles":2},"mlx5_1":{"hcaObjects":3}}}`, []string{
			"rdma.max=mlx4_0 hca_handle=2 [mlx4_0 hca_handle=max hca_object=2000]", ">rdma.max=mlx4_0 hca_handle=2 [mlx4_0 hca_handle=max hca_object=2000]",
			"rdma.max=mlx5_1 hca_object=3 [mlx5_1 hca_handle=max hca_object=max]", ">rdma.max=mlx5_1 hca_object=3 [mlx5_1 hca_handle=max hca_object=max]"}},
		{"unified overrides", values{"memory.max": "4096"}, `{"memory":{"limit":8192},"unified":{"memory.max":"4096","misc.max":"b 6"}}`, []string{
			"memory.max=8192 [4096]", ">memory.max=8192 [4096]", ">memory.max=4096 [4096]", "memory.max=4096 [4096]", "misc.max=b 6 [b 5]", ">misc.max=b 6 [b 5]"}},
		{"what cannot be taken back is last, and not everything is the leaf's", nil,
			`{"unified":{"memory.reclaim":"1","memory.pressure":"some 150000 1000000","cpuset.cpus.partition":"root","pids.max":"9"}}`, []string{
				"cpuset.cpus.partition=root [member]", ">pids.max=9 [max]", "pids.max=9 [max]",
				"memory.pressure=some 150000 1000000 []", ">memory.pressure=some 150000 1000000 []", "memory.reclaim=1 []"}},
		{"a partition that does not work", values{"cpuset.cpus.partition": "root invalid (no cpus)"}, `{"unified":{"cpuset.cpus.partition":"member"}}`,
			[]string{"cpuset.cpus.partition=member [root]"}},
	} {
		l, err := translate(t, c.json)
		if err != nil {
			t.Fatal(err)
		}
		v := maps.Clone(fresh)
		maps.Copy(v, c.old)
		got, err := planUpdate(l.Settings, v, v)
		if want := strings.Join(c.writes, "\n"); err != nil || showWrites(got) != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", c.name, err, showWrites(got), want)
		}
	}
}

// A leaf that an interrupted update has left behind is brought along, and
// taken back to where it was.
func TestPlanUpdateOfUnequalCgroups(t *testing.T) {
	l, err := translate(t, `{"memory":{"limit":4096}}`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := planUpdate(l.Settings, values{"memory.max": "4096"}, values{"memory.max": "8192"})
	if want := ">memory.max=4096 [8192]"; err != nil || showWrites(got) != want {
		t.Errorf("%q, %v; want %q", showWrites(got), err, want)
	}
}

func TestPlanUpdateRefuses(t *testing.T) {
	for _, c := range []struct{ json, want string }{
		{`{"cpu":{"shares":1024}}`, "set cpu.weight to 100: an idle cgroup has no weight (cpu.idle is 1)"},
		{`{"hugepageLimits":[{"pageSize":"3MB","limit":1}]}`, "set hugetlb.3MB.max to 1: the kernel has no such file"},
		{`{"blockIO":{"weight":500}}`, "set io.weight to 4950: the kernel has no such file"},
	} {
		l, err := translate(t, c.json)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := planUpdate(l.Settings, values{"cpu.idle": "1", "cpu.weight": "0"}, nil); err == nil || err.Error() != c.want {
			t.Errorf("%s: %q, %v; want %s", c.json, showWrites(got), err, c.want)
		}
	}
	l, err := translate(t, `{"memory":{"limit":-1,"swap":-1},"cpu":{"idle":0,"burst":0,"quota":-1}}`)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := planUpdate(l.Settings, values{}, values{}); err != nil || len(got) > 0 {
		t.Errorf("no limits where there can be none: %q, %v", showWrites(got), err)
	}
}

// Whatever is asked for, taking all of a plan back asks for what was there, in
// the reverse order, and nothing is written twice for nothing.
func FuzzPlanUpdate(f *testing.F) {
	for _, c := range translations {
		f.Add(c.json, "4096", "1000 100000", "200")
	}
	f.Add(`{"memory":{"limit":1,"swap":2},"cpu":{"quota":5,"burst":4,"period":9}}`, "max", "max 100000", "0")
	f.Fuzz(func(t *testing.T, text, memory, bandwidth, burst string) {
		l, err := tryTranslate(text)
		if err != nil {
			return
		}
		v := maps.Clone(fresh)
		maps.Copy(v, values{"memory.max": memory, "memory.swap.max": memory, "cpu.max": bandwidth, "cpu.max.burst": burst})
		writes, err := planUpdate(l.Settings, v, v)
		if err != nil {
			return
		}
		last := false // what cannot be taken back has begun
		for _, w := range writes {
			if _, there := v[w.file]; !there {
				t.Fatalf("%s is written and not there", w.file)
			}
			if last && w.before != "" {
				t.Fatalf("not last:\n%s", showWrites(writes))
			}
			last = w.before == ""
			if w.leaf && !slices.ContainsFunc(writes, func(o write) bool { return !o.leaf && o.file == w.file }) {
				t.Fatalf("only in the leaf:\n%s", showWrites(writes))
			}
		}
	})
}
