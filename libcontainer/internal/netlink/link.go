package netlink

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Index finds an interface by one of its names (rtnetlink(7), RTM_GETLINK);
// ENODEV where there is none.
func (c *Conn) Index(name string) (int, error) {
	m := request(unix.RTM_GETLINK, 0, unix.SizeofIfInfomsg).text(unix.IFLA_IFNAME, name)
	index := 0
	err := c.do(m, func(body []byte) {
		if len(body) >= unix.SizeofIfInfomsg {
			index = int(int32(binary.NativeEndian.Uint32(body[4:])))
		}
	})
	if err == nil && index == 0 {
		err = unix.EBADMSG
	}
	return index, err
}

// Move moves an interface to the network namespace of a process, under a name
// that nobody has there: the kernel renames only after it has moved. What is
// not an attribute of the interface itself stays behind: addresses, routes.
func (c *Conn) Move(index, pid int, name string) error {
	return c.do(setLink(index).number(unix.IFLA_NET_NS_PID, uint32(pid)).text(unix.IFLA_IFNAME, name), nil)
}

// Up sets an interface up.
func (c *Conn) Up(index int) error {
	m := setLink(index)
	binary.NativeEndian.PutUint32(m[headerSize+8:], unix.IFF_UP)  // ifi_flags
	binary.NativeEndian.PutUint32(m[headerSize+12:], unix.IFF_UP) // ifi_change
	return c.do(m, nil)
}

// setLink begins a change of an interface.
func setLink(index int) message {
	m := request(unix.RTM_NEWLINK, unix.NLM_F_ACK, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(m[headerSize+4:], uint32(index))
	return m
}

// Address is an address of an interface, as the kernel describes it and takes
// it: prefix, flags, peer, broadcast and the like.
type Address struct {
	family, prefix byte
	local          []byte
	attributes     message
}

func (a Address) String() string {
	var s strings.Builder
	for i, b := range a.local {
		switch {
		case a.family == unix.AF_INET && i > 0:
			s.WriteByte('.')
		case a.family == unix.AF_INET6 && i > 0 && i%2 == 0:
			s.WriteByte(':')
		}
		if a.family == unix.AF_INET6 {
			fmt.Fprintf(&s, "%02x", b)
		} else {
			s.WriteString(strconv.Itoa(int(b)))
		}
	}
	return s.String() + "/" + strconv.Itoa(int(a.prefix))
}

// addressFlags are those that say what is wanted; the others say how it is.
const addressFlags = unix.IFA_F_NODAD | unix.IFA_F_HOMEADDRESS | unix.IFA_F_MANAGETEMPADDR |
	unix.IFA_F_NOPREFIXROUTE | unix.IFA_F_MCAUTOJOIN

// dumpTries is how often a list is read anew because it changed meanwhile.
const dumpTries = 16

// Addresses are the permanent addresses of global scope of an interface, in
// their order: those that somebody has set, and that mean the same elsewhere.
// Labels, which begin with the interface's name by custom, are left out.
func (c *Conn) Addresses(index int) (list []Address, err error) {
	for range dumpTries {
		list = nil
		err = c.do(request(unix.RTM_GETADDR, unix.NLM_F_DUMP, unix.SizeofIfAddrmsg), func(body []byte) {
			if a, ok := parseAddress(body, index); ok {
				list = append(list, a)
			}
		})
		if !errors.Is(err, unix.EAGAIN) {
			break
		}
	}
	return list, err
}

// parseAddress reads one reply (struct ifaddrmsg) and says whether it is an
// address of the interface that is to be kept.
func parseAddress(body []byte, index int) (Address, bool) {
	if len(body) < unix.SizeofIfAddrmsg || int(binary.NativeEndian.Uint32(body[4:])) != index {
		return Address{}, false
	}
	a := Address{family: body[0], prefix: body[1]}
	flags, scope := uint32(body[2]), body[3]
	attributes(body[unix.SizeofIfAddrmsg:], func(kind uint16, value []byte) {
		switch kind {
		case unix.IFA_FLAGS:
			if len(value) == 4 {
				flags = binary.NativeEndian.Uint32(value)
			}
			return
		case unix.IFA_LOCAL:
			a.local = bytes.Clone(value)
		case unix.IFA_ADDRESS:
			if a.local == nil { // else it is the peer's
				a.local = bytes.Clone(value)
			}
		case unix.IFA_BROADCAST, unix.IFA_CACHEINFO, unix.IFA_RT_PRIORITY:
		default:
			return
		}
		a.attributes = a.attributes.attribute(kind, value)
	})
	if flags&unix.IFA_F_PERMANENT == 0 || scope != unix.RT_SCOPE_UNIVERSE {
		return Address{}, false
	}
	if flags &= addressFlags; flags != 0 {
		a.attributes = a.attributes.number(unix.IFA_FLAGS, flags)
	}
	return a, true
}

// Add gives an interface an address.
func (c *Conn) Add(index int, a Address) error {
	m := request(unix.RTM_NEWADDR, unix.NLM_F_ACK|unix.NLM_F_CREATE|unix.NLM_F_EXCL, unix.SizeofIfAddrmsg)
	m[headerSize], m[headerSize+1] = a.family, a.prefix
	binary.NativeEndian.PutUint32(m[headerSize+4:], uint32(index))
	return c.do(append(m, a.attributes...), nil)
}
