package cgroup2

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mesoc/mesoc/libcontainer/internal/testutil"
	"golang.org/x/sys/unix"
)

func itoa(n int) string { return strconv.Itoa(n) }

// soon is a deadline that only a fault reaches.
func soon() time.Time { return time.Now().Add(20 * time.Second) }

// tree is a scratch cgroup.
type tree struct {
	*testing.T
	mount Mount
	path  string
}

func scratch(t *testing.T) tree {
	t.Helper()
	mount, path := testutil.Cgroup2(t)
	return tree{t, Mount{Path: mount}, path}
}

func (s tree) file(elements ...string) string {
	return filepath.Join(append([]string{s.mount.Path, s.path}, elements...)...)
}

func (s tree) exists(elements ...string) bool {
	_, err := os.Stat(s.file(elements...))
	return err == nil
}

func (s tree) create(name string, need Controllers) *Pair {
	s.Helper()
	p, err := Create(s.mount, s.path+"/"+name, "leaf", need, false)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { p.Close() })
	return p
}

// start runs a command in a cgroup until the test ends.
func (s tree) start(c *Cgroup, args ...string) *exec.Cmd {
	s.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: c.FD()}
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd
}

// busy makes the cgroup busy, which holds a process.
func (s tree) busy() *exec.Cmd {
	s.Helper()
	s.mkdir("busy")
	c, err := Open(s.mount, s.path+"/busy")
	if err != nil {
		s.Fatal(err)
	}
	defer c.Close()
	return s.start(c, "sleep", "1000")
}

func (s tree) mkdir(elements ...string) {
	s.Helper()
	if err := os.MkdirAll(s.file(elements...), 0o755); err != nil {
		s.Fatal(err)
	}
}

func TestFindMount(t *testing.T) {
	mount, _ := testutil.Cgroup2(t)
	m, err := FindMount()
	if err != nil || m.Path != mount {
		t.Errorf("found %v, %v; want %s", m, err, mount)
	}
}

func TestCreate(t *testing.T) {
	s := scratch(t)
	p := s.create("a/b/c1", nil)
	want := []string{s.path + "/a", s.path + "/a/b", s.path + "/a/b/c1", s.path + "/a/b/c1/leaf"}
	if !slices.Equal(p.Made, want) {
		t.Errorf("made %q, want %q", p.Made, want)
	}
	if !p.MadeContainer() || p.Container.Path() != want[2] || p.Leaf.Path() != want[3] || !s.exists("a/b/c1/leaf") {
		t.Errorf("pair %+v", p)
	}
	p2 := s.create("a/b/c2", nil)
	if want := []string{s.path + "/a/b/c2", s.path + "/a/b/c2/leaf"}; !slices.Equal(p2.Made, want) {
		t.Errorf("the second made %q, want %q", p2.Made, want)
	}
	// What exists and is empty is taken, and not ours.
	s.mkdir("a/old")
	old, err := Exists(s.mount, s.path+"/a/old")
	if err != nil || !old {
		t.Errorf("a/old exists: %v, %v", old, err)
	}
	if other, err := Exists(s.mount, s.path+"/a/other"); err != nil || other {
		t.Errorf("a/other exists: %v, %v", other, err)
	}
	p3 := s.create("a/old", nil)
	if want := []string{s.path + "/a/old/leaf"}; !slices.Equal(p3.Made, want) || p3.MadeContainer() {
		t.Errorf("in an old cgroup made %q, want %q", p3.Made, want)
	}
	// And a leaf too.
	p3.Close()
	if p4 := s.create("a/old", nil); len(p4.Made) != 0 {
		t.Errorf("of what exists made %q", p4.Made)
	}
}

