package resctrl

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// fake is a directory that behaves like resctrl: a new directory has its files,
// and one that has nothing but them can be removed. What is written to a file
// stays behind what was there.
func fake(t *testing.T) *Tree {
	t.Helper()
	populate := func(dir string) error {
		err := os.Mkdir(dir+"/mon_groups", 0o755)
		for _, file := range []string{"schemata", "tasks"} {
			err = errors.Join(err, os.WriteFile(filepath.Join(dir, file), nil, 0o644))
		}
		return err
	}
	tree := &Tree{Path: t.TempDir()}
	tree.Mkdir = func(dir string, mode uint32) error {
		if err := unix.Mkdir(dir, mode); err != nil {
			return err
		}
		return populate(dir)
	}
	tree.Rmdir = func(dir string) error {
		if _, err := os.Stat(dir + "/tasks"); err != nil {
			return unix.ENOENT
		}
		return os.RemoveAll(dir)
	}
	if err := errors.Join(populate(tree.Path), os.Mkdir(tree.Path+"/info", 0o755)); err != nil {
		t.Fatal(err)
	}
	put(t, tree.Path+"/info/last_cmd_status", "ok\n")
	put(t, tree.Path+"/schemata", "    MB:0=100;1=100\n    L3:0=7ff;1=7ff\n")
	return tree
}

func put(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, parts ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// assign decides, makes, adds, and checks that what was announced was made.
func assign(t *testing.T, tree *Tree, r specs.LinuxIntelRdt) *Class {
	t.Helper()
	c, err := tree.Decide("c1", &r)
	if err != nil {
		t.Fatal(err)
	}
	made, err := c.Make()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(made, c.Makes()) {
		t.Errorf("made %q, announced %q", made, c.Makes())
	}
	if err := c.Add(4711); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestOwnClass(t *testing.T) {
	tree := fake(t)
	c := assign(t, tree, specs.LinuxIntelRdt{L3CacheSchema: "L3:0=7f0;1=1f", MemBwSchema: "MB:0=20;1=70",
		Schemata: []string{"L2:0=f", "MB:0=30"}, EnableMonitoring: true})
	dir := tree.Path + "/c1"
	if got, want := read(t, dir, "schemata"), "L3:0=7f0;1=1f\nMB:0=20;1=70\nL2:0=f\nMB:0=30\n"; got != want {
		t.Errorf("schemata %q, want %q", got, want)
	}
	if got := read(t, dir, "tasks") + " " + read(t, dir, "mon_groups/c1/tasks"); got != "4711 4711" {
		t.Errorf("tasks %q", got)
	}
	if want := []string{dir + "/mon_groups/c1", dir}; !slices.Equal(c.Makes(), want) {
		t.Errorf("makes %q, want %q", c.Makes(), want)
	}
	if c.Keeps(dir) || c.Keeps(dir+"/mon_groups/c1") {
		t.Error("something of it outlives the container")
	}
	for range 2 {
		if err := tree.Remove(c.Makes()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(dir); !errors.Is(err, unix.ENOENT) {
		t.Errorf("still there: %v", err)
	}
}

func TestNamedClass(t *testing.T) {
	tree := fake(t)
	c := assign(t, tree, specs.LinuxIntelRdt{ClosID: "gold", L3CacheSchema: "L3:0=0F", EnableMonitoring: true})
	gold := tree.Path + "/gold"
	if !c.Keeps(gold) || c.Keeps(gold+"/mon_groups/c1") {
		t.Error("the class outlives the container, its monitoring group does not")
	}
	// The second comes to what the first has made, as the kernel would print it.
	put(t, gold+"/schemata", "    L3:0=00f;1=7ff\n    MB:0= 20;1=100\n")
	again := assign(t, tree, specs.LinuxIntelRdt{ClosID: "gold", L3CacheSchema: "L3:0=0F", MemBwSchema: "MB:0=20"})
	if len(again.Makes()) != 0 {
		t.Errorf("makes %q", again.Makes())
	}
	assign(t, tree, specs.LinuxIntelRdt{ClosID: "gold"})
	for want, r := range map[string]specs.LinuxIntelRdt{
		`/linux/intelRdt/l3CacheSchema: "L3:0=1f": class of service `: {ClosID: "gold", L3CacheSchema: "L3:0=1f"},
		`/linux/intelRdt/l3CacheSchema: "L3:2=f": `:                   {ClosID: "gold", L3CacheSchema: "L3:2=f"},
		`/linux/intelRdt/memBwSchema: "MB:0=20;1=90": `:               {ClosID: "gold", MemBwSchema: "MB:0=20;1=90"},
		`/linux/intelRdt/closID: class of service "silver" does not`:  {ClosID: "silver", EnableMonitoring: true},
	} {
		if _, err := tree.Decide("c2", &r); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := os.Stat(tree.Path + "/silver"); !errors.Is(err, unix.ENOENT) {
		t.Errorf("made: %v", err)
	}
}

func TestDefaultClass(t *testing.T) {
	tree := fake(t)
	before := read(t, tree.Path, "schemata")
	c := assign(t, tree, specs.LinuxIntelRdt{ClosID: "/", EnableMonitoring: true})
	if got := read(t, tree.Path, "tasks") + " " + read(t, tree.Path, "mon_groups/c1/tasks"); got != "4711 4711" {
		t.Errorf("tasks %q", got)
	}
	if got := read(t, tree.Path, "schemata"); got != before {
		t.Errorf("schemata %q", got)
	}
	if want := []string{tree.Path + "/mon_groups/c1"}; !slices.Equal(c.Makes(), want) {
		t.Errorf("makes %q, want %q", c.Makes(), want)
	}
}

// TestMakeFails sees that what was made by then is told, and not what was there.
func TestMakeFails(t *testing.T) {
	r := specs.LinuxIntelRdt{L3CacheSchema: "L3:0=f", EnableMonitoring: true}
	t.Run("no class is left", func(t *testing.T) {
		tree := fake(t)
		tree.Mkdir = func(string, uint32) error { return unix.ENOSPC }
		put(t, tree.Path+"/info/last_cmd_status", "Out of CLOSIDs\n")
		c, err := tree.Decide("c1", &r)
		if err != nil {
			t.Fatal(err)
		}
		made, err := c.Make()
		if want := "make class of service " + tree.Path + "/c1: no space left on device (Out of CLOSIDs)"; err == nil || err.Error() != want || made != nil {
			t.Errorf("%q, %v; want %s", made, err, want)
		}
	})
	t.Run("somebody else makes it meanwhile", func(t *testing.T) {
		tree := fake(t)
		c, err := tree.Decide("c1", &r)
		if err != nil {
			t.Fatal(err)
		}
		if err := tree.Mkdir(tree.Path+"/c1", 0o755); err != nil {
			t.Fatal(err)
		}
		if made, err := c.Make(); !errors.Is(err, unix.EEXIST) || made != nil {
			t.Errorf("%q, %v", made, err)
		}
	})
	t.Run("no monitoring group is left", func(t *testing.T) {
		tree := fake(t)
		mkdir := tree.Mkdir
		tree.Mkdir = func(dir string, mode uint32) error {
			if strings.Contains(dir, "/mon_groups/") {
				return unix.ENOSPC
			}
			return mkdir(dir, mode)
		}
		c, err := tree.Decide("c1", &r)
		if err != nil {
			t.Fatal(err)
		}
		if made, err := c.Make(); !errors.Is(err, unix.ENOSPC) || !slices.Equal(made, []string{tree.Path + "/c1"}) {
			t.Errorf("%q, %v", made, err)
		}
	})
}
