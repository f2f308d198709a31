package stage

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/program"
)

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
		"alike": {[]string{"GOGC2=50", "GOGCX=", "GO", "G", "", "GOMAXPROCS2=2", "GOMAXPRO=1", "GOMAXPROCSX", "XGOGC=5", "TOMAXPROCS=2", "GOMAXPROXS=2"},
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

// The limit on descriptors is found before Go raises it, and what the entry
// point does to it while the runtime starts is gone when Go looks.
func TestNofile(t *testing.T) {
	needEntry(t)
	var own unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &own); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &own); err != nil {
			t.Error(err)
		}
	}()
	env := []string{nofileEnv + "=1"}
	for _, soft := range []uint64{own.Max / 2, 16, own.Max} {
		// Setting it makes Go leave it alone in children.
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: soft, Max: own.Max}); err != nil {
			t.Fatal(err)
		}
		handed := strconv.FormatUint(soft, 10) + "\n"
		twin := find(t, "twin", env)
		if twin.Known || twin.Raised < own.Max-1 || twin.Handed != handed {
			t.Errorf("%d and %d known without the entry point, raised to %d, handed on: %q", twin.Soft, twin.Hard, twin.Raised, twin.Handed)
		}
		if f := find(t, "entry", env); !f.Known || f.Soft != soft || f.Hard != own.Max || f.Raised != twin.Raised || f.Handed != handed {
			t.Errorf("%d and %d, known: %v, raised to %d, handed on: %q; want %d and %d, %d, %q",
				f.Soft, f.Hard, f.Known, f.Raised, f.Handed, soft, own.Max, twin.Raised, handed)
		}
	}
}

// A hard limit below that of the runtime's start is left as it is, and the
// runtime opens what it needs: descriptor 0 is closed.
func TestNofileLow(t *testing.T) {
	needEntry(t)
	for _, limit := range []string{"2", "1"} {
		program := command(helper(t, "entry"), "entry")
		cmd := exec.Command("/bin/sh", append([]string{"-c", `exec <&-; ulimit -n "$0" && exec "$@"`, limit, program.Path}, program.Args[1:]...)...)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("with %s: %v", limit, err)
		}
		var f findings
		if err := json.Unmarshal(out, &f); err != nil {
			t.Fatal(err)
		}
		if want, _ := strconv.ParseUint(limit, 10, 64); f.Soft != want || f.Hard != want || f.Raised != want {
			t.Errorf("%d and %d, now %d; want %s", f.Soft, f.Hard, f.Raised, limit)
		}
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
