package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/plan"
)

// terminal connects the terminal of an attached container with ours.
type terminal struct {
	socket int // our end of the console socket
	master *os.File
	saved  *unix.Termios // how our own terminal was
	output chan struct{} // closed when all output has been copied
}

// newTerminal makes the console socket of an attached run. The other end goes
// to the container's init, if it has a terminal at all.
func newTerminal() (t *terminal, theirs int, err error) {
	ours, theirs, err := sys.SeqpacketPair()
	if err != nil {
		return nil, -1, err
	}
	return &terminal{socket: ours}, theirs, nil
}

func (t *terminal) attached() bool { return t != nil && t.master != nil }

// attach receives the terminal and copies between it and our standard input
// and output, which, if it is a terminal, is put into raw mode meanwhile.
func (t *terminal) attach() error {
	var buf [64]byte
	_, fds, err := sys.RecvFD(t.socket, buf[:], 1)
	if err == nil && len(fds) != 1 {
		err = errors.New("there is none in the message")
	}
	if err != nil {
		return fmt.Errorf("receive the terminal: %w", err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		sys.Close(fds[0])
		return fmt.Errorf("receive the terminal: %w", err)
	}
	t.master = os.NewFile(uintptr(fds[0]), "terminal")
	t.makeRaw()
	t.resize()
	t.output = make(chan struct{})
	go func() {
		defer close(t.output)
		copyAll(os.Stdout, t.master)
	}()
	go copyAll(t.master, os.Stdin) // ends with the process
	return nil
}

func copyAll(to, from *os.File) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if _, werr := to.Write(buf[:n]); werr != nil {
				return
			}
		}
		if err != nil { // EIO is how a terminal says that nobody has it open
			return
		}
	}
}

// drain waits until what the container wrote at its end has been copied. A
// process that holds the terminal open beyond that does not keep us.
func (t *terminal) drain() {
	if !t.attached() {
		return
	}
	select {
	case <-t.output:
	case <-time.After(time.Second):
	}
}

// sizeLikeOurs has the program's terminal made in the size of ours, so that it
// never sees another one.
func sizeLikeOurs(p *plan.Process) {
	if size, err := unix.IoctlGetWinsize(0, unix.TIOCGWINSZ); err == nil {
		p.Rows, p.Cols = size.Row, size.Col
	}
}

// resize gives the container's terminal the size that ours has.
func (t *terminal) resize() {
	size, err := unix.IoctlGetWinsize(0, unix.TIOCGWINSZ)
	if err != nil {
		return // standard input is no terminal
	}
	_ = t.control(func(fd int) error { return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, size) })
}

func (t *terminal) control(f func(fd int) error) error {
	raw, err := t.master.SyscallConn()
	if err != nil {
		return err
	}
	var ferr error
	err = raw.Control(func(fd uintptr) { ferr = f(int(fd)) })
	return errors.Join(err, ferr)
}

// makeRaw lets every key through to the container (cfmakeraw in termios(3)).
func (t *terminal) makeRaw() {
	saved, err := unix.IoctlGetTermios(0, unix.TCGETS)
	if err != nil {
		return
	}
	t.saved = saved
	raw := *saved
	raw.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	raw.Oflag &^= unix.OPOST
	raw.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	raw.Cflag &^= unix.CSIZE | unix.PARENB
	raw.Cflag |= unix.CS8
	raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
	_ = unix.IoctlSetTermios(0, unix.TCSETS, &raw)
}

func (t *terminal) close() {
	if t == nil {
		return
	}
	if t.saved != nil {
		_ = unix.IoctlSetTermios(0, unix.TCSETS, t.saved)
	}
	if t.master != nil {
		t.master.Close()
	}
	sys.Close(t.socket)
}
