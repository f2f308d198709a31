package launch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
)

// Next waits for what the child has to say and returns the code of the event
// that it tells. A step that failed is a *StepError; a child that has closed
// the dialogue, by ending or by its execve, is ErrDied.
func (c *Child) Next() (event uint32, err error) {
	for {
		first, second, err := readMessage(c.sync)
		if err != nil {
			return 0, err
		}
		switch first {
		case tellEvent:
			return second, nil
		case tellPid:
			if err := c.follow(int(second)); err != nil {
				return 0, err
			}
		default:
			return 0, c.stepError(first, unix.Errno(second))
		}
	}
}

// readMessage reads the eight bytes of a message; the end of the dialogue is ErrDied.
func readMessage(fd int) (first, second uint32, err error) {
	var msg [8]byte
	n, err := sys.Read(fd, msg[:])
	switch {
	case err != nil && !errors.Is(err, unix.ECONNRESET):
		return 0, 0, fmt.Errorf("hear from the process: %w", err)
	case n == 0 || err != nil:
		return 0, 0, ErrDied
	case n != len(msg):
		return 0, 0, fmt.Errorf("hear from the process: a message of %d bytes", n)
	}
	return binary.NativeEndian.Uint32(msg[:]), binary.NativeEndian.Uint32(msg[4:]), nil
}

// ReadReport waits on a connection to a stage whose last steps are running: nil
// when it has become another program, else the step and errno that failed.
func ReadReport(conn int) (step int, errno unix.Errno, err error) {
	first, second, err := readMessage(conn)
	if errors.Is(err, ErrDied) {
		return 0, 0, nil
	}
	return int(first), unix.Errno(second), err
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
