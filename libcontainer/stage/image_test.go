package stage

import (
	"encoding/binary"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/testutil"
	"github.com/mesoc/mesoc/libcontainer/program"
)

// Each of the six arguments is taken as a number or from a cell, whatever
// the others are: copy_file_range has six that all matter.
func TestCells(t *testing.T) {
	s := newSubject()
	s.makeData()
	const text = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-+"
	s.Call("fill data", unix.SYS_WRITE, s.data.Arg(), s.String(text).Arg(), program.Const(len(text))).Want(int64(len(text)))
	// The prelude has closed what was open: these are 0 and 1.
	const in, out = 0, 1
	s.Call("create copy", unix.SYS_OPENAT, program.Const(fdDir), s.String("copy").Arg(),
		program.Const(unix.O_CREAT|unix.O_RDWR), program.Const(0o600)).Want(out)
	for mask := range 64 {
		from, to := s.Cell("from", uint64(mask)), s.Cell("to", uint64(63-mask))
		values := [6]uint64{in, uint64(from), out, uint64(to), 1, 0}
		var args [6]program.Arg
		for i, v := range values {
			args[i] = program.Const(v)
			if mask&(1<<i) != 0 {
				args[i] = s.Cell("argument", v).Arg()
			}
		}
		s.Call("copy a byte", unix.SYS_COPY_FILE_RANGE, args[:]...).Want(1)
	}
	s.exit(0)
	res := s.compare(t)
	want := ""
	for i := range text {
		want = text[i:i+1] + want
	}
	if res.files["copy"] != want || res.status != 0 {
		t.Errorf("copied %q, want %q; status %#x, report %x", res.files["copy"], want, res.status, res.report)
	}
}

func TestIndexBase(t *testing.T) {
	for _, base := range []uint32{0, 1000, 1<<32 - 3} {
		s := newSubject()
		s.indexBase = base
		failing := s.Len()
		s.call(0, unix.EBADF)
		res := s.compare(t)
		checkReport(t, res.report, failing+int(base), unix.EBADF)
	}
}

// A program may tell another descriptor than the one that it was given.
func TestReportElsewhere(t *testing.T) {
	s := newSubject()
	s.makeData()
	s.Store64("report to data", program.Addr(s.Report()), s.data.Arg())
	failing := s.Len()
	s.call(0, unix.EBADF)
	res := s.compare(t)
	if len(res.report) != 0 {
		t.Errorf("report %x to the first descriptor", res.report)
	}
	checkReport(t, []byte(res.files["data"]), failing, unix.EBADF)
}

func TestReportNowhere(t *testing.T) {
	s := newSubject()
	s.Store32("report to nobody", program.Addr(s.Report()), program.Const(77))
	s.call(0, unix.EBADF)
	if res := s.compare(t); res.status.ExitStatus() != ExitFailed || len(res.report) != 0 {
		t.Errorf("%+v", res)
	}
}

func TestFault(t *testing.T) {
	const ops = 4
	for step := range ops {
		s := newSubject()
		s.makeData()
		first := s.Len()
		for range ops {
			s.append("a").Ignore(program.AnyErrno)
		}
		s.exit(0)
		s.fault = &program.Fault{Step: first + step, Errno: unix.ENETDOWN}
		res := s.compare(t)
		checkReport(t, res.report, first+step, unix.ENETDOWN)
		if want := "aaaa"[:step]; res.files["data"] != want {
			t.Errorf("step %d: wrote %q, want %q", step, res.files["data"], want)
		}
	}
}

