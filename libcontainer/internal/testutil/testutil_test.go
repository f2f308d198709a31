package testutil

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

func TestRequired(t *testing.T) {
	for _, c := range []struct {
		list, name string
		want       bool
	}{
		{"", "root", false},
		{"root", "root", true},
		{"cgroup2, root", "root", true},
		{"cgroup2.memory", "cgroup2", false},
		{"all", "userns", true},
		{",", "", false},
	} {
		if got := required(c.list, c.name); got != c.want {
			t.Errorf("REQUIRE=%q demands %q: %v", c.list, c.name, got)
		}
	}
}

func TestVersion(t *testing.T) {
	for s, want := range map[string][2]int{"6.18.44-fc-v657": {6, 18}, "5.14": {5, 14}, "6.1.0-13-amd64": {6, 1}, "6.1rc3": {6, 1}} {
		if major, minor, ok := version(s); !ok || [2]int{major, minor} != want {
			t.Errorf("version %q is read as %d.%d, %v", s, major, minor, ok)
		}
	}
	for _, s := range []string{"", "6", "bpf", "x.y", "6."} {
		if _, _, ok := version(s); ok {
			t.Errorf("version %q is read", s)
		}
	}
}

func TestProbe(t *testing.T) {
	if missing, known := probe("5.4"); missing != "" || !known {
		t.Errorf("a kernel of 5.4 or newer: %q, %v", missing, known)
	}
	if missing, _ := probe("99.0"); missing == "" {
		t.Error("the kernel is 99.0")
	}
	if missing, _ := probe("cgroup2.nonesuch"); missing == "" {
		t.Error("there is a controller nonesuch")
	}
	if _, known := probe("nonesuch"); known {
		t.Error("feature nonesuch is known")
	}
}

// TestLeftBehind leaves one of everything behind and looks for it.
func TestLeftBehind(t *testing.T) {
	tmp := t.TempDir()
	before := descriptors()
	if leaks := leftBehind(tmp, before); len(leaks) != 0 {
		t.Fatalf("nothing was left, but: %v", leaks)
	}
	fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	want := []string{"descriptor ", "file "}
	if err := os.WriteFile(filepath.Join(tmp, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := unix.Mount("none", tmp, "tmpfs", 0, ""); err == nil {
			defer unix.Unmount(tmp, unix.MNT_DETACH)
			if err := os.WriteFile(filepath.Join(tmp, "y"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			want = append(want, "mount ")
		}
		if noCgroup2() == "" {
			dir := filepath.Join(cgroupMount, cgroupPrefix()+"leak")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			defer unix.Rmdir(dir)
			want = append(want, "cgroup ")
		}
	}
	leaks := leftBehind(tmp, before)
	for _, w := range want {
		found := false
		for _, l := range leaks {
			found = found || strings.HasPrefix(l, w)
		}
		if !found {
			t.Errorf("no %sin %v", w, leaks)
		}
	}
}

// TestCgroup2 leaves a process in a nested cgroup to the cleanup.
func TestCgroup2(t *testing.T) {
	var dir string
	var child *os.Process
	t.Run("scratch", func(t *testing.T) {
		mount, path := Cgroup2(t)
		dir = filepath.Join(mount, path)
		if err := os.MkdirAll(filepath.Join(dir, "a/b"), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if child, err = os.StartProcess("/bin/sleep", []string{"sleep", "1000"}, &os.ProcAttr{}); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir+"/a/b/cgroup.procs", []byte(strconv.Itoa(child.Pid)), 0); err != nil {
			child.Kill()
			t.Error(err)
		}
	})
	if child == nil {
		t.Skip("no scratch cgroup")
	}
	if state, err := child.Wait(); err != nil || state.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("the process ended as %v, %v", state, err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Errorf("%s is still there", dir)
	}
}
