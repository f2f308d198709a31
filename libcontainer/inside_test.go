package libcontainer

import (
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
)

func TestProcMounts(t *testing.T) {
	got := procMounts([]sys.MountPoint{
		{Root: "/", Path: "/proc", Type: "proc"},
		{Root: "/", Path: "/sys", Type: "sysfs"},
		{Root: "/sys", Path: "/proc/sys", Type: "proc"},
		{Root: "/", Path: "/", Type: "ext4"},
		{Root: "/", Path: "/proc/fs/nfsd", Type: "nfsd"},
		{Root: "/", Path: "/x", Type: "procfs"},
		{Root: "/", Path: "/c/root", Type: "proc"},
		{Root: "/", Path: "/c/root/proc", Type: "proc"},
		{Root: "/", Path: "/c/rootless/proc", Type: "proc"},
	}, "/c/root")
	if want := []string{"/c/rootless/proc", "/sys", "/proc"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestHostProcMounts(t *testing.T) {
	all, err := hostProcMounts("/no/such/root")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(strings.Join(all, "\n")+"\n", "/proc\n") {
		t.Errorf("the host's procfs is not among %q", all)
	}
	below, err := hostProcMounts("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, point := range below {
		if point == "/proc" || strings.HasPrefix(point, "/proc/") {
			t.Errorf("%s is inside the root and is covered", point)
		}
	}
	if len(below) >= len(all) {
		t.Errorf("a root at /proc leaves %q, another one %q", below, all)
	}
}

func TestReadyLine(t *testing.T) {
	for message, want := range map[string]string{
		"READY=1":                    "READY=1",
		"STATUS=x\nREADY=1\nFOO=bar": "READY=1",
		"READY=1\n":                  "READY=1",
		"NOTREADY=1":                 "",
		"STATUS=READY=1":             "",
		"ready=1":                    "",
		"":                           "",
		"\n\n":                       "",
	} {
		got, ok := readyLine([]byte(message))
		if string(got) != want || ok != (want != "") {
			t.Errorf("readyLine(%q) = %q, %v; want %q", message, got, ok, want)
		}
	}
}

func TestSocketActivation(t *testing.T) {
	// Descriptors 3 and 4 are open, whatever was there before.
	var opened []int
	for len(opened) == 0 || opened[len(opened)-1] < 4 {
		fd, err := sys.Openat(sys.CWD, "/dev/null", unix.O_RDONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		opened = append(opened, fd)
	}
	defer func() {
		for _, fd := range opened {
			sys.Close(fd)
		}
	}()
	me := strconv.Itoa(os.Getpid())
	inherited := func(flags int) {
		for fd := uintptr(3); fd < 5; fd++ { // some are the Go runtime's
			if _, err := unix.FcntlInt(fd, unix.F_SETFD, flags); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := socketActivation(1); err == nil || !strings.Contains(err.Error(), "hand descriptor 3 on") {
		t.Errorf("a descriptor of our own: error %v", err)
	}
	inherited(0)
	defer inherited(unix.FD_CLOEXEC)
	for _, c := range []struct {
		fds, pid string
		preserve int
		listen   int
		fails    string
	}{
		{"", "", 0, 0, ""},
		{"2", me, 0, 2, ""},
		{"1", me, 1, 1, ""},
		{"2", "1", 0, 0, ""}, // meant for another process
		{"2", "", 0, 0, ""},
		{"0", me, 0, 0, ""},
		{"-1", me, 0, 0, ""},
		{"x", me, 0, 0, ""},
		{"", "", 2, 0, ""},
		{"100000", me, 0, 100000, "LISTEN_FDS=100000"},
		{"", "", 100000, 0, "--preserve-fds 100000"},
		{"2147483647", me, 0, 2147483647, "LISTEN_FDS"},
		{"9223372036854775807", me, 0, 0, ""}, // no number of descriptors
	} {
		t.Setenv("LISTEN_FDS", c.fds)
		t.Setenv("LISTEN_PID", c.pid)
		a, err := socketActivation(c.preserve)
		switch {
		case c.fails != "":
			if err == nil || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("LISTEN_FDS=%s and %d: error %v, want %s", c.fds, c.preserve, err, c.fails)
			}
		case err != nil:
			t.Errorf("LISTEN_FDS=%s LISTEN_PID=%s and %d: %v", c.fds, c.pid, c.preserve, err)
		case a.listen != c.listen:
			t.Errorf("LISTEN_FDS=%s LISTEN_PID=%s: %d sockets, want %d", c.fds, c.pid, a.listen, c.listen)
		case c.listen > 0 && strings.Join(a.env, " ") != "LISTEN_FDS="+c.fds+" LISTEN_PID=1":
			t.Errorf("LISTEN_FDS=%s: environment %q", c.fds, a.env)
		}
	}
}

func TestMissingCapabilities(t *testing.T) {
	const kill, admin = 1 << unix.CAP_KILL, 1 << unix.CAP_SYS_ADMIN
	all := &specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{
		Effective: []string{"CAP_KILL"}, Permitted: []string{"CAP_KILL", "CAP_SYS_ADMIN", "CAP_OF_TOMORROW"},
	}}}
	for _, c := range []struct {
		spec *specs.Spec
		held uint64
		want string
	}{
		{&specs.Spec{}, 0, ""},
		{&specs.Spec{Process: &specs.Process{}}, 0, ""},
		{all, kill | admin, ""},
		{all, ^uint64(0), ""},
		{all, kill, "CAP_SYS_ADMIN"},
		{all, 0, "CAP_KILL, CAP_SYS_ADMIN"},
	} {
		if got := missingCapabilities(c.spec, c.held); got != c.want {
			t.Errorf("missingCapabilities with %#x held: %q, want %q", c.held, got, c.want)
		}
	}
}

func TestInnerPid(t *testing.T) {
	if pid, err := innerPid(os.Getpid()); err != nil || pid <= 0 {
		t.Errorf("innerPid of this process: %d, %v", pid, err)
	}
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if pid, err := innerPid(cmd.Process.Pid); err == nil {
		t.Errorf("innerPid of a process that has ended: %d", pid)
	}
}
