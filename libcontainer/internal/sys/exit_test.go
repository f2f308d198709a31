package sys

import (
	"errors"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// ended starts a shell script, which is a zombie when this returns.
func ended(t *testing.T, script string) (Process, int, *exec.Cmd) {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", script)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	p := Process{cmd.Process.Pid, mustStat(t, cmd.Process.Pid).StartTime}
	fd, err := OpenProcess(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { Close(fd) })
	in.Close()
	if _, err := PidfdWait(fd, time.Time{}); err != nil {
		t.Fatal(err)
	}
	return p, fd, cmd
}

// How a process has ended is known before it is reaped on every kernel, and
// after that on those that have PIDFD_INFO_EXIT; nothing is ever made up.
func TestPidfdExit(t *testing.T) {
	for _, c := range []struct {
		script string
		want   ExitStatus
	}{
		{"read x; exit 0", ExitStatus{}},
		{"read x; exit 77", ExitStatus{Code: 77}},
		{"read x; exit 255", ExitStatus{Code: 255}},
		{"read x; kill -TERM $$", ExitStatus{Signal: unix.SIGTERM}},
		{"read x; kill -KILL $$", ExitStatus{Signal: unix.SIGKILL}},
	} {
		p, fd, cmd := ended(t, c.script)
		if got, err := PidfdExit(p, fd); got != c.want || err != nil {
			t.Errorf("%s, not reaped: got %+v, %v, want %+v", c.script, got, err, c.want)
		}
		_ = cmd.Wait()
		got, err := PidfdExit(p, fd)
		switch {
		case errors.Is(err, unix.ENODATA) && !hasExitInfo(t):
		case got != c.want || err != nil:
			t.Errorf("%s, reaped: got %+v, %v, want %+v", c.script, got, err, c.want)
		}
	}
}

// hasExitInfo says whether this kernel is one that keeps it.
func hasExitInfo(t *testing.T) bool {
	t.Helper()
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		t.Fatal(err)
	}
	var major, minor int
	for i, part := 0, &major; i < len(name.Release); i++ {
		switch c := name.Release[i]; {
		case c >= '0' && c <= '9':
			*part = *part*10 + int(c-'0')
		case part == &major:
			part = &minor
		default:
			return major > 6 || major == 6 && minor >= 15
		}
	}
	return false
}

// A process of the same number that is not the one meant tells nothing.
func TestPidfdExitOfAnother(t *testing.T) {
	p, fd, cmd := ended(t, "read x; exit 3")
	p.StartTime++
	if status, ok := zombieExit(p); ok {
		t.Errorf("a process that started at another time: %+v", status)
	}
	_ = cmd.Wait()
	if status, ok := zombieExit(Process{p.Pid, p.StartTime - 1}); ok {
		t.Errorf("a process that is gone: %+v", status)
	}
	_ = fd
}
