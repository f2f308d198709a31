package sys

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// SeqpacketPair returns two connected sockets that keep the borders of
// messages and report the death of the other side as an end of file.
func SeqpacketPair() (a, b int, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, -1, fail("create", "socket pair", err)
	}
	return pair[0], pair[1], nil
}

// Connect returns a socket of the given type (SOCK_STREAM, …) that is
// connected to the one at path. The path may be of any length, and is always a
// path: "@x" is a file, not an abstract address.
func Connect(typ int, path string) (int, error) {
	return ConnectAt(typ, CWD, path)
}

// ConnectAt is Connect with a path relative to dirfd.
func ConnectAt(typ int, dirfd int, path string) (int, error) {
	// An address has 108 bytes for a path, so the kernel is led there by a
	// descriptor of the socket's own inode. ECONNREFUSED is what connect says
	// of a file that is no socket.
	inode, err := openat(dirfd, path, unix.O_PATH, 0)
	if err != nil {
		return -1, fail("connect to", path, err)
	}
	defer Close(inode)
	fd, err := unix.Socket(unix.AF_UNIX, typ|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fail("create socket for", path, err)
	}
	// Unlike TCP, an interrupted connect of AF_UNIX has not begun.
	err = retry(func() error { return unix.Connect(fd, &unix.SockaddrUnix{Name: fdPath(inode)}) })
	if err != nil {
		Close(fd)
		return -1, fail("connect to", path, err)
	}
	return fd, nil
}

// Listen makes a socket of the given type at name in the directory dirfd,
// which must not exist, and lets it listen if its type does that. Who may
// connect is decided by the directory's mode.
func Listen(typ int, dirfd int, name string) (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, typ|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fail("create socket for", name, err)
	}
	// bind has no dirfd either. The name itself must fit behind the prefix.
	path := name
	switch {
	case dirfd != CWD:
		path = fdPath(dirfd) + "/" + name
	case name != "" && name[0] == '@':
		path = "./" + name
	}
	if err = unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err == unix.EINVAL && len(path) > 107 {
		err = unix.ENAMETOOLONG
	}
	if err == nil && typ&0xf != unix.SOCK_DGRAM {
		err = unix.Listen(fd, 16)
	}
	if err != nil {
		Close(fd)
		return -1, fail("listen on", name, err)
	}
	return fd, nil
}

// Accept returns the next connection of a listening socket.
func Accept(fd int) (conn int, err error) {
	err = retry(func() (err error) {
		conn, _, err = unix.Accept4(fd, unix.SOCK_CLOEXEC)
		return err
	})
	if err != nil {
		return -1, err
	}
	return conn, nil
}

// SendFD sends data, of at least one byte, and the descriptors fds in one
// message. A peer that is gone is EPIPE, not a signal.
func SendFD(sock int, data []byte, fds ...int) error {
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	var sent int
	err := retry(func() (err error) {
		sent, err = unix.SendmsgN(sock, data, rights, nil, unix.MSG_NOSIGNAL)
		return err
	})
	if err != nil {
		return err
	}
	// A stream may take a part; the descriptors went with its first byte.
	for sent < len(data) {
		n, err := unix.SendmsgN(sock, data[sent:], nil, nil, unix.MSG_NOSIGNAL)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		sent += n
	}
	return nil
}

// RecvFD receives one message into buf and up to maxFDs descriptors,
// close-on-exec. n is zero when the peer is gone. More descriptors than that
// are EMSGSIZE, and none of them stays open.
func RecvFD(sock int, buf []byte, maxFDs int) (n int, fds []int, err error) {
	oob := make([]byte, unix.CmsgSpace(4*maxFDs))
	var oobn, flags int
	err = retry(func() (err error) {
		n, oobn, flags, _, err = unix.Recvmsg(sock, buf, oob, unix.MSG_CMSG_CLOEXEC)
		return err
	})
	if err != nil {
		return 0, nil, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	for i := range messages {
		rights, parseErr := unix.ParseUnixRights(&messages[i])
		if parseErr == nil {
			fds = append(fds, rights...)
		}
	}
	// CmsgSpace rounds up, so there can be room for one more than asked for.
	if err == nil && (flags&unix.MSG_CTRUNC != 0 || len(fds) > maxFDs) {
		err = unix.EMSGSIZE
	}
	if err != nil {
		for _, fd := range fds {
			Close(fd)
		}
		return 0, nil, err
	}
	return n, fds, nil
}

// fdPath is the path by which the kernel finds what fd refers to.
func fdPath(fd int) string {
	return "/proc/self/fd/" + strconv.Itoa(fd)
}
