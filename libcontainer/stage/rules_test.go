package stage

import (
	"encoding/binary"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/program"
)

// marked is what a cell holds that nothing was kept in.
const marked = 0xdead_beef_0123_4567

// call appends a call; it fails with e if that is not 0, and returns r otherwise.
func (s *subject) call(r int, e unix.Errno) *program.Op {
	switch e {
	case 0:
		return s.Call("seek", unix.SYS_LSEEK, s.data.Arg(), program.Const(r), program.Const(unix.SEEK_SET))
	case unix.ENOENT:
		return s.Call("open nothing", unix.SYS_OPENAT, program.Const(fdDir), s.String("none").Arg(), program.Const(0))
	case unix.EBADF:
		return s.Call("close nothing", unix.SYS_CLOSE, program.Const(-1))
	}
	panic(e)
}

// makeData makes a file named data, empty and open to read and write.
func (s *subject) makeData() {
	s.data = s.Cell("data", 0)
	s.Call("create data", unix.SYS_OPENAT, program.Const(fdDir), s.String("data").Arg(),
		program.Const(unix.O_CREAT|unix.O_RDWR), program.Const(0o600)).Keep(s.data)
}

// append appends a letter to the data file: a trace of what was run.
func (s *subject) append(letter string) *program.Op {
	return s.Call("append "+letter, unix.SYS_WRITE, s.data.Arg(), s.String(letter).Arg(), program.Const(1))
}

// outcome is what a program is expected to do.
type outcome struct {
	exit  int
	index int // of the failing operation, counted from the first of the test's own
	errno unix.Errno
	trace string  // contents of the data file
	cell  *uint64 // what the cell "kept" holds, if not what it was made with
}

