package cgroup2

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/internal/testutil"
	"golang.org/x/sys/unix"
)

// deep makes cgroups below a leaf, each with a process, and returns those.
func deep(s tree, p *Pair) []*exec.Cmd {
	s.Helper()
	cmds := []*exec.Cmd{s.start(p.Leaf, "sleep", "1000")}
	for _, below := range []string{"a", "a/b", "a/b/c", "d"} {
		path := p.Leaf.Path() + "/" + below
		if err := os.Mkdir(s.mount.Path+"/"+path, 0o755); err != nil {
			s.Fatal(err)
		}
		c, err := Open(s.mount, path)
		if err != nil {
			s.Fatal(err)
		}
		cmds = append(cmds, s.start(c, "sleep", "1000"))
		c.Close()
	}
	return cmds
}

func pidsOf(cmds []*exec.Cmd) []int {
	var pids []int
	for _, cmd := range cmds {
		pids = append(pids, cmd.Process.Pid)
	}
	slices.Sort(pids)
	return pids
}

func TestProcesses(t *testing.T) {
	s := scratch(t)
	p := s.create("c1", nil)
	if pids, err := p.Container.Processes(); err != nil || len(pids) != 0 {
		t.Errorf("processes %v, %v in a new cgroup", pids, err)
	}
	if populated, err := p.Container.Populated(); err != nil || populated {
		t.Errorf("a new cgroup is populated: %v, %v", populated, err)
	}
	want := pidsOf(deep(s, p))
	got, err := p.Container.Processes()
	slices.Sort(got)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("processes %v, %v; want %v", got, err, want)
	}
	if populated, err := p.Container.Populated(); err != nil || !populated {
		t.Errorf("a cgroup with processes is populated: %v, %v", populated, err)
	}
}

// TestSignal counts that each process gets a signal once.
func TestSignal(t *testing.T) {
	s := scratch(t)
	p := s.create("c1", nil)
	cmd := exec.Command("sh", "-c", `trap 'echo usr1' USR1; trap 'echo done; exit 0' TERM; echo ready; while :; do sleep 0.05; done`)
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: p.Leaf.FD()}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Container.Kill()
		cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	expect := func(want string) {
		t.Helper()
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("the process says %q, want %q", lines.Text(), want)
		}
	}
	expect("ready")
	for range 3 {
		if err := p.Container.Signal(unix.SIGUSR1); err != nil {
			t.Fatal(err)
		}
		expect("usr1")
	}
	if err := p.Container.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	expect("done")
	if lines.Scan() {
		t.Errorf("the process also says %q", lines.Text())
	}
}

func TestKill(t *testing.T) {
	for name, kill := range map[string]func(c *Cgroup) error{
		"cgroup.kill": (*Cgroup).Kill,
		"pidfds":      func(c *Cgroup) error { return c.Signal(unix.SIGKILL) },
	} {
		t.Run(name, func(t *testing.T) {
			s := scratch(t)
			p := s.create("c1", nil)
			cmds := deep(s, p)
			if err := p.Container.Freeze(soon()); err != nil { // no protection
				t.Fatal(err)
			}
			if err := kill(p.Container); err != nil {
				t.Fatal(err)
			}
			if err := p.Container.WaitEmpty(soon()); err != nil {
				t.Fatal(err)
			}
			for _, cmd := range cmds {
				cmd.Wait()
				if status := cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGKILL {
					t.Errorf("pid %d ended as %v", cmd.Process.Pid, cmd.ProcessState)
				}
			}
			if err := kill(p.Container); err != nil {
				t.Errorf("with nobody to kill: %v", err)
			}
			if err := Remove(s.mount, s.path+"/c1", Removal{Leaf: "leaf"}); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(kill(p.Container), p.Container.WaitEmpty(soon())); err != nil {
				t.Errorf("of a removed cgroup: %v", err)
			}
			if populated, err := p.Container.Populated(); err != nil || populated {
				t.Errorf("a removed cgroup is populated: %v, %v", populated, err)
			}
		})
	}
}

