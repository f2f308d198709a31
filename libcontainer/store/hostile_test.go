package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/testutil"
)

// inPrivateMounts runs f in a mount namespace of its own, on a thread that
// ends with it.
func inPrivateMounts(t testing.TB, f func() error) {
	t.Helper()
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread dies with the goroutine
		err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS)
		if err == nil {
			err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
		}
		if err == nil {
			err = f()
		}
		result <- err
	}()
	if err := <-result; err != nil {
		t.Error(err)
	}
}

// TestHostileRecords puts things in the record's place that must neither be
// believed nor block, follow or fill anything.
func TestHostileRecords(t *testing.T) {
	valid := func(id string) []byte {
		r := full(id)
		data, err := encode(&r)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for _, c := range []struct {
		name  string
		plant func(path string) error
		want  string
		root  bool
	}{
		{"symlink to a record", func(p string) error {
			target := p + ".target"
			if err := os.WriteFile(target, valid("x"), 0o600); err != nil {
				return err
			}
			return os.Symlink(target, p)
		}, "too many levels of symbolic links", false},
		{"dangling symlink", func(p string) error { return os.Symlink("/nowhere", p) }, "too many levels of symbolic links", false},
		{"fifo", func(p string) error { return unix.Mkfifo(p, 0o600) }, "not a regular file", false},
		{"directory", func(p string) error { return os.Mkdir(p, 0o700) }, "not a regular file", false},
		{"device", func(p string) error { return unix.Mknod(p, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 5))) },
			"not a regular file", true},
		{"huge file", func(p string) error {
			if err := os.WriteFile(p, valid("x"), 0o600); err != nil {
				return err
			}
			return os.Truncate(p, 1<<40)
		}, "it has 1099511627776 bytes", false},
		{"other owner", func(p string) error {
			if err := os.WriteFile(p, valid("x"), 0o600); err != nil {
				return err
			}
			return os.Chown(p, 12345, 0)
		}, "it belongs to uid 12345, not to 0", true},
		{"writable by all", func(p string) error {
			if err := os.WriteFile(p, valid("x"), 0o600); err != nil {
				return err
			}
			return os.Chmod(p, 0o666)
		}, "others may write it (mode 666)", false},
		{"empty", func(p string) error { return os.WriteFile(p, nil, 0o600) }, "not valid JSON: it ends too early", false},
		{"truncated", func(p string) error { return os.WriteFile(p, valid("x")[:50], 0o600) }, "not valid JSON at byte", false},
		{"two records", func(p string) error { return os.WriteFile(p, append(valid("x"), valid("x")...), 0o600) },
			"not valid JSON at byte", false},
		{"binary", func(p string) error { return os.WriteFile(p, []byte("\x7fELF\x00\x01"), 0o600) }, "not valid JSON at byte 0", false},
		{"other id", func(p string) error { return os.WriteFile(p, valid("y"), 0o600) }, `it is the record of "y"`, false},
		{"pid -1", func(p string) error {
			return os.WriteFile(p, []byte(`{"version":1,"id":"x","status":"created","pid":-1}`), 0o600)
		}, "pid -1: no process has it", false},
		{"pid beyond all", func(p string) error {
			return os.WriteFile(p, []byte(`{"version":1,"id":"x","status":"created","pid":4194305}`), 0o600)
		}, "pid 4194305: no process has it", false},
		{"cgroup elsewhere", func(p string) error {
			return os.WriteFile(p, []byte(`{"version":1,"id":"x","status":"created","cgroup":"mesos/../../system.slice"}`), 0o600)
		}, `cgroup "mesos/../../system.slice": it leads elsewhere`, false},
		{"leaf elsewhere", func(p string) error {
			return os.WriteFile(p, []byte(`{"version":1,"id":"x","status":"created","cgroup_leaf":".."}`), 0o600)
		}, `cgroup_leaf "..": not a name`, false},
		{"newer version", func(p string) error {
			return os.WriteFile(p, []byte(`{"version":2,"id":["x"],"status":"created"}`), 0o600)
		}, "version 2: this mesoc reads version 1", false},
		{"no version", func(p string) error { return os.WriteFile(p, []byte(`{"id":"x","status":"created"}`), 0o600) },
			"it has no version", false},
		{"unknown status", func(p string) error {
			return os.WriteFile(p, []byte(`{"version":1,"id":"x","status":"paused"}`), 0o600)
		}, `status "paused": unknown`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.root {
				testutil.Root(t)
			}
			s := newStore(t)
			if err := os.MkdirAll(s.path("x"), 0o700); err != nil {
				t.Fatal(err)
			}
			path := s.path("x") + "/" + recordName
			if err := c.plant(path); err != nil {
				t.Fatal(err)
			}
			_, err := s.Load("x")
			if err == nil || !strings.HasPrefix(err.Error(), "read "+path+": ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant read %s: %s", err, path, c.want)
			}
			if errors.Is(err, ErrNotExist) {
				t.Errorf("%v says that there is no container", err)
			}
			if err != nil && len(err.Error()) > 300 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
			// It can be replaced, and it can be removed.
			l, err := s.Lock("x", time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			if c.name != "directory" {
				if err := l.Save(full("x")); err != nil {
					t.Errorf("save: %v", err)
				}
				if _, err := s.Load("x"); err != nil {
					t.Errorf("load after save: %v", err)
				}
			}
			if err := l.Remove(); err != nil {
				t.Errorf("remove: %v", err)
			}
			if got := names(t, s.Root); len(got) != 0 {
				t.Errorf("left: %q", got)
			}
		})
	}
}

