package sys

import (
	"encoding/binary"
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// ExitEvents has the kernel tell how a process ends, whoever reaps it and
// however fast: what a pidfd tells from Linux 6.15 on only. It is told those
// who have CAP_NET_ADMIN in the first namespaces, if the kernel has
// CONFIG_PROC_EVENTS. A filter keeps the events of all other processes from
// waking us up.
type ExitEvents struct {
	fd  int
	pid uint32
}

// The messages of linux/connector.h and linux/cn_proc.h: a netlink header, the
// connector's, and an event or what we want.
const (
	netlinkHeader   = 16
	connectorHeader = 20
	eventAt         = netlinkHeader + connectorHeader
	exitPidAt       = eventAt + 16
	exitTgidAt      = exitPidAt + 4
	exitCodeAt      = exitTgidAt + 4

	connectorProc = 1 // CN_IDX_PROC and CN_VAL_PROC
	procListen    = 1 // PROC_CN_MCAST_LISTEN
	procIgnore    = 2 // PROC_CN_MCAST_IGNORE
	procExit      = 0x80000000
)

// How long an event may come after the pidfd, and another after that.
const (
	exitEventPatience = 200 * time.Millisecond
	exitEventSettling = 20 * time.Millisecond
)

// OpenExitEvents begins to listen. Whether anything will be told shows then only.
func OpenExitEvents(pid int) (*ExitEvents, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_CONNECTOR)
	if err != nil {
		return nil, err
	}
	e := &ExitEvents{fd, uint32(pid)}
	if err = e.filter(); err == nil {
		err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: connectorProc})
	}
	if err == nil {
		err = e.tell(procListen)
	}
	if err != nil {
		Close(fd)
		return nil, err
	}
	return e, nil
}

// Close ends it; nil is nothing to end.
func (e *ExitEvents) Close() {
	if e != nil {
		_ = e.tell(procIgnore)
		Close(e.fd)
	}
}

// filter lets nothing through but ends of threads of the process.
func (e *ExitEvents) filter() error {
	// It reads numbers in network order.
	number := func(n uint32) uint32 { return binary.BigEndian.Uint32(binary.NativeEndian.AppendUint32(nil, n)) }
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	unless := func(n uint32, skip uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: skip, K: number(n)}
	}
	prog := []unix.SockFilter{
		load(eventAt),
		unless(procExit, 3),
		load(exitTgidAt),
		unless(e.pid, 1),
		{Code: unix.BPF_RET | unix.BPF_K, K: 0xffffffff},
		{Code: unix.BPF_RET | unix.BPF_K},
	}
	return unix.SetsockoptSockFprog(e.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]})
}

func (e *ExitEvents) tell(wish uint32) error {
	var m []byte
	number := func(n uint32) { m = binary.NativeEndian.AppendUint32(m, n) }
	number(eventAt + 4)
	m = binary.NativeEndian.AppendUint16(m, unix.NLMSG_DONE)
	m = append(m, make([]byte, netlinkHeader-len(m))...)
	number(connectorProc)
	number(connectorProc)
	m = append(m, make([]byte, 8)...)
	m = binary.NativeEndian.AppendUint16(m, 4)
	m = append(m, make([]byte, eventAt-len(m))...)
	number(wish)
	return retry(func() error { return unix.Sendto(e.fd, m, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}) })
}

// Exit says how the process has ended, after its pidfd has said that it has;
// the error is ENODATA if it was not told. A first thread that has ended before
// others, and otherwise than they, leaves that open, too.
func (e *ExitEvents) Exit() (ExitStatus, error) {
	if e == nil {
		return ExitStatus{}, unix.ENODATA
	}
	var leader, last uint32
	seen := false
	for deadline := time.Now().Add(exitEventPatience); ; {
		pid, code, err := e.next()
		switch {
		case errors.Is(err, unix.EAGAIN):
			if ready, err := WaitReadable(e.fd, deadline); err != nil || !ready {
				if !seen || leader != last {
					return ExitStatus{}, unix.ENODATA
				}
				return exitStatus(unix.WaitStatus(leader)), nil
			}
			continue
		case err != nil:
			return ExitStatus{}, unix.ENODATA
		}
		if last = code; pid == e.pid {
			leader, seen = code, true
			deadline = time.Now().Add(exitEventSettling)
		}
	}
}

// next is the next thread that has ended.
func (e *ExitEvents) next() (pid, code uint32, err error) {
	var m [256]byte
	for {
		var n int
		var from unix.Sockaddr
		err := retry(func() (err error) {
			n, from, err = unix.Recvfrom(e.fd, m[:], unix.MSG_DONTWAIT)
			return err
		})
		if err != nil {
			return 0, 0, err
		}
		if sender, ok := from.(*unix.SockaddrNetlink); ok && sender.Pid == 0 && n >= exitCodeAt+4 {
			return binary.NativeEndian.Uint32(m[exitPidAt:]), binary.NativeEndian.Uint32(m[exitCodeAt:]), nil
		}
	}
}
