package stage

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/program"
)

// chooser decides what a generated program is like.
type chooser interface {
	IntN(n int) int // 0 to n-1
}

// generator writes programs of harmless operations whose results depend on
// nothing but the program.
type generator struct {
	chooser
	*program.Builder
	fds     []program.Cell // what calls that return descriptors keep them in
	words   []program.Cell // other cells
	buffer  program.Addr   // bytes that are read into and written from
	scratch program.Addr   // results that differ from run to run
	labels  []*program.Label
}

const bufferSize = 64

var errnos = []unix.Errno{program.OK, program.AnyErrno, unix.EBADF, unix.ENOENT, unix.EEXIST, unix.EINVAL,
	unix.EAGAIN, unix.EPROTO, unix.ESPIPE, unix.EISDIR, unix.EFAULT, unix.ENOEXEC}

func pick[T any](c chooser, list []T) T { return list[c.IntN(len(list))] }

// chance is true n times in 100.
func (g *generator) chance(n int) bool { return g.IntN(100) < n }

func (g *generator) number() uint64 {
	return pick(g, []uint64{0, 1, 2, 7, 64, 0xff, 0x1_0000_0000, ^uint64(0), ^uint64(1), 1 << 63,
		0x0123_4567_89ab_cdef, uint64(g.IntN(1 << 16))})
}

// value is a number or a cell.
func (g *generator) value() program.Arg {
	if g.chance(40) {
		return pick(g, g.words).Arg()
	}
	return program.Const(g.number())
}

// place is eight bytes that may be written to.
func (g *generator) place() program.Addr {
	switch g.IntN(4) {
	case 0:
		return g.buffer + program.Addr(g.IntN(bufferSize-8)) // aligned or not
	case 1:
		return program.Addr(pick(g, g.fds))
	}
	return program.Addr(pick(g, g.words))
}

// memory appends an operation that is not a call.
func (g *generator) memory() *program.Op {
	switch g.IntN(3) {
	case 0:
		errno := pick(g, []uintptr{0, 1, 22, 71, 4095, 4096, 1 << 40})
		mask, want := g.number(), g.number()
		if g.chance(50) {
			want &= mask
		}
		return g.Check("check", g.place(), mask, want, errno)
	case 1:
		return g.Store32("store 32", program.Addr(pick(g, g.words))+program.Addr(4*g.IntN(2)), g.value())
	}
	return g.Store64("store 64", program.Addr(pick(g, g.words)), g.value())
}

// call appends a system call that changes files and descriptors.
func (g *generator) call() *program.Op {
	fd := pick(g, g.fds).Arg()
	name := g.String(pick(g, []string{"a", "b", "c", "", "a/b", "none"})).Arg()
	n := program.Const(g.IntN(bufferSize))
	c := program.Const[int]
	switch g.IntN(13) {
	case 0, 1, 2:
		flags := pick(g, []int{unix.O_RDWR, unix.O_RDONLY, unix.O_WRONLY | unix.O_APPEND, unix.O_PATH, unix.O_DIRECTORY})
		flags |= pick(g, []int{0, unix.O_CREAT, unix.O_CREAT | unix.O_EXCL, unix.O_TRUNC, unix.O_CLOEXEC})
		return g.Call("open", unix.SYS_OPENAT, c(fdDir), name, c(flags), c(0o600)).Keep(pick(g, g.fds))
	case 3:
		return g.Call("read", unix.SYS_READ, fd, g.buffer.Arg(), n).Keep(pick(g, g.words))
	case 4, 5:
		return g.Call("write", unix.SYS_WRITE, fd, g.buffer.Arg(), n).Keep(pick(g, g.words))
	case 6:
		return g.Call("close", unix.SYS_CLOSE, fd)
	case 7:
		return g.Call("dup", unix.SYS_DUP3, fd, c(g.IntN(20)), c(pick(g, []int{0, 0, unix.O_CLOEXEC, 1}))).Keep(pick(g, g.fds))
	case 8:
		how := pick(g, []int{unix.F_GETFD, unix.F_SETFD, unix.F_GETFL, unix.F_DUPFD, unix.F_GET_SEALS, -1})
		return g.Call("fcntl", unix.SYS_FCNTL, fd, c(how), c(g.IntN(30))).Keep(pick(g, g.words))
	case 9:
		return g.Call("statx", unix.SYS_STATX, c(fdDir), name, c(pick(g, []int{0, unix.AT_EMPTY_PATH, -1})),
			c(unix.STATX_BASIC_STATS), g.scratch.Arg())
	case 10:
		// Not far: the files are read afterwards.
		to := g.IntN(200) - 20
		return g.Call("seek", unix.SYS_LSEEK, fd, c(to), c(g.IntN(4))).Keep(pick(g, g.words))
	case 11:
		// The two descriptors of a pipe are four bytes each: the kernel looks
		// at the low half of an argument only.
		pair := program.Addr(g.fds[0]) + program.Addr(4*g.IntN(2))
		return g.Call("pipe", unix.SYS_PIPE2, pair.Arg(), c(pick(g, []int{unix.O_NONBLOCK, unix.O_NONBLOCK, -1})))
	}
	return g.Call("unlink", unix.SYS_UNLINKAT, c(fdDir), name, c(0))
}