// TestHostileDirectories puts things in the place of a container's directory.
func TestHostileDirectories(t *testing.T) {
	for _, c := range []struct {
		name  string
		plant func(path string) error
		want  string
		root  bool
	}{
		{"symlink", func(p string) error {
			target := p + ".elsewhere"
			if err := os.Mkdir(target, 0o700); err != nil {
				return err
			}
			return os.Symlink(target, p)
		}, "not a directory", false},
		{"file", func(p string) error { return os.WriteFile(p, nil, 0o600) }, "not a directory", false},
		{"fifo", func(p string) error { return unix.Mkfifo(p, 0o600) }, "not a directory", false},
		{"other owner", func(p string) error {
			if err := os.Mkdir(p, 0o700); err != nil {
				return err
			}
			return os.Chown(p, 12345, 0)
		}, "it belongs to uid 12345, not to 0", true},
		{"writable by all", func(p string) error {
			if err := os.Mkdir(p, 0o700); err != nil {
				return err
			}
			return os.Chmod(p, 0o777)
		}, "others may write it (mode 777)", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.root {
				testutil.Root(t)
			}
			s := newStore(t)
			os.MkdirAll(s.Root, 0o700)
			if err := c.plant(s.path("x")); err != nil {
				t.Fatal(err)
			}
			for name, err := range map[string]error{
				"load": second(s.Load("x")),
				"lock": second(s.Lock("x", time.Time{})),
			} {
				if err == nil || !strings.HasPrefix(err.Error(), "open "+s.path("x")+": ") ||
					!strings.Contains(err.Error(), c.want) || errors.Is(err, ErrNotExist) {
					t.Errorf("%s: got %v; want %s", name, err, c.want)
				}
			}
			if _, err := s.Create("x", full("x")); !errors.Is(err, ErrExist) {
				t.Errorf("create: got %v, want ErrExist", err)
			}
		})
	}
}

func TestRemoveTakesEverythingAndNothingElse(t *testing.T) {
	s := newStore(t)
	l := create(t, s, "c")
	outside := t.TempDir()
	if err := os.WriteFile(outside+"/precious", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := l.Path()
	for _, err := range []error{
		os.MkdirAll(dir+"/notify/a/b/c", 0o700),
		os.WriteFile(dir+"/notify/a/file", nil, 0o400),
		os.Symlink(outside, dir+"/link"),
		os.Symlink(outside, dir+"/notify/a/b/link"),
		os.Link(outside+"/precious", dir+"/hard"),
		unix.Mkfifo(dir+"/fifo", 0o600),
		unix.Mknod(dir+"/gate", unix.S_IFSOCK|0o600, 0),
		os.WriteFile(dir+"/."+recordName+".stale", []byte("{"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range 1500 {
		if err := os.WriteFile(fmt.Sprintf("%s/notify/%d", dir, i), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Remove(); err != nil {
		t.Fatal(err)
	}
	if got := names(t, s.Root); len(got) != 0 {
		t.Errorf("left: %q", got)
	}
	if got := names(t, outside); len(got) != 1 {
		t.Errorf("behind the symlink: %q", got)
	}
}

func TestRemoveDoesNotEnterMounts(t *testing.T) {
	testutil.Root(t)
	s := newStore(t)
	create(t, s, "c").Close()
	outside := t.TempDir()
	if err := os.WriteFile(outside+"/precious", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir, file := s.path("c")+"/notify", s.path("c")+"/sock"
	if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(file, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for target, source := range map[string]string{dir: outside, file: outside + "/precious"} {
		inPrivateMounts(t, func() error {
			if err := unix.Mount(source, target, "", unix.MS_BIND, ""); err != nil {
				return err
			}
			l, err := s.Lock("c", time.Time{})
			if err != nil {
				return err
			}
			defer l.Close()
			err = l.Remove()
			if err == nil || err.Error() != "remove "+target+": something is mounted there" {
				return fmt.Errorf("got %w; want that something is mounted", err)
			}
			return os.WriteFile(file, nil, 0o600) // the other one has been removed, perhaps
		})
		os.Mkdir(dir, 0o700)
	}
	if got := names(t, outside); len(got) != 1 {
		t.Errorf("behind the mount: %q", got)
	}
	// The record is still there, so it can be tried again.
	if _, err := s.Load("c"); err != nil {
		t.Errorf("after a failed removal: %v", err)
	}
	l, err := s.Lock("c", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.Remove(); err != nil {
		t.Errorf("without the mount: %v", err)
	}
}

func TestRemoveBoundsDepth(t *testing.T) {
	s := newStore(t)
	l := create(t, s, "c")
	if err := os.MkdirAll(l.Path()+strings.Repeat("/d", maxDepth+2), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := l.Remove(); err == nil || !strings.Contains(err.Error(), "nested more than 32 deep") {
		t.Errorf("got %v", err)
	}
}

func TestIncompleteCanBeRemoved(t *testing.T) {
	s := newStore(t)
	// What a Create leaves that was killed before the record was renamed.
	if err := os.MkdirAll(s.path("c"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.path("c")+"/."+recordName+".xyz", []byte(`{"ver`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create("c", full("c")); !errors.Is(err, ErrExist) {
		t.Errorf("create: got %v, want ErrExist", err)
	}
	l, err := s.Lock("c", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := l.Load(); !errors.Is(err, ErrIncomplete) {
		t.Errorf("load: got %v, want ErrIncomplete", err)
	}
	// More than that is there only with a record: it was lost, or the directory is somebody else's.
	if err := os.WriteFile(s.path("c")+"/inside", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	want := "read " + s.path("c") + "/" + recordName + `: it is not there, but "inside" is`
	for range 2 {
		if _, err := l.Load(); err == nil || errors.Is(err, ErrNotExist) || err.Error() != want {
			t.Errorf("load: got %v, want %s", err, want)
		}
	}
	if err := l.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(s.path("c")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory is there: %v", err)
	}
}
