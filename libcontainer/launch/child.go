package launch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/program"
)

// Event is something that the child tells.
type Event struct {
	Code uint32
	FD   int // a descriptor that came with it, for the caller to close, or -1
}

// Next waits for what the child has to say. A step that failed is a
// *StepError; a child that has closed the dialogue, by ending or by its
// execve, is ErrDied.
func (c *Child) Next() (Event, error) { return c.NextBefore(time.Time{}) }

// NextBefore is Next with an end to the waiting (zero: none), which is ErrSilent.
func (c *Child) NextBefore(deadline time.Time) (Event, error) {
	for {
		if !deadline.IsZero() {
			heard, err := sys.WaitReadable(c.sync, deadline)
			if err != nil {
				return Event{FD: -1}, fmt.Errorf("hear from the process: %w", err)
			}
			if !heard {
				return Event{FD: -1}, ErrSilent
			}
		}
		first, e, err := readMessage(c.sync)
		if errors.Is(err, ErrDied) || err == nil && (first < program.BeforeExec || first >= program.TellPid) {
			c.free()
		}
		if err != nil {
			return e, err
		}
		switch first {
		case program.Tell:
			return e, nil
		case program.TellPid:
			if err := c.follow(int(e.Code)); err != nil {
				return e, err
			}
		default:
			return e, c.stepError(first, unix.Errno(e.Code))
		}
	}
}

// readMessage reads the eight bytes of a message; the end of the dialogue is
// ErrDied. Only an event may bring a descriptor.
func readMessage(sock int) (first uint32, e Event, err error) {
	var msg [8]byte
	n, fds, err := sys.RecvFD(sock, msg[:], 1)
	if errors.Is(err, unix.ENOTSOCK) { // a pipe
		n, err = sys.Read(sock, msg[:])
	}
	e = Event{Code: binary.NativeEndian.Uint32(msg[4:]), FD: -1}
	first = binary.NativeEndian.Uint32(msg[:])
	switch {
	case errors.Is(err, unix.ECONNRESET):
		err = unheard{}
	case err != nil:
		err = fmt.Errorf("hear from the process: %w", err)
	case n == 0:
		err = ErrDied
	case n != len(msg):
		err = fmt.Errorf("hear from the process: a message of %d bytes", n)
	}
	for _, fd := range fds { // one at most
		if err == nil && first == program.Tell {
			e.FD = fd
		} else {
			sys.Close(fd)
		}
	}
	return first, e, err
}

// unheard is the ErrDied of a process that has not read all that was sent to it,
// or not accepted the connection.
type unheard struct{}

func (unheard) Error() string { return ErrDied.Error() }
func (unheard) Unwrap() error { return ErrDied }

// ReadReport waits on a connection to a stage whose last steps are running: nil
// when it has become another program, else the step and errno that failed, or an
// error if the stage ended before it accepted the connection.
func ReadReport(conn int) (step int, errno unix.Errno, err error) {
	first, e, err := readMessage(conn)
	switch {
	case err == unheard{}:
		return 0, 0, err
	case errors.Is(err, ErrDied):
		return 0, 0, nil
	case err != nil:
		return 0, 0, err
	case e.FD >= 0:
		sys.Close(e.FD)
	}
	return int(first), unix.Errno(e.Code), nil
}

func (c *Child) stepError(index uint32, errno unix.Errno) error {
	if index >= program.BeforeExec {
		i := int(index - program.BeforeExec)
		return &StepError{Step: -1, What: c.prologue.What(i), Call: c.prologue.CallName(i), Errno: errno}
	}
	i := int(index)
	return &StepError{Step: i, What: c.program.What(i), Call: c.program.CallName(i), Errno: errno}
}

// follow takes note that another process goes on with the program. It is our
// child too, or the supervisor's, and cannot have been reaped, so the number
// is sure.
func (c *Child) follow(pid int) error {
	pidfd, err := sys.PidfdOpen(pid)
	if err != nil {
		return err
	}
	if c.supervisor == nil {
		_, err = sys.PidfdReap(c.Pidfd, true)
	}
	sys.Close(c.Pidfd)
	c.Pid, c.Pidfd, c.followed = pid, pidfd, true
	return err
}

