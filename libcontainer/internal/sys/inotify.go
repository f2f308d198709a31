package sys

import (
	"encoding/binary"
	"math"

	"golang.org/x/sys/unix"
)

// Change is something that inotify(7) tells.
type Change struct {
	Watch int // what InotifyAdd returned; -1 for IN_Q_OVERFLOW
	Mask  uint32
	Name  string // of the entry in a directory; empty for the watched itself
}

// InotifyOpen returns a queue of changes, which does not block.
func InotifyOpen() (int, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err == unix.EMFILE {
		return -1, fail("open", "inotify queue", hinted{unix.EMFILE, "raise fs.inotify.max_user_instances or RLIMIT_NOFILE"})
	}
	return fd, fail("open", "inotify queue", err)
}

// InotifyAdd has changes of the file at path come to the queue. The same file
// again, under whatever path, is the same watch.
func InotifyAdd(queue int, path string, mask uint32) (watch int, err error) {
	watch, err = unix.InotifyAddWatch(queue, path, mask)
	if err == unix.ENOSPC {
		return -1, fail("watch", path, hinted{unix.ENOSPC, "raise fs.inotify.max_user_watches"})
	}
	return watch, fail("watch", path, err)
}

// InotifyRemove ends a watch. One that has ended by itself is no error.
func InotifyRemove(queue, watch int) {
	_, _ = unix.InotifyRmWatch(queue, uint32(watch))
}

// inotifyBuffer holds at least one event with the longest name.
const inotifyBuffer = 16 << 10

// InotifyRead returns the changes that have come since it was asked last, some
// of them: as long as there are more, poll(2) says so.
func InotifyRead(queue int) ([]Change, error) {
	var buf [inotifyBuffer]byte
	n, err := unix.Read(queue, buf[:])
	switch err {
	case nil:
		return parseChanges(buf[:n]), nil
	case unix.EAGAIN, unix.EINTR:
		return nil, nil
	}
	return nil, fail("read", "inotify queue", err)
}

// parseChanges takes apart what the kernel wrote: wd, mask, cookie and the
// length of the name, 32 bits each, and the name, filled up with NUL.
func parseChanges(buf []byte) []Change {
	var changes []Change
	for len(buf) >= unix.SizeofInotifyEvent {
		word := func(at int) uint32 { return binary.NativeEndian.Uint32(buf[at:]) }
		length := word(12)
		if uint64(length) > uint64(len(buf)-unix.SizeofInotifyEvent) {
			break
		}
		name := buf[unix.SizeofInotifyEvent : unix.SizeofInotifyEvent+length]
		for i, b := range name {
			if b == 0 {
				name = name[:i]
				break
			}
		}
		changes = append(changes, Change{Watch: int(int32(word(0))), Mask: word(4), Name: string(name)})
		buf = buf[unix.SizeofInotifyEvent+length:]
	}
	return changes
}

// hinted is an errno and what the operator can do about it.
type hinted struct {
	errno unix.Errno
	hint  string
}

func (h hinted) Error() string { return h.errno.Error() + " [" + h.hint + "]" }
func (h hinted) Unwrap() error { return h.errno }

// Ready waits until one of the descriptors of an epoll(7) has something, for
// so many milliseconds at most (negative: for ever), and returns the numbers that they
// were added with.
func Ready(epoll int, milliseconds int) ([]int, error) {
	var events [64]unix.EpollEvent
	n, err := unix.EpollWait(epoll, events[:], min(milliseconds, math.MaxInt32))
	if err == unix.EINTR {
		return nil, nil
	}
	if err != nil {
		return nil, fail("wait for", "events", err)
	}
	fds := make([]int, n)
	for i := range fds {
		fds[i] = int(events[i].Fd)
	}
	return fds, nil
}

// EpollAdd has Ready tell of fd when there is something to read.
func EpollAdd(epoll, fd int) error {
	return fail("watch", "descriptor", unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}))
}
