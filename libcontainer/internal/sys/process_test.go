package sys

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/testutil"
)

func TestMain(m *testing.M) { os.Exit(testutil.Main(m)) }

// sleeper starts a process that lives until its stdin is closed, and is a
// zombie from then on until the test ends.
func sleeper(t testing.TB) (pid int, end func()) {
	t.Helper()
	cmd := exec.Command("/bin/cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Process.Kill(); cmd.Wait(); cmd.Process.Release() })
	return cmd.Process.Pid, func() { in.Close() }
}

func mustStat(t testing.TB, pid int) Stat {
	t.Helper()
	stat, err := ReadStat(pid)
	if err != nil {
		t.Fatal(err)
	}
	return stat
}

func TestOpenProcess(t *testing.T) {
	pid, end := sleeper(t)
	stat := mustStat(t, pid)
	fd, err := OpenProcess(Process{pid, stat.StartTime})
	if err != nil {
		t.Fatal(err)
	}
	defer Close(fd)
	if err := PidfdSignal(fd, 0); err != nil {
		t.Errorf("signal 0: %v", err)
	}
	if ended, err := PidfdWait(fd, time.Now()); ended || err != nil {
		t.Errorf("while it lives: ended %v, %v", ended, err)
	}
	end()
	if ended, err := PidfdWait(fd, time.Time{}); !ended || err != nil {
		t.Errorf("after its end: ended %v, %v", ended, err)
	}
	// A zombie is still that process.
	if !mustStat(t, pid).Ended() {
		t.Error("the zombie is not seen as ended")
	}
	again, err := OpenProcess(Process{pid, stat.StartTime})
	if err != nil {
		t.Fatal(err)
	}
	Close(again)
}

func TestOpenProcessRefusesAnImpostor(t *testing.T) {
	pid, _ := sleeper(t)
	start := mustStat(t, pid).StartTime
	before := len(names(t, "/proc/self/fd"))
	for _, p := range []Process{{pid, start - 1}, {pid, start + 1}, {pid, 0}} {
		if _, err := OpenProcess(p); !errors.Is(err, unix.ESRCH) {
			t.Errorf("%+v: got %v, want ESRCH", p, err)
		}
	}
	if after := len(names(t, "/proc/self/fd")); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

func TestProcessThatIsGone(t *testing.T) {
	cmd := exec.Command("/bin/true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	if _, err := ReadStat(pid); !errors.Is(err, unix.ESRCH) {
		t.Errorf("stat: got %v, want ESRCH", err)
	}
	if _, err := OpenProcess(Process{pid, 1}); !errors.Is(err, unix.ESRCH) {
		t.Errorf("open: got %v, want ESRCH", err)
	}
	for _, pid := range []int{0, -1, 1 << 30} {
		if _, err := OpenProcess(Process{pid, 1}); err == nil {
			t.Errorf("open %d: got no error", pid)
		}
	}
}

func TestPidfdReap(t *testing.T) {
	for _, c := range []struct {
		script string
		want   ExitStatus
	}{
		{"exit 0", ExitStatus{}},
		{"exit 7", ExitStatus{Code: 7}},
		{"exit 255", ExitStatus{Code: 255}},
		{"kill -9 $$", ExitStatus{Signal: unix.SIGKILL}},
		{"kill -15 $$", ExitStatus{Signal: unix.SIGTERM}},
	} {
		var fd int
		proc, err := os.StartProcess("/bin/sh", []string{"sh", "-c", "read x; " + c.script},
			&os.ProcAttr{Files: []*os.File{pipeFrom(t)}, Sys: &syscall.SysProcAttr{PidFD: &fd}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := PidfdReap(fd, true)
		c.want.Pid = proc.Pid
		proc.Release()
		if err != nil || got != c.want {
			t.Errorf("%s: got %+v, %v; want %+v", c.script, got, err, c.want)
		}
		if _, err := PidfdReap(fd, true); err != unix.ECHILD {
			t.Errorf("%s, again: got %v, want ECHILD", c.script, err)
		}
		Close(fd)
	}
}

// pipeFrom returns the reading end of a pipe that holds one line.
func pipeFrom(t testing.TB) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, "go\n")
	w.Close()
	t.Cleanup(func() { r.Close() })
	return r
}

func TestPidfdReapWithoutWaiting(t *testing.T) {
	pid, end := sleeper(t)
	fd, err := PidfdOpen(pid)
	if err != nil {
		t.Fatal(err)
	}
	defer Close(fd)
	if _, err := PidfdReap(fd, false); err != unix.EAGAIN {
		t.Errorf("while it runs: got %v, want EAGAIN", err)
	}
	end()
	if ended, err := PidfdWait(fd, time.Now().Add(time.Minute)); !ended || err != nil {
		t.Fatalf("ended %v, %v", ended, err)
	}
	if got, err := PidfdReap(fd, false); err != nil || got != (ExitStatus{Pid: pid}) {
		t.Errorf("after its end: got %+v, %v", got, err)
	}
}

func TestPidfdWaitDeadline(t *testing.T) {
	pid, _ := sleeper(t)
	fd, err := PidfdOpen(pid)
	if err != nil {
		t.Fatal(err)
	}
	defer Close(fd)
	start := time.Now()
	ended, err := PidfdWait(fd, start.Add(20*time.Millisecond))
	if took := time.Since(start); ended || err != nil || took < 20*time.Millisecond {
		t.Errorf("ended %v, %v after %v; want a timeout after 20ms", ended, err, took)
	}
}

func TestReadStatOfOurselves(t *testing.T) {
	stat := mustStat(t, os.Getpid())
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	if stat.Comm != strings.TrimSuffix(string(comm), "\n") || stat.PPid != os.Getppid() || stat.StartTime == 0 || stat.Ended() {
		t.Errorf("got %+v; want comm %q, parent %d", stat, comm, os.Getppid())
	}
}

// TestReadStatHostileName gives a process a name that looks like the rest of the line.
func TestReadStatHostileName(t *testing.T) {
	dir := t.TempDir()
	name := ") S 1 (\n) Z 2 3"
	if err := os.Symlink("/bin/cat", dir+"/"+name); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(dir + "/" + name)
	in, _ := cmd.StdinPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer in.Close()
	stat := mustStat(t, cmd.Process.Pid)
	if stat.PPid != os.Getpid() || stat.Ended() || stat.StartTime == 0 {
		t.Errorf("got %+v; want parent %d", stat, os.Getpid())
	}
}

func TestParseStat(t *testing.T) {
	const rest = " S 7 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 %s 9 10 11\n"
	line := func(comm, start string) string { return "42 (" + comm + ")" + strings.Replace(rest, "%s", start, 1) }
	for _, c := range []struct {
		name, line string
		want       Stat
		ok         bool
	}{
		{"plain", line("cat", "12345"), Stat{"cat", 'S', 7, 12345}, true},
		{"empty name", line("", "1"), Stat{"", 'S', 7, 1}, true},
		{"parentheses", line("a) R 1 (b", "5"), Stat{"a) R 1 (b", 'S', 7, 5}, true},
		{"newline", line("a\nb", "5"), Stat{"a\nb", 'S', 7, 5}, true},
		{"largest start", line("x", "18446744073709551615"), Stat{"x", 'S', 7, 1<<64 - 1}, true},
		{"no fields after the start", "1 (x) R 0 1 1 0 -1 0 1 2 3 4 5 6 7 8 20 0 1 0 99", Stat{"x", 'R', 0, 99}, true},
		{"start too large", line("x", "18446744073709551616"), Stat{}, false},
		{"negative start", line("x", "-1"), Stat{}, false},
		{"cut before the start", "42 (cat) S 7 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 ", Stat{}, false},
		{"cut in the name", "42 (ca", Stat{}, false},
		{"wrong order", ")42(", Stat{}, false},
		{"long state", strings.Replace(line("x", "1"), " S ", " SS ", 1), Stat{}, false},
		{"no number", strings.Replace(line("x", "1"), " S 7", " S x", 1), Stat{}, false},
		{"empty", "", Stat{}, false},
	} {
		got, ok := parseStat([]byte(c.line))
		if ok != c.ok || ok && got != c.want {
			t.Errorf("%s: got %+v, %v; want %+v, %v", c.name, got, ok, c.want, c.ok)
		}
	}
}

func FuzzStat(f *testing.F) {
	f.Add([]byte("42 (cat) S 7 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 9 10 11\n"))
	f.Add([]byte("42 (a) b (c)) Z 7 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 1"))
	f.Add([]byte(")("))
	f.Fuzz(func(t *testing.T, line []byte) {
		stat, ok := parseStat(line)
		if ok && !strings.Contains(string(line), "("+stat.Comm+")") {
			t.Errorf("the name %q is not in %q", stat.Comm, line)
		}
	})
}

func TestBootID(t *testing.T) {
	id, err := BootID()
	if err != nil || len(id) != 36 || strings.Count(id, "-") != 4 {
		t.Errorf("got %q, %v; want a UUID", id, err)
	}
}

func BenchmarkReadStat(b *testing.B) {
	pid := os.Getpid()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ReadStat(pid); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenProcess(b *testing.B) {
	p := Process{os.Getpid(), mustStat(b, os.Getpid()).StartTime}
	for b.Loop() {
		fd, err := OpenProcess(p)
		if err != nil {
			b.Fatal(err)
		}
		Close(fd)
	}
}
