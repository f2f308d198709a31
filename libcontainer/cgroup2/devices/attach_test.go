package devices

import (
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/mesoc/mesoc/libcontainer/internal/testutil"
	"golang.org/x/sys/unix"
)

// askEnv, when set, makes the test binary a process in a cgroup that tries to
// use device nodes and prints which it could.
const askEnv = "MESOC_TEST_ASK"

func TestMain(m *testing.M) {
	if dir := os.Getenv(askEnv); dir != "" {
		answer(dir)
		return
	}
	os.Exit(testutil.Main(m))
}

// tries are what the process in the cgroup does, each with the rule that
// allows it. The nodes are made in a directory of the test.
var tries = []struct {
	name         string
	major, minor uint32
	flags        int // of open; -1 for mknod
	rule         string
}{
	{"null-r", 1, 3, unix.O_RDONLY, "allow c 1:3 r"},
	{"null-w", 1, 3, unix.O_WRONLY, "allow c 1:3 w"},
	{"null-rw", 1, 3, unix.O_RDWR, "allow c 1:3 rw"},
	{"zero-r", 1, 5, unix.O_RDONLY, "allow c 1:5 r"},
	{"urandom-r", 1, 9, unix.O_RDONLY, "allow c 1:9 r"},
	{"null-m", 1, 3, -1, "allow c 1:3 m"},
	{"kmsg-m", 1, 11, -1, "allow c 1:11 m"},
}

// answer is the child's side: one line an attempt that was not refused.
func answer(dir string) {
	var out []string
	for _, try := range tries {
		if attempt(dir, try.name, try.major, try.minor, try.flags) {
			out = append(out, try.name)
		}
	}
	os.Stdout.WriteString(strings.Join(out, " "))
}

func attempt(dir, name string, major, minor uint32, flags int) bool {
	node := filepath.Join(dir, name)
	if flags < 0 {
		err := unix.Mknod(node, unix.S_IFCHR|0o600, int(unix.Mkdev(major, minor)))
		os.Remove(node)
		return err == nil
	}
	fd, err := unix.Open(node, flags|unix.O_CLOEXEC, 0)
	if err == nil {
		unix.Close(fd)
	}
	return err == nil
}

// scratch makes a cgroup and opens it.
func scratch(t *testing.T) int {
	t.Helper()
	mount, path := testutil.Cgroup2(t)
	testutil.Feature(t, "bpf")
	fd, err := unix.Open(filepath.Join(mount, path), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// ask starts a child in the cgroup and returns the tries that it could do.
func ask(t *testing.T, cgroup int, nodes string) []string {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), askEnv+"="+nodes)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: cgroup}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out))
}

