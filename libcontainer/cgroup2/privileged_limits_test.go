package cgroup2

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mesoc/mesoc/libcontainer/cgroup2/devices"
	"github.com/mesoc/mesoc/libcontainer/internal/testutil"
	"golang.org/x/sys/unix"
)

func TestApplyHugetlb(t *testing.T) {
	s := scratch(t)
	testutil.Feature(t, "cgroup2.hugetlb")
	l, err := translate(t, `{"hugepageLimits":[{"pageSize":"2MB","limit":4194304}]}`)
	if err != nil {
		t.Fatal(err)
	}
	p := s.create("c1", l.Controllers())
	if !s.exists("c1/hugetlb.2MB.max") {
		t.Skip("no huge pages of 2 MB")
	}
	if err := p.Apply(l); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"c1/hugetlb.2MB.max", "c1/leaf/hugetlb.2MB.max", "c1/hugetlb.2MB.rsvd.max", "c1/leaf/hugetlb.2MB.rsvd.max"} {
		if got := readFile(t, s.file(file)); got != "4194304\n" {
			t.Errorf("%s is %q", file, got)
		}
	}
	l, err = translate(t, `{"hugepageLimits":[{"pageSize":"3MB","limit":1}]}`)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Apply(l); err == nil || !strings.Contains(err.Error(), "set hugetlb.3MB.max to 1 in "+s.path+"/c1: ") {
		t.Errorf("a page size that does not exist: %v", err)
	}
	l, err = translate(t, `{"unified":{"hugetlb.2MB.max":"x"}}`)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Apply(l); err == nil || err.Error() != "set hugetlb.2MB.max to x in "+s.path+"/c1: invalid argument" {
		t.Errorf("a bad value: %v", err)
	}
}

// TestApplyAll writes every kind of limit that the machine's controllers take
// and reads them back from both cgroups.
func TestApplyAll(t *testing.T) {
	s := scratch(t)
	for _, c := range []string{"memory", "cpu", "pids"} {
		testutil.Feature(t, "cgroup2."+c)
	}
	l, err := translate(t, `{"memory":{"limit":67108864,"reservation":1048576},"cpu":{"shares":512,"quota":20000,"period":50000,"burst":10000},"pids":{"limit":0}}`)
	if err != nil {
		t.Fatal(err)
	}
	p := s.create("c1", l.Controllers())
	check := func(want map[string]string) {
		t.Helper()
		if err := p.Apply(l); err != nil {
			t.Fatal(err)
		}
		for file, value := range want {
			for _, dir := range []string{"c1", "c1/leaf"} {
				if got := strings.TrimSpace(readFile(t, s.file(dir, file))); got != value {
					t.Errorf("%s/%s is %q, want %q", dir, file, got, value)
				}
			}
		}
	}
	check(map[string]string{"memory.max": "67108864", "memory.low": "1048576", "cpu.weight": "59",
		"cpu.max": "20000 50000", "cpu.max.burst": "10000", "pids.max": "0"})
	// Quota and burst shrink below what the burst was, then grow beyond what
	// the quota was: each order is the wrong one once.
	for _, c := range []struct{ json, max, burst string }{
		{`{"cpu":{"quota":5000,"burst":5000}}`, "5000 50000", "5000"},
		{`{"cpu":{"quota":40000,"burst":30000}}`, "40000 50000", "30000"},
		{`{"cpu":{"period":80000}}`, "40000 80000", "30000"},
		{`{"cpu":{"quota":-1,"burst":0}}`, "max 80000", "0"},
	} {
		if l, err = translate(t, c.json); err != nil {
			t.Fatal(err)
		}
		check(map[string]string{"cpu.max": c.max, "cpu.max.burst": c.burst})
	}
	for _, c := range []struct {
		json string
		want map[string]string
	}{
		{`{"cpu":{"idle":1,"shares":2048}}`, map[string]string{"cpu.idle": "1"}},
		{`{"cpu":{"idle":1,"shares":1024}}`, map[string]string{"cpu.idle": "1"}},
		{`{"cpu":{"idle":0,"shares":2048}}`, map[string]string{"cpu.idle": "0", "cpu.weight": "174"}},
	} {
		if l, err = translate(t, c.json); err != nil {
			t.Fatal(err)
		}
		check(c.want)
	}
	if events, err := p.Container.OwnMemoryEvents("leaf"); err != nil || events == nil || *events != (MemoryEvents{}) {
		t.Errorf("memory events %+v, %v", events, err)
	}
}

