package testutil

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Main runs a package's tests and returns the exit status, which is a failure
// also when they leave descriptors, mounts, cgroups, files or children behind.
//
//	func TestMain(m *testing.M) { os.Exit(testutil.Main(m)) }
//
// TMPDIR is a directory of this process meanwhile: packages are tested at the
// same time, and what is left in it, mounts too, is ours.
func Main(m *testing.M) int {
	tmp, err := os.MkdirTemp("", fmt.Sprintf("mesoc-test-%d-", os.Getpid()))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(tmp)
	os.Setenv("TMPDIR", tmp)
	before := descriptors()
	code := m.Run()
	leaks := leftBehind(tmp, before)
	for _, l := range leaks {
		fmt.Fprintln(os.Stderr, "left behind:", l)
	}
	if code == 0 && len(leaks) > 0 {
		return 1
	}
	return code
}

func leftBehind(tmp string, before map[string]string) []string {
	var leaks []string
	for fd, target := range descriptors() {
		if before[fd] == "" && !ofRuntime(target) {
			leaks = append(leaks, "descriptor "+fd+" of "+target)
		}
	}
	if b, err := os.ReadFile("/proc/self/mountinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) > 4 && (f[4] == tmp || strings.HasPrefix(f[4], tmp+"/")) {
				leaks = append(leaks, "mount "+f[4])
			}
		}
	}
	if noCgroup2() == "" {
		dirs, _ := filepath.Glob(filepath.Join(cgroupMount, cgroupPrefix()+"*"))
		for _, d := range dirs {
			leaks = append(leaks, "cgroup "+d)
		}
	}
	if entries, err := os.ReadDir(tmp); err == nil {
		for _, e := range entries {
			leaks = append(leaks, "file "+filepath.Join(tmp, e.Name()))
		}
	}
	var status unix.WaitStatus
	if pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil); !errors.Is(err, unix.ECHILD) {
		leaks = append(leaks, fmt.Sprintf("child process (%d)", pid))
	}
	sort.Strings(leaks)
	return leaks
}

// descriptors returns what this process has open, by number.
func descriptors() map[string]string {
	open := map[string]string{}
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return open
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	for _, fd := range names {
		if fd == fmt.Sprint(dir.Fd()) {
			continue
		}
		if target, err := os.Readlink("/proc/self/fd/" + fd); err == nil {
			open[fd] = target
		}
	}
	return open
}

// ofRuntime says whether a descriptor is one that the Go runtime opens for
// itself once and keeps: its poller, and what it reads limits from.
func ofRuntime(target string) bool {
	return target == "anon_inode:[eventpoll]" || target == "anon_inode:[eventfd]" ||
		strings.HasSuffix(target, "/cpu.max") || strings.HasPrefix(target, "/sys/fs/cgroup/cpu/")
}
