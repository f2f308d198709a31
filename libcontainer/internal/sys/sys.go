// Package sys wraps the system calls that libcontainer makes over and over:
// opening relative to descriptors, atomic files, memfds that hold programs,
// descriptors over sockets, and processes that cannot be mistaken for others.
//
// It is called by launch, store, cgroup2 and libcontainer, in the parent only.
// It retries on EINTR, opens everything close-on-exec, and returns
// *fs.PathError ("open /x: permission denied"), so that errors.Is works with
// io/fs and with errnos. It must not know what a container is, and it imports
// neither os nor fmt: every command pays for this package's initialisation.
package sys

import (
	"io/fs"
	"time"

	"golang.org/x/sys/unix"
)

// CWD stands for the working directory where a directory descriptor is asked for.
const CWD = unix.AT_FDCWD

// retry calls f until it ends with something else than EINTR. The Go runtime
// installs its handlers with SA_RESTART, but that does not cover poll, nor
// signals that stop and continue the process.
func retry(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}

// fail gives err the shape `op path: cause`; nil stays nil.
func fail(op, path string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: path, Err: err}
}

// WaitReadable waits until there is something to read, the end included, or
// the deadline has passed (zero: none), and says whether it was the former.
func WaitReadable(fd int, deadline time.Time) (bool, error) {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		timeout := -1
		if !deadline.IsZero() {
			// Rounded up: a poll that returns early would spin. The kernel counts
			// in 32 bits.
			left := min(max(0, time.Until(deadline)), time.Hour)
			timeout = int((left + time.Millisecond - 1) / time.Millisecond)
		}
		n, err := unix.Poll(fds, timeout)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return false, err
		case n > 0 && fds[0].Revents&unix.POLLNVAL != 0:
			return false, unix.EBADF
		case n == 0 && time.Until(deadline) > 0:
			continue
		}
		return n > 0, nil
	}
}
