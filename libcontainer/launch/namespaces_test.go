package launch

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/internal/testutil"
)

// Id mappings, and pid namespaces that are visited.

func maps(first, size uint32) *Maps {
	m := []specs.LinuxIDMapping{{ContainerID: 0, HostID: first, Size: size}}
	return NewMaps(m, m)
}

func TestMapLines(t *testing.T) {
	if got := mapLines(nil); got != "" {
		t.Errorf("no mappings: %q", got)
	}
	got := mapLines([]specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 65536}, {ContainerID: 65536, HostID: 0, Size: 1<<32 - 1}})
	if want := "0 100000 65536\n65536 0 4294967295\n"; got != want {
		t.Errorf("mapLines: %q, want %q", got, want)
	}
}

func TestMaps(t *testing.T) {
	testutil.Feature(t, "userns")
	s := spec(holder())
	s.Namespaces = unix.CLONE_NEWUSER
	s.Maps = maps(100000, 1000)
	c := start(t, s)
	heard(t, c, 7)
	for _, name := range []string{"uid_map", "gid_map"} {
		if got := strings.Join(strings.Fields(proc(t, c.Pid, name)), " "); got != "0 100000 1000" {
			t.Errorf("%s: %s", name, got)
		}
	}
	for _, key := range []string{"Uid:", "Gid:"} {
		if got := status(t, c.Pid, key); got != "100000 100000 100000 100000" {
			t.Errorf("%s %s", key, got)
		}
	}
}

func TestMapsRefused(t *testing.T) {
	testutil.Root(t)
	testutil.Feature(t, "userns")
	s := spec(holder())
	s.Namespaces = unix.CLONE_NEWUSER
	s.Maps = maps(1, 0)
	c, err := Start(s)
	if err == nil {
		c.Kill()
		c.Close()
		t.Fatal("mappings of no ids were accepted")
	}
	if !errors.Is(err, unix.EINVAL) || !strings.HasPrefix(err.Error(), "write uid_map of the user namespace: ") {
		t.Errorf("error %q", err)
	}
}

func TestPidNamespace(t *testing.T) {
	s := spec(holder())
	s.Namespaces = unix.CLONE_NEWPID
	first := start(t, s)
	heard(t, first, 7)
	ns, err := sys.Openat(sys.CWD, fmt.Sprintf("/proc/%d/ns/pid", first.Pid), unix.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer sys.Close(ns)
	for name, fd := range map[string]int{"namespace": ns, "pidfd": first.Pidfd} {
		t.Run(name, func(t *testing.T) {
			s := spec(holder())
			s.PidNamespace = fd
			c := start(t, s)
			heard(t, c, 7)
			if link(t, c.Pid, "ns/pid") != link(t, first.Pid, "ns/pid") {
				t.Error("the child is in another pid namespace")
			}
			if f := strings.Fields(status(t, c.Pid, "NSpid:")); len(f) < 2 || f[0] != strconv.Itoa(c.Pid) || f[len(f)-1] == "1" {
				t.Errorf("NSpid: %v", f)
			}
		})
	}
	// The next child is born where this process is.
	c := start(t, spec(holder()))
	heard(t, c, 7)
	if link(t, c.Pid, "ns/pid") != link(t, os.Getpid(), "ns/pid") {
		t.Error("the visit to a pid namespace was not taken back")
	}
}

func TestPidNamespaceIsNone(t *testing.T) {
	testutil.Root(t)
	null, err := sys.Openat(sys.CWD, "/dev/null", unix.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer sys.Close(null)
	s := spec(holder())
	s.PidNamespace = null
	if _, err := Start(s); !errors.Is(err, unix.EINVAL) {
		t.Errorf("a pid namespace that is none: %v", err)
	}
}
