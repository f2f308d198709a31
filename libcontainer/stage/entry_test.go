package stage

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/program"
)

// findings are what a helper says of its own start.
type findings struct {
	MaxProcs, GC            int
	Entered                 bool
	Args, Environ, Original []string
	Auxv                    [][2]uintptr
}

func tellFindings() {
	auxv, err := unix.Auxv()
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(findings{runtime.GOMAXPROCS(0), debug.SetGCPercent(-1),
			Entered(), os.Args, os.Environ(), Environ(), auxv})
	}
	if err != nil {
		panic(err)
	}
}

func find(t *testing.T, name string, env []string, argv ...string) findings {
	t.Helper()
	cmd := command(helper(t, name), argv...)
	cmd.Env = env
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var f findings
	if err := json.Unmarshal(out, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

func needEntry(t testing.TB) {
	t.Helper()
	if !Supported {
		t.Skip("no assembly on this architecture")
	}
}

// The Go runtime starts with one processor and no collector, unless the
// environment says otherwise, and finds all else as it would without us.
func TestEntryEnvironment(t *testing.T) {
	needEntry(t)
	count := 20000
	if testing.Short() {
		count = 2000
	}
	many := make([]string, count)
	for i := range many {
		many[i] = fmt.Sprintf("VARIABLE%d=%d", i, i)
	}
	tests := map[string]struct {
		env      []string
		maxProcs int
		gc       int
		added    []string
	}{
		"empty":          {[]string{}, 1, -1, []string{"GOMAXPROCS=1", "GOGC=off"}},
		"some":           {[]string{"A=1", "B=x y z", "C="}, 1, -1, []string{"GOMAXPROCS=1", "GOGC=off"}},
		"own processors": {[]string{"A=1", "GOMAXPROCS=3"}, 3, -1, []string{"GOGC=off"}},
		"own collector":  {[]string{"GOGC=50", "A=1"}, 1, 50, []string{"GOMAXPROCS=1"}},
		"both":           {[]string{"GOGC=50", "A=1", "GOMAXPROCS=2"}, 2, 50, nil},
		"the same":       {[]string{"GOGC=off", "A=1", "GOMAXPROCS=1"}, 1, -1, nil},
		"alike": {[]string{"GOGC2=50", "GOGCX=", "GO", "G", "", "GOMAXPROCS2=2", "GOMAXPRO=1", "GOMAXPROCSX", "XGOGC=5"},
			1, -1, []string{"GOMAXPROCS=1", "GOGC=off"}},
		"many": {many, 1, -1, []string{"GOMAXPROCS=1", "GOGC=off"}},
		"long": {[]string{"A=" + strings.Repeat("x", 1<<17-10), "B=1"}, 1, -1, []string{"GOMAXPROCS=1", "GOGC=off"}},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			f := find(t, "entry", c.env)
			if f.MaxProcs != c.maxProcs || f.GC != c.gc {
				t.Errorf("GOMAXPROCS %d, GOGC %d; want %d, %d", f.MaxProcs, f.GC, c.maxProcs, c.gc)
			}
			plain := find(t, "twin", c.env).Environ
			if !slices.Equal(f.Original, plain) {
				t.Errorf("environment without ours %q, want %q", cut(f.Original), cut(plain))
			}
			if with := append(slices.Clone(c.added), plain...); !slices.Equal(f.Environ, with) {
				t.Errorf("environment %q, want %q", cut(f.Environ), cut(with))
			}
		})
	}
}

func cut(list []string) []string {
	if len(list) > 12 {
		return list[:12]
	}
	return list
}

