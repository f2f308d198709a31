package libcontainer_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer"
	"github.com/mesoc/mesoc/libcontainer/internal/testutil"
)

type crashRig struct {
	mesoc, root, bundle, cgroups, cgroupsRoot string
	mounts                                    string
	programs                                  map[ebpf.ProgramID]bool
}

const (
	crashID     = "crash"
	crashParent = "crash-parent" // of those that are nested
)

func newCrashRig(t *testing.T) *crashRig {
	t.Helper()
	if testing.Short() {
		t.Skip("takes a minute")
	}
	mount, cgroups := testutil.Cgroup2(t)
	testutil.Program(t, "strace")
	busybox := testutil.Program(t, "busybox")
	dir := t.TempDir()
	// A user namespace's root has to get through.
	for d := dir; len(d) >= len(os.Getenv("TMPDIR")); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	r := &crashRig{mesoc: os.Getenv("MESOC"), root: dir + "/state", bundle: dir + "/bundle",
		cgroups: filepath.Join(mount, cgroups), cgroupsRoot: cgroups}
	if r.mesoc == "" {
		r.mesoc = dir + "/mesoc"
		build := exec.Command(testutil.Program(t, "go"), "build", "-ldflags", "-E github.com/mesoc/mesoc/libcontainer/stage.entry", "-o", r.mesoc, "..")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build mesoc: %v\n%s", err, out)
		}
	}
	for _, d := range []string{"bin", "proc", "dev"} {
		if err := os.MkdirAll(filepath.Join(r.bundle, "rootfs", d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(busybox)
	if err == nil {
		err = os.WriteFile(r.bundle+"/rootfs/bin/busybox", data, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	// What outlives the runtime comes to us, so that it can be counted.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) })
	r.mounts = mountinfo(t)
	r.programs = devicePrograms(t)
	t.Cleanup(func() { r.awaitPrograms(t) })
	return r
}

// devicePrograms are the device filters that the kernel holds.
func devicePrograms(t *testing.T) map[ebpf.ProgramID]bool {
	t.Helper()
	found := map[ebpf.ProgramID]bool{}
	for id := ebpf.ProgramID(0); ; {
		next, err := ebpf.ProgramGetNextID(id)
		if errors.Is(err, os.ErrNotExist) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		id = next
		p, err := ebpf.NewProgramFromID(id)
		if err != nil {
			continue // gone meanwhile
		}
		if p.Type() == ebpf.CGroupDevice {
			found[id] = true
		}
		p.Close()
	}
}

// awaitPrograms fails the test if device filters stay that were not there
// before. The kernel takes its time to drop one after its cgroup.
func (r *crashRig) awaitPrograms(t *testing.T) {
	t.Helper()
	left := devicePrograms(t)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		now := devicePrograms(t)
		for id := range left {
			if r.programs[id] || !now[id] {
				delete(left, id)
			}
		}
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("%d device filters are left", len(left))
			return
		}
	}
}

func mountinfo(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// configure writes config.json, with more for the object linux and for the top.
func (r *crashRig) configure(t *testing.T, namespaces, linux, more string) {
	t.Helper()
	config := `{"ociVersion":"1.2.0","root":{"path":"rootfs"},"hostname":"crash",
		"process":{"cwd":"/","args":["/bin/busybox","sleep","1000"],"env":["PATH=/bin"],"user":{"uid":0,"gid":0}},
		"mounts":[{"destination":"/proc","type":"proc","source":"proc"},{"destination":"/dev","type":"tmpfs","source":"tmpfs"},
			{"destination":"/new/directory","type":"tmpfs","source":"tmpfs"}],
		"linux":{"namespaces":[{"type":"pid"},{"type":"mount"},{"type":"ipc"},{"type":"uts"},{"type":"cgroup"}` + namespaces + `],
			"resources":{"devices":[{"allow":false,"access":"rwm"}]}` + linux + `}` + more + `}`
	if err := os.WriteFile(r.bundle+"/config.json", []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
}

// requests are the flags for requests and limits; none where the controllers
// for them are missing.
func (r *crashRig) requests(t *testing.T) []string {
	t.Helper()
	controllers, err := os.ReadFile(r.cgroups + "/cgroup.controllers")
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(controllers))
	if !slices.Contains(fields, "cpu") || !slices.Contains(fields, "memory") {
		return nil
	}
	t.Setenv("MESOC_ISOLATION", "cgroups/all")
	return []string{"--annotation", `io.mesoc.resources={"requests":{"cpus":0.5,"mem":"64MB"},"limits":{"cpus":1,"mem":"128MB"}}`}
}

// command is a command line of mesoc, behind a program that runs it.
func (r *crashRig) command(args []string, before ...string) *exec.Cmd {
	line := append(before, r.mesoc, "--root", r.root, "--cgroups-root", r.cgroupsRoot)
	line = append(line, args...)
	return exec.Command(line[0], line[1:]...)
}

// mustRun runs a command that has to succeed. Its output goes to a file: a
// container that lives on would keep a pipe open.
func (r *crashRig) mustRun(t *testing.T, args ...string) {
	t.Helper()
	out, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := r.command(args)
	cmd.Stdout, cmd.Stderr = out, out
	if err = cmd.Start(); err == nil {
		stop := reapOthers(cmd.Process.Pid)
		err = cmd.Wait()
		stop()
	}
	if err != nil {
		text, _ := os.ReadFile(out.Name())
		t.Fatalf("mesoc %s: %v\n%s", strings.Join(args, " "), err, text)
	}
}

// reapOthers reaps all children but one until stop is called: an init cannot
// end while what was in its pid namespace waits for being reaped by us.
func reapOthers(pid int) (stop func()) {
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ended:
				return
			case <-time.After(time.Millisecond):
			}
			for _, child := range children() {
				if child != pid {
					_, _ = unix.Wait4(child, nil, unix.WNOHANG, nil)
				}
			}
		}
	}()
	return func() {
		close(ended)
		<-done
	}
}

