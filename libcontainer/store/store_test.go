package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/testutil"
)

// newStore returns a store whose root does not exist yet.
func newStore(t testing.TB) *Store {
	t.Helper()
	s, err := New(filepath.Join(t.TempDir(), "run", "mesoc"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// full is a record that has every field set.
func full(id string) Record {
	return Record{
		ID:               id,
		OCIVersion:       "1.3.0",
		Bundle:           "/bundles/" + id,
		Rootfs:           "/bundles/" + id + "/rootfs",
		Created:          time.Date(2026, 8, 30, 12, 34, 56, 123456789, time.UTC),
		Status:           Created,
		Pid:              4711,
		PidStartTime:     987654321,
		InitName:         "mesoc: ) \"init\"\n",
		BootID:           "c0ffee00-0000-4000-8000-000000000001",
		Cgroup:           "mesos/" + id,
		CgroupLeaf:       "leaf",
		CgroupMount:      "/sys/fs/cgroup",
		CgroupMade:       true,
		Parent:           "p",
		Children:         []string{"c1", "c2"},
		ShareCgroups:     true,
		Resctrl:          []string{"/sys/fs/resctrl/mon_groups/" + id},
		ResctrlClass:     "/sys/fs/resctrl/gold",
		Isolation:        []string{"cgroups/cpu", "disk/xfs"},
		SupervisorCgroup: "mesos/@supervisors", SupervisorPid: 4710, SupervisorStartTime: 987654320,
		Annotations: map[string]string{"b": "2", "a": "", "ü\t": "\\\"\x7f\u2028"},
		Hooks:       json.RawMessage(`{"prestart": [{"path":"/bin/true"}]}`),
		GateSteps:   []string{"wait for start", "", "execve /bin/sh"},
		HasProcess:  true,
		Rootless:    true,
		Owner:       4294967295,
		Termination: &Termination{ExitCode: 77, Finished: time.Date(2026, 8, 30, 12, 35, 0, 5, time.UTC)},
		Limitation:  &Limitation{Reason: LimitationMemory, Message: "Memory limit \"exceeded\"", Resources: Resources{Mem: 64 << 20, Disk: 1}},
		MemorySeen:  &MemorySeen{OOM: 3, Kills: 2},
	}
}

func create(t testing.TB, s *Store, id string) *Locked {
	t.Helper()
	l, err := s.Create(id, full(id))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func names(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestNew(t *testing.T) {
	for root, want := range map[string]string{
		"/run/mesoc":   "/run/mesoc",
		"/run//mesoc/": "/run/mesoc",
		"/run/x/../y":  "/run/y",
		"/":            "", "//": "", "/.": "", "/run/..": "", "": "", "run": "", "./x": "", "/a\x00b": "",
	} {
		s, err := New(root)
		switch {
		case want == "" && err == nil:
			t.Errorf("%q: got no error", root)
		case want != "" && (err != nil || s.Root != want):
			t.Errorf("%q: got %v, %v; want %q", root, s, err, want)
		}
	}
}

func TestCreateLoadRemove(t *testing.T) {
	s := newStore(t)
	if _, err := s.Load("c"); !errors.Is(err, ErrNotExist) || errors.Is(err, ErrIncomplete) {
		t.Errorf("before: got %v, want ErrNotExist", err)
	}
	l := create(t, s, "c")
	want := full("c")
	for name, load := range map[string]func() (Record, error){
		"Store.Load":  func() (Record, error) { return s.Load("c") },
		"Locked.Load": l.Load,
	} {
		got, err := load()
		if err != nil {
			t.Fatal(name, err)
		}
		equalRecords(t, got, want)
	}
	if info, err := os.Stat(s.Root); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the state directory has mode %v, %v", info.Mode(), err)
	}
	for path, mode := range map[string]fs.FileMode{l.Path(): 0o700, l.Path() + "/" + recordName: 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s has mode %v, %v; want %v", path, info.Mode(), err, mode)
		}
	}
	if got := names(t, l.Path()); !slices.Equal(got, []string{recordName}) {
		t.Errorf("in the directory: %q", got)
	}

	want.Status, want.Pid = Stopped, 0
	if err := l.Save(want); err != nil {
		t.Fatal(err)
	}
	got, err := s.Load("c")
	if err != nil {
		t.Fatal(err)
	}
	equalRecords(t, got, want)

	if err := l.Remove(); err != nil {
		t.Fatal(err)
	}
	if err := l.Remove(); err != nil {
		t.Errorf("a second time: %v", err)
	}
	l.Close()
	l.Close()
	if got := names(t, s.Root); len(got) != 0 {
		t.Errorf("left: %q", got)
	}
	// The id is free at once.
	create(t, s, "c")
}

func TestErrorTexts(t *testing.T) {
	s := newStore(t)
	l := create(t, s, "c")
	_, absent := s.Load("x")
	_, absentLock := s.Lock("x", time.Time{})
	_, taken := s.Create("c", full("c"))
	_, busy := s.Lock("c", time.Time{})
	os.Mkdir(s.Root+"/half", 0o700)
	_, half := s.Load("half")
	_, id := s.Load("a/b")
	bad := full("c")
	bad.Pid = -1
	for _, c := range []struct {
		err  error
		want string
		is   []error
	}{
		{absent, `container does not exist: "x"`, []error{ErrNotExist, fs.ErrNotExist}},
		{absentLock, `container does not exist: "x"`, []error{ErrNotExist, fs.ErrNotExist}},
		{taken, `container with given ID already exists: "c"`, []error{ErrExist, fs.ErrExist}},
		{busy, `lock container "c": another command is changing it`, []error{ErrLocked}},
		{half, `container does not exist: "half": its creation never finished`, []error{ErrNotExist, ErrIncomplete}},
		{id, `invalid container ID format "a/b": "/" is not a letter, a digit or one of _+-.`, nil},
		{ValidID("bü"), `invalid container ID format "bü": "ü" is not a letter, a digit or one of _+-.`, nil},
		{ValidID("b\xfc"), `invalid container ID format "b\xfc": "\xfc" is not a letter, a digit or one of _+-.`, nil},
		{l.Save(bad), `save container "c": pid -1: no process has it`, nil},
	} {
		if c.err == nil || c.err.Error() != c.want {
			t.Errorf("got  %v\nwant %s", c.err, c.want)
		}
		for _, sentinel := range c.is {
			if !errors.Is(c.err, sentinel) {
				t.Errorf("%v is not %v", c.err, sentinel)
			}
		}
	}
}

func TestValidID(t *testing.T) {
	good := []string{"a", "A-z_0+9.", "-", "-x", "..a", ".hidden", "...", strings.Repeat("x", 255)}
	bad := []string{"", ".", "..", "a/b", "/", "a b", "a\n", "ä", "a\x00", "a:b", "a*", strings.Repeat("x", 256),
		strings.Repeat("x", 1025), "\xff"}
	for _, id := range good {
		if err := ValidID(id); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	}
	s := newStore(t)
	for _, id := range bad {
		for name, err := range map[string]error{
			"ValidID": ValidID(id),
			"Create":  second(s.Create(id, full("x"))),
			"Load":    second(s.Load(id)),
			"Lock":    second(s.Lock(id, time.Time{})),
		} {
			if err == nil || !strings.HasPrefix(err.Error(), "invalid container ID format ") {
				t.Errorf("%s %q: got %v", name, id, err)
			}
			if err != nil && len(err.Error()) > 200 {
				t.Errorf("%s: the error has %d bytes", name, len(err.Error()))
			}
		}
	}
	if _, err := os.Lstat(s.Root); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a refused id has made the state directory: %v", err)
	}
	if !strings.Contains(ValidID(bad[11]).Error(), "256 bytes") {
		t.Errorf("a long id: %v", ValidID(bad[11]))
	}
}

func second[T any](_ T, err error) error { return err }

func TestList(t *testing.T) {
	s := newStore(t)
	if ids, err := s.List(); err != nil || len(ids) != 0 {
		t.Errorf("no state directory: got %q, %v", ids, err)
	}
	want := []string{}
	for i := range 50 {
		id := fmt.Sprintf("c%d", i)
		create(t, s, id).Close()
		want = append(want, id)
	}
	// An incomplete one counts, other things do not.
	os.Mkdir(s.Root+"/half", 0o700)
	want = append(want, "half")
	os.Mkdir(s.Root+"/not an id", 0o700)
	os.WriteFile(s.Root+"/file", nil, 0o600)
	os.Symlink(s.Root+"/c1", s.Root+"/link")
	slices.Sort(want)
	if ids, err := s.List(); err != nil || !slices.Equal(ids, want) {
		t.Errorf("got %q, %v; want %q", ids, err, want)
	}
	if _, err := (&Store{Root: s.Root + "/file"}).List(); !errors.Is(err, unix.ENOTDIR) {
		t.Errorf("the state directory is a file: got %v, want ENOTDIR", err)
	}
}

func TestRefusedRecordLeavesNothing(t *testing.T) {
	s := newStore(t)
	r := full("c")
	r.Bundle = "relative"
	if _, err := s.Create("c", r); err == nil || !strings.Contains(err.Error(), `bundle "relative": not absolute`) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Lstat(s.path("c")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory is there: %v", err)
	}
}

// TestUnwritableRecordLeavesNothing fills the file system up.
func TestUnwritableRecordLeavesNothing(t *testing.T) {
	testutil.Root(t)
	dir := t.TempDir()
	inPrivateMounts(t, func() error {
		if err := unix.Mount("none", dir, "tmpfs", 0, "size=4k,mode=700"); err != nil {
			return err
		}
		s, err := New(dir)
		if err != nil {
			return err
		}
		r := full("c")
		r.Annotations["long"] = strings.Repeat("x", 64<<10)
		if _, err := s.Create("c", r); !errors.Is(err, unix.ENOSPC) {
			return fmt.Errorf("got %w, want ENOSPC", err)
		}
		if ids, err := s.List(); err != nil || len(ids) != 0 {
			return fmt.Errorf("left %q, %w", ids, err)
		}
		return nil
	})
}

func TestMissingRootIsMadeAndFilesInTheWayAreNamed(t *testing.T) {
	base := t.TempDir()
	os.WriteFile(base+"/file", nil, 0o600)
	s, _ := New(base + "/file/mesoc")
	_, err := s.Create("c", full("c"))
	if !errors.Is(err, unix.ENOTDIR) || !strings.Contains(err.Error(), base+"/file/mesoc") {
		t.Errorf("got %v, want ENOTDIR of the path", err)
	}
	s, _ = New(base + "/a/b/c/d")
	create(t, s, "c")
}
