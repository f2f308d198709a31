package launch

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/internal/testutil"
	"github.com/mesoc/mesoc/libcontainer/program"
)

// late tells event 1, waits for the word, and then makes descriptor 100.
func late() *program.Program {
	return write(func(b *program.Builder, sync program.Cell) {
		tell(b, sync, 1)
		wait(b, sync)
		b.Call("make it", unix.SYS_DUP3, sync.Arg(), program.Const(100), program.Const(0))
		wait(b, sync)
		exit(b, 0)
	})
}

func TestFetchWaitsForTheDescriptor(t *testing.T) {
	testutil.Root(t)
	c := startLate(t, late())
	result := make(chan error)
	go func() {
		fd, err := c.Fetch(100)
		if err == nil {
			sys.Close(fd)
		}
		result <- err
	}()
	select {
	case err := <-result:
		t.Fatalf("before the child made it: %v", err)
	default:
	}
	if err := c.Go(); err != nil {
		t.Fatal(err)
	}
	if err := <-result; err != nil {
		t.Error(err)
	}
}

// A child that fails or ends instead is an error, not a wait.
func TestFetchHearsOfFailuresAndTheEnd(t *testing.T) {
	testutil.Root(t)
	c := startLate(t, write(func(b *program.Builder, sync program.Cell) {
		tell(b, sync, 1)
		wait(b, sync)
		b.Call("make it", unix.SYS_DUP3, program.Const(-1), program.Const(100), program.Const(0))
	}))
	if err := c.Go(); err != nil {
		t.Fatal(err)
	}
	var step *StepError
	if _, err := c.Fetch(100); !errors.As(err, &step) || step.What != "make it" || step.Errno != unix.EBADF {
		t.Errorf("a step that fails: %v", err)
	}
	c = startLate(t, late())
	if err := sys.PidfdSignal(c.Pidfd, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Fetch(100); !errors.Is(err, ErrDied) {
		t.Errorf("the end: %v", err)
	}
}

func TestNextBefore(t *testing.T) {
	c := startLate(t, late())
	if _, err := c.NextBefore(time.Now()); err != ErrSilent {
		t.Errorf("a child that waits: %v", err)
	}
	if err := sys.PidfdSignal(c.Pidfd, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if _, err := c.NextBefore(time.Now().Add(1 << 62)); err != ErrDied {
		t.Errorf("the end, long before the time is over: %v", err)
	}
}

// The last steps of init answer on a pipe when it has a filter that notifies.
func TestReportOnAPipe(t *testing.T) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer sys.Close(pipe[0])
	if err := sys.Write(pipe[1], message(3, uint32(unix.EACCES))); err != nil {
		t.Fatal(err)
	}
	if step, errno, err := ReadReport(pipe[0]); step != 3 || errno != unix.EACCES || err != nil {
		t.Errorf("a failure: %d, %v, %v", step, errno, err)
	}
	sys.Close(pipe[1])
	if _, errno, err := ReadReport(pipe[0]); errno != 0 || err != nil {
		t.Errorf("an execve: %v, %v", errno, err)
	}
}

func startLate(t *testing.T, p *program.Program) *Child {
	t.Helper()
	c, err := Start(&Spec{Program: p, Cgroup: -1, PidNamespace: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Kill(); c.Close() })
	heard(t, c, 1)
	return c
}
