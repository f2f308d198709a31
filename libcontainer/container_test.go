package libcontainer

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/cgroup2"
	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/internal/testutil"
	"github.com/mesoc/mesoc/libcontainer/store"
)

func sleeper(t *testing.T, cgroup string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	if cgroup != "" {
		dir, err := os.Open(cgroup)
		if err != nil {
			t.Fatal(err)
		}
		defer dir.Close()
		cmd.SysProcAttr = &unix.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

func isRunning(t *testing.T, cmd *exec.Cmd) bool {
	t.Helper()
	stat, err := sys.ReadStat(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err) // it is our child, and not reaped
	}
	return !stat.Ended()
}

// planted is a container with that record.
func planted(t *testing.T, r *Runtime, record store.Record) *container {
	t.Helper()
	s, err := r.store()
	if err != nil {
		t.Fatal(err)
	}
	locked, err := s.Create(record.ID, record)
	if err != nil {
		t.Fatal(err)
	}
	c := &container{runtime: r, record: record, locked: locked}
	t.Cleanup(c.close)
	return c
}

// What runs of a container ends wherever it has been moved, and is waited for.
func TestDestroyEndsInitElsewhere(t *testing.T) {
	testutil.Root(t)
	cmd := sleeper(t, "")
	stat, err := sys.ReadStat(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	r := &Runtime{Root: t.TempDir()}
	c := planted(t, r, store.Record{ID: "a", Status: store.Created, Pid: cmd.Process.Pid, PidStartTime: stat.StartTime})
	if err := c.destroy(); err != nil {
		t.Fatal(err)
	}
	if isRunning(t, cmd) {
		t.Error("init still runs")
	}
	if _, err := os.Stat(r.Root + "/a"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the container's directory: %v", err)
	}
}

// A process that has init's number, or had it in another boot, is not the container's.
func TestDestroySparesStrangers(t *testing.T) {
	testutil.Root(t)
	cmd := sleeper(t, "")
	stat, err := sys.ReadStat(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	r := &Runtime{Root: t.TempDir()}
	for id, record := range map[string]store.Record{
		"time": {Pid: cmd.Process.Pid, PidStartTime: stat.StartTime + 1},
		"boot": {Pid: cmd.Process.Pid, PidStartTime: stat.StartTime, BootID: "00000000-0000-0000-0000-000000000000"},
	} {
		record.ID, record.Status = id, store.Created
		c := planted(t, r, record)
		if _, err := c.openInit(); !errors.Is(err, unix.ESRCH) {
			t.Errorf("%s: openInit: %v", id, err)
		}
		if err := c.destroy(); err != nil {
			t.Errorf("%s: %v", id, err)
		}
		if !isRunning(t, cmd) {
			t.Fatalf("%s: a stranger was killed", id)
		}
	}
}

// A create that was killed when its init stood at the gate, in a cgroup that
// was there before: what is in the leaf is ours, unless another container has
// the same cgroup.
func TestDestroyInCgroupThatWasThere(t *testing.T) {
	mount, path := testutil.Cgroup2(t)
	dir := mount + "/" + path
	for _, d := range []string{dir + "/leaf", dir + "/other"} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	init, other := sleeper(t, dir+"/leaf"), sleeper(t, dir+"/other")
	r := &Runtime{Root: t.TempDir(), CgroupsLeaf: "leaf"}
	record := store.Record{ID: "a", Status: store.Creating, Cgroup: path, CgroupLeaf: "leaf", CgroupMount: mount}
	second := record
	second.ID, second.Status = "b", store.Created
	c, d := planted(t, r, record), planted(t, r, second)
	if shares, err := c.sharesCgroup(); err != nil || !shares {
		t.Fatalf("sharesCgroup: %v, %v", shares, err)
	}
	cg, err := c.cgroup()
	if err != nil {
		t.Fatal(err)
	}
	defer cg.Close()
	if err := c.killCgroup(cg); err != nil || !isRunning(t, init) {
		t.Fatalf("what may be another container's was killed (%v)", err)
	}
	if err := d.locked.Remove(); err != nil {
		t.Fatal(err)
	}
	if err := c.destroy(); err != nil {
		t.Fatal(err)
	}
	if isRunning(t, init) {
		t.Error("the process in the leaf still runs")
	}
	if !isRunning(t, other) {
		t.Error("a process beside the leaf was killed")
	}
	if _, err := os.Stat(dir + "/leaf"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the leaf: %v", err)
	}
}

// A create that was killed when it had made the directory for nested cgroups but
// not its own in it, and a delete that was killed between the two.
func TestDestroyRemovesSeparator(t *testing.T) {
	mount, path := testutil.Cgroup2(t)
	separator := mount + "/" + path + "/" + cgroup2.Nested
	if err := os.Mkdir(separator, 0o755); err != nil {
		t.Fatal(err)
	}
	r := &Runtime{Root: t.TempDir(), CgroupsLeaf: "leaf"}
	c := planted(t, r, store.Record{
		ID: "c", Parent: "p", Status: store.Creating,
		Cgroup: path + "/" + cgroup2.Nested + "/c", CgroupLeaf: "leaf", CgroupMount: mount, CgroupMade: true,
	})
	if err := c.destroy(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(separator); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory for nested cgroups: %v", err)
	}
}

// Hooks that cannot be read do not hide what else the record says.
func TestDeleteWithUnreadableHooks(t *testing.T) {
	testutil.Root(t)
	cmd := sleeper(t, "")
	stat, err := sys.ReadStat(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	var warnings int
	r := &Runtime{Root: t.TempDir(), Warn: func(string, ...any) { warnings++ }}
	planted(t, r, store.Record{ID: "a", Status: store.Created, Pid: cmd.Process.Pid, PidStartTime: stat.StartTime, Hooks: []byte(`{"prestart":1}`)}).close()
	if err := r.Delete(t.Context(), "a", DeleteOptions{}); err == nil || !strings.Contains(err.Error(), "hooks") {
		t.Errorf("delete: %v", err)
	}
	if err := r.Delete(t.Context(), "a", DeleteOptions{Force: true}); err != nil || warnings != 1 {
		t.Errorf("delete --force: %v, %d warnings", err, warnings)
	}
	if isRunning(t, cmd) {
		t.Error("init still runs")
	}
}

// Readiness is passed on with the process id, and waits until it was heard.
func TestNotifyPass(t *testing.T) {
	host := t.TempDir() + "/notify"
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer sys.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: host}); err != nil {
		t.Fatal(err)
	}
	passed := make(chan error, 1)
	n := &notifyRelay{fd: -1, host: host}
	go func() { passed <- n.pass([]byte("READY=1"), 4711) }()
	for i, want := range []string{"READY=1\n", "MAINPID=4711", "BARRIER=1"} {
		var buf [64]byte
		size, fds, err := sys.RecvFD(fd, buf[:], 1)
		if err != nil || string(buf[:size]) != want || len(fds) != i/2 {
			t.Fatalf("message %d: %q with %d descriptors, %v; want %q", i, buf[:size], len(fds), err, want)
		}
		if i < 2 {
			continue
		}
		select {
		case err := <-passed:
			t.Errorf("the barrier was not waited for: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
		sys.Close(fds[0])
	}
	if err := <-passed; err != nil {
		t.Error(err)
	}
	n.host = "/no/such"
	if err := n.pass([]byte("READY=1"), 1); !errors.Is(err, unix.ENOENT) {
		t.Errorf("a socket that is not there: %v", err)
	}
}
