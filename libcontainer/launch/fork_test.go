package launch

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/program"
)

// Without assembly the same programs run in the twin: the dialogue, the
// failing step and the exit status are the same.
func TestFork(t *testing.T) {
	s := spec(holder())
	s.fork = true
	c := start(t, s)
	if e, err := c.Next(); err != nil || e.Code != 7 {
		t.Fatalf("event %+v, %v; want 7", e, err)
	}
	if err := c.Go(); err != nil {
		t.Fatal(err)
	}
	if status, err := c.Wait(); err != nil || status.Code != 5 {
		t.Fatalf("status %+v, %v; want 5", status, err)
	}
}

func TestForkStepFails(t *testing.T) {
	s := spec(write(func(b *program.Builder, _ program.Cell) {
		b.Call("open nothing", unix.SYS_OPENAT, program.Const(unix.AT_FDCWD), b.String("/no/such").Arg(), program.Const(0), program.Const(0))
	}))
	s.fork = true
	c := start(t, s)
	_, err := c.Next()
	var step *StepError
	if !errors.As(err, &step) || step.What != "open nothing" || step.Errno != unix.ENOENT {
		t.Fatalf("error %v, want that of the step", err)
	}
}

func TestForkMaps(t *testing.T) {
	maps := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 10}}
	s := spec(holder())
	s.fork, s.Namespaces, s.Maps = true, unix.CLONE_NEWUSER, NewMaps(maps, maps)
	c := start(t, s)
	if _, err := c.Next(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"uid_map", "gid_map"} {
		text, err := os.ReadFile("/proc/" + strconv.Itoa(c.Pid) + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(strings.Fields(string(text)), " "); got != "0 100000 10" {
			t.Errorf("%s is %q", name, got)
		}
	}
}

// A child that is alone has executed the stage, or ended.
func TestWaitAlone(t *testing.T) {
	s := spec(holder())
	s.Alone = true
	c := start(t, s)
	if err := c.WaitAlone(); err != nil {
		t.Fatal(err)
	}
	// As long as it shares our memory this is our own name; then it is empty until the
	// kernel has put the new arguments in place.
	var name []byte
	var err error
	for end := time.Now().Add(10 * time.Second); err == nil && len(name) == 0 && time.Now().Before(end); {
		name, err = os.ReadFile("/proc/" + strconv.Itoa(c.Pid) + "/cmdline")
	}
	if err != nil || !strings.HasPrefix(string(name), "mesoc-init\x00") {
		t.Errorf("the child is %q, %v; want the stage", name, err)
	}
	if _, err := c.Next(); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitAlone(); err != nil {
		t.Errorf("the second time: %v", err)
	}
}