// Settle sees to it that Pid is the process that goes on with the program. That
// one can be faster with what it has to say than the first is with telling its
// id. It may be called when the process waits for an answer and says no more
// before it.
func (c *Child) Settle() error {
	for c.program.GoesOn() && !c.followed {
		first, e, err := readMessage(c.sync)
		switch {
		case err != nil:
			return err
		case first == program.TellPid:
			if err := c.follow(int(e.Code)); err != nil {
				return err
			}
		case first == program.Tell:
			if e.FD >= 0 {
				sys.Close(e.FD)
			}
			return fmt.Errorf("hear the process id: event %d came first", e.Code)
		default:
			return c.stepError(first, unix.Errno(e.Code))
		}
	}
	return nil
}

// Adopt takes a process for its child that others have made, with this one as
// its parent. There is no dialogue with it.
func Adopt(pid int) (*Child, error) {
	pidfd, err := sys.PidfdOpen(pid)
	if err != nil {
		return nil, err
	}
	return &Child{Pid: pid, Pidfd: pidfd, sync: -1, alone: -1}, nil
}

// Go lets a child that waits go on, and gives it the descriptors that it waits
// for.
func (c *Child) Go(fds ...int) error {
	if err := sys.SendFD(c.sync, []byte{0}, fds...); err != nil {
		return fmt.Errorf("let the process go on: %w", err)
	}
	return nil
}

// Kill ends the child, and its supervisor, and reaps what is ours.
func (c *Child) Kill() {
	if c.Pidfd >= 0 {
		_ = c.Signal(unix.SIGKILL)
		_, _ = c.Wait()
	}
	if c.supervisor != nil {
		c.supervisor.Kill()
	}
}

// Signal sends a signal to the child, while nobody reaps it. ESRCH says that it
// has been reaped.
func (c *Child) Signal(sig unix.Signal) error {
	err := sys.PidfdSignal(c.Pidfd, sig)
	if (errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM)) && sys.IsChild(c.Pidfd) {
		// Until it is reaped its number is nobody else's.
		return unix.Kill(c.Pid, sig)
	}
	return err
}

// Wait waits for the child to end and reaps it, if it is ours.
func (c *Child) Wait() (sys.ExitStatus, error) {
	if c.supervisor != nil {
		return c.lookOn()
	}
	status, err := sys.PidfdReap(c.Pidfd, true)
	if err == nil {
		c.free()
	}
	return status, err
}

// Reap reaps the child if it has ended; EAGAIN says that it has not.
func (c *Child) Reap() (sys.ExitStatus, error) {
	return sys.PidfdReap(c.Pidfd, false)
}

// ReapAsReaper is Reap for a process that adopts orphans: every other child of
// this process that has ended is reaped too.
func (c *Child) ReapAsReaper() (sys.ExitStatus, error) {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		switch {
		case errors.Is(err, unix.EINTR), err == nil && pid != 0 && pid != c.Pid:
		case err != nil:
			return sys.ExitStatus{}, err
		case pid == 0:
			return sys.ExitStatus{}, unix.EAGAIN
		case status.Signaled():
			return sys.ExitStatus{Pid: pid, Signal: status.Signal(), Core: status.CoreDump()}, nil
		default:
			return sys.ExitStatus{Pid: pid, Code: status.ExitStatus()}, nil
		}
	}
}

// free gives the memory of the child's first steps back. It may only be called
// when the child cannot run there any more: it has ended, or was heard of from
// behind its execve.
func (c *Child) free() {
	if c.memory != nil {
		_ = unix.Munmap(c.memory)
		c.memory = nil
	}
}

// WaitAlone waits until the child has memory of its own, or has ended. Until
// then it shares ours, and who runs out of its cgroup's memory takes us along.
func (c *Child) WaitAlone() error {
	if c.alone < 0 {
		return nil // it was made with memory of its own
	}
	var b [1]byte
	_, err := sys.Read(c.alone, b[:])
	sys.Close(c.alone)
	c.alone = -1
	if err != nil {
		return fmt.Errorf("wait for the process to be alone: %w", err)
	}
	return nil
}

// Close lets go of the child: it lives on. If it has neither spoken nor ended,
// the memory of its first steps stays, because it may still run there.
func (c *Child) Close() {
	if c.sync >= 0 {
		sys.Close(c.sync)
		c.sync = -1
	}
	if c.alone >= 0 {
		sys.Close(c.alone)
		c.alone = -1
	}
	if c.Pidfd >= 0 {
		sys.Close(c.Pidfd)
		c.Pidfd = -1
	}
	if c.supervisor != nil {
		c.supervisor.Close()
	}
}
