package launch

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// fetchPause is how long Fetch waits before it looks again.
const fetchPause = 100 * time.Microsecond

// Fetch takes the descriptor with that number out of a child that is about to
// make it, and has no other one under that number meanwhile. The caller closes
// it. It is for a descriptor that comes with a system call filter: the child
// can no longer tell of it, and the kernel tells nobody, so the child is looked
// at until it is there. That takes the right to trace the child (pidfd_getfd(2)).
func (c *Child) Fetch(number int) (int, error) {
	for {
		fd, err := unix.PidfdGetfd(c.Pidfd, number, 0)
		switch {
		case err == nil:
			return fd, nil
		case errors.Is(err, unix.EPERM):
			return -1, fmt.Errorf("fetch a descriptor of the process [it takes CAP_SYS_PTRACE]: %w", err)
		case !errors.Is(err, unix.EBADF) && !errors.Is(err, unix.ESRCH):
			return -1, fmt.Errorf("fetch a descriptor of the process: %w", err)
		}
		// A step that fails, and the end, are heard.
		pause := unix.NsecToTimespec(fetchPause.Nanoseconds())
		n, err := unix.Ppoll([]unix.PollFd{{Fd: int32(c.sync), Events: unix.POLLIN}}, &pause, nil)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return -1, fmt.Errorf("wait for a descriptor of the process: %w", err)
		}
		if n > 0 {
			e, err := c.Next()
			if err == nil {
				err = fmt.Errorf("hear from the process: event %d comes too early", e.Code)
			}
			return -1, err
		}
	}
}