// rules gives an operation random rules, and with luck one that catches all.
func (g *generator) rules(op *program.Op) {
	if g.chance(20) {
		op.Want(int64(g.number() % 4))
	}
	n := 0
	for ; n < program.MaxRules-1 && g.chance(40); n++ {
		switch e := pick(g, errnos); g.IntN(4) {
		case 0:
			op.Again(e)
		case 1:
			l := g.Label()
			g.labels = append(g.labels, l)
			op.Skip(l, e)
		default:
			op.Ignore(e)
		}
	}
	if g.chance(90) {
		op.Ignore(program.AnyErrno)
	}
}

// generate appends up to n operations, of calls and of others.
func (g *generator) generate(n int, call func() *program.Op) {
	for range n {
		for len(g.labels) > 0 && g.chance(30) {
			i := g.IntN(len(g.labels))
			g.Here(g.labels[i])
			g.labels = append(g.labels[:i], g.labels[i+1:]...)
		}
		if g.chance(35) {
			op := g.memory()
			if g.chance(20) {
				op.Keep(pick(g, g.words))
			}
			g.rules(op)
		} else {
			g.rules(call())
		}
	}
	for _, l := range g.labels {
		g.Here(l)
	}
	g.labels = nil
}

func newGenerator(c chooser, b *program.Builder, scratch program.Addr) *generator {
	g := &generator{chooser: c, Builder: b, scratch: scratch}
	g.buffer = b.Bytes([]byte("The quick brown fox jumps over the lazy dog and does it again. ."))
	for i := range 6 {
		g.words = append(g.words, b.Cell(fmt.Sprintf("word%d", i), g.number()))
	}
	return g
}

func TestRandomPrograms(t *testing.T) {
	seeds := 300
	switch {
	case os.Getenv(emulatorEnv) != "":
		seeds = 15
	case testing.Short():
		seeds = 30
	}
	for seed := range seeds {
		s := newSubject()
		g := newGenerator(rand.New(rand.NewPCG(uint64(seed), 0)), s.Builder, s.scratch)
		for i, v := range []int{-1, fdDir, -1, -1, -1} {
			g.fds = append(g.fds, s.Cell(fmt.Sprintf("fd%d", i), uint64(v)))
		}
		s.indexBase = uint32(g.IntN(5))
		g.generate(10+g.IntN(60), g.call)
		if g.chance(50) {
			s.exit(g.IntN(256))
		}
		s.compare(t)
		if t.Failed() {
			var out strings.Builder
			if err := s.Program().Print(&out); err != nil {
				t.Error(err)
			}
			t.Fatalf("seed %d:\n%s", seed, out.String())
		}
	}
}
