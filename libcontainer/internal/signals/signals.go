// Package signals lets a command wait for signals as it waits for input: each
// one that is caught becomes a byte in a pipe.
//
// os/signal does that through a goroutine with a thread of its own, and takes
// two changes of thread (50 µs) for each signal that it is asked for; to catch all
// of them would cost an attached run as much as a container. Here the handler is
// a write(2) in assembly, and to catch one is one system call.
package signals

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Last is the highest number that a signal has (SIGRTMAX).
const Last = 64

// Queue holds the signals that have come and were not asked for yet.
type Queue struct{ read int }

// Catch makes the given signals come to a queue, for as long as the process
// lives and in place of what they did before. It can be called once; children
// inherit nothing of it. More than 65536 signals that nobody asks for are lost.
func Catch(list []unix.Signal) (Queue, error) {
	if pipe != 0 {
		return Queue{}, errors.New("catch signals: they are caught already")
	}
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return Queue{}, fmt.Errorf("catch signals: %w", err)
	}
	pipe = int32(ends[1])
	for _, s := range list {
		if err := catch(s); err != nil {
			return Queue{}, fmt.Errorf("catch signal %d: %w", s, err)
		}
	}
	return Queue{ends[0]}, nil
}

// pipe is where the handler writes, which is told nothing but the signal. Zero
// as long as there is none: descriptor 0 is the caller's.
var pipe int32

// FD lends the descriptor that polls as readable when there is a signal.
func (q Queue) FD() int { return q.read }

// Next waits for a signal; 0 says that none has come before the time was over.
// A negative time has no end.
func (q Queue) Next(patience time.Duration) (unix.Signal, error) {
	for {
		var b [1]byte
		n, err := unix.Read(q.read, b[:])
		switch {
		case n == 1:
			return unix.Signal(b[0]), nil
		case !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR):
			return 0, fmt.Errorf("wait for signals: %w", err)
		}
		timeout := -1
		if patience >= 0 {
			timeout = int(patience.Milliseconds())
		}
		n, err = unix.Poll([]unix.PollFd{{Fd: int32(q.read), Events: unix.POLLIN}}, timeout)
		switch {
		case err != nil && !errors.Is(err, unix.EINTR):
			return 0, fmt.Errorf("wait for signals: %w", err)
		case err == nil && n == 0:
			return 0, nil
		}
	}
}