// ruleTests are programs and what the documentation says that they do.
var ruleTests = map[string]struct {
	build func(s *subject, kept program.Cell)
	want  outcome
}{
	"success goes on": {func(s *subject, kept program.Cell) {
		s.call(7, 0).Keep(kept)
		s.append("a")
		s.exit(3)
	}, outcome{exit: 3, trace: "\x00\x00\x00\x00\x00\x00\x00a", cell: new(uint64(7))}},
	"failure without rule": {func(s *subject, kept program.Cell) {
		s.append("a")
		s.call(0, unix.ENOENT).Keep(kept)
		s.append("b")
	}, outcome{index: 1, errno: unix.ENOENT, trace: "a"}},
	"ignore": {func(s *subject, kept program.Cell) {
		s.call(0, unix.ENOENT).Keep(kept).Ignore(unix.EBADF, unix.ENOENT)
		s.append("b")
		s.exit(0)
	}, outcome{exit: 0, trace: "b"}},
	"ignore another": {func(s *subject, _ program.Cell) {
		s.call(0, unix.ENOENT).Ignore(unix.EBADF, unix.EEXIST)
	}, outcome{index: 0, errno: unix.ENOENT}},
	"ignore any": {func(s *subject, _ program.Cell) {
		s.call(0, unix.ENOENT).Ignore(program.AnyErrno)
		s.call(0, unix.EBADF).Ignore(program.AnyErrno)
		s.append("a")
		s.exit(2)
	}, outcome{exit: 2, trace: "a"}},
	"any is not success": {func(s *subject, _ program.Cell) {
		l := s.Label()
		s.append("a").Skip(l, program.AnyErrno)
		s.append("b")
		s.Here(l)
		s.exit(0)
	}, outcome{trace: "ab"}},
	"first rule wins": {func(s *subject, _ program.Cell) {
		l := s.Label()
		s.call(0, unix.ENOENT).Ignore(unix.ENOENT).Skip(l, program.AnyErrno)
		s.append("a")
		s.call(0, unix.ENOENT).Skip(l, program.AnyErrno).Ignore(unix.ENOENT)
		s.append("b")
		s.Here(l)
		s.append("c")
		s.exit(0)
	}, outcome{trace: "ac"}},
	"sixth rule": {func(s *subject, _ program.Cell) {
		s.call(0, unix.ENOENT).Ignore(unix.EBADF, unix.EIO, unix.EEXIST, unix.EPERM, program.OK, unix.ENOENT)
		s.append("a")
		s.exit(0)
	}, outcome{trace: "a"}},
	"skip": {func(s *subject, _ program.Cell) {
		l := s.Label()
		s.call(0, unix.ENOENT).Skip(l, unix.ENOENT)
		s.append("a")
		s.append("b")
		s.Here(l)
		s.append("c")
		s.exit(0)
	}, outcome{trace: "c"}},
	"skip to the next": {func(s *subject, _ program.Cell) {
		l := s.Label()
		s.call(0, unix.ENOENT).Skip(l, unix.ENOENT)
		s.Here(l)
		s.append("a")
		s.exit(0)
	}, outcome{trace: "a"}},
	"skip to the end": {func(s *subject, _ program.Cell) {
		l := s.Label()
		s.call(0, unix.ENOENT).Skip(l, unix.ENOENT)
		s.append("a")
		s.Here(l)
	}, outcome{index: 2, errno: unix.ENOEXEC}},
	"skip on success": {func(s *subject, kept program.Cell) {
		l := s.Label()
		s.call(0, 0).Keep(kept).Skip(l, program.OK)
		s.append("a")
		s.Here(l)
		s.append("b")
		s.exit(0)
	}, outcome{trace: "b", cell: new(uint64(0))}},
	"skip on success is not for failures": {func(s *subject, _ program.Cell) {
		l := s.Label()
		s.call(0, unix.ENOENT).Skip(l, program.OK)
		s.append("a")
		s.Here(l)
	}, outcome{index: 0, errno: unix.ENOENT}},
	"again is bounded": {func(s *subject, kept program.Cell) {
		s.append("a").Want(2).Again(unix.EPROTO).Keep(kept)
	}, outcome{index: 0, errno: unix.EPROTO, trace: strings.Repeat("a", 1+program.MaxAgain)}},
	"again is counted anew": {func(s *subject, _ program.Cell) {
		s.truncate(100)
		s.call(0, 0)
		s.readOne().Want(0).Again(unix.EPROTO)
		s.call(0, 0)
		s.readOne().Want(0).Again(unix.EPROTO)
		s.truncate(0)
		s.exit(4)
	}, outcome{exit: 4}},
	"again the last time": {func(s *subject, kept program.Cell) {
		s.truncate(program.MaxAgain)
		s.readOne().Want(0).Again(unix.EPROTO).Keep(kept)
		s.truncate(0)
		s.exit(4)
	}, outcome{exit: 4, cell: new(uint64(0))}},
	"again once too often": {func(s *subject, _ program.Cell) {
		s.truncate(program.MaxAgain + 1)
		s.readOne().Want(0).Again(unix.EPROTO)
	}, outcome{index: 1, errno: unix.EPROTO, trace: strings.Repeat("\x00", program.MaxAgain+1)}},
	"want": {func(s *subject, kept program.Cell) {
		s.call(9, 0).Want(9).Keep(kept)
		s.exit(1)
	}, outcome{exit: 1, cell: new(uint64(9))}},
	"want something else": {func(s *subject, kept program.Cell) {
		s.call(9, 0).Want(8).Keep(kept)
	}, outcome{index: 0, errno: unix.EPROTO}},
	"want all of 64 bits": {func(s *subject, kept program.Cell) {
		s.call(9, 0).Want(9 + 1<<32).Keep(kept)
	}, outcome{index: 0, errno: unix.EPROTO}},
	"want something else, ignored": {func(s *subject, kept program.Cell) {
		s.call(9, 0).Want(-1).Keep(kept).Ignore(unix.EPROTO)
		s.exit(0)
	}, outcome{}},
	"want is not for failures": {func(s *subject, _ program.Cell) {
		s.call(0, unix.ENOENT).Want(0)
	}, outcome{index: 0, errno: unix.ENOENT}},
	"keep before success is skipped": {func(s *subject, kept program.Cell) {
		l := s.Label()
		s.call(5, 0).Keep(kept).Skip(l, program.OK)
		s.Here(l)
		s.exit(0)
	}, outcome{cell: new(uint64(5))}},
	"check": {func(s *subject, kept program.Cell) {
		s.Check("all", program.Addr(kept), ^uint64(0), marked, uintptr(unix.EIO))
		s.Check("part", program.Addr(kept), 0xff00, 0x4500, uintptr(unix.EIO))
		s.Check("part", program.Addr(kept), 0xff00, 0x4600, uintptr(unix.ENODEV))
	}, outcome{index: 2, errno: unix.ENODEV}},
	"check, ignored": {func(s *subject, kept program.Cell) {
		s.Check("part", program.Addr(kept), 0, 1, uintptr(unix.ENODEV)).Ignore(unix.ENODEV)
		s.append("a")
		s.exit(0)
	}, outcome{trace: "a"}},
	"check keeps 0": {func(s *subject, kept program.Cell) {
		s.Check("all", program.Addr(kept), ^uint64(0), marked, uintptr(unix.EIO)).Keep(kept)
		s.exit(0)
	}, outcome{cell: new(uint64(0))}},
	"largest errno": {func(s *subject, kept program.Cell) {
		s.Check("never", program.Addr(kept), 0, 1, 4095).Keep(kept)
	}, outcome{index: 0, errno: 4095}},
	"beyond the largest errno": {func(s *subject, kept program.Cell) {
		s.Check("never", program.Addr(kept), 0, 1, 4096).Keep(kept)
		s.exit(0)
	}, outcome{cell: new(^uint64(4095))}},
	"errno 0": {func(s *subject, kept program.Cell) {
		s.Check("never", program.Addr(kept), 0, 1, 0).Keep(kept).Want(0)
		s.exit(0)
	}, outcome{cell: new(uint64(0))}},
	"store low half": {func(s *subject, kept program.Cell) {
		s.Store32("low", program.Addr(kept), program.Const(uint64(0x1111_1111_2222_2222)))
		s.exit(0)
	}, outcome{cell: new(uint64(0xdead_beef_2222_2222))}},
	"store high half": {func(s *subject, kept program.Cell) {
		s.Store32("high", program.Addr(kept)+4, program.Const(uint64(0x1111_1111_8222_2222)))
		s.exit(0)
	}, outcome{cell: new(uint64(0x8222_2222_0123_4567))}},
	"store all": {func(s *subject, kept program.Cell) {
		s.Store64("all", program.Addr(kept), program.Const(-2))
		s.exit(0)
	}, outcome{cell: new(^uint64(1))}},
	"store from a cell": {func(s *subject, kept program.Cell) {
		c := s.Cell("c", 42)
		s.Store64("all", program.Addr(kept), c.Arg())
		s.Store32("high", program.Addr(kept)+4, c.Arg())
		s.exit(0)
	}, outcome{cell: new(uint64(42<<32 | 42))}},
	"store keeps 0": {func(s *subject, kept program.Cell) {
		s.Store64("all", program.Addr(s.Cell("c", 0)), program.Const(1)).Keep(kept).Want(0)
		s.exit(0)
	}, outcome{cell: new(uint64(0))}},
	"store from a cell keeps 0": {func(s *subject, kept program.Cell) {
		c := s.Cell("c", 42)
		s.Store64("all", program.Addr(s.Cell("d", 0)), c.Arg()).Keep(kept).Want(0)
		s.Store32("low", program.Addr(c), c.Arg()).Want(0)
		s.exit(0)
	}, outcome{cell: new(uint64(0))}},
	"store and skip": {func(s *subject, kept program.Cell) {
		l := s.Label()
		s.Store64("all", program.Addr(kept), program.Const(1)).Skip(l, program.OK)
		s.append("a")
		s.Here(l)
		s.exit(0)
	}, outcome{cell: new(uint64(1))}},
	"off the end": {func(s *subject, _ program.Cell) {
		s.append("a")
	}, outcome{index: 1, errno: unix.ENOEXEC, trace: "a"}},
}

