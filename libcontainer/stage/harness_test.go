package stage

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/program"
)

// The descriptors that a subject's program finds after its prelude, whatever
// way it was started; nothing else is open.
const (
	fdReport = 104
	fdDir    = 105 // an empty directory
	fdLast   = fdDir
)

// subject is a program under test.
type subject struct {
	*program.Builder
	report, dir program.Cell
	data        program.Cell // of makeData
	scratch     program.Addr // memory whose contents may differ: times, inodes
	indexBase   uint32
	fault       *program.Fault
	damage      func(image []byte)
}

const scratchSize = 4096

// newSubject starts a program with a prelude that makes the descriptors and
// the signal mask the same for all ways of running it.
func newSubject() *subject {
	b := program.NewBuilder(program.Base)
	s := &subject{Builder: b, report: b.Input("report"), dir: b.Input("dir"), scratch: b.Space(scratchSize)}
	all := b.Cell("all", ^uint64(0))
	b.Call("block signals", unix.SYS_RT_SIGPROCMASK, program.Const(unix.SIG_SETMASK), program.Addr(all).Arg(), program.Const(0), program.Const(8))
	b.Call("place report", unix.SYS_DUP3, s.report.Arg(), program.Const(fdReport), program.Const(0))
	b.Store32("report there", program.Addr(b.Report()), program.Const(fdReport))
	b.Call("place directory", unix.SYS_DUP3, s.dir.Arg(), program.Const(fdDir), program.Const(0))
	b.Call("close low", unix.SYS_CLOSE_RANGE, program.Const(0), program.Const(fdReport-1), program.Const(0))
	b.Call("close high", unix.SYS_CLOSE_RANGE, program.Const(fdLast+1), program.Const(uint32(1<<31-1)), program.Const(0))
	return s
}

// exit ends the program with that status.
func (s *subject) exit(status int) {
	s.Call("end", unix.SYS_EXIT_GROUP, program.Const(status))
}

// result is what a run of a program left behind.
type result struct {
	status syscall.WaitStatus
	report []byte
	memory []byte            // nil where the memory is gone with the process
	files  map[string]string // the contents of the files in the directory
}

// way is one way of running an image.
type way struct {
	name string
	run  func(t testing.TB, image *os.File, report, dir *os.File, encode func(report, dir int) []byte) (syscall.WaitStatus, []byte)
}

// ways are all ways there are: two that show the memory afterwards, two that
// are the real thing. Under emulation, which is slow and has no clone3, one of each.
func ways() []way {
	twin, twinMain := way{"twin", runTwin}, way{"twin main", runHelper("twin")}
	clone, entry := way{"assembly clone", runClone}, way{"assembly entry", runHelper("entry")}
	switch {
	case !Supported:
		return []way{twin, twinMain}
	case os.Getenv(emulatorEnv) != "":
		return []way{twin, entry}
	}
	return []way{twin, twinMain, clone, entry}
}

// run runs the subject in that way.
func (s *subject) run(t testing.TB, w way) result {
	t.Helper()
	p := s.Program()
	dirPath := t.TempDir()
	dir, err := os.Open(dirPath)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	r, wr, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	image := memfd(t)
	defer image.Close()

	var res result
	encode := func(report, dir int) []byte {
		img, err := p.Encode(program.Image{Report: report, IndexBase: s.indexBase, Fault: s.fault,
			Inputs: map[string]uint64{"report": uint64(report), "dir": uint64(dir)}})
		if err != nil {
			t.Fatal(err)
		}
		if s.damage != nil {
			s.damage(img)
		}
		if _, err := image.WriteAt(img, 0); err != nil {
			t.Fatal(err)
		}
		return img
	}
	res.status, res.memory = w.run(t, image, wr, dir, encode)
	wr.Close()
	var buf bytes.Buffer
	if _, err := buf.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	res.report = buf.Bytes()
	res.files = listing(t, dirPath)
	s.forget(res.memory)
	return res
}

// forget zeroes what may differ between two runs: the descriptors that were
// put in, also as the one for the report, and the scratch area.
func (s *subject) forget(memory []byte) {
	if memory == nil {
		return
	}
	for _, c := range []program.Cell{s.report, s.dir} {
		clear(memory[uint64(c)-program.Base:][:8])
	}
	clear(memory[offReport:][:8])
	clear(memory[uint64(s.scratch)-program.Base:][:scratchSize])
}

// compare runs the subject in every way and returns the common result.
func (s *subject) compare(t testing.TB) result {
	t.Helper()
	var first result
	for i, w := range ways() {
		res := s.run(t, w)
		if i == 0 {
			first = res
			continue
		}
		name := w.name + " against " + ways()[0].name
		if res.status != first.status {
			t.Errorf("%s: status %#x, want %#x", name, res.status, first.status)
		}
		if !bytes.Equal(res.report, first.report) {
			t.Errorf("%s: report %x, want %x", name, res.report, first.report)
		}
		if !maps.Equal(res.files, first.files) {
			t.Errorf("%s: files %q, want %q", name, res.files, first.files)
		}
		if res.memory != nil && !bytes.Equal(res.memory, first.memory) {
			t.Errorf("%s: memory differs at %s", name, differences(res.memory, first.memory))
		}
	}
	return first
}

