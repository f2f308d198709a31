package libcontainer

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/internal/testutil"
	"github.com/mesoc/mesoc/libcontainer/launch"
	"github.com/mesoc/mesoc/libcontainer/store"
)

// timeout is that of hooks that run into it, in seconds: as much as it may take
// a slow machine until such a hook has said all that a test looks for.
const timeout = 5

// soon is longer than anything here takes, and shorter than what must not be waited for.
const soon = 20 * time.Second

func hookRunner(t *testing.T) (*container, hookPlace) {
	t.Helper()
	testutil.Root(t)
	c := &container{runtime: &Runtime{Root: t.TempDir()},
		record: store.Record{ID: "box", OCIVersion: "1.2.0", Bundle: t.TempDir(), Annotations: map[string]string{"a": "b"}}}
	p := runtimePlace("prestart", Creating, 4711, c.record.Bundle)
	p.env = []string{"PATH=/bin:/usr/bin", "PLACE=here"}
	return c, p
}

func shellHook(script string) specs.Hook {
	return specs.Hook{Path: "/bin/sh", Args: []string{"sh", "-c", script}}
}

// runScript runs one hook that is a script, and sees that it takes no time.
func runScript(t *testing.T, script string, timeout int) error {
	t.Helper()
	c, p := hookRunner(t)
	h := shellHook(script)
	if timeout > 0 {
		h.Timeout = &timeout
	}
	begin := time.Now()
	err := c.runHooks([]specs.Hook{h}, p)
	if spent := time.Since(begin); spent > soon {
		t.Errorf("the hook took %v", spent)
	}
	return err
}

func TestHook(t *testing.T) {
	for script, want := range map[string]string{
		"exit 0":                         "",
		"echo fine":                      "",
		"exit 3":                         "run hook prestart[0] /bin/sh: exit status 3",
		"echo one; echo two >&2; exit 1": "run hook prestart[0] /bin/sh: exit status 1, output: one\ntwo",
		"echo x; kill -TERM $$":          "run hook prestart[0] /bin/sh: killed by SIGTERM, output: x",
		"kill -40 $$":                    "run hook prestart[0] /bin/sh: killed by signal 40",
		`[ "$PLACE" = here ]`:            "",
		`[ $(ls /proc/self/fd | wc -l) = 4 ] || { ls -l /proc/self/fd; exit 1; }`:               "",
		`[ "$(awk '{print $6}' /proc/self/stat)" = $$ ]`:                                        "", // a session of its own
		`grep -q 'SigBlk:.0*$' /proc/self/status`:                                               "",
		`grep -q 'SigIgn:.0*$' /proc/self/status || { grep SigIgn /proc/self/status; exit 1; }`: "",
	} {
		got := ""
		if err := runScript(t, script, 0); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", script, got, want)
		}
	}
}

func TestHookState(t *testing.T) {
	err := runScript(t, "cat; exit 1", 0)
	if err == nil {
		t.Fatal("no error")
	}
	_, text, _ := strings.Cut(err.Error(), "output: ")
	var s specs.State
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if s.ID != "box" || s.Version != "1.2.0" || s.Status != specs.StateCreating || s.Pid != 4711 || s.Annotations["a"] != "b" || s.Bundle == "" {
		t.Errorf("hooks read %s", text)
	}
}

