package libcontainer

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/plan"
)

// A program that tells systemd when it is ready (sd_notify(3)) does so through
// a socket of the container's own, in a directory of its state that is bound
// into it. start listens there and tells the caller's NOTIFY_SOCKET.

const (
	notifySocket = "notify.sock"
	notifyInside = "/run/notify/" + notifySocket
	// barrierWait bounds how long a barrier of the container may take
	// (sd_notify_barrier(3)).
	barrierWait = 30 * time.Second
)

func notifyMount(dir string) plan.Mount {
	return plan.Mount{Destination: "/run/notify", Type: "bind", Source: dir,
		MountOptions: plan.MountOptions{Bind: true, Set: unix.MOUNT_ATTR_RDONLY}}
}

// notifyRelay passes readiness on.
type notifyRelay struct {
	fd   int // what the container writes to, or -1 for no relay
	host string
}

// listenForNotify makes the container's socket, if the caller has one.
func (c *container) listenForNotify() (*notifyRelay, error) {
	n := &notifyRelay{fd: -1, host: os.Getenv("NOTIFY_SOCKET")}
	if n.host == "" {
		return n, nil
	}
	dir, err := sys.Openat(c.locked.Dir(), notifyName, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, unix.ENOENT) {
		return n, nil // the container was created without one
	}
	if err != nil {
		return n, err
	}
	defer sys.Close(dir)
	if n.fd, err = sys.Listen(unix.SOCK_DGRAM, dir, notifySocket); err != nil {
		return n, err
	}
	// Any user of the container may say that it is ready.
	if err := unix.Fchmodat(dir, notifySocket, 0o777, 0); err != nil {
		n.close()
		return n, fmt.Errorf("open %s to the container: %w", notifySocket, err)
	}
	return n, nil
}

func (n *notifyRelay) close() {
	if n.fd >= 0 {
		sys.Close(n.fd)
		n.fd = -1
	}
}

// forward waits until the container says that it is ready, or has ended, and
// passes that on with the process id of its init.
func (n *notifyRelay) forward(c *container) error {
	if n.fd < 0 {
		return nil
	}
	init, err := c.openInit()
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return err
	}
	defer sys.Close(init)
	fds := []unix.PollFd{{Fd: int32(n.fd), Events: unix.POLLIN}, {Fd: int32(init), Events: unix.POLLIN}}
	buf := make([]byte, 4096)
	for {
		if _, err := unix.Poll(fds, -1); errors.Is(err, unix.EINTR) {
			continue // and what fds says is old
		} else if err != nil {
			return fmt.Errorf("wait for the container to be ready: %w", err)
		}
		if fds[0].Revents != 0 {
			size, err := unix.Read(n.fd, buf)
			if err != nil {
				return fmt.Errorf("hear whether the container is ready: %w", err)
			}
			if line, ok := readyLine(buf[:size]); ok {
				return n.pass(line, c.record.Pid)
			}
		} else if fds[1].Revents != 0 {
			return nil
		}
	}
}

// readyLine finds the line that says so.
func readyLine(message []byte) ([]byte, bool) {
	for _, line := range bytes.Split(message, []byte{'\n'}) {
		if bytes.HasPrefix(line, []byte("READY=")) {
			return line, true
		}
	}
	return nil, false
}

// pass tells the caller's socket, and waits until it has been heard.
func (n *notifyRelay) pass(ready []byte, pid int) error {
	host := n.host
	if host[0] == '@' { // an abstract address, as systemd writes it
		host = "\x00" + host[1:]
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("create a socket for %s: %w", n.host, err)
	}
	defer sys.Close(fd)
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: host}); err != nil {
		return fmt.Errorf("connect to %s: %w", n.host, err)
	}
	if err := sys.Write(fd, append(ready, '\n')); err != nil {
		return fmt.Errorf("tell %s that the container is ready: %w", n.host, err)
	}
	if err := sys.Write(fd, []byte("MAINPID="+strconv.Itoa(pid))); err != nil {
		return fmt.Errorf("tell %s the process id: %w", n.host, err)
	}
	return barrier(fd)
}

// barrier waits until the other side has read all before it: it then closes
// the descriptor that it is sent.
func barrier(fd int) error {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("make a barrier: %w", err)
	}
	defer sys.Close(pipe[0])
	err := sys.SendFD(fd, []byte("BARRIER=1"), pipe[1])
	sys.Close(pipe[1])
	if errors.Is(err, unix.ECONNREFUSED) {
		return nil // it has heard what it wanted, and has gone
	}
	if err != nil {
		return fmt.Errorf("send a barrier: %w", err)
	}
	fds := []unix.PollFd{{Fd: int32(pipe[0])}}
	for {
		_, err := unix.Poll(fds, int(barrierWait/time.Millisecond))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("wait at a barrier: %w", err)
		}
		return nil
	}
}