// Images that Encode would not write.
func TestDamagedImages(t *testing.T) {
	set32 := func(image []byte, at int, v uint32) { binary.NativeEndian.PutUint32(image[at:], v) }
	op := func(image []byte, i int) int {
		return int(binary.NativeEndian.Uint64(image[offFirst:])) + i*opSize
	}
	tests := map[string]struct {
		damage func(image []byte, first int)
		exit   int
		index  int // from the first of the test's own; -1 for no report
		errno  unix.Errno
		trace  string
	}{
		"magic": {func(image []byte, _ int) { image[7]++ }, ExitBadImage, -1, 0, ""},
		"kind": {func(image []byte, first int) { set32(image, op(image, first), 4) },
			ExitFailed, 0, unix.ENOEXEC, ""},
		"kind, ignored": {func(image []byte, first int) { set32(image, op(image, first+1), 1<<31) },
			ExitFailed, 3, unix.ENOEXEC, "ac"},
		"again on success": {func(image []byte, first int) {
			set32(image, op(image, first+1)+opFlags, 1<<ruleShift)
			set32(image, op(image, first+1)+opRules, 0)
			set32(image, op(image, first+1)+opRules+4, 1<<32-1)
		}, ExitFailed, 1, 0, "a" + bees(1+maxAgain)},
		"again by a large jump": {func(image []byte, first int) {
			set32(image, op(image, first+1)+opFlags, 1<<ruleShift)
			set32(image, op(image, first+1)+opRules, 0)
			set32(image, op(image, first+1)+opRules+4, 1<<31)
		}, ExitFailed, 1, 0, "a" + bees(1+maxAgain)},
		"far jump": {func(image []byte, first int) {
			set32(image, op(image, first)+opFlags, 1<<ruleShift)
			set32(image, op(image, first)+opRules, 0)
			set32(image, op(image, first)+opRules+4, 1<<31-1)
		}, ExitFailed, 1 << 31, unix.ENOEXEC, "a"},
		"no operations": {func(image []byte, first int) { set32(image, offOps, uint32(first)) },
			ExitFailed, 0, unix.ENOEXEC, ""},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			s := newSubject()
			s.makeData()
			first := s.Len()
			s.append("a")
			s.append("b").Ignore(program.AnyErrno)
			s.append("c")
			s.damage = func(image []byte) { c.damage(image, first) }
			res := s.compare(t)
			if res.status.ExitStatus() != c.exit {
				t.Errorf("status %#x, want exit status %d", res.status, c.exit)
			}
			if c.index >= 0 {
				checkReport(t, res.report, first+c.index, c.errno)
			}
			if res.files["data"] != c.trace {
				t.Errorf("trace %q, want %q", res.files["data"], c.trace)
			}
		})
	}
}

func bees(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'b'
	}
	return string(b)
}

// What a stage does whose second argument is not the number of an image.
func TestNoImage(t *testing.T) {
	image := memfd(t)
	defer image.Close()
	if _, err := image.WriteAt(make([]byte, 4096), 0); err != nil {
		t.Fatal(err)
	}
	null, err := os.Open(os.DevNull) // not to be mapped
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	tests := map[string]int{
		"3": ExitBadImage, "0003": ExitBadImage, "0": ExitBadImage, "12": ExitBadImage,
		"4": ExitNoImage, "99": ExitNoImage, "": ExitNoImage,
		"-1": ExitNoImage, "+3": ExitNoImage, " 3": ExitNoImage, "3 ": ExitNoImage, "3x": ExitNoImage,
		"/": ExitNoImage, ":": ExitNoImage, "\xff": ExitNoImage,
		"/=": ExitNoImage, "1)": ExitNoImage, // 3, were they digits
	}
	for _, w := range []string{"twin", "entry"} {
		if w == "entry" && !Supported {
			continue
		}
		for argument, want := range tests {
			cmd := command(helper(t, w), Name, argument)
			cmd.Stdin = image
			// The image is 0, 3 and 12.
			cmd.ExtraFiles = []*os.File{image, null, null, null, null, null, null, null, null, image}
			if status := exitOf(t, cmd); status.ExitStatus() != want {
				t.Errorf("%s with %q: status %#x, want exit status %d", w, argument, status, want)
			}
		}
	}
}

// Arguments beyond the second are nobody's business.
func TestMoreArguments(t *testing.T) {
	for _, w := range []string{"twin", "entry"} {
		if w == "entry" && !Supported {
			continue
		}
		image := memfd(t)
		s := newSubject()
		s.exit(9)
		img, err := s.Program().Encode(program.Image{Inputs: map[string]uint64{"report": 4, "dir": 5}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := image.WriteAt(img, 0); err != nil {
			t.Fatal(err)
		}
		cmd := command(helper(t, w), Name, "3", "some", "container")
		cmd.Env = []string{"A=" + fmt.Sprint(os.Getpid())}
		if status := runCommand(t, cmd, image, os.Stdin, os.Stdin); status.ExitStatus() != 9 {
			t.Errorf("%s: status %#x", w, status)
		}
		image.Close()
	}
}

// Who joins a mount namespace may not share its root with another thread.
func TestJoinMountNamespace(t *testing.T) {
	testutil.Root(t)
	if os.Getenv(emulatorEnv) != "" {
		t.Skip("the emulator has threads of its own")
	}
	s := newSubject()
	ns := s.Cell("namespace", 0)
	s.Call("open namespace", unix.SYS_OPENAT, program.Const(unix.AT_FDCWD), s.String("/proc/self/ns/mnt").Arg(), program.Const(unix.O_RDONLY)).Keep(ns)
	s.Call("join namespace", unix.SYS_SETNS, ns.Arg(), program.Const(unix.CLONE_NEWNS))
	s.exit(0)
	if res := s.compare(t); res.status != 0 {
		t.Errorf("status %#x, report %x", res.status, res.report)
	}
}
