package libcontainer

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/internal/testutil"
	"github.com/mesoc/mesoc/libcontainer/store"
)

// TestUpdateClass changes the class of service and the cgroup of a container
// together, on a directory that stands for resctrl.
func TestUpdateClass(t *testing.T) {
	mount, path := testutil.Cgroup2(t)
	cgroup := mount + "/" + path
	if err := os.Mkdir(cgroup+"/leaf", 0o755); err != nil {
		t.Fatal(err)
	}
	init := sleeper(t, cgroup+"/leaf")
	stat, err := sys.ReadStat(init.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	create, tree := classRig(t, &specs.LinuxIntelRdt{ClosID: "gold", L3CacheSchema: "L3:0=f"})
	if err := errors.Join(create.decideClass(), create.makeClass()); err != nil {
		t.Fatal(err)
	}
	create.keepClass()
	r := create.runtime
	r.Root, r.CgroupsLeaf = t.TempDir(), "leaf"
	record := store.Record{ID: "c1", Status: store.Created, Cgroup: path, CgroupLeaf: "leaf", CgroupMount: mount,
		Pid: init.Process.Pid, PidStartTime: stat.StartTime, ResctrlClass: create.record.ResctrlClass}
	planted(t, r, record).close()
	record.ID, record.ResctrlClass = "c2", ""
	planted(t, r, record).close()

	read := func(file string) string {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	was := read(tree + "/gold/schemata")
	depth := func(s string) *specs.LinuxResources {
		return &specs.LinuxResources{Unified: map[string]string{"cgroup.max.depth": s}}
	}
	// What is refused, last of all by the kernel, leaves everything as it was.
	for want, c := range map[string]struct {
		id string
		o  UpdateOptions
	}{
		`update container c1: validate the schemata: /memBwSchema: "L3:0=f": must begin with MB:`: {"c1", UpdateOptions{L3CacheSchema: "L3:0=f", MemBwSchema: "L3:0=f", Resources: depth("5")}},
		`update container c2: it has no class of service`:                                         {"c2", UpdateOptions{L3CacheSchema: "L3:0=f", Resources: depth("5")}},
		`update container c1: set cgroup.max.depth to x`:                                          {"c1", UpdateOptions{L3CacheSchema: "L3:0=f0", Resources: depth("x")}},
	} {
		if err := r.Update(context.Background(), c.id, c.o); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
		if got := read(cgroup + "/cgroup.max.depth"); got != "max\n" {
			t.Errorf("%s: depth %q", want, got)
		}
	}
	// The file has first what is set, and then what goes back.
	if got, want := strings.TrimPrefix(read(tree+"/gold/schemata"), was), "L3:0=f0\nL3:0=f\n"; got != want {
		t.Errorf("written %q, want %q", got, want)
	}
	was = read(tree + "/gold/schemata")
	if err := r.Update(context.Background(), "c1", UpdateOptions{L3CacheSchema: "L3:0=ff\n", MemBwSchema: "MB:0=50", Resources: depth("5")}); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.TrimPrefix(read(tree+"/gold/schemata"), was), "L3:0=ff\nMB:0=50\n"; got != want {
		t.Errorf("written %q, want %q", got, want)
	}
	if got := read(cgroup + "/cgroup.max.depth"); got != "5\n" {
		t.Errorf("depth %q", got)
	}
	if err := os.RemoveAll(tree + "/gold"); err != nil {
		t.Fatal(err)
	}
	if err := r.Update(context.Background(), "c1", UpdateOptions{L3CacheSchema: "L3:0=f", Resources: depth("4")}); !errors.Is(err, unix.ENOENT) {
		t.Errorf("%v, want that there is no such class", err)
	}
	if err := r.Update(context.Background(), "c1", UpdateOptions{Resources: depth("4")}); err != nil {
		t.Error("without schemata nobody looks at resctrl: ", err)
	}
}