func (s *subject) truncate(n int) {
	s.Call("truncate", unix.SYS_FTRUNCATE, s.data.Arg(), program.Const(n))
}

func (s *subject) readOne() *program.Op {
	return s.Call("read a byte", unix.SYS_READ, s.data.Arg(), s.scratch.Arg(), program.Const(1))
}

func TestRules(t *testing.T) {
	for name, c := range ruleTests {
		t.Run(name, func(t *testing.T) {
			s := newSubject()
			kept := s.Cell("kept", marked)
			s.makeData()
			first := s.Len()
			c.build(s, kept)
			res := s.compare(t)

			want := c.want
			if want.errno != 0 {
				want.exit = ExitFailed
				checkReport(t, res.report, first+want.index, want.errno)
			} else if len(res.report) != 0 {
				t.Errorf("report %x of a program that does not fail", res.report)
			}
			if !res.status.Exited() || res.status.ExitStatus() != want.exit {
				t.Errorf("status %#x, want exit status %d", res.status, want.exit)
			}
			if got := res.files["data"]; got != want.trace {
				t.Errorf("trace %q, want %q", got, want.trace)
			}
			cell := binary.NativeEndian.Uint64(res.memory[uint64(kept)-program.Base:])
			if want.cell == nil {
				want.cell = new(uint64(marked))
			}
			if cell != *want.cell {
				t.Errorf("kept %#x, want %#x", cell, *want.cell)
			}
		})
	}
}

func checkReport(t *testing.T, report []byte, index int, errno unix.Errno) {
	t.Helper()
	if len(report) != 8 {
		t.Fatalf("report of %d bytes: %x", len(report), report)
	}
	i, e := binary.NativeEndian.Uint32(report), binary.NativeEndian.Uint32(report[4:])
	if i != uint32(index) || unix.Errno(e) != errno {
		t.Errorf("report {%d, %v}, want {%d, %v}", i, unix.Errno(e), uint32(index), errno)
	}
}