// nodes makes the device nodes of tries.
func nodes(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, try := range tries {
		if try.flags >= 0 {
			if err := unix.Mknod(filepath.Join(dir, try.name), unix.S_IFCHR|0o600, int(unix.Mkdev(try.major, try.minor))); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// TestAttach runs a process under programs and compares what it could do with
// what the model allows.
func TestAttach(t *testing.T) {
	cgroup := scratch(t)
	dir := nodes(t)
	if err := Attach(cgroup, mustCompile(t, Defaults())); err != nil {
		t.Fatal(err)
	}
	for _, list := range [][]Rule{
		Defaults(),
		// The child needs none of these to start, so a program may deny all.
		nil,
		rules(t, "allow c 1:3 r"),
		rules(t, "allow c 1:3 rw", "allow c *:* m"),
		rules(t, "allow a *:* rwm", "deny c 1:3 w"),
		rules(t, "allow c 1:* rwm", "deny c 1:5 r", "deny c 1:11 m"),
	} {
		if err := Replace(cgroup, mustCompile(t, list)); err != nil {
			t.Fatal(err)
		}
		if n, err := Count(cgroup); n != 1 || err != nil {
			t.Fatalf("%d programs after a replacement, %v", n, err)
		}
		var want []string
		for _, try := range tries {
			r := rule(t, try.rule)
			if model(list, question{r.Type, r.Major, r.Minor, r.Access}) {
				want = append(want, try.name)
			}
		}
		if got := ask(t, cgroup, dir); !slices.Equal(got, want) {
			t.Errorf("rules %v: could %v, should %v", list, got, want)
		}
	}
}

// TestReplaceSeveral leaves one of several programs.
func TestReplaceSeveral(t *testing.T) {
	cgroup := scratch(t)
	if err := Replace(cgroup, mustCompile(t, nil)); err != nil { // of none
		t.Fatal(err)
	}
	for range 2 {
		if err := Attach(cgroup, mustCompile(t, nil)); err != nil {
			t.Fatal(err)
		}
	}
	if n, _ := Count(cgroup); n != 3 {
		t.Fatalf("%d programs attached", n)
	}
	if err := Replace(cgroup, mustCompile(t, rules(t, "allow a *:* rwm"))); err != nil {
		t.Fatal(err)
	}
	if n, _ := Count(cgroup); n != 1 {
		t.Errorf("%d programs left", n)
	}
	dir := nodes(t)
	if got := ask(t, cgroup, dir); len(got) != len(tries) {
		t.Errorf("under a program that allows all a process could %v", got)
	}
}

func TestAttachErrors(t *testing.T) {
	cgroup := scratch(t)
	null, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(null)
	p := mustCompile(t, nil)
	if err := Attach(null, p); !errors.Is(err, unix.EBADF) || !strings.HasPrefix(err.Error(), "attach device program: ") {
		t.Errorf("attached to /dev/null: %v", err)
	}
	if err := Replace(null, p); !errors.Is(err, unix.EBADF) {
		t.Errorf("replaced on /dev/null: %v", err)
	}
	// A program without an end: the verifier's reason is part of the error.
	bad := Program{insns: asm.Instructions{asm.Mov.Imm(regResult, 1)}}
	if err := Attach(cgroup, bad); err == nil || !strings.Contains(err.Error(), "verifier: ") {
		t.Errorf("a bad program: %v", err)
	}
	if n, _ := Count(cgroup); n != 0 {
		t.Errorf("%d programs attached", n)
	}
}

// TestVerifier has the kernel verify many programs, each of them also through
// the loader of cilium/ebpf.
func TestVerifier(t *testing.T) {
	scratch(t)
	rnd := rand.New(rand.NewPCG(3, 4))
	lists := [][]Rule{}
	for _, c := range cases(t) {
		lists = append(lists, c.rules)
	}
	for range 200 {
		lists = append(lists, randomRules(rnd))
	}
	for _, list := range lists {
		p := mustCompile(t, list)
		fd, err := load(p)
		if err != nil {
			t.Fatalf("rules %v: %v\n%v", list, err, decode(t, p))
		}
		unix.Close(fd)
		prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.CGroupDevice, Instructions: decode(t, p), License: "Apache-2.0"})
		if err != nil {
			t.Fatalf("cilium/ebpf, rules %v: %v", list, err)
		}
		prog.Close()
	}
}

func BenchmarkCompile(b *testing.B) {
	list := append([]Rule{{Access: All, Major: Any, Minor: Any}}, Defaults()...)
	for b.Loop() {
		p, err := Compile(list)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(p.insns)), "insns")
	}
}

func BenchmarkAttach(b *testing.B) {
	mount, path := testutil.Cgroup2(b)
	p := mustCompile(b, Defaults())
	i := 0
	for b.Loop() {
		dir := filepath.Join(mount, path, strconv.Itoa(i))
		i++
		if err := unix.Mkdir(dir, 0o755); err != nil {
			b.Fatal(err)
		}
		fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			b.Fatal(err)
		}
		if err := Attach(fd, p); err != nil {
			b.Fatal(err)
		}
		unix.Close(fd)
		if err := unix.Rmdir(dir); err != nil {
			b.Fatal(err)
		}
	}
}