func TestOOMKill(t *testing.T) {
	s := scratch(t)
	testutil.Feature(t, "cgroup2.memory")
	l, err := translate(t, `{"memory":{"limit":4194304,"swap":4194304}}`)
	if err != nil {
		t.Fatal(err)
	}
	p := s.create("c1", l.Controllers())
	if err := p.Apply(l); err != nil {
		t.Fatal(err)
	}
	cmd := s.start(p.Leaf, "tail", "/dev/zero") // keeps what it reads
	if err := p.Container.WaitEmpty(soon()); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if e, err := p.Container.OwnMemoryEvents("leaf"); err != nil || e == nil || e.OOM == 0 || e.OOMKill != 1 {
		t.Errorf("events %+v, %v", e, err)
	}
}

func TestMemoryEventsMissing(t *testing.T) {
	s := scratch(t)
	if e, err := s.create("c1", nil).Container.OwnMemoryEvents("leaf"); e != nil || err != nil {
		t.Errorf("without the memory controller: %+v, %v", e, err)
	}
}

func TestFilter(t *testing.T) {
	s := scratch(t)
	testutil.Feature(t, "bpf")
	all, err := devices.Compile([]devices.Rule{{Allow: true, Major: devices.Any, Minor: devices.Any, Access: devices.All}})
	if err != nil {
		t.Fatal(err)
	}
	some, err := devices.Compile(devices.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name     string
		programs []devices.Program
		want     int
	}{
		{"none-needed", []devices.Program{all}, 0},
		{"one", []devices.Program{some}, 1},
	} {
		p := s.create(c.name, nil)
		for _, program := range c.programs {
			if err := p.Filter(program); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := devices.Count(p.Container.FD()); n != c.want || err != nil {
			t.Errorf("%s: %d programs, %v", c.name, n, err)
		}
		if n, err := devices.Count(p.Leaf.FD()); n != 0 || err != nil {
			t.Errorf("%s: %d programs on the leaf, %v", c.name, n, err)
		}
		p.Close()
	}
	// What exists may have a program, which is replaced.
	p, err := OpenPair(s.mount, s.path+"/one", "leaf")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.Filter(all); err != nil {
		t.Fatal(err)
	}
	if n, err := devices.Count(p.Container.FD()); n != 1 || err != nil {
		t.Errorf("after a replacement: %d programs, %v", n, err)
	}
}

func TestOpen(t *testing.T) {
	s := scratch(t)
	s.create("c1", nil)
	c, err := Open(s.mount, "/"+s.path+"/c1/leaf")
	if err != nil {
		t.Fatal(err)
	}
	if c.Path() != s.path+"/c1/leaf" {
		t.Errorf("path %q", c.Path())
	}
	if err := errors.Join(c.Close(), c.Close()); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	if _, err := Open(s.mount, s.path+"/c2"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), s.path+"/c2") {
		t.Errorf("nothing there: %v", err)
	}
	if _, err := OpenPair(s.mount, s.path+"/c1", "other"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such leaf: %v", err)
	}
}

func TestDelegate(t *testing.T) {
	s := scratch(t)
	p := s.create("c1", nil)
	const uid = 54321
	if err := p.Leaf.Delegate(uid); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]uint32{
		"c1": 0, "c1/cgroup.procs": 0, "c1/leaf": uid, "c1/leaf/cgroup.procs": uid, "c1/leaf/cgroup.threads": uid,
		"c1/leaf/cgroup.subtree_control": uid, "c1/leaf/cgroup.max.depth": 0, "c1/leaf/cgroup.kill": 0,
	} {
		var st unix.Stat_t
		if err := unix.Stat(s.file(file), &st); err != nil || st.Uid != want {
			t.Errorf("%s belongs to %d, %v; want %d", file, st.Uid, err, want)
		}
	}
}

// TestApplyThrottle limits a block device of the machine.
func TestApplyThrottle(t *testing.T) {
	s := scratch(t)
	testutil.Feature(t, "cgroup2.io")
	numbers, _ := filepath.Glob("/sys/block/*/dev")
	for _, file := range numbers {
		device := strings.TrimSpace(readFile(t, file))
		major, minor, _ := strings.Cut(device, ":")
		at := `{"major":` + major + `,"minor":` + minor + `,"rate":`
		l, err := translate(t, `{"blockIO":{"throttleReadBpsDevice":[`+at+`1048576}],"throttleWriteIOPSDevice":[`+at+`100}],"throttleWriteBpsDevice":[`+at+`0}]}}`)
		if err != nil {
			t.Fatal(err)
		}
		p := s.create("c"+device, l.Controllers())
		if err := p.Apply(l); errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EOPNOTSUPP) {
			continue // not every block device has a queue that can be throttled
		} else if err != nil {
			t.Fatal(err)
		}
		want := device + " rbps=1048576 wbps=max riops=max wiops=100\n"
		for _, dir := range []string{"c" + device, "c" + device + "/leaf"} {
			if got := readFile(t, s.file(dir, "io.max")); got != want {
				t.Errorf("%s/io.max is %q, want %q", dir, got, want)
			}
		}
		return
	}
	t.Skip("no block device that can be throttled")
}