func TestHookEnvironment(t *testing.T) {
	c, p := hookRunner(t)
	for name, h := range map[string]specs.Hook{
		"its own":  {Path: "/bin/sh", Args: []string{"sh", "-c", `[ "$X" = 1 ] && [ -z "$PLACE" ]`}, Env: []string{"X=1"}},
		"empty":    {Path: "/bin/sh", Args: []string{"sh", "-c", `[ -z "$PLACE" ]`}, Env: []string{}},
		"no args":  {Path: "/bin/true"},
		"its argv": {Path: "/bin/sh", Args: []string{"other", "-c", `[ "$0" = zero ] && [ "$(pwd)" = "` + c.record.Bundle + `" ]`, "zero"}},
	} {
		if err := c.runHooks([]specs.Hook{h}, p); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHookIsMissing(t *testing.T) {
	c, p := hookRunner(t)
	err := c.runHooks([]specs.Hook{{Path: "/bin/true"}, {Path: "/no/such"}, shellHook("touch ran")}, p)
	var step *launch.StepError
	if !errors.As(err, &step) || step.What != `exec "/no/such"` || !errors.Is(err, unix.ENOENT) {
		t.Errorf("error %#v", err)
	}
	if err != nil && !strings.HasPrefix(err.Error(), "run hook prestart[1] /no/such: ") {
		t.Errorf("error %q", err)
	}
	if _, err := os.Stat(c.record.Bundle + "/ran"); err == nil {
		t.Error("a hook behind the one that failed was run")
	}
}

func TestEveryHook(t *testing.T) {
	c, p := hookRunner(t)
	var warnings []string
	c.runtime.Warn = func(_ string, args ...any) { warnings = append(warnings, args[0].(error).Error()) }
	c.runEveryHook([]specs.Hook{shellHook("exit 1"), shellHook("touch ran"), shellHook("exit 2")}, p)
	if _, err := os.Stat(c.record.Bundle + "/ran"); err != nil {
		t.Error("a hook behind the one that failed was not run")
	}
	if len(warnings) != 2 || !strings.Contains(warnings[1], "prestart[2] /bin/sh: exit status 2") {
		t.Errorf("warnings %q", warnings)
	}
}

// The error carries the end of the output.
func TestHookOutputTail(t *testing.T) {
	err := runScript(t, `i=0; while [ $i -lt 3000 ]; do echo "line $i of many"; i=$((i+1)); done; echo END; exit 1`, 0)
	if err == nil {
		t.Fatal("no error")
	}
	_, text, _ := strings.Cut(err.Error(), "output: ")
	if len(text) > hookTail || len(text) < hookTail-100 || !strings.HasSuffix(text, "line 2999 of many\nEND") {
		t.Errorf("%d bytes of output that end in %q", len(text), text[max(0, len(text)-40):])
	}
}

// pidIn reads the pid that a hook has left in a file.
func pidIn(t *testing.T, file string) int {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// goneSoon waits for the end of a process that is not our child.
func goneSoon(t *testing.T, pid int) {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if err == unix.ESRCH {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if ended, err := sys.WaitReadable(fd, time.Now().Add(soon)); !ended {
		t.Errorf("process %d still runs: %v", pid, err)
		_ = unix.Kill(pid, unix.SIGKILL)
	}
}

func TestHookTimeout(t *testing.T) {
	file := t.TempDir() + "/pid"
	err := runScript(t, `echo here; trap "" TERM INT HUP; sh -c 'echo $$ >`+file+`; exec sleep 1000' & wait; sleep 1000`, timeout)
	if err == nil || err.Error() != "run hook prestart[0] /bin/sh: timed out after 5s, output: here" {
		t.Errorf("error %v", err)
	}
	goneSoon(t, pidIn(t, file)) // it was in the hook's process group
}

func TestHookTimeoutIsNotReached(t *testing.T) {
	for _, timeout := range []int{100, 1 << 31, 1<<63 - 1} {
		if err := runScript(t, "sleep 0.01", timeout); err != nil {
			t.Errorf("timeout of %d s: %v", timeout, err)
		}
	}
}

// A hook that has ended in time has not timed out, however late that is seen.
func TestCollectLate(t *testing.T) {
	cmd := exec.Command("/bin/sh", "-c", "echo in time")
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pipe[0])
	out := os.NewFile(uintptr(pipe[1]), "pipe")
	cmd.Stdout = out
	err := cmd.Start()
	out.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	pidfd, err := sys.PidfdOpen(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	defer sys.Close(pidfd)
	if ended, err := sys.PidfdWait(pidfd, time.Now().Add(soon)); !ended {
		t.Fatalf("the shell does not end: %v", err)
	}
	var tail []byte
	if ended, err := collect(pidfd, pipe[0], time.Now().Add(-time.Second), &tail); !ended || err != nil || string(tail) != "in time\n" {
		t.Errorf("ended %v, %v, output %q", ended, err, tail)
	}
}

// Who holds a hook's output open, or never stops writing to it, does not keep us.
func TestHookLeavesSomebody(t *testing.T) {
	for name, c := range map[string]struct {
		script, want string
		timeout      int
	}{
		"silent":               {`sleep 1000 & echo $! >%`, "", 0},
		"in another session":   {`setsid sh -c 'echo $$ >%; exec sleep 1000' & while ! [ -s % ]; do :; done; exit 2`, "exit status 2", 0},
		"endless output":       {`yes & echo $! >%; exit 4`, "exit status 4", 0},
		"endless and no end":   {`yes & echo $! >%; wait`, "timed out after 5s", timeout},
		"endless, other group": {`setsid sh -c 'echo $$ >%; exec yes' & wait`, "timed out after 5s", timeout},
	} {
		t.Run(name, func(t *testing.T) {
			file := t.TempDir() + "/pid"
			err := runScript(t, strings.ReplaceAll(c.script, "%", file), c.timeout)
			pid := pidIn(t, file)
			switch {
			case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("error %v, want %s", err, c.want)
			case err != nil && len(err.Error()) > hookTail+200:
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			_ = unix.Kill(pid, unix.SIGKILL)
			goneSoon(t, pid)
		})
	}
}

// However fast somebody writes, there is an end to reading.
func TestDrainEnds(t *testing.T) {
	fd, err := unix.Open("/dev/zero", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	var tail []byte
	if !drain(fd, &tail) || len(tail) != hookTail {
		t.Errorf("%d bytes of an endless file are kept", len(tail))
	}
}
