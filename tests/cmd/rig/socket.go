package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// receive takes one connection on a socket and what is sent with it: the
// message and the descriptors. Nothing may follow but its end.
func receive(path string) ([]byte, []int, error) {
	l, err := bind(path)
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	_ = l.SetDeadline(time.Now().Add(60 * time.Second))
	c, err := l.AcceptUnix()
	if err != nil {
		return nil, nil, err
	}
	defer c.Close()
	data, oob := make([]byte, 4096), make([]byte, 1024)
	n, on, _, _, err := c.ReadMsgUnix(data, oob)
	if err != nil {
		return nil, nil, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:on])
	if err != nil {
		return nil, nil, err
	}
	var fds []int
	for _, m := range messages {
		list, err := unix.ParseUnixRights(&m)
		if err != nil {
			return nil, nil, err
		}
		fds = append(fds, list...)
	}
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	if more, err := c.Read(data[n:]); more != 0 || !errors.Is(err, io.EOF) {
		return nil, nil, fmt.Errorf("behind the message: %d bytes, %w", more, err)
	}
	return data[:n], fds, nil
}

// bind listens on a path of any length: the kernel takes 107 bytes, so the
// directory is entered first. Who sees the socket may connect: it gets its name
// when it listens.
func bind(path string) (*net.UnixListener, error) {
	if err := os.Chdir(filepath.Dir(path)); err != nil {
		return nil, err
	}
	name := filepath.Base(path)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: name + ".new", Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	return l, os.Rename(name+".new", name)
}

// console writes what it learns of the terminal to OUT.facts, so that a test
// can ask for it, and copies until the last process has closed the terminal.
func console(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("want SOCKET OUT")
	}
	out, err := os.Create(args[1])
	if err != nil {
		return err
	}
	facts, err := os.Create(args[1] + ".facts")
	if err != nil {
		return err
	}
	name, fds, err := receive(args[0])
	if err != nil {
		return err
	}
	fmt.Fprintf(facts, "bytes=%d\nname=%s\nfds=%d\n", len(name), name, len(fds))
	if len(fds) == 0 {
		return fmt.Errorf("no descriptor came with the message")
	}
	if size, err := unix.IoctlGetWinsize(fds[0], unix.TIOCGWINSZ); err == nil {
		fmt.Fprintf(facts, "size=%dx%d\n", size.Row, size.Col)
	}
	if n, err := unix.IoctlGetInt(fds[0], unix.TIOCGPTN); err == nil {
		fmt.Fprintf(facts, "pts=%d\n", n)
	}
	fmt.Fprintln(facts, "done=1")
	// Blocking descriptors: Go's poller has nothing to gain here.
	master := os.NewFile(uintptr(fds[0]), "ptmx")
	go func() { _, _ = io.Copy(master, os.Stdin) }()
	_, err = io.Copy(out, master)
	if errors.Is(err, unix.EIO) {
		return nil // how a terminal says that its other side has gone
	}
	return err
}

func pidfd(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("want SOCKET")
	}
	_, fds, err := receive(args[0])
	if err != nil {
		return err
	}
	if len(fds) != 1 {
		return fmt.Errorf("%d descriptors, want 1", len(fds))
	}
	info, err := os.ReadFile("/proc/self/fdinfo/" + strconv.Itoa(fds[0]))
	if err != nil {
		return err
	}
	for _, line := range strings.Split(string(info), "\n") {
		if pid, ok := strings.CutPrefix(line, "Pid:"); ok {
			fmt.Println(strings.TrimSpace(pid))
			return nil
		}
	}
	return fmt.Errorf("not a pidfd: %s", info)
}

// notify plays the service manager. A descriptor that comes with a datagram is
// a barrier: closing it is the answer.
func notify(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("want SOCKET OUT N")
	}
	n, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	out, err := os.OpenFile(args[1], os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: args[0], Net: "unixgram"})
	if err != nil {
		return err
	}
	_ = c.SetDeadline(time.Now().Add(60 * time.Second))
	data, oob := make([]byte, 4096), make([]byte, 1024)
	for range n {
		dn, on, _, _, err := c.ReadMsgUnix(data, oob)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s\n", strings.TrimSuffix(string(data[:dn]), "\n"))
		messages, _ := unix.ParseSocketControlMessage(oob[:on])
		for _, m := range messages {
			fds, _ := unix.ParseUnixRights(&m)
			for _, fd := range fds {
				_ = unix.Close(fd)
			}
		}
	}
	return nil
}

func send(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("want SOCKET TEXT")
	}
	c, err := net.Dial("unixgram", args[0])
	if err != nil {
		return err
	}
	_, err = c.Write([]byte(args[1]))
	return err
}

func listen(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("want SOCKET")
	}
	if _, err := bind(args[0]); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}
