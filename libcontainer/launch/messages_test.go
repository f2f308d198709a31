package launch

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/program"
)

// What a child says, said by a test; descriptors that are lost would be found
// at the end of all tests.

func pair(t *testing.T) (ours, theirs int) {
	t.Helper()
	ours, theirs, err := sys.SeqpacketPair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sys.Close(ours) })
	return ours, theirs
}

func say(t *testing.T, sock int, data []byte, fds ...int) {
	t.Helper()
	if err := sys.SendFD(sock, data, fds...); err != nil {
		t.Fatal(err)
	}
}

func message(first, second uint32) []byte {
	return binary.NativeEndian.AppendUint32(binary.NativeEndian.AppendUint32(nil, first), second)
}

func talker(sock int) *Child {
	step := func(name string) *program.Program {
		b := program.NewBuilder(program.Base)
		b.Call(name+" 0", unix.SYS_GETPID)
		b.Call(name+" 1", unix.SYS_GETPID)
		return b.Program()
	}
	return &Child{sync: sock, Pidfd: -1, program: step("stage"), prologue: step("prologue")}
}

func TestNext(t *testing.T) {
	ours, theirs := pair(t)
	c := talker(ours)
	say(t, theirs, message(program.Tell, 42))
	heard(t, c, 42)

	say(t, theirs, message(program.Tell, 43), theirs)
	e, err := c.Next()
	if err != nil || e.Code != 43 || e.FD < 0 {
		t.Fatalf("an event with a descriptor: %+v, %v", e, err)
	}
	sys.Close(e.FD)

	say(t, theirs, message(1, uint32(unix.EPERM)), theirs)
	failed(t, c, StepError{Step: 1, What: "stage 1", Call: "getpid", Errno: unix.EPERM})
	say(t, theirs, message(program.BeforeExec, uint32(unix.EPERM)))
	failed(t, c, StepError{Step: -1, What: "prologue 0", Call: "getpid", Errno: unix.EPERM})
	// What no program has must not be taken for a step of it, nor end us.
	say(t, theirs, message(77, uint32(unix.EPERM)))
	failed(t, c, StepError{Step: 77, Errno: unix.EPERM})

	say(t, theirs, []byte("abc"), theirs)
	if e, err := c.Next(); err == nil || errors.Is(err, ErrDied) || !strings.Contains(err.Error(), "3 bytes") || e.FD != -1 {
		t.Errorf("a message of three bytes: %+v, %v", e, err)
	}
	say(t, theirs, message(program.Tell, 1), theirs, theirs)
	if e, err := c.Next(); !errors.Is(err, unix.EMSGSIZE) || e.FD != -1 {
		t.Errorf("a message with two descriptors: %+v, %v", e, err)
	}
	sys.Close(theirs)
	if _, err := c.Next(); !errors.Is(err, ErrDied) {
		t.Errorf("the end of the dialogue: %v", err)
	}
}

// A child whose last message was not heard has left its end with an error.
func TestNextAfterReset(t *testing.T) {
	ours, theirs := pair(t)
	c := talker(ours)
	if err := c.Go(); err != nil {
		t.Fatal(err)
	}
	sys.Close(theirs)
	if _, err := c.Next(); !errors.Is(err, ErrDied) {
		t.Errorf("the end of a child that was not read: %v", err)
	}
}

func TestReadReport(t *testing.T) {
	ours, theirs := pair(t)
	say(t, theirs, message(3, uint32(unix.ENOEXEC)), theirs)
	if step, errno, err := ReadReport(ours); step != 3 || errno != unix.ENOEXEC || err != nil {
		t.Errorf("a step that failed: %d, %v, %v", step, errno, err)
	}
	say(t, theirs, message(program.Tell, 3), theirs)
	if _, errno, err := ReadReport(ours); errno != 3 || err != nil {
		t.Errorf("an event in place of a report: %v, %v", errno, err)
	}
	say(t, theirs, []byte("x"))
	if _, errno, err := ReadReport(ours); errno != 0 || err == nil {
		t.Errorf("a message of one byte: %v, %v", errno, err)
	}
	sys.Close(theirs)
	if step, errno, err := ReadReport(ours); step != 0 || errno != 0 || err != nil {
		t.Errorf("an execve: %d, %v, %v", step, errno, err)
	}
}

// A gate whose process dies before it has opened is no program that runs.
func TestReadReportOfNobody(t *testing.T) {
	dir, err := sys.Openat(sys.CWD, t.TempDir(), unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer sys.Close(dir)
	gate, err := sys.Listen(unix.SOCK_SEQPACKET, dir, "gate")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := sys.ConnectAt(unix.SOCK_SEQPACKET, dir, "gate")
	sys.Close(gate)
	if err != nil {
		t.Fatal(err)
	}
	defer sys.Close(conn)
	if _, errno, err := ReadReport(conn); errno != 0 || !errors.Is(err, ErrDied) {
		t.Errorf("%v, %v", errno, err)
	}
}

// The dialogue can be taken over by another child.
func TestFollow(t *testing.T) {
	first, second := start(t, spec(holder())), start(t, spec(holder()))
	heard(t, first, 7)
	heard(t, second, 7)
	old := first.Pid
	ours, theirs := pair(t)
	sync := first.sync
	first.sync = ours
	defer sys.Close(sync)
	if err := sys.PidfdSignal(first.Pidfd, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	say(t, theirs, message(program.TellPid, uint32(second.Pid)))
	say(t, theirs, message(program.Tell, 8))
	heard(t, first, 8)
	if first.Pid != second.Pid || first.Pidfd == second.Pidfd {
		t.Errorf("the child is %d (pidfd %d) after %d (pidfd %d) took over", first.Pid, first.Pidfd, second.Pid, second.Pidfd)
	}
	if err := unix.Kill(old, 0); err != unix.ESRCH {
		t.Errorf("the first process was not reaped: %v", err)
	}
	sys.Close(theirs)
	first.sync = -1 // which pair closes
}
