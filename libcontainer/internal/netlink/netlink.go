// Package netlink speaks rtnetlink(7), as far as it takes to move a network
// interface with its addresses from one network namespace to another.
//
// libcontainer calls it, in the parent. A Conn belongs to the network
// namespace that the thread was in when it was opened, and stays with it. The
// package knows nothing of containers. The usual library would do all this
// too, but brings the net package with it: half a megabyte, and a fifth of a
// millisecond at the start of every command.
package netlink

import (
	"encoding/binary"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
)

// Conn is a socket to the rtnetlink of one network namespace.
type Conn struct {
	fd      int
	seq     uint32
	buf     []byte
	changed bool // the list that is being read has changed meanwhile
}

// Open connects to the network namespace of the calling thread.
func Open() (*Conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	// Errors with words, and without our own message: nice to have.
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1)
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1)
	return &Conn{fd: fd, buf: make([]byte, bufferSize)}, nil
}

// Close drops the socket.
func (c *Conn) Close() error { return sys.Close(c.fd) }

// bufferSize is more than any message that is asked for here has: the kernel
// cuts dumps at 32 kB, and a single link with many virtual functions is left
// without them.
const bufferSize = 64 << 10

// message is a request being written, or a reply without its header.
type message []byte

// headerSize is that of struct nlmsghdr.
const headerSize = unix.SizeofNlMsghdr

// request begins a message with the fixed part of its kind, of some length.
func request(kind, flags uint16, fixed int) message {
	m := make(message, headerSize+fixed, 256)
	binary.NativeEndian.PutUint16(m[4:], kind)
	binary.NativeEndian.PutUint16(m[6:], flags|unix.NLM_F_REQUEST)
	return m
}

// align is how the kernel aligns messages and attributes.
func align(n int) int { return (n + unix.NLMSG_ALIGNTO - 1) &^ (unix.NLMSG_ALIGNTO - 1) }

// attribute appends one attribute (struct rtattr).
func (m message) attribute(kind uint16, value []byte) message {
	m = binary.NativeEndian.AppendUint16(m, uint16(unix.SizeofRtAttr+len(value)))
	m = binary.NativeEndian.AppendUint16(m, kind)
	m = append(m, value...)
	return append(m, make([]byte, align(len(m))-len(m))...)
}

func (m message) text(kind uint16, s string) message {
	return m.attribute(kind, append([]byte(s), 0))
}

func (m message) number(kind uint16, n uint32) message {
	return m.attribute(kind, binary.NativeEndian.AppendUint32(nil, n))
}

// attributes calls f for each attribute in b.
func attributes(b []byte, f func(kind uint16, value []byte)) {
	for len(b) >= unix.SizeofRtAttr {
		size := int(binary.NativeEndian.Uint16(b))
		if size < unix.SizeofRtAttr || size > len(b) {
			return
		}
		const flags = unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER
		f(binary.NativeEndian.Uint16(b[2:])&^flags, b[unix.SizeofRtAttr:size])
		b = b[min(align(size), len(b)):]
	}
}

// do sends a request and hands its replies, without their headers, to reply.
// An answer of the kernel's is an errno, with its words where it has some.
func (c *Conn) do(m message, reply func(body []byte)) error {
	c.seq++
	c.changed = false
	binary.NativeEndian.PutUint32(m[0:], uint32(len(m)))
	binary.NativeEndian.PutUint32(m[8:], c.seq)
	if err := unix.Sendto(c.fd, m, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	dump := binary.NativeEndian.Uint16(m[6:])&unix.NLM_F_DUMP == unix.NLM_F_DUMP
	for {
		n, _, flags, from, err := unix.Recvmsg(c.fd, c.buf, nil, 0)
		switch kernel, ok := from.(*unix.SockaddrNetlink); {
		case err == unix.EINTR:
			continue
		case err != nil:
			return err
		case flags&unix.MSG_TRUNC != 0:
			return unix.EMSGSIZE
		case !ok || kernel.Pid != 0:
			continue // somebody else's: anybody may send to a netlink socket
		}
		if done, err := c.replies(c.buf[:n], dump, reply); done {
			return err
		}
	}
}

// replies goes through what was received at once, and says whether that was
// all there is.
func (c *Conn) replies(b []byte, dump bool, reply func(body []byte)) (done bool, err error) {
	for len(b) >= headerSize {
		size := int(binary.NativeEndian.Uint32(b))
		if size < headerSize || size > len(b) {
			return true, unix.EBADMSG
		}
		kind, flags := binary.NativeEndian.Uint16(b[4:]), binary.NativeEndian.Uint16(b[6:])
		seq, body := binary.NativeEndian.Uint32(b[8:]), b[headerSize:size]
		b = b[min(align(size), len(b)):]
		if seq != c.seq {
			continue
		}
		c.changed = c.changed || flags&unix.NLM_F_DUMP_INTR != 0
		switch {
		case kind == unix.NLMSG_ERROR:
			return true, answer(body, flags)
		case kind == unix.NLMSG_DONE && c.changed:
			return true, unix.EAGAIN
		case kind == unix.NLMSG_DONE:
			return true, nil
		case reply != nil:
			reply(body)
		}
		if !dump && reply != nil {
			return true, nil
		}
	}
	return false, nil
}

// answer is the errno of an acknowledgement, and the words that come with it
// (NETLINK_EXT_ACK).
func answer(body []byte, flags uint16) error {
	const errnoSize = 4
	if len(body) < unix.SizeofNlMsgerr {
		return unix.EBADMSG
	}
	errno := unix.Errno(-int32(binary.NativeEndian.Uint32(body)))
	if errno == 0 {
		return nil
	}
	var err error = errno
	if flags&unix.NLM_F_ACK_TLVS != 0 {
		rest := body[unix.SizeofNlMsgerr:]
		if flags&unix.NLM_F_CAPPED == 0 { // our own message comes first
			rest = body[min(errnoSize+align(int(binary.NativeEndian.Uint32(body[errnoSize:]))), len(body)):]
		}
		attributes(rest, func(kind uint16, value []byte) {
			if kind == unix.NLMSGERR_ATTR_MSG {
				err = fmt.Errorf("%w (%s)", errno, text(value))
			}
		})
	}
	return err
}

// text is a string of the kernel's without its NUL.
func text(value []byte) string { return strings.TrimRight(string(value), "\x00") }
