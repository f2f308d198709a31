package netlink

import (
	"encoding/binary"
	"errors"
	"net"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// reply is a message as the kernel sends it.
func reply(kind, flags uint16, seq uint32, body []byte) []byte {
	m := request(kind, flags, 0)
	m = append(m, body...)
	binary.NativeEndian.PutUint16(m[6:], flags)
	binary.NativeEndian.PutUint32(m[8:], seq)
	size := len(m)
	m = append(m, make([]byte, align(size)-size)...)
	binary.NativeEndian.PutUint32(m, uint32(size))
	return m
}

func number(n int32) []byte { return binary.NativeEndian.AppendUint32(nil, uint32(n)) }

func TestReplies(t *testing.T) {
	words := message(append(number(-int32(unix.EINVAL)), make([]byte, headerSize)...)).text(unix.NLMSGERR_ATTR_MSG, "no such thing")
	for name, c := range map[string]struct {
		data []byte
		dump bool
		done bool
		got  string
		want string // the error
	}{
		"one":               {data: reply(unix.RTM_NEWLINK, 0, 7, []byte("link")), done: true, got: "link"},
		"another's":         {data: reply(unix.RTM_NEWLINK, 0, 6, []byte("link"))},
		"acknowledged":      {data: reply(unix.NLMSG_ERROR, 0, 7, append(number(0), make([]byte, headerSize)...)), done: true},
		"refused":           {data: reply(unix.NLMSG_ERROR, 0, 7, append(number(-int32(unix.EPERM)), make([]byte, headerSize)...)), done: true, want: "operation not permitted"},
		"refused in words":  {data: reply(unix.NLMSG_ERROR, unix.NLM_F_ACK_TLVS|unix.NLM_F_CAPPED, 7, words), done: true, want: "invalid argument (no such thing)"},
		"list":              {data: append(reply(unix.RTM_NEWADDR, 0, 7, []byte("abcde")), reply(unix.RTM_NEWADDR, 0, 7, []byte("f"))...), dump: true, got: "abcdef"},
		"end of a list":     {data: append(reply(unix.RTM_NEWADDR, 0, 7, []byte("a")), reply(unix.NLMSG_DONE, 0, 7, number(0))...), dump: true, done: true, got: "a"},
		"list that changed": {data: append(reply(unix.RTM_NEWADDR, unix.NLM_F_DUMP_INTR, 7, []byte("a")), reply(unix.NLMSG_DONE, 0, 7, number(0))...), dump: true, done: true, got: "a", want: "resource temporarily unavailable"},
		"cut off":           {data: reply(unix.RTM_NEWLINK, 0, 7, []byte("linklink"))[:20], done: true, want: "bad message"},
		"of no size":        {data: make([]byte, 64), done: true, want: "bad message"},
		"short error":       {data: reply(unix.NLMSG_ERROR, 0, 7, []byte("abcd")), done: true, want: "bad message"},
	} {
		conn, got := &Conn{seq: 7}, ""
		done, err := conn.replies(c.data, c.dump, func(body []byte) { got += string(body) })
		said := ""
		if err != nil {
			said = err.Error()
		}
		if done != c.done || got != c.got || said != c.want {
			t.Errorf("%s: done %v, %q, error %q; want %v, %q, %q", name, done, got, said, c.done, c.got, c.want)
		}
	}
}

// address is a struct ifaddrmsg with attributes.
func address(family, prefix, flags, scope byte, index uint32, attributes message) []byte {
	return append(binary.NativeEndian.AppendUint32([]byte{family, prefix, flags, scope}, index), attributes...)
}

func TestParseAddress(t *testing.T) {
	v4, peer, v6 := net.IPv4(192, 0, 2, 1).To4(), net.IPv4(192, 0, 2, 2).To4(), net.ParseIP("2001:db8::5").To16()
	permanent := byte(unix.IFA_F_PERMANENT)
	for name, c := range map[string]struct {
		body []byte
		want string
	}{
		"v4":           {address(unix.AF_INET, 24, permanent, 0, 3, message{}.attribute(unix.IFA_ADDRESS, v4).attribute(unix.IFA_LOCAL, v4)), "192.0.2.1/24"},
		"peer":         {address(unix.AF_INET, 32, permanent, 0, 3, message{}.attribute(unix.IFA_ADDRESS, peer).attribute(unix.IFA_LOCAL, v4)), "192.0.2.1/32"},
		"peer, behind": {address(unix.AF_INET, 32, permanent, 0, 3, message{}.attribute(unix.IFA_LOCAL, v4).attribute(unix.IFA_ADDRESS, peer)), "192.0.2.1/32"},
		"v6":           {address(unix.AF_INET6, 64, 0, 0, 3, message{}.attribute(unix.IFA_ADDRESS, v6).number(unix.IFA_FLAGS, unix.IFA_F_PERMANENT|unix.IFA_F_NOPREFIXROUTE)), "2001:0db8:0000:0000:0000:0000:0000:0005/64"},
		"temporary":    {address(unix.AF_INET6, 64, permanent, 0, 3, message{}.attribute(unix.IFA_ADDRESS, v6).number(unix.IFA_FLAGS, 0)), ""},
		"of the link":  {address(unix.AF_INET, 16, permanent, unix.RT_SCOPE_LINK, 3, message{}.attribute(unix.IFA_LOCAL, v4)), ""},
		"another's":    {address(unix.AF_INET, 16, permanent, 0, 4, message{}.attribute(unix.IFA_LOCAL, v4)), ""},
		"short":        {[]byte{unix.AF_INET, 24}, ""},
	} {
		a, ok := parseAddress(c.body, 3)
		if ok != (c.want != "") || ok && a.String() != c.want {
			t.Errorf("%s: %v, %v; want %q", name, ok, a, c.want)
		}
	}
}

// TestHost asks the host, which has lo and lets everybody look.
func TestHost(t *testing.T) {
	conn, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	if index, err := conn.Index("lo"); err != nil || index != lo.Index {
		t.Errorf("lo is %d, %v; want %d", index, err, lo.Index)
	}
	if _, err := conn.Index("no-such-link"); !errors.Is(err, unix.ENODEV) {
		t.Errorf("no such interface: %v", err)
	}
	// Its own address is of the host only.
	if list, err := conn.Addresses(lo.Index); err != nil || strings.Contains(addresses(list), "127.0.0.1") {
		t.Errorf("addresses of lo: %s, %v", addresses(list), err)
	}
}

func addresses(list []Address) string {
	var s []string
	for _, a := range list {
		s = append(s, a.String())
	}
	return strings.Join(s, " ")
}
