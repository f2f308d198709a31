package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// notification and response are struct seccomp_notif and seccomp_notif_resp
// (seccomp_unotify(2)).
type notification struct {
	id   uint64
	pid  uint32
	_    uint32
	nr   int32
	arch uint32
	ip   uint64
	args [6]uint64
}

type response struct {
	id    uint64
	value int64
	error int32
	flags uint32
}

// seccomp plays the agent of a system call filter until it is killed. Of every
// connection it appends the JSON to OUT, a line each, and then answers all that
// is notified. ANSWER is for all calls:
//
//	continue   let the kernel make the call
//	errno=N    fail it
//	value=N    pretend that it returned N; value=length: its third argument
//	close      close the listener at once
//	never      keep it, and answer nothing
//
// What was asked goes to OUT.calls: pid and number of the call, a line each.
func seccomp(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("want SOCKET OUT ANSWER")
	}
	reply, err := parseAnswer(args[2])
	if err != nil {
		return err
	}
	out, err := os.OpenFile(args[1], os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	calls, err := os.OpenFile(args[1]+".calls", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	l, err := bind(args[0])
	if err != nil {
		return err
	}
	for {
		c, err := l.AcceptUnix()
		if err != nil {
			return err
		}
		state, fd, err := listener(c)
		if err != nil {
			return err
		}
		switch args[2] {
		case "close":
			_ = unix.Close(fd)
		case "never":
		default:
			go answerAll(fd, calls, reply)
		}
		go func() { // nothing is said of a connection that is not closed
			rest, err := io.ReadAll(c)
			if err == nil {
				fmt.Fprintf(out, "%s%s\n", state, rest)
			}
			c.Close()
		}()
	}
}

// listener reads the first message of a connection, with which the one
// descriptor must come.
func listener(c *net.UnixConn) (state []byte, fd int, err error) {
	_ = c.SetDeadline(time.Now().Add(60 * time.Second))
	data, oob := make([]byte, 64<<10), make([]byte, 1024)
	n, on, _, _, err := c.ReadMsgUnix(data, oob)
	if err != nil {
		return nil, -1, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:on])
	if err != nil || len(messages) != 1 {
		return nil, -1, fmt.Errorf("%d control messages with the first: %w", len(messages), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil, -1, fmt.Errorf("%d descriptors: %w", len(fds), err)
	}
	return data[:n], fds[0], nil
}

// parseAnswer makes a function that fills in the response to a notification.
func parseAnswer(answer string) (func(*notification, *response), error) {
	what, text, _ := strings.Cut(answer, "=")
	n, _ := strconv.Atoi(text)
	switch {
	case what == "continue", what == "close", what == "never":
		return func(_ *notification, r *response) { r.flags = unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE }, nil
	case what == "errno":
		return func(_ *notification, r *response) { r.error = -int32(n) }, nil
	case answer == "value=length":
		return func(call *notification, r *response) { r.value = int64(call.args[2]) }, nil
	case what == "value":
		return func(_ *notification, r *response) { r.value = int64(n) }, nil
	}
	return nil, fmt.Errorf("unknown answer %q", answer)
}

// answerAll ends when nobody has the filter any more.
func answerAll(fd int, calls io.Writer, reply func(*notification, *response)) {
	for {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); errors.Is(err, unix.EINTR) {
			continue
		}
		if fds[0].Revents&unix.POLLIN == 0 {
			return
		}
		var call notification
		if !ask(fd, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&call)) {
			continue // the caller was killed meanwhile
		}
		fmt.Fprintf(calls, "%d %d\n", call.pid, call.nr)
		r := response{id: call.id}
		reply(&call, &r)
		ask(fd, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&r))
	}
}

func ask(fd int, request uintptr, p unsafe.Pointer) bool {
	_, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(p))
	return e == 0
}
