package launch

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/internal/testutil"
	"github.com/mesoc/mesoc/libcontainer/program"
	"github.com/mesoc/mesoc/libcontainer/stage"
)

// TestMain makes the test binary the stage of the children that it starts: the
// twin, unless it was linked with -E.
func TestMain(m *testing.M) {
	if stage.IsInit(os.Args) {
		stage.Main(os.Args)
	}
	os.Exit(testutil.Main(m))
}

// write makes a program of what f writes; sync is the child's end of the dialogue.
func write(f func(b *program.Builder, sync program.Cell)) *program.Program {
	b := program.NewBuilder(program.Base)
	f(b, b.Input(program.InputSync))
	return b.Program()
}

// tell sends the parent event code.
func tell(b *program.Builder, sync program.Cell, code uint32) {
	msg := b.Space(8)
	b.PutUint32(msg, program.Tell)
	b.PutUint32(msg+4, code)
	b.Call("tell", unix.SYS_WRITE, sync.Arg(), msg.Arg(), program.Const(8)).Want(8)
}

func wait(b *program.Builder, sync program.Cell) {
	b.Call("wait", unix.SYS_READ, sync.Arg(), b.Space(8).Arg(), program.Const(1)).Want(1)
}

func exit(b *program.Builder, code int) {
	b.Call("end", unix.SYS_EXIT_GROUP, program.Const(code))
}

// holder tells event 7, waits, and ends with status 5.
func holder() *program.Program {
	return write(func(b *program.Builder, sync program.Cell) {
		tell(b, sync, 7)
		wait(b, sync)
		exit(b, 5)
	})
}

func shell(script string) *program.Program {
	return write(func(b *program.Builder, sync program.Cell) {
		b.Call("hide the dialogue", unix.SYS_FCNTL, sync.Arg(), program.Const(unix.F_SETFD), program.Const(unix.FD_CLOEXEC))
		b.Call("unblock signals", unix.SYS_RT_SIGPROCMASK, program.Const(unix.SIG_SETMASK), b.Space(8).Arg(), program.Const(0), program.Const(8))
		b.Call("exec sh", unix.SYS_EXECVE, b.String("/bin/sh").Arg(), b.Vector([]string{"sh", "-c", script}).Arg(),
			b.Vector([]string{"PATH=/bin:/usr/bin"}).Arg())
	})
}

func spec(p *program.Program) *Spec { return &Spec{Program: p, Cgroup: -1, PidNamespace: -1} }

// start starts a child that is gone when the test ends.
func start(t *testing.T, s *Spec) *Child {
	t.Helper()
	testutil.Root(t)
	c, err := Start(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Kill()
		c.Close()
		if err := unix.Kill(c.Pid, 0); err != unix.ESRCH {
			t.Errorf("signal 0 to the child that was reaped: %v", err)
		}
		if c.memory != nil {
			t.Error("the memory of a child that has ended is still mapped")
		}
	})
	return c
}

func heard(t *testing.T, c *Child, code uint32) {
	t.Helper()
	if e, err := c.Next(); err != nil || e.Code != code || e.FD != -1 {
		t.Fatalf("heard %+v, %v; want event %d", e, err, code)
	}
}

func failed(t *testing.T, c *Child, want StepError) {
	t.Helper()
	_, err := c.Next()
	var step *StepError
	if !errors.As(err, &step) || *step != want {
		t.Fatalf("Next: %#v, want %#v", err, want)
	}
	if !errors.Is(err, want.Errno) || err.Error() != want.What+": "+want.Errno.Error() {
		t.Errorf("error %q is not its errno %q", err, want.Errno)
	}
}

