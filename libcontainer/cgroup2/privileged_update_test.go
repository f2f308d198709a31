package cgroup2

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/mesoc/mesoc/libcontainer/internal/testutil"
	"golang.org/x/sys/unix"
)

// state reads files of both cgroups, to be compared later.
func (s tree) state(files ...string) string {
	var b strings.Builder
	for _, dir := range []string{"c1", "c1/leaf"} {
		for _, file := range files {
			b.WriteString(dir + "/" + file + " " + readFile(s.T, s.file(dir, file)))
		}
	}
	return b.String()
}

func (s tree) update(p *Pair, text string) error {
	s.Helper()
	l, err := translate(s.T, text)
	if err != nil {
		s.Fatal(err)
	}
	return p.Update(s.mount, l)
}

// The kernel refuses the second value of four.
func TestUpdateIsAllOrNothing(t *testing.T) {
	s := scratch(t)
	testutil.Feature(t, "cgroup2.hugetlb")
	p := s.create("c1", nil)
	if err := s.update(p, `{"unified":{"cgroup.max.depth":"9","hugetlb.2MB.max":"2097152"}}`); err != nil {
		t.Fatal(err)
	}
	files := []string{"cgroup.max.depth", "cgroup.max.descendants", "hugetlb.2MB.max"}
	before := s.state(files...)
	if want := "c1/cgroup.max.depth 9\n"; !strings.HasPrefix(before, want) {
		t.Fatalf("%q, want %q", before, want)
	}
	err := s.update(p, `{"unified":{"cgroup.max.depth":"5","cgroup.max.descendants":"x","hugetlb.2MB.max":"4194304"}}`)
	if want := "set cgroup.max.descendants to x in " + s.path + "/c1: invalid argument"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if after := s.state(files...); after != before {
		t.Errorf("before\n%safter\n%s", before, after)
	}
	err = s.update(p, `{"unified":{"cgroup.max.depth":"5"},"hugepageLimits":[{"pageSize":"3MB","limit":1}]}`)
	if !errors.Is(err, errNoFile) || s.state(files...) != before {
		t.Errorf("%v\n%s", err, s.state(files...))
	}
}

// TestUpdateAll changes every kind of limit there and back, so that each order
// is the wrong one once, and has a change fail in the end.
func TestUpdateAll(t *testing.T) {
	s := scratch(t)
	for _, c := range []string{"memory", "cpu", "cpuset", "pids"} {
		testutil.Feature(t, "cgroup2."+c)
	}
	p := s.create("c1", Controllers{{Controller: "cpuset", For: "cpuset.cpus"}})
	const wrong = `,"unified":{"pids.max":"x"}}`
	for _, c := range []struct{ json, want string }{
		{`{"memory":{"limit":67108864,"swap":134217728,"reservation":4096},"cpu":{"quota":20000,"period":50000,"burst":10000,"shares":512},"pids":{"limit":7}`,
			"67108864 67108864 4096 20000 50000 10000 59 0 7"},
		{`{"cpu":{"quota":5000,"burst":5000}`, "67108864 67108864 4096 5000 50000 5000 59 0 7"},
		{`{"cpu":{"quota":40000,"burst":30000},"memory":{"limit":134217728,"swap":134217728}`, "134217728 0 4096 40000 50000 30000 59 0 7"},
		{`{"cpu":{"idle":1},"memory":{"limit":33554432,"swap":134217728}`, "33554432 100663296 4096 40000 50000 30000 0 1 7"},
		{`{"cpu":{"idle":0,"shares":2048,"cpus":"0"},"memory":{"limit":-1}`, "max max 4096 40000 50000 30000 174 0 7"},
		{`{"cpu":{"period":80000,"cpus":"0"}`, "max max 4096 40000 80000 30000 174 0 7"},
	} {
		files := []string{"memory.max", "memory.swap.max", "memory.low", "cpu.max", "cpu.max.burst", "cpu.weight", "cpu.idle", "pids.max", "cpuset.cpus"}
		before := ""
		if s.exists("c1/pids.max") {
			before = s.state(files...)
			if err := s.update(p, c.json+wrong); !errors.Is(err, unix.EINVAL) || strings.Contains(err.Error(), "put back") {
				t.Errorf("%s: %v", c.json+wrong, err)
			}
			if after := s.state(files...); after != before {
				t.Errorf("%s: before\n%safter\n%s", c.json+wrong, before, after)
			}
		}
		if err := s.update(p, c.json+"}"); err != nil {
			t.Fatal(err)
		}
		for _, dir := range []string{"c1", "c1/leaf"} {
			var got []string
			for _, file := range files[:len(files)-1] {
				got = append(got, strings.TrimSpace(readFile(t, s.file(dir, file))))
			}
			if got[6] == "1" {
				got[5] = "0" // what is idle weighs 0 in some kernels, 1 in others
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%s: %s has %q, want %s", c.json, dir, got, c.want)
			}
		}
	}
	if err := s.update(p, `{"cpu":{"idle":1}}`); err != nil {
		t.Fatal(err)
	}
	if err := s.update(p, `{"cpu":{"shares":1024}}`); err == nil || !strings.Contains(err.Error(), "an idle cgroup has no weight") {
		t.Errorf("a weight of what is idle: %v", err)
	}
}

func TestStats(t *testing.T) {
	s := scratch(t)
	p := s.create("c1", nil)
	s.start(p.Leaf, "sleep", "1000")
	s.mkdir("c1/leaf/below")
	below, err := Open(s.mount, s.path+"/c1/leaf/below")
	if err != nil {
		t.Fatal(err)
	}
	defer below.Close()
	s.start(below, "sleep", "1000")
	processes, threads, err := p.Container.Tasks()
	if processes != 2 || threads != 2 || err != nil {
		t.Errorf("%d processes, %d threads, %v", processes, threads, err)
	}
	stats, err := p.Container.Stats()
	// The kernel counts what has run when it is taken from its CPU.
	for deadline := soon(); err == nil && stats.CPU != nil && stats.CPU.Usage == 0 && time.Now().Before(deadline); {
		stats, err = p.Container.Stats()
	}
	if err != nil || stats.CPU == nil || stats.CPU.Usage == 0 || stats.CPU.Throttling != nil || stats.Memory != nil {
		t.Errorf("%+v, %v", stats, err)
	}
}

func TestWatchOOM(t *testing.T) {
	s := scratch(t)
	testutil.Feature(t, "cgroup2.memory")
	p := s.create("c1", nil)
	if _, err := p.Container.WatchOOM("leaf"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without the controller: %v", err)
	}
	if err := s.update(p, `{"memory":{"limit":4194304,"swap":4194304}}`); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second watch has missed the first time
		w, err := p.Container.WatchOOM("leaf")
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		cmd := s.start(p.Leaf, "tail", "/dev/zero") // keeps what it reads
		cmd.Wait()
		if happened, err := w.Happened(); !happened || err != nil {
			t.Errorf("killed for memory: %v, %v", happened, err)
		}
		if happened, err := w.Happened(); happened || err != nil {
			t.Errorf("told again: %v, %v", happened, err)
		}
	}
}
