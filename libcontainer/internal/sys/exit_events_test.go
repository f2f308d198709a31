package sys

import (
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/testutil"
)

// Whoever reaps a process, and however fast, how it ended is told.
func TestExitEvents(t *testing.T) {
	testutil.Root(t)
	testutil.Feature(t, "firstns") // others are told nothing
	for script, want := range map[string]ExitStatus{
		"read x; exit 0":          {},
		"read x; exit 77":         {Code: 77},
		"read x; kill -KILL $$":   {Signal: unix.SIGKILL},
		"read x; sh -c 'exit 99'": {Code: 99},
	} {
		cmd := exec.Command("/bin/sh", "-c", script)
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		events, err := OpenExitEvents(cmd.Process.Pid)
		if err != nil {
			t.Fatal(err)
		}
		in.Close()
		_ = exec.Command("/bin/true").Run() // somebody else's end
		_ = cmd.Wait()
		if got, err := events.Exit(); got != want || err != nil {
			t.Errorf("%s: got %+v, %v, want %+v", script, got, err, want)
		}
		begun := time.Now()
		if _, err := events.Exit(); err != unix.ENODATA || time.Since(begun) > 10*time.Second {
			t.Errorf("%s: again: %v", script, err)
		}
		events.Close()
	}
	if _, err := (*ExitEvents)(nil).Exit(); err != unix.ENODATA {
		t.Errorf("of none: %v", err)
	}
	(*ExitEvents)(nil).Close()
}