// TestCreateTogether makes many cgroups below a root that is missing.
func TestCreateTogether(t *testing.T) {
	s := scratch(t)
	var need Controllers
	if testing.Short() {
		t.Log("without controllers")
	} else if strings.Contains(readFile(t, s.mount.Path+"/cgroup.controllers"), "hugetlb") {
		need = Controllers{{Controller: "hugetlb", For: "hugetlb.2MB.max"}}
	}
	var all sync.WaitGroup
	errs := make([]error, 16)
	for i := range errs {
		all.Go(func() {
			p, err := Create(s.mount, s.path+"/x/y/c"+itoa(i), "leaf", need, false)
			if errs[i] = err; err == nil {
				p.Close()
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestCreateRefuses(t *testing.T) {
	s := scratch(t)
	for _, path := range []string{"", "/", "..", "x/../y", "x//y"} {
		if _, err := Create(s.mount, path, "leaf", nil, false); err == nil {
			t.Errorf("path %q is taken", path)
		}
	}
	for _, leaf := range []string{"", "..", "a/b", "."} {
		if _, err := Create(s.mount, s.path+"/c1", leaf, nil, false); err == nil || !strings.Contains(err.Error(), "leaf") {
			t.Errorf("leaf %q: %v", leaf, err)
		}
	}
	if _, err := Create(Mount{Path: "/nonexistent"}, "a", "leaf", nil, false); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no mount: %v", err)
	}
	// A file of the kernel's is no cgroup, and nothing is left beside it.
	if _, err := Create(s.mount, s.path+"/cgroup.procs", "leaf", nil, false); !errors.Is(err, unix.ENOTDIR) {
		t.Errorf("a file: %v", err)
	}
	if _, err := Create(s.mount, s.path+"/n1/n2", "cgroup.procs", nil, false); !errors.Is(err, unix.ENOTDIR) {
		t.Errorf("a file as the leaf: %v", err)
	}
	if s.exists("n1") {
		t.Error("a failed create left n1")
	}
}

func TestCreateFits(t *testing.T) {
	s := scratch(t)
	p := s.create("c1", nil)
	cmd := s.start(p.Leaf, "sleep", "1000")
	_, err := Create(s.mount, s.path+"/c1", "leaf", nil, false)
	if want := "use cgroup " + s.path + "/c1: it exists and holds processes"; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
	cmd.Process.Kill()
	cmd.Wait()
	// Kernels of late take a process out of its cgroup after its parent has been told.
	if err := p.Container.WaitEmpty(soon()); err != nil {
		t.Fatal(err)
	}
	if err := p.Container.Freeze(soon()); err != nil {
		t.Fatal(err)
	}
	_, err = Create(s.mount, s.path+"/c1", "leaf", nil, false)
	if want := "use cgroup " + s.path + "/c1: it exists and is frozen"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if err := p.Container.Thaw(); err != nil {
		t.Fatal(err)
	}
	if again := s.create("c1", nil); again.MadeContainer() {
		t.Error("the cgroup that exists is made")
	}
}

// anyController returns a controller that this machine's cgroup2 has, and that
// is not one of those that threads can be divided by.
func anyController(t *testing.T, s tree) Need {
	t.Helper()
	have := strings.Fields(readFile(t, s.mount.Path+"/cgroup.controllers"))
	for _, c := range []string{"hugetlb", "memory", "io"} {
		if slices.Contains(have, c) {
			return Need{Controller: c, For: c + ".max"}
		}
	}
	t.Skip("cgroup2 has none of the usual controllers")
	return Need{}
}

func TestControllersEnabled(t *testing.T) {
	s := scratch(t)
	need := anyController(t, s)
	p := s.create("a/b/c1", Controllers{need})
	for dir, want := range map[string]bool{"": true, "a": true, "a/b": true, "a/b/c1": true, "a/b/c1/leaf": false} {
		got := slices.Contains(strings.Fields(readFile(t, s.file(dir, "cgroup.subtree_control"))), need.Controller)
		if got != want {
			t.Errorf("%s is enabled in %q: %v", need.Controller, dir, got)
		}
	}
	if list, err := p.Leaf.read("cgroup.controllers"); err != nil || !strings.Contains(list, need.Controller) {
		t.Errorf("the leaf has %q, %v", list, err)
	}
	// Processes go into the leaf all the same.
	s.start(p.Leaf, "sleep", "1000")
	s.create("a/b/c2", Controllers{need})
}

func TestMissingController(t *testing.T) {
	s := scratch(t)
	_, err := Create(s.mount, s.path+"/a/c1", "leaf", Controllers{{Controller: "nonesuch", For: "nonesuch.max"}}, false)
	var missing *MissingControllerError
	if !errors.As(err, &missing) || missing.Controller != "nonesuch" || missing.Mount != s.mount.Path {
		t.Fatalf("error %v", err)
	}
	for _, word := range []string{"nonesuch.max", "nonesuch controller", s.mount.Path} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q does not say %q", err, word)
		}
	}
	if s.exists("a") {
		t.Error("a failed create left a")
	}
}

// What no limit asks for is counted all the same.
func TestAllControllers(t *testing.T) {
	s := scratch(t)
	testutil.Feature(t, "cgroup2.hugetlb")
	all := strings.Fields(readFile(t, s.mount.Path+"/cgroup.controllers"))
	s.mkdir("a")
	p, err := Create(s.mount, s.path+"/a/b/c1", "leaf", nil, true)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, dir := range []string{"", "a", "a/b", "a/b/c1"} {
		on := strings.Fields(readFile(t, s.file(dir, "cgroup.subtree_control")))
		for _, c := range all {
			if !slices.Contains(on, c) {
				t.Errorf("%s is not enabled in %q: %q", c, dir, on)
			}
		}
	}
	if on := readFile(t, s.file("a/b/c1/leaf/cgroup.subtree_control")); on != "" {
		t.Errorf("enabled in the leaf: %q", on)
	}
	s.start(p.Leaf, "sleep", "1000")
	// A limit whose controller is not there is an error all the same.
	var missing *MissingControllerError
	if _, err := Create(s.mount, s.path+"/a/c2", "leaf", Controllers{{Controller: "nonesuch", For: "nonesuch.max"}}, true); !errors.As(err, &missing) {
		t.Errorf("error %v", err)
	}
}

// What no limit asks for is not worth an error, and no cgroup that can hold no process.
func TestAllBelowBusyAncestor(t *testing.T) {
	s := scratch(t)
	s.busy()
	p, err := Create(s.mount, s.path+"/busy/c1", "leaf", nil, true)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, dir := range []string{"busy", "busy/c1"} {
		if on := readFile(t, s.file(dir, "cgroup.subtree_control")); on != "" {
			t.Errorf("enabled in %q: %q", dir, on)
		}
	}
	s.start(p.Leaf, "sleep", "1000")
}

// Alone, pids would be taken by a cgroup that holds processes, and what is below it made unusable.
func TestBusyHandsOnNothing(t *testing.T) {
	s := scratch(t)
	testutil.Feature(t, "cgroup2.pids")
	s.create("other", Controllers{{Controller: "pids", For: "pids.max"}})
	s.busy()
	busy, err := Open(s.mount, s.path+"/busy")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	if busy.handsOn(controllersIn("pids")) || readFile(t, s.file("busy", "cgroup.subtree_control")) != "" {
		t.Error("a cgroup that holds processes hands on pids")
	}
}

// TestBusyAncestor has a process in a cgroup that is to hand on controllers.
func TestBusyAncestor(t *testing.T) {
	s := scratch(t)
	need := anyController(t, s)
	cmd := s.busy()
	_, err := Create(s.mount, s.path+"/busy/c1", "leaf", Controllers{need}, false)
	if !errors.Is(err, unix.EBUSY) {
		t.Fatalf("error %v", err)
	}
	want := "enable " + need.Controller + " in cgroup " + s.path + "/busy: it holds processes itself (pid " + itoa(cmd.Process.Pid) + ")"
	if !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
	if s.exists("busy/c1") || !s.exists("busy") {
		t.Error("a failed create left its cgroup or took another's")
	}
}

// TestInvalidAncestor is TestBusyAncestor with a controller that threads can
// be divided by: there the kernel lets the ancestor have it, and makes what is
// below unusable.
func TestInvalidAncestor(t *testing.T) {
	s := scratch(t)
	testutil.Feature(t, "cgroup2.pids")
	s.busy()
	_, err := Create(s.mount, s.path+"/busy/c1", "leaf", Controllers{{Controller: "pids", For: "pids.max"}}, false)
	want := "enable pids in cgroup " + s.path + `/busy/c1: its type is "domain invalid", because a cgroup above it`
	if !errors.Is(err, unix.EOPNOTSUPP) || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
	if s.exists("busy/c1") {
		t.Error("a failed create left its cgroup")
	}
}
