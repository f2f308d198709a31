package stage

import (
	"bytes"
	"io"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/program"
)

// bytesChooser chooses by the bytes of a fuzzer; zeros follow them.
type bytesChooser struct{ data []byte }

func (c *bytesChooser) IntN(n int) int {
	v := 0
	for size := n - 1; size > 0; size >>= 8 {
		v <<= 8
		if len(c.data) > 0 {
			v |= int(c.data[0])
			c.data = c.data[1:]
		}
	}
	return v % n
}

// pure appends a system call that may be made in this process: it has
// one outcome, and changes nothing but its buffer and the position in the file
// data, from where the next one does not read.
func (g *generator) pure(data int) *program.Op {
	c := program.Const[int]
	switch g.IntN(9) {
	case 0:
		return g.Call("open nothing", unix.SYS_OPENAT, c(-1), g.String("none").Arg(), c(0))
	case 1:
		return g.Call("close nothing", unix.SYS_CLOSE, c(-1))
	case 2:
		return g.Call("dup onto itself", unix.SYS_DUP3, c(data), c(data), c(0))
	case 3:
		return g.Call("pipe nowhere", unix.SYS_PIPE2, c(0), c(0))
	case 4:
		return g.Call("read", unix.SYS_PREAD64, c(data), g.buffer.Arg(), c(g.IntN(bufferSize)), c(g.IntN(100))).Keep(pick(g, g.words))
	case 5:
		return g.Call("seek", unix.SYS_LSEEK, c(data), g.value(), c(unix.SEEK_SET)).Keep(pick(g, g.words))
	case 6:
		return g.Call("seek", unix.SYS_LSEEK, pick(g, g.fds).Arg(), c(g.IntN(1000)), c(g.IntN(4))).Keep(pick(g, g.words))
	case 7:
		return g.Call("no such call", 0xffff)
	}
	return g.Call("get uid", unix.SYS_GETUID).Keep(pick(g, g.words))
}

// FuzzInterpreters runs programs in both interpreters from the same memory and
// compares what they leave there and what they report.
func FuzzInterpreters(f *testing.F) {
	needClone(f)
	f.Add([]byte("a"))
	f.Add([]byte("The first operations of a program, with a rule or two."))
	f.Add(bytes.Repeat([]byte{0, 7, 200, 3, 99, 1}, 60))
	f.Add(bytes.Repeat([]byte{0xff, 0x10, 0x80}, 100))
	data, err := os.Create(f.TempDir() + "/data")
	if err != nil {
		f.Fatal(err)
	}
	defer data.Close()
	if _, err := data.WriteString("some text to read, in a file that is read only from where a program says"); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		compareHere(t, &bytesChooser{input}, int(data.Fd()))
	})
}

func compareHere(t *testing.T, c chooser, data int) {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	defer writer.Close()
	image := share(t, int(writer.Fd()), func(b *program.Builder) {
		g := newGenerator(c, b, b.Space(8))
		for _, v := range []uint64{uint64(data), ^uint64(0), 0} {
			g.fds = append(g.fds, b.Cell("fd", v))
		}
		g.generate(1+g.IntN(40), func() *program.Op { return g.pure(data) })
	})
	initial := bytes.Clone(image.memory)

	// Programs may seek from where the file stands.
	rewind := func() {
		if _, err := unix.Seek(data, 0, unix.SEEK_SET); err != nil {
			t.Fatal(err)
		}
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	rewind()
	index, errno := run(image.at)
	report(image.at, index, errno)
	twin, twinReport := bytes.Clone(image.memory), make([]byte, 8)
	if _, err := io.ReadFull(reader, twinReport); err != nil {
		t.Fatal(err)
	}

	copy(image.memory, initial)
	rewind()
	if status := wait(t, start(t, image)); status.ExitStatus() != ExitFailed {
		t.Errorf("status %#x", status)
	}
	assemblyReport := make([]byte, 8)
	if _, err := io.ReadFull(reader, assemblyReport); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(twinReport, assemblyReport) {
		t.Errorf("assembly reports %x, twin %x", assemblyReport, twinReport)
	}
	if !bytes.Equal(twin, image.memory) {
		t.Errorf("memory differs at %s", differences(image.memory, twin))
	}
}
