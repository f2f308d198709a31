package launch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
)

// Event is something that the child tells.
type Event struct {
	Code uint32
	FD   int // a descriptor that came with it, for the caller to close, or -1
}

// Next waits for what the child has to say. A step that failed is a
// *StepError; a child that has closed the dialogue, by ending or by its
// execve, is ErrDied.
func (c *Child) Next() (Event, error) {
	for {
		first, e, err := readMessage(c.sync)
		if err != nil {
			return e, err
		}
		switch first {
		case tellEvent:
			return e, nil
		case tellPid:
			if err := c.follow(int(e.Code)); err != nil {
				return e, err
			}
		default:
			return e, c.stepError(first, unix.Errno(e.Code))
		}
	}
}

// readMessage reads the eight bytes of a message; the end of the dialogue is ErrDied.
func readMessage(sock int) (first uint32, e Event, err error) {
	var msg [8]byte
	n, fds, err := sys.RecvFD(sock, msg[:], 1)
	e.FD = -1
	if len(fds) == 1 {
		e.FD = fds[0]
	}
	switch {
	case err != nil && !errors.Is(err, unix.ECONNRESET):
		return 0, e, fmt.Errorf("hear from the process: %w", err)
	case n == 0 || err != nil:
		return 0, e, ErrDied
	case n != len(msg):
		return 0, e, fmt.Errorf("hear from the process: a message of %d bytes", n)
	}
	e.Code = binary.NativeEndian.Uint32(msg[4:])
	return binary.NativeEndian.Uint32(msg[:]), e, nil
}

// ReadReport waits on a connection to a stage whose last steps are running: nil
// when it has become another program, else the step and errno that failed.
func ReadReport(conn int) (step int, errno unix.Errno, err error) {
	first, e, err := readMessage(conn)
	if errors.Is(err, ErrDied) {
		return 0, 0, nil
	}
	return int(first), unix.Errno(e.Code), err
}

func (c *Child) stepError(index uint32, errno unix.Errno) error {
	if index >= beforeExec {
		i := int(index - beforeExec)
		return &StepError{Step: -1, What: c.prologue.What(i), Errno: errno}
	}
	return &StepError{Step: int(index), What: c.program.What(int(index)), Errno: errno}
}

// follow takes note that another process goes on with the program. It is our
// child too, and cannot have been reaped, so the number is sure.
func (c *Child) follow(pid int) error {
	pidfd, err := sys.PidfdOpen(pid)
	if err != nil {
		return err
	}
	_, err = sys.PidfdReap(c.Pidfd, true)
	sys.Close(c.Pidfd)
	c.Pid, c.Pidfd = pid, pidfd
	return err
}

// Go lets a child that waits go on.
func (c *Child) Go() error {
	if err := sys.SendFD(c.sync, []byte{0}); err != nil {
		return fmt.Errorf("let the process go on: %w", err)
	}
	return nil
}

// Kill ends the child and reaps it.
func (c *Child) Kill() {
	if c.Pidfd < 0 {
		return
	}
	_ = sys.PidfdSignal(c.Pidfd, unix.SIGKILL)
	_, _ = sys.PidfdReap(c.Pidfd, true)
}

// Wait waits for the child to end and reaps it.
func (c *Child) Wait() (sys.ExitStatus, error) { return sys.PidfdReap(c.Pidfd, true) }

// WaitUntil waits for the child to end, until the deadline at most, and says
// whether it has. It does not reap.
func (c *Child) WaitUntil(deadline time.Time) (bool, error) { return sys.PidfdWait(c.Pidfd, deadline) }

// Close lets go of the child: it lives on. The memory of its first steps is
// kept until it has spoken or ended, because it may still run there.
func (c *Child) Close() {
	if c.sync >= 0 {
		sys.Close(c.sync)
		c.sync = -1
	}
	if c.Pidfd >= 0 {
		sys.Close(c.Pidfd)
		c.Pidfd = -1
	}
}
