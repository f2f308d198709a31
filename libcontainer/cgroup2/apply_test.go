package cgroup2

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// directory makes a directory of plain files that stands for a cgroup.
func directory(t *testing.T, files map[string]string) *Cgroup {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	c := &Cgroup{fd: fd, path: "mesos/c1"}
	t.Cleanup(func() { c.Close() })
	return c
}

func content(t *testing.T, c *Cgroup, name string) string {
	t.Helper()
	text, err := c.read(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// apply translates and writes to a directory of plain files.
func apply(t *testing.T, c *Cgroup, text string) error {
	t.Helper()
	l, err := translate(t, text)
	if err != nil {
		t.Fatal(err)
	}
	return c.apply(l.Settings)
}

func TestApplyAlternatives(t *testing.T) {
	c := directory(t, map[string]string{"io.bfq.weight": "", "io.weight": ""})
	if err := apply(t, c, `{"blockIO":{"weight":500}}`); err != nil {
		t.Fatal(err)
	}
	if got := content(t, c, "io.bfq.weight") + "|" + content(t, c, "io.weight"); got != "500|" {
		t.Errorf("with BFQ: %q", got)
	}
	c = directory(t, map[string]string{"io.weight": ""})
	if err := apply(t, c, `{"blockIO":{"weight":500}}`); err != nil {
		t.Fatal(err)
	}
	if got := content(t, c, "io.weight"); got != "4950" {
		t.Errorf("without BFQ: %q", got)
	}
	c = directory(t, map[string]string{"hugetlb.2MB.max": "", "hugetlb.1GB.max": "", "hugetlb.1GB.rsvd.max": ""})
	if err := apply(t, c, `{"hugepageLimits":[{"pageSize":"2MB","limit":1},{"pageSize":"1GB","limit":2}]}`); err != nil {
		t.Fatal(err)
	}
	if got := content(t, c, "hugetlb.2MB.max") + "|" + content(t, c, "hugetlb.1GB.max") + "|" + content(t, c, "hugetlb.1GB.rsvd.max"); got != "1|2|2" {
		t.Errorf("huge pages: %q", got)
	}
	// No swap accounting: no limit of it is as good as none, another is not.
	c = directory(t, map[string]string{"memory.max": ""})
	if err := apply(t, c, `{"memory":{"limit":1000,"swap":-1}}`); err != nil {
		t.Error(err)
	}
	if err := apply(t, c, `{"memory":{"limit":1000,"swap":2000}}`); !errors.Is(err, unix.ENOENT) {
		t.Errorf("swap limit without accounting: %v", err)
	}
}

func TestApplyPeriodAlone(t *testing.T) {
	for before, want := range map[string]string{"max 100000\n": "max 20000", "50000 100000\n": "50000 20000"} {
		c := directory(t, map[string]string{"cpu.max": before})
		if err := apply(t, c, `{"cpu":{"period":20000}}`); err != nil {
			t.Fatal(err)
		}
		if got := content(t, c, "cpu.max"); !strings.HasPrefix(got, want) {
			t.Errorf("a period on %q: %q, want %q", before, got, want)
		}
	}
}

func TestApplyErrors(t *testing.T) {
	c := directory(t, map[string]string{"cgroup.controllers": "cpu\n"})
	err := apply(t, c, `{"memory":{"limit":100}}`)
	if want := "set memory.max to 100 in mesos/c1: the memory controller is not enabled there"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	err = apply(t, c, `{"cpu":{"shares":1024}}`)
	if want := "set cpu.weight to 100 in mesos/c1: no such file or directory"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	err = apply(t, c, `{"unified":{"cpu.max":""}}`)
	if want := "set cpu.max to nothing in mesos/c1: no such file or directory"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if err := os.Symlink("/proc/self/comm", filepath.Join("/proc/self/fd", itoa(c.fd), "cpu.weight")); err != nil {
		t.Fatal(err)
	}
	if err := apply(t, c, `{"cpu":{"shares":1024}}`); !errors.Is(err, unix.ELOOP) {
		t.Errorf("through a symlink: %v", err)
	}
}

func TestCheckBeforeUpdate(t *testing.T) {
	c := directory(t, map[string]string{"memory.current": "5000\n", "memory.max": "", "memory.swap.max": ""})
	leaf := directory(t, map[string]string{"memory.max": "", "memory.swap.max": ""})
	p := &Pair{Container: c, Leaf: leaf}
	check := func(text, want string) {
		t.Helper()
		l, err := translate(t, text)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Apply(l); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	for text, want := range map[string]string{
		`{"memory":{"limit":4999,"checkBeforeUpdate":true}}`:              "set memory/limit to 4999 in mesos/c1: 5000 bytes are in use (memory/checkBeforeUpdate is set)",
		`{"memory":{"limit":4000,"swap":4999,"checkBeforeUpdate":true}}`:  "set memory/limit to 4000 ",
		`{"memory":{"limit":-1,"swap":4999,"checkBeforeUpdate":true}}`:    "set memory/swap to 4999 ",
		`{"memory":{"limit":5000,"checkBeforeUpdate":true}}`:              "",
		`{"memory":{"limit":10,"checkBeforeUpdate":false}}`:               "",
		`{"memory":{"limit":-1,"checkBeforeUpdate":true}}`:                "",
		`{"memory":{"limit":0,"checkBeforeUpdate":true,"reservation":0}}`: "",
	} {
		check(text, want)
	}
	// What is swapped out counts to the limit of both.
	if err := os.WriteFile(filepath.Join("/proc/self/fd", itoa(c.fd), "memory.swap.current"), []byte("300\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	check(`{"memory":{"limit":5000,"swap":5299,"checkBeforeUpdate":true}}`, "set memory/swap to 5299 in mesos/c1: 5300 bytes are in use")
	check(`{"memory":{"limit":5000,"swap":5300,"checkBeforeUpdate":true}}`, "")
	if got := content(t, leaf, "memory.swap.max"); got != "300" {
		t.Errorf("the limit that was taken: %q", got)
	}
}

func TestApplyMirrors(t *testing.T) {
	files := map[string]string{"memory.max": "", "cpuset.cpus": "", "cpuset.cpus.partition": "", "pids.max": ""}
	p := &Pair{Container: directory(t, files), Leaf: directory(t, files)}
	l, err := translate(t, `{"memory":{"limit":1000},"pids":{"limit":7},"unified":{"cpuset.cpus.partition":"root","cpuset.cpus":"0"}}`)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Apply(l); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string][2]string{
		"memory.max": {"1000", "1000"}, "pids.max": {"7", "7"}, "cpuset.cpus": {"0", "0"}, "cpuset.cpus.partition": {"root", ""},
	} {
		if got := [2]string{content(t, p.Container, file), content(t, p.Leaf, file)}; got != want {
			t.Errorf("%s: %q, want %q", file, got, want)
		}
	}
	if n := len(l.Settings); n != 4 || !slices.ContainsFunc(l.Settings, func(s Setting) bool { return s.File == "cpuset.cpus.partition" }) {
		t.Errorf("the settings have changed: %v", l.Settings)
	}
}
