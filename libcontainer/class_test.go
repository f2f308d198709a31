package libcontainer

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/resctrl"
	"github.com/mesoc/mesoc/libcontainer/store"
)

// classRig is a create of a container with that intelRdt, on a directory that
// stands for resctrl.
func classRig(t *testing.T, rdt *specs.LinuxIntelRdt) (c *creation, tree string) {
	t.Helper()
	tree = t.TempDir()
	populate := func(dir string, _ uint32) error {
		return errors.Join(os.MkdirAll(dir+"/mon_groups", 0o755),
			os.WriteFile(dir+"/tasks", nil, 0o644), os.WriteFile(dir+"/schemata", nil, 0o644))
	}
	if err := populate(tree, 0); err != nil {
		t.Fatal(err)
	}
	r := &Runtime{resctrl: &resctrl.Tree{Path: tree, Mkdir: populate, Rmdir: os.RemoveAll}}
	return &creation{container: container{runtime: r, record: store.Record{ID: "c1"}},
		spec: &specs.Spec{Linux: &specs.Linux{IntelRdt: rdt}}}, tree
}

// classes lists the directories that are there.
func classes(t *testing.T, tree string) string {
	t.Helper()
	var dirs []string
	for _, pattern := range []string{"*/tasks", "mon_groups/*/tasks", "*/mon_groups/*/tasks"} {
		found, err := filepath.Glob(filepath.Join(tree, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range found {
			dirs = append(dirs, strings.TrimPrefix(filepath.Dir(file), tree+"/"))
		}
	}
	slices.Sort(dirs)
	return strings.Join(dirs, " ")
}

func TestClassOfService(t *testing.T) {
	for name, c := range map[string]struct {
		rdt                    *specs.LinuxIntelRdt
		made, created, deleted string // when made, on record once created, left by a delete
	}{
		"none":    {},
		"own":     {rdt: &specs.LinuxIntelRdt{L3CacheSchema: "L3:0=f", EnableMonitoring: true}, made: "c1 c1/mon_groups/c1", created: "c1/mon_groups/c1 c1"},
		"named":   {rdt: &specs.LinuxIntelRdt{ClosID: "gold", L3CacheSchema: "L3:0=f", EnableMonitoring: true}, made: "gold gold/mon_groups/c1", created: "gold/mon_groups/c1", deleted: "gold"},
		"default": {rdt: &specs.LinuxIntelRdt{ClosID: "/", EnableMonitoring: true}, made: "mon_groups/c1", created: "mon_groups/c1"},
	} {
		for _, fails := range []bool{false, true} {
			create, tree := classRig(t, c.rdt)
			if err := create.decideClass(); err != nil {
				t.Fatal(name, err)
			}
			if got := classes(t, tree); got != "" {
				t.Errorf("%s: decided, and made %q", name, got)
			}
			if err := create.makeClass(); err != nil {
				t.Fatal(name, err)
			}
			if got := classes(t, tree); got != c.made {
				t.Errorf("%s: made %q, want %q", name, got, c.made)
			}
			left := ""
			if !fails {
				create.keepClass()
				left = c.deleted
				if got := strings.ReplaceAll(strings.Join(create.record.Resctrl, " "), tree+"/", ""); got != c.created {
					t.Errorf("%s: on record %q, want %q", name, got, c.created)
				}
			}
			if err := create.removeClass(); err != nil {
				t.Fatal(name, err)
			}
			if got := classes(t, tree); got != left {
				t.Errorf("%s: failed: %v: left %q, want %q", name, fails, got, left)
			}
		}
	}
}

// TestClassOfSomebodyElse fails to make a class that has appeared meanwhile:
// it is not ours to undo.
func TestClassOfSomebodyElse(t *testing.T) {
	create, tree := classRig(t, &specs.LinuxIntelRdt{L3CacheSchema: "L3:0=f"})
	if err := create.decideClass(); err != nil {
		t.Fatal(err)
	}
	if want := []string{tree + "/c1"}; !slices.Equal(create.record.Resctrl, want) {
		t.Errorf("on record %q, want %q", create.record.Resctrl, want)
	}
	create.runtime.resctrl.Mkdir = func(dir string, _ uint32) error {
		return errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(dir+"/tasks", nil, 0o644), unix.EEXIST)
	}
	if err := create.makeClass(); !errors.Is(err, unix.EEXIST) {
		t.Fatal(err)
	}
	if err := create.removeClass(); err != nil {
		t.Fatal(err)
	}
	if got := classes(t, tree); got != "c1" {
		t.Errorf("left %q", got)
	}
}

// The class comes before the monitoring group in it, which the kernel would
// refuse to move a process to from another class; what is gone is left out.
func TestOpenClasses(t *testing.T) {
	c, tree := classRig(t, &specs.LinuxIntelRdt{ClosID: "gold", L3CacheSchema: "L3:0=f", EnableMonitoring: true})
	if err := errors.Join(c.decideClass(), c.makeClass()); err != nil {
		t.Fatal(err)
	}
	class, group := tree+"/gold/tasks", tree+"/gold/mon_groups/c1/tasks"
	open := func() []string {
		t.Helper()
		e := &execution{record: c.record, inputs: inputs{pid: -1}}
		defer e.inputs.close()
		if err := e.openClasses(); err != nil {
			t.Fatal(err)
		}
		for _, name := range e.classes {
			if _, ok := e.inputs.fds[name]; !ok {
				t.Errorf("%s is no input", name)
			}
		}
		return e.classes
	}
	if got := open(); !slices.Equal(got, []string{class, group}) {
		t.Errorf("got %q, want %q and %q", got, class, group)
	}
	if err := os.Remove(group); err != nil {
		t.Fatal(err)
	}
	if got := open(); !slices.Equal(got, []string{class}) {
		t.Errorf("without the group: got %q", got)
	}
	c.record.ResctrlClass, c.record.Resctrl = "", nil
	if got := open(); len(got) > 0 {
		t.Errorf("without a class: got %q", got)
	}
}
