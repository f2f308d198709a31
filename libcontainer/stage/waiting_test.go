package stage

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/program"
)

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