// children are those of this process.
func children() []int {
	var pids []int
	list, _ := filepath.Glob("/proc/self/task/*/children")
	for _, file := range list {
		b, _ := os.ReadFile(file)
		for word := range strings.FieldsSeq(string(b)) {
			if n, err := strconv.Atoi(word); err == nil {
				pids = append(pids, n)
			}
		}
	}
	return pids
}

// crashPoint is the moment before a process makes a system call for the nth time.
type crashPoint struct {
	call string
	nth  int
}

// points are the calls that the command makes when nothing happens to it.
func (r *crashRig) points(t *testing.T, args []string) []crashPoint {
	t.Helper()
	log := t.TempDir() + "/strace"
	if err := r.command(args, "strace", "-qq", "-o", log, "-e", "trace="+crashCalls, "-e", "signal=none").Run(); err != nil {
		t.Fatalf("strace mesoc %s: %v", strings.Join(args, " "), err)
	}
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	var list []crashPoint
	seen := map[string]int{}
	for line := range strings.Lines(string(b)) {
		if call, _, ok := strings.Cut(line, "("); ok {
			seen[call]++
			list = append(list, crashPoint{call, seen[call]})
		}
	}
	return list
}

// crash runs the command and kills it at the point; false if it has succeeded
// before that.
func (r *crashRig) crash(t *testing.T, args []string, p crashPoint) bool {
	t.Helper()
	inject := fmt.Sprintf("inject=%s:signal=SIGKILL:when=%d", p.call, p.nth)
	err := r.command(args, "strace", "-qq", "-o", "/dev/null", "-e", "trace="+p.call, "-e", inject).Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return false
	case errors.As(err, &exit) && exit.Sys().(interface{ Signaled() bool }).Signaled():
		return true
	}
	t.Fatalf("mesoc %s, killed before %s %d: %v", strings.Join(args, " "), p.call, p.nth, err)
	return false
}

// clean fails the test if anything is left of the container.
func (r *crashRig) clean(t *testing.T) {
	t.Helper()
	if left := descendants(10 * time.Second); left != "" {
		t.Errorf("processes are left: %s", left)
	}
	if entries, err := os.ReadDir(r.root); err == nil && len(entries) > 0 {
		t.Errorf("the state directory holds %v", entries)
	}
	// So that each run makes it anew, as the first one has.
	if err := os.Remove(r.root); err != nil && !errors.Is(err, os.ErrNotExist) && !t.Failed() {
		t.Error(err)
	}
	entries, err := os.ReadDir(r.cgroups)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			t.Errorf("cgroup %s is left", e.Name())
		}
	}
	if mounts := mountinfo(t); mounts != r.mounts {
		t.Errorf("the mounts were changed:\n%s", mounts)
		r.mounts = mounts
	}
}

// descendants reaps the children of this process, until the patience ends, and
// describes those that still live then.
func descendants(patience time.Duration) string {
	for deadline := time.Now().Add(patience); ; {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		switch {
		case errors.Is(err, unix.ECHILD):
			return ""
		case err != nil && !errors.Is(err, unix.EINTR):
			return err.Error()
		case pid == 0 && time.Now().After(deadline):
			var text []byte
			for _, child := range children() {
				line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child))
				text = append(text, line...)
				_ = unix.Kill(child, unix.SIGKILL)
			}
			return string(text)
		case pid == 0:
			time.Sleep(time.Millisecond)
		}
	}
}

// recover cleans up by recover alone where nothing but that is needed: what is
// on record as created, and lives or has ended, is for delete.
func (r *crashRig) recover(t *testing.T) {
	t.Helper()
	for _, clean := range []bool{true, false} {
		found := r.recovery(t, "--clean="+strconv.FormatBool(clean))
		if !clean && len(found.Orphans)+len(found.Incomplete) > 0 {
			t.Errorf("recover --clean has left %+v", found)
		}
		if clean && len(found.Cleaned) != len(found.Orphans)+len(found.Incomplete) {
			t.Errorf("recover --clean has cleaned less than it found: %+v", found)
		}
		for _, id := range append(found.Recovered, found.Stale...) {
			if !clean && id != crashParent {
				r.mustRun(t, "delete", "--force", id)
			}
		}
	}
}

// endParent deletes the parent, if there is one, once nothing is left of its child.
func (r *crashRig) endParent(t *testing.T) {
	t.Helper()
	for _, left := range []string{r.root + "/" + crashID, r.cgroups + "/" + crashParent + "/mesos"} {
		if _, err := os.Lstat(left); err == nil {
			t.Errorf("%s is left", left)
		}
	}
	r.mustRun(t, "delete", "--force", crashParent)
}

func (r *crashRig) recovery(t *testing.T, flag string) (found libcontainer.Recovery) {
	t.Helper()
	out, err := r.command([]string{"recover", flag}).Output()
	if err == nil {
		err = json.Unmarshal(out, &found)
	}
	if err != nil {
		t.Fatalf("recover %s: %v\n%s", flag, err, out)
	}
	return found
}