// TestKillForks kills what starts processes as fast as it can.
func TestKillForks(t *testing.T) {
	for name, kill := range map[string]func(c *Cgroup) error{
		"cgroup.kill": (*Cgroup).Kill,
		"pidfds": func(c *Cgroup) error {
			if err := c.Freeze(soon()); err != nil {
				return err
			}
			return c.Signal(unix.SIGKILL)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := scratch(t)
			p := s.create("c1", nil)
			s.start(p.Leaf, "sh", "-c", "while :; do sleep 0.01 & sleep 0.01 & wait; done")
			for pids, err := p.Container.Processes(); len(pids) < 2; pids, err = p.Container.Processes() {
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := kill(p.Container); err != nil {
				t.Fatal(err)
			}
			if err := p.Container.WaitEmpty(soon()); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestThreaded(t *testing.T) {
	s := scratch(t)
	p := s.create("c1", nil)
	cmd := s.start(p.Leaf, "sleep", "1000")
	s.mkdir("c1/leaf/threads")
	if err := os.WriteFile(s.file("c1/leaf/threads/cgroup.type"), []byte("threaded"), 0); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.file("c1/leaf/threads/cgroup.threads"), []byte(itoa(cmd.Process.Pid)), 0); err != nil {
		t.Fatal(err)
	}
	if pids, err := p.Container.Processes(); err != nil || !slices.Equal(pids, []int{cmd.Process.Pid}) {
		t.Errorf("processes %v, %v, want %d", pids, err, cmd.Process.Pid)
	}
	if err := p.Container.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := Remove(s.mount, s.path+"/c1", Removal{Leaf: "leaf", Deadline: soon()}); err != nil {
		t.Fatal(err)
	}
}

// asleep waits until a process does nothing but wait.
func asleep(t *testing.T, pid int) {
	t.Helper()
	for deadline := soon(); time.Now().Before(deadline); {
		if stat, err := sys.ReadStat(pid); err == nil && stat.Comm == "sleep" && stat.State == 'S' {
			return
		}
	}
	t.Fatalf("pid %d does not come to rest", pid)
}

func TestWaitEmpty(t *testing.T) {
	s := scratch(t)
	p := s.create("c1", nil)
	if err := p.Container.WaitEmpty(time.Time{}); err != nil {
		t.Errorf("a new cgroup: %v", err)
	}
	cmd := s.start(p.Leaf, "sleep", "1000")
	asleep(t, cmd.Process.Pid)
	began := time.Now()
	err := p.Container.WaitEmpty(began.Add(50 * time.Millisecond))
	var survivors *SurvivorsError
	if !errors.As(err, &survivors) || len(survivors.Survivors) != 1 {
		t.Fatalf("error %v", err)
	}
	if waited := time.Since(began); waited < 50*time.Millisecond {
		t.Errorf("waited only %v", waited)
	}
	if got := survivors.Survivors[0]; got.Pid != cmd.Process.Pid || got.Comm != "sleep" || got.State != 'S' {
		t.Errorf("survivor %+v", got)
	}
	want := "wait for cgroup " + s.path + "/c1 to be empty: pid " + itoa(cmd.Process.Pid) + " (sleep) is in state S"
	if !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
	// The end of the last process ends a wait, with a deadline and without.
	for _, deadline := range []time.Time{soon(), {}} {
		cmd := s.start(p.Leaf, "sleep", "0.2")
		if err := p.Container.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := p.Container.WaitEmpty(deadline); err != nil {
			t.Error(err)
		}
		cmd.Wait()
	}
}

func TestSurvivorsError(t *testing.T) {
	e := &SurvivorsError{Path: "mesos/c1"}
	if want := "wait for cgroup mesos/c1 to be empty: it holds processes that are not to be seen from here"; e.Error() != want {
		t.Errorf("%v", e)
	}
	for pid := range 10 {
		e.Survivors = append(e.Survivors, Survivor{Pid: pid + 1, Comm: "x", State: 'D', Wchan: "nfs_wait"})
	}
	text := e.Error()
	if !strings.Contains(text, "pid 1 (x) is in state D in nfs_wait, pid 2 (x)") || !strings.HasSuffix(text, "pid 8 (x) is in state D in nfs_wait and 2 more") {
		t.Errorf("%v", text)
	}
}

func TestFreeze(t *testing.T) {
	s := scratch(t)
	p := s.create("c1", nil)
	s.start(p.Leaf, "sleep", "1000")
	for _, want := range []bool{true, false} {
		var err error
		if want {
			err = p.Container.Freeze(soon())
		} else {
			err = p.Container.Thaw()
		}
		if err != nil {
			t.Fatal(err)
		}
		if !want {
			if ok, err := p.Container.waitEvent("frozen", 0, soon()); err != nil || !ok {
				t.Fatalf("thawed: %v, %v", ok, err)
			}
		}
		if frozen, err := p.Container.Frozen(); err != nil || frozen != want {
			t.Errorf("frozen: %v, %v; want %v", frozen, err, want)
		}
	}
}

func TestRemove(t *testing.T) {
	s := scratch(t)
	remove := func(name string, r Removal) {
		t.Helper()
		r.Leaf = "leaf"
		if err := Remove(s.mount, s.path+"/"+name, r); err != nil {
			t.Fatal(err)
		}
	}
	s.create("root/c1", nil)
	remove("root/c1", Removal{})
	if s.exists("root/c1") || !s.exists("root") {
		t.Error("removed too little or too much")
	}
	remove("root/c1", Removal{}) // again
	remove("never/was", Removal{})

	// Half made: no leaf.
	s.mkdir("root/c2")
	remove("root/c2", Removal{})
	// Nested containers, and what was made in the leaf.
	s.create("root/c3", nil)
	s.create("root/c3/mesos/n1/mesos/n2", nil)
	s.mkdir("root/c3/leaf/x/y")
	s.mkdir("root/c3/leaf/x/z")
	remove("root/c3", Removal{})
	if s.exists("root/c2") || s.exists("root/c3") {
		t.Error("removed too little")
	}
	// Somebody else's cgroup stays, with what is in it.
	s.mkdir("root/other/sibling")
	s.create("root/other", nil)
	s.mkdir("root/other/leaf/x")
	remove("root/other", Removal{KeepContainer: true})
	if s.exists("root/other/leaf") || !s.exists("root/other/sibling") {
		t.Error("removed too little or too much")
	}
	if err := Remove(s.mount, s.path+"/../x", Removal{Leaf: "leaf"}); err == nil {
		t.Error("a bad path is removed")
	}
	if err := Remove(s.mount, s.path+"/x", Removal{}); err == nil {
		t.Error("an empty leaf is removed")
	}
}

// TestRemoveDeep removes a tree that is deeper than there may be descriptors.
func TestRemoveDeep(t *testing.T) {
	s := scratch(t)
	s.create("c1", nil)
	path := s.file("c1/leaf")
	for range 200 {
		path += "/d"
		if err := os.Mkdir(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 40, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &old)
	if err := Remove(s.mount, s.path+"/c1", Removal{Leaf: "leaf"}); err != nil {
		t.Fatal(err)
	}
	if s.exists("c1") {
		t.Error("it is still there")
	}
}

func TestRemoveBusy(t *testing.T) {
	s := scratch(t)
	p := s.create("c1", nil)
	cmds := deep(s, p)
	for _, deadline := range []time.Time{{}, time.Now().Add(20 * time.Millisecond)} {
		err := Remove(s.mount, s.path+"/c1", Removal{Leaf: "leaf", Deadline: deadline})
		var survivors *SurvivorsError
		if !errors.As(err, &survivors) || len(survivors.Survivors) != len(cmds) {
			t.Fatalf("error %v", err)
		}
		if want := "remove cgroup " + s.path + "/c1/leaf: "; !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if !s.exists("c1/leaf/a/b/c") {
		t.Error("a part of a tree in use has been removed")
	}
	// It waits for those that are ending.
	if err := p.Container.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := Remove(s.mount, s.path+"/c1", Removal{Leaf: "leaf", Deadline: soon()}); err != nil {
		t.Fatal(err)
	}
	if s.exists("c1") {
		t.Error("it is still there")
	}
}

func BenchmarkCreateRemove(b *testing.B) {
	mount, path := testutil.Cgroup2(b)
	m := Mount{Path: mount}
	for b.Loop() {
		p, err := Create(m, path+"/c", "leaf", nil, false)
		if err != nil {
			b.Fatal(err)
		}
		p.Close()
		if err := Remove(m, path+"/c", Removal{Leaf: "leaf"}); err != nil {
			b.Fatal(err)
		}
	}
}