func differences(a, b []byte) string {
	var s string
	for i := range a {
		if i < len(b) && a[i] != b[i] && len(s) < 200 {
			s += fmt.Sprintf("%#x: %#x, want %#x; ", i, a[i], b[i])
		}
	}
	return s
}

func listing(t testing.TB, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(data)
	}
	return files
}

func memfd(t testing.TB) *os.File {
	t.Helper()
	fd, err := unix.MemfdCreate("image", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fd), "image")
}

// mapShared maps an image at its place, so that what is written to it is seen
// in the file.
func mapShared(fd int, size int) (unsafe.Pointer, error) {
	at, _, e := unix.Syscall6(unix.SYS_MMAP, program.Base, uintptr(size), unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_SHARED|unix.MAP_FIXED_NOREPLACE, uintptr(fd), 0)
	if e != 0 {
		return nil, e
	}
	return pointer(at), nil
}

// runClone runs the assembly in a child of Clone.
func runClone(t testing.TB, image, report, dir *os.File, encode func(int, int) []byte) (syscall.WaitStatus, []byte) {
	t.Helper()
	img := encode(int(report.Fd()), int(dir.Fd()))
	at, err := mapShared(int(image.Fd()), len(img))
	if err != nil {
		t.Fatal(err)
	}
	memory := unsafe.Slice((*byte)(at), len(img))
	defer unix.Syscall(unix.SYS_MUNMAP, uintptr(at), uintptr(len(img)), 0)
	pid, err := Clone(&CloneArgs{ExitSignal: uint64(unix.SIGCHLD)}, uintptr(at))
	if err != nil {
		t.Fatal(err)
	}
	return wait(t, pid), bytes.Clone(memory)
}

func wait(t testing.TB, pid int) syscall.WaitStatus {
	t.Helper()
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(pid, &status, 0, nil)
		if err == nil {
			return status
		}
		if err != syscall.EINTR {
			t.Fatal(err)
		}
	}
}

// runTwin runs the twin in a child that shares the image's memory.
func runTwin(t testing.TB, image, report, dir *os.File, encode func(int, int) []byte) (syscall.WaitStatus, []byte) {
	t.Helper()
	img := encode(4, 5)
	cmd := command(os.Args[0])
	cmd.Env = []string{twinEnv + "=" + strconv.Itoa(len(img))}
	status := runCommand(t, cmd, image, report, dir)
	memory := make([]byte, len(img))
	if _, err := image.ReadAt(memory, 0); err != nil {
		t.Fatal(err)
	}
	return status, memory
}

// runHelper runs the image in a helper binary as launch would.
func runHelper(which string) func(testing.TB, *os.File, *os.File, *os.File, func(int, int) []byte) (syscall.WaitStatus, []byte) {
	return func(t testing.TB, image, report, dir *os.File, encode func(int, int) []byte) (syscall.WaitStatus, []byte) {
		t.Helper()
		encode(4, 5)
		cmd := command(helper(t, which), Name, "3")
		return runCommand(t, cmd, image, report, dir), nil
	}
}

// emulatorEnv is the program that runs binaries of this architecture where
// the machine is another (TestArm64).
const emulatorEnv = "STAGE_TEST_EMULATOR"

// command is the command with that path, argv (the path if there is none),
// and an empty environment.
func command(path string, argv ...string) *exec.Cmd {
	if len(argv) == 0 {
		argv = []string{path}
	}
	cmd := &exec.Cmd{Path: path, Args: argv, Env: []string{}}
	if emulator := os.Getenv(emulatorEnv); emulator != "" {
		cmd.Path = emulator
		cmd.Args = append([]string{emulator, "-0", argv[0], path}, argv[1:]...)
	}
	return cmd
}

func runCommand(t testing.TB, cmd *exec.Cmd, image, report, dir *os.File) syscall.WaitStatus {
	t.Helper()
	cmd.ExtraFiles = []*os.File{image, report, dir}
	return exitOf(t, cmd)
}

func exitOf(t testing.TB, cmd *exec.Cmd) syscall.WaitStatus {
	t.Helper()
	cmd.Stderr = os.Stderr
	err := cmd.Run()
	if _, ok := err.(*exec.ExitError); err != nil && !ok {
		t.Fatal(err)
	}
	return cmd.ProcessState.Sys().(syscall.WaitStatus)
}

// twinEnv makes this test binary run the image in descriptor 3 instead of tests.
const twinEnv = "STAGE_TEST_TWIN"

func twinProcess(size string) {
	alone()
	n, err := strconv.Atoi(size)
	if err != nil {
		panic(err)
	}
	at, err := mapShared(3, n)
	if err != nil {
		panic(err)
	}
	end(uintptr(at))
}
