package launch

import (
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/cgroup2"
	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/internal/testutil"
	"github.com/mesoc/mesoc/libcontainer/program"
)

// supervised starts a child with a supervisor, which watches a directory that
// has files like a cgroup's. Both are gone when the test ends.
func supervised(t *testing.T, p *program.Program, fork bool) (c *Child, result *os.File) {
	t.Helper()
	testutil.Root(t)
	dir := t.TempDir()
	for _, d := range []string{"leaf", cgroup2.Nested} {
		if err := os.Mkdir(dir+"/"+d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"memory.events.local": "oom 1\n", "leaf/memory.events": "oom_kill 2\n", cgroup2.Nested + "/memory.events.local": "oom 3\n",
		"memory.max": "max\n"} {
		if err := os.WriteFile(dir+"/"+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	watched, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer watched.Close()
	result, err = os.Create(dir + "/result")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { result.Close() })
	s := spec(p)
	s.fork = fork
	s.Supervisor = &Supervisor{Cgroup: -1, Watched: int(watched.Fd()), Leaf: "leaf", Result: int(result.Fd()), Label: "test"}
	c, err = Start(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Kill()
		c.Close()
	})
	return c, result
}

// ended waits for the supervisor and returns what it has written.
func ended(t *testing.T, c *Child, result *os.File) (End, bool) {
	t.Helper()
	status, err := c.Supervisor().Wait()
	if err != nil || status.Code != 0 || status.Signal != 0 {
		t.Errorf("the supervisor ends with %+v, %v", status, err)
	}
	data, err := os.ReadFile(result.Name())
	if err != nil {
		t.Fatal(err)
	}
	return ReadEnd(data)
}

// The same with the assembly, where there is one, and its twin.
func TestSupervised(t *testing.T) {
	for _, fork := range []bool{false, true} {
		before := time.Now().Add(-time.Second)
		c, result := supervised(t, holder(), fork)
		heard(t, c, 7)
		if sys.IsChild(c.Pidfd) || !sys.IsChild(c.Supervisor().Pidfd) {
			t.Error("the child has another parent than its supervisor")
		}
		if err := c.Entrust(); err != nil {
			t.Fatal(err)
		}
		if data, err := os.ReadFile(result.Name()); err != nil || len(data) != 0 {
			t.Errorf("before the end it has written %q, %v", data, err)
		}
		if err := c.Go(); err != nil {
			t.Fatal(err)
		}
		e, ok := ended(t, c, result)
		if !ok || e.Status.Code != 5 || e.Status.Signal != 0 || e.Status.Pid != c.Pid {
			t.Errorf("fork %v: written down %+v, %v", fork, e, ok)
		}
		if e.Time.Before(before) || e.Time.After(time.Now().Add(time.Second)) {
			t.Errorf("it has ended at %v", e.Time)
		}
		if e.MemoryEvents != [...]string{"oom 1\n", "oom_kill 2\n", "oom 3\n"} || e.MemoryMax != "max\n" || e.MemoryPeak != "" {
			t.Errorf("of the files it has read %+v", e)
		}
	}
}

func TestSupervisedIsKilled(t *testing.T) {
	c, result := supervised(t, holder(), false)
	heard(t, c, 7)
	if err := c.Entrust(); err != nil {
		t.Fatal(err)
	}
	if err := c.Signal(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if e, ok := ended(t, c, result); !ok || e.Status.Signal != unix.SIGKILL {
		t.Errorf("written down %+v, %v", e, ok)
	}
}

// Before it is entrusted with the child the supervisor ends with the dialogue,
// and nothing is written down.
func TestSupervisorAlone(t *testing.T) {
	c, result := supervised(t, holder(), false)
	heard(t, c, 7)
	if err := c.LostSupervisor(); err != nil {
		t.Errorf("it lives, and is said to be lost: %v", err)
	}
	c.supervisor.Kill()
	if err := c.Entrust(); err == nil {
		t.Error("a supervisor that has ended is entrusted with a child")
	}
	if err := c.LostSupervisor(); !errors.Is(err, ErrDied) {
		t.Errorf("lost supervisor: %v", err)
	}
	if data, err := os.ReadFile(result.Name()); err != nil || len(data) != 0 {
		t.Errorf("it has written %q, %v", data, err)
	}
}

func TestReadEndOfAnotherLength(t *testing.T) {
	for _, n := range []int{0, 1, EndSize - 1, EndSize + 1} {
		if e, ok := ReadEnd(make([]byte, n)); ok {
			t.Errorf("%d bytes: %+v", n, e)
		}
	}
}