func TestEntryArguments(t *testing.T) {
	needEntry(t)
	many := make([]string, 5000)
	for i := range many {
		many[i] = strconv.Itoa(i)
	}
	for _, argv := range [][]string{
		{"x"}, {""}, {"a b", "c d", "", " "}, {"mesoc-init"}, {"mesoc-ini", "3"}, {"mesoc-initx", "3"},
		{"mesoc-inix", "3"}, {"Mesoc-init", "3"}, {"/mesoc-init", "3"}, {"m", "3"}, many,
	} {
		if f := find(t, "entry", []string{"A=1"}, argv...); !slices.Equal(f.Args, argv) || !slices.Equal(f.Original, []string{"A=1"}) {
			t.Errorf("arguments %q, want %q; environment %q", cut(f.Args), cut(argv), f.Original)
		}
	}
}

func TestEntered(t *testing.T) {
	needEntry(t)
	if !find(t, "entry", []string{}).Entered || find(t, "twin", []string{}).Entered {
		t.Error("Entered does not tell one helper from the other")
	}
}

// The linker finds the entry point, and it is what the kernel then runs.
func TestLinkedEntry(t *testing.T) {
	needEntry(t)
	if os.Getenv(emulatorEnv) != "" {
		t.Skip("the compiler is not to be emulated")
	}
	needProgram(t, "go")
	if testing.Short() {
		t.Skip("compiles, which takes long")
	}
	path := filepath.Join(t.TempDir(), "linked")
	build := exec.Command("go", "build", "-ldflags=-E "+EntrySymbol, "-o", path, "./testdata/linked")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := exec.Command(path).CombinedOutput(); err != nil || string(out) != "entered" {
		t.Errorf("%q, %v", out, err)
	}
	image := memfd(t)
	defer image.Close()
	s := newSubject()
	s.exit(31)
	img, err := s.Program().Encode(program.Image{Inputs: map[string]uint64{"report": 4, "dir": 5}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := image.WriteAt(img, 0); err != nil {
		t.Fatal(err)
	}
	if status := runCommand(t, command(path, Name, "3"), image, os.Stdin, os.Stdin); status.ExitStatus() != 31 {
		t.Errorf("status %#x, want exit status 31", status)
	}
}

// The auxiliary vector is whole: the vDSO, AT_SECURE, the page size.
func TestEntryAuxv(t *testing.T) {
	needEntry(t)
	with, without := find(t, "entry", []string{}).Auxv, find(t, "twin", []string{}).Auxv
	if len(with) == 0 || len(with) != len(without) {
		t.Fatalf("%d entries, want %d", len(with), len(without))
	}
	const atHWCAP, atPageSize, atSecure = 16, 6, 23
	for i := range with {
		if with[i][0] != without[i][0] {
			t.Errorf("entry %d is %d, want %d", i, with[i][0], without[i][0])
		}
		switch with[i][0] {
		case atHWCAP, atPageSize, atSecure:
			if with[i] != without[i] {
				t.Errorf("entry %d is %d, want %d", i, with[i], without[i])
			}
		}
	}
}

// An empty argv is what execve gives to a program on kernels before 5.18;
// later ones make it an empty string.
func TestEntryNoArguments(t *testing.T) {
	needEntry(t)
	if os.Getenv(emulatorEnv) != "" {
		t.Skip("the emulator needs arguments")
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	pid, err := syscall.ForkExec(helper(t, "entry"), []string{}, &syscall.ProcAttr{
		Env: []string{"A=1"}, Files: []uintptr{0, w.Fd(), 2}})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if status := wait(t, pid); status != 0 {
		t.Fatalf("status %#x", status)
	}
	var f findings
	if err := json.Unmarshal(out, &f); err != nil {
		t.Fatal(err)
	}
	if len(f.Args) > 1 || len(f.Args) == 1 && f.Args[0] != "" {
		t.Errorf("arguments %q", f.Args)
	}
	if !slices.Equal(f.Original, []string{"A=1"}) || f.MaxProcs != 1 {
		t.Errorf("environment %q, GOMAXPROCS %d", f.Original, f.MaxProcs)
	}
}

// A stage that waits, as between create and start, is small and has one
// thread. Its faults are counted, since they are what its start costs.
func TestWaitingStage(t *testing.T) {
	needEntry(t)
	if os.Getenv(emulatorEnv) != "" {
		t.Skip("the emulator's memory is not ours")
	}
	const mostMemory, mostFaults = 200, 20
	w := startWaiting(t)
	defer w.release()

	rollup := w.proc("smaps_rollup")
	if pss := field(t, rollup, "Pss:"); pss >= mostMemory {
		t.Errorf("a waiting stage has %d kB, want less than %d:\n%s", pss, mostMemory, rollup)
	} else {
		t.Logf("Pss %d kB", pss)
	}
	if threads := field(t, w.proc("status"), "Threads:"); threads != 1 {
		t.Errorf("a waiting stage has %d threads", threads)
	}
	if got := w.proc("comm"); got == "" {
		t.Error("no such process")
	}
	stat := w.proc("stat")
	after := strings.Fields(stat[strings.LastIndex(stat, ")")+2:])
	faults, err := strconv.Atoi(after[7]) // minflt, field 10
	if err != nil || faults > mostFaults {
		t.Errorf("a waiting stage made %d page faults (%v), want at most %d", faults, err, mostFaults)
	} else {
		t.Logf("%d page faults", faults)
	}
}

// waiting is a stage that tells that it is there and waits for its release.
type waiting struct {
	t    testing.TB
	cmd  *exec.Cmd
	gate *os.File
}

func startWaiting(t testing.TB) *waiting {
	t.Helper()
	b := program.NewBuilder(program.Base)
	b.Call("tell", unix.SYS_WRITE, program.Const(4), b.String("x").Arg(), program.Const(1)).Want(1)
	b.Call("wait", unix.SYS_READ, program.Const(5), b.Space(8).Arg(), program.Const(1))
	b.Call("end", unix.SYS_EXIT_GROUP, program.Const(0))
	// A program of the usual size, most of it not run.
	for range 250 {
		b.Call("nothing", unix.SYS_GETPID)
	}
	img, err := b.Program().Encode(program.Image{Report: 2})
	if err != nil {
		t.Fatal(err)
	}
	image := memfd(t)
	defer image.Close()
	if _, err := image.WriteAt(img, 0); err != nil {
		t.Fatal(err)
	}
	readyRead, readyWrite, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer readyRead.Close()
	gateRead, gateWrite, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := command(helper(t, "entry"), Name, "3")
	cmd.ExtraFiles = []*os.File{image, readyWrite, gateRead}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	readyWrite.Close()
	gateRead.Close()
	if _, err := io.ReadFull(readyRead, make([]byte, 1)); err != nil {
		t.Fatalf("wait for the stage: %v", err)
	}
	return &waiting{t, cmd, gateWrite}
}

func (w *waiting) release() {
	w.t.Helper()
	w.gate.Close()
	if err := w.cmd.Wait(); err != nil {
		w.t.Error(err)
	}
}

func (w *waiting) proc(file string) string {
	w.t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", w.cmd.Process.Pid, file))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(data)
}

func field(t testing.TB, text, name string) int {
	t.Helper()
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == name {
			n, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no field %s in\n%s", name, text)
	return 0
}

// BenchmarkStage is the life of a stage that ends at once, against that of
// the same binary entered at the Go runtime.
func BenchmarkStage(b *testing.B) {
	needEntry(b)
	build := program.NewBuilder(program.Base)
	build.Call("end", unix.SYS_EXIT_GROUP, program.Const(0))
	img, err := build.Program().Encode(program.Image{})
	if err != nil {
		b.Fatal(err)
	}
	image := memfd(b)
	defer image.Close()
	if _, err := image.WriteAt(img, 0); err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"entry", "twin"} {
		b.Run(name, func(b *testing.B) {
			path := helper(b, name)
			for b.Loop() {
				cmd := command(path, Name, "3")
				cmd.ExtraFiles = []*os.File{image}
				if err := cmd.Run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