func TestDialogue(t *testing.T) {
	c := start(t, spec(holder()))
	heard(t, c, 7)
	if c.memory != nil {
		t.Error("the memory of the first steps is kept although the child is past its execve")
	}
	if err := c.Go(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Next(); !errors.Is(err, ErrDied) {
		t.Fatalf("Next of a child that has ended: %v", err)
	}
	if status, err := c.Wait(); err != nil || status.Code != 5 || status.Signal != 0 || status.Pid != c.Pid {
		t.Errorf("Wait: %+v, %v", status, err)
	}
	if err := c.Go(); !errors.Is(err, unix.EPIPE) {
		t.Errorf("Go to a child that has ended: %v", err)
	}
}

func TestStepFailsBeforeExec(t *testing.T) {
	const closed = 9999
	s := spec(holder())
	s.Inputs = map[string]int{"other": closed}
	c := start(t, s)
	failed(t, c, StepError{Step: -1, What: "hand descriptor 9999 over", Call: "fcntl", Errno: unix.EBADF})
	if status, err := c.Wait(); err != nil || status.Code != stage.ExitFailed {
		t.Errorf("Wait: %+v, %v", status, err)
	}
}

func TestStepFailsInStage(t *testing.T) {
	c := start(t, spec(write(func(b *program.Builder, sync program.Cell) {
		tell(b, sync, 7)
		b.Call("open the gates of dawn", unix.SYS_OPENAT, program.Const(unix.AT_FDCWD), b.String("/no/such").Arg(), program.Const(0))
	})))
	heard(t, c, 7)
	failed(t, c, StepError{Step: 1, What: "open the gates of dawn", Call: "openat", Errno: unix.ENOENT})
	if !errors.Is(&StepError{Errno: unix.ENOENT}, fs.ErrNotExist) {
		t.Error("ENOENT of a step is not fs.ErrNotExist")
	}
}

func TestExec(t *testing.T) {
	c := start(t, spec(shell("exit 9")))
	if _, err := c.Next(); !errors.Is(err, ErrDied) {
		t.Fatalf("Next of a child that has become a shell: %v", err)
	}
	if status, err := c.Wait(); err != nil || status.Code != 9 {
		t.Errorf("Wait: %+v, %v", status, err)
	}
}

func TestExecFails(t *testing.T) {
	c := start(t, spec(write(func(b *program.Builder, _ program.Cell) {
		b.Call(`exec "/no/such"`, unix.SYS_EXECVE, b.String("/no/such").Arg(), b.Vector([]string{"x"}).Arg(), b.Vector(nil).Arg())
	})))
	failed(t, c, StepError{Step: 0, What: `exec "/no/such"`, Call: "execve", Errno: unix.ENOENT})
}

func TestFault(t *testing.T) {
	for step, what := range []string{"tell", "wait", "end"} {
		s := spec(holder())
		s.Fault = &program.Fault{Step: step, Errno: unix.EDQUOT}
		c := start(t, s)
		if step > 0 {
			heard(t, c, 7)
		}
		if step > 1 {
			if err := c.Go(); err != nil {
				t.Fatal(err)
			}
		}
		failed(t, c, StepError{Step: step, What: what, Call: s.Program.CallName(step), Errno: unix.EDQUOT})
	}
	s := spec(holder())
	s.Fault = &program.Fault{Step: 99, Errno: unix.EIO}
	if c, err := Start(s); err == nil {
		c.Kill()
		c.Close()
		t.Error("a fault at a step that there is not was accepted")
	}
}

func TestKilled(t *testing.T) {
	c := start(t, spec(holder()))
	heard(t, c, 7)
	if err := sys.PidfdSignal(c.Pidfd, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Next(); !errors.Is(err, ErrDied) {
		t.Fatalf("Next of a child that was killed: %v", err)
	}
	if status, err := c.Wait(); err != nil || status.Signal != unix.SIGKILL {
		t.Errorf("Wait: %+v, %v", status, err)
	}
}

// A child that still waits in our memory, before its execve.
func TestKilledBeforeExec(t *testing.T) {
	s := spec(holder())
	s.Namespaces = unix.CLONE_NEWUSER
	c := start(t, s)
	if err := sys.PidfdSignal(c.Pidfd, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Next(); !errors.Is(err, ErrDied) {
		t.Fatalf("Next of a child that was killed: %v", err)
	}
}

// The parent's end is the end of a child that waits for its id maps.
func TestParentGone(t *testing.T) {
	s := spec(holder())
	s.Namespaces = unix.CLONE_NEWUSER
	c := start(t, s)
	sys.Close(c.sync)
	c.sync = -1
	ended, err := sys.PidfdWait(c.Pidfd, time.Now().Add(10*time.Second))
	if err != nil || !ended {
		t.Fatalf("a child whose parent has closed the dialogue: ended %v, %v", ended, err)
	}
}

func TestCgroup(t *testing.T) {
	mount, path := testutil.Cgroup2(t)
	dir, err := sys.Openat(sys.CWD, mount+"/"+path, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer sys.Close(dir)
	s := spec(holder())
	s.Cgroup = dir
	c := start(t, s)
	heard(t, c, 7)
	procs, err := os.ReadFile(mount + "/" + path + "/cgroup.procs")
	if err != nil || string(procs) != strconv.Itoa(c.Pid)+"\n" {
		t.Errorf("cgroup.procs: %q, %v; want %d", procs, err, c.Pid)
	}
}

func TestCloneFails(t *testing.T) {
	testutil.Root(t)
	null, err := sys.Openat(sys.CWD, "/dev/null", unix.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer sys.Close(null)
	s := spec(holder())
	s.Cgroup = null
	if _, err := Start(s); !errors.Is(err, unix.EBADF) || !strings.HasPrefix(err.Error(), "clone the process: ") {
		t.Errorf("a cgroup that is none: %v", err)
	}
}

func TestInputsAreKept(t *testing.T) {
	testutil.Root(t)
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer sys.Close(pipe[0])
	c := start(t, &Spec{Cgroup: -1, PidNamespace: -1, Inputs: map[string]int{"out": pipe[1]},
		Program: write(func(b *program.Builder, _ program.Cell) {
			b.Call("write", unix.SYS_WRITE, b.Input("out").Arg(), b.String("hello").Arg(), program.Const(5)).Want(5)
			exit(b, 0)
		})})
	sys.Close(pipe[1])
	buf := make([]byte, 16)
	if n, err := sys.Read(pipe[0], buf); err != nil || string(buf[:n]) != "hello" {
		t.Errorf("the child wrote %q, %v", buf[:n], err)
	}
	if _, err := c.Next(); !errors.Is(err, ErrDied) {
		t.Errorf("Next: %v", err)
	}
}

func TestReapAsReaper(t *testing.T) {
	testutil.Root(t)
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	// It ends when its orphan is gone altogether: a zombie could still be signalled.
	c := start(t, spec(shell(`p=$(sleep 0.01 >/dev/null & echo $!); while kill -0 $p 2>/dev/null; do :; done; exit 3`)))
	wait := func() (sys.ExitStatus, error) {
		for {
			if status, err := c.ReapAsReaper(); !errors.Is(err, unix.EAGAIN) {
				return status, err
			}
			time.Sleep(time.Millisecond)
		}
	}
	if status, err := wait(); err != nil || status.Code != 3 || status.Pid != c.Pid {
		t.Errorf("ReapAsReaper: %+v, %v", status, err)
	}
	c.free()
	c = start(t, spec(shell(`kill -TERM $$`)))
	if status, err := wait(); err != nil || status.Signal != unix.SIGTERM {
		t.Errorf("ReapAsReaper: %+v, %v", status, err)
	}
	c.free()
}

func TestSelfCannotBeWritten(t *testing.T) {
	testutil.Root(t)
	fd, err := openSelf()
	if err != nil {
		t.Fatal(err)
	}
	defer sys.Close(fd)
	var st unix.Statfs_t
	if err := unix.Fstatfs(fd, &st); err != nil || st.Flags&unix.ST_RDONLY == 0 {
		t.Errorf("the mount of our executable can be written: flags %#x, %v", st.Flags, err)
	}
}

func TestCopySelf(t *testing.T) {
	const self = "/proc/self/exe"
	fd, err := copySelf(self)
	if err != nil {
		t.Fatal(err)
	}
	defer sys.Close(fd)
	got, err := os.ReadFile("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(self)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("the copy has %d bytes and differs from the %d of the original, %v", len(got), len(want), err)
	}
	if _, err := unix.Pwrite(fd, []byte{0}, 0); !errors.Is(err, unix.EPERM) {
		t.Errorf("write to the copy: %v", err)
	}
}

func proc(t *testing.T, pid int, name string) string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func link(t *testing.T, pid int, name string) string {
	t.Helper()
	s, err := os.Readlink(fmt.Sprintf("/proc/%d/%s", pid, name))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func status(t *testing.T, pid int, key string) string {
	t.Helper()
	for line := range strings.Lines(proc(t, pid, "status")) {
		if rest, ok := strings.CutPrefix(line, key); ok {
			return strings.Join(strings.Fields(rest), " ")
		}
	}
	t.Fatalf("no %s in status of %d", key, pid)
	return ""
}
