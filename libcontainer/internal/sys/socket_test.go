package sys

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func pair(t testing.TB) (a, b int) {
	t.Helper()
	a, b, err := SeqpacketPair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { Close(a); Close(b) })
	return a, b
}

func TestSendAndReceiveDescriptors(t *testing.T) {
	a, b := pair(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if err := SendFD(a, []byte("two"), int(r.Fd()), int(w.Fd())); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 10)
	n, fds, err := RecvFD(b, buf, 2)
	if err != nil || string(buf[:n]) != "two" || len(fds) != 2 {
		t.Fatalf("got %q, %v, %v; want two descriptors", buf[:n], fds, err)
	}
	defer Close(fds[0])
	defer Close(fds[1])
	for _, fd := range fds {
		if flags, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("descriptor %d is not close-on-exec", fd)
		}
	}
	// What arrived is the same pipe.
	if err := Write(fds[1], []byte("through")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 7)
	if _, err := Read(int(r.Fd()), got); err != nil || string(got) != "through" {
		t.Errorf("got %q, %v through the pipe", got, err)
	}
}

func TestReceiveWithoutDescriptors(t *testing.T) {
	a, b := pair(t)
	if err := SendFD(a, []byte("plain")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 10)
	if n, fds, err := RecvFD(b, buf, 1); err != nil || len(fds) != 0 || string(buf[:n]) != "plain" {
		t.Errorf("got %q, %v, %v", buf[:n], fds, err)
	}
}

func TestTooManyDescriptorsAreClosed(t *testing.T) {
	for sent := 2; sent <= 5; sent++ {
		a, b := pair(t)
		fds := make([]int, sent)
		for i := range fds {
			fds[i] = a
		}
		if err := SendFD(a, []byte("x"), fds...); err != nil {
			t.Fatal(err)
		}
		before := len(names(t, "/proc/self/fd"))
		_, got, err := RecvFD(b, make([]byte, 1), 1)
		if err != unix.EMSGSIZE || got != nil {
			t.Errorf("%d descriptors: got %v, %v; want EMSGSIZE", sent, got, err)
		}
		if after := len(names(t, "/proc/self/fd")); after != before {
			t.Errorf("%d descriptors: %d open before, %d after", sent, before, after)
		}
	}
}

func TestPeerGone(t *testing.T) {
	a, b, err := SeqpacketPair()
	if err != nil {
		t.Fatal(err)
	}
	Close(a)
	defer Close(b)
	if n, _, err := RecvFD(b, make([]byte, 1), 1); n != 0 || err != nil {
		t.Errorf("receive: got %d, %v; want the end", n, err)
	}
	if err := SendFD(b, []byte("x")); err != unix.EPIPE {
		t.Errorf("send: got %v, want EPIPE", err)
	}
}

func TestSendLongMessageOverStream(t *testing.T) {
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer Close(p[1])
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	sent := make(chan error, 1)
	go func() {
		sent <- SendFD(p[0], data, p[0])
		Close(p[0])
	}()
	buf := make([]byte, len(data))
	n, fds, err := RecvFD(p[1], buf, 1)
	if err != nil || len(fds) != 1 {
		t.Fatalf("got %v, %v", fds, err)
	}
	Close(fds[0])
	m, err := Read(p[1], buf[n:])
	if err != nil || !bytes.Equal(buf[:n+m], data) {
		t.Errorf("received %d bytes, %v; want %d", n+m, err, len(data))
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

func TestListenAndConnect(t *testing.T) {
	path, dir := openDir(t)
	long := path
	for len(long) < 300 {
		long += "/" + strings.Repeat("d", 50)
	}
	if err := os.MkdirAll(long, 0o700); err != nil {
		t.Fatal(err)
	}
	longDir, err := Openat(CWD, long, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer Close(longDir)
	for _, c := range []struct {
		name string
		dir  int
		file string
		path string
	}{
		{"short", dir, "s", path + "/s"},
		{"long path", longDir, "s", long + "/s"},
		{"at sign", dir, "@s", path + "/@s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := Listen(unix.SOCK_SEQPACKET, c.dir, c.file)
			if err != nil {
				t.Fatal(err)
			}
			defer Close(l)
			if info, err := os.Lstat(c.path); err != nil || info.Mode().Type() != fs.ModeSocket {
				t.Fatalf("at %s: %v, %v; want a socket", c.path, info, err)
			}
			fd, err := Connect(unix.SOCK_SEQPACKET, c.path)
			if err != nil {
				t.Fatal(err)
			}
			defer Close(fd)
			conn, err := Accept(l)
			if err != nil {
				t.Fatal(err)
			}
			defer Close(conn)
			if err := SendFD(fd, []byte("hello")); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 10)
			if n, _, err := RecvFD(conn, buf, 0); err != nil || string(buf[:n]) != "hello" {
				t.Errorf("got %q, %v", buf[:n], err)
			}
			if _, err := Listen(unix.SOCK_SEQPACKET, c.dir, c.file); !errors.Is(err, unix.EADDRINUSE) {
				t.Errorf("a second one: got %v, want EADDRINUSE", err)
			}
		})
	}
}

// TestAtSignIsNoAbstractAddress uses a relative path, which is where x/sys
// would see an abstract address.
func TestAtSignIsNoAbstractAddress(t *testing.T) {
	t.Chdir(t.TempDir())
	l, err := Listen(unix.SOCK_STREAM, CWD, "@x")
	if err != nil {
		t.Fatal(err)
	}
	defer Close(l)
	if info, err := os.Lstat("@x"); err != nil || info.Mode().Type() != fs.ModeSocket {
		t.Fatalf("@x: %v, %v; want a socket file", info, err)
	}
	fd, err := Connect(unix.SOCK_STREAM, "@x")
	if err != nil {
		t.Fatal(err)
	}
	Close(fd)
}

func TestConnectErrors(t *testing.T) {
	path, dir := openDir(t)
	os.WriteFile(path+"/file", nil, 0o600)
	// A socket whose listener is gone, as after a crash.
	l, err := Listen(unix.SOCK_STREAM, dir, "dead")
	if err != nil {
		t.Fatal(err)
	}
	Close(l)
	for name, want := range map[string]error{"absent": unix.ENOENT, "file": unix.ECONNREFUSED, "dead": unix.ECONNREFUSED} {
		_, err := ConnectAt(unix.SOCK_STREAM, dir, name)
		if !errors.Is(err, want) || !strings.HasPrefix(err.Error(), "connect to "+name+": ") {
			t.Errorf("%s: got %v, want %v", name, err, want)
		}
	}
	if _, err := Listen(unix.SOCK_STREAM, dir, strings.Repeat("n", 120)); !errors.Is(err, unix.ENAMETOOLONG) {
		t.Errorf("a name over 100 bytes: got %v, want ENAMETOOLONG", err)
	}
}
