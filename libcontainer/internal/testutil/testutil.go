// Package testutil lets a test name what it needs of the machine, and checks
// that a package's tests leave nothing behind.
//
// Tests call Root, Cgroup2 and Feature, which skip when the thing is missing,
// unless REQUIRE (a comma list of the same names, or `all`) names it: then its
// absence fails the test, so that a suite cannot turn green by skipping.
// TestMain calls Main. Only tests import this package, and it imports nothing
// of ours, so that every package's own tests can.
package testutil

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Root needs the test to run as root.
func Root(t testing.TB) {
	t.Helper()
	need(t, "root", func() string {
		if uid := os.Geteuid(); uid != 0 {
			return "the tests run as uid " + strconv.Itoa(uid)
		}
		return ""
	}())
}

// Feature needs something of the kernel or the machine by its name in
// REQUIRE: root, cgroup2, cgroup2.CONTROLLER, bpf, userns, swap, 5.14 (a
// kernel version). A name that is not known fails the test.
func Feature(t testing.TB, name string) {
	t.Helper()
	missing, known := probe(name)
	if !known {
		t.Fatalf("unknown feature %q", name)
	}
	need(t, name, missing)
}

// Program needs a program of the machine and returns its path; its name in
// REQUIRE is the program's.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	missing := ""
	if err != nil {
		missing = err.Error()
	}
	need(t, name, missing)
	return path
}

// need skips or fails the test when missing says why name is not there.
func need(t testing.TB, name, missing string) {
	t.Helper()
	switch {
	case missing == "":
	case required(os.Getenv("REQUIRE"), name):
		t.Fatalf("%s is required and missing: %s", name, missing)
	default:
		t.Skipf("needs %s: %s", name, missing)
	}
}

// required says whether the comma list demands name.
func required(list, name string) bool {
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item != "" && (item == name || item == "all") {
			return true
		}
	}
	return false
}

// probe says why a feature is missing, with nothing if it is there.
func probe(name string) (missing string, known bool) {
	controller, isController := strings.CutPrefix(name, "cgroup2.")
	major, minor, isVersion := version(name)
	switch {
	case name == "root":
		if os.Geteuid() != 0 {
			return "not root", true
		}
	case name == "cgroup2":
		return noCgroup2(), true
	case isController:
		return noController(controller), true
	case name == "bpf":
		// The limit of a query that asks nothing is known to whoever may ask.
		if _, _, err := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_GET_NEXT_ID, 0, 0); err == unix.ENOSYS || err == unix.EPERM {
			return "bpf: " + err.Error(), true
		}
	case name == "userns":
		if b, err := os.ReadFile("/proc/sys/user/max_user_namespaces"); err != nil || strings.TrimSpace(string(b)) == "0" {
			return "no user namespaces", true
		}
	case name == "firstns": // those of the kernel's start
		for path, first := range map[string]string{"pid": "pid:[4026531836]", "user": "user:[4026531837]"} {
			if link, err := os.Readlink("/proc/self/ns/" + path); err != nil || link != first {
				return "not in the first " + path + " namespace", true
			}
		}
	case name == "swap":
		if b, err := os.ReadFile("/proc/swaps"); err != nil || strings.Count(string(b), "\n") < 2 {
			return "no swap in use", true
		}
	case isVersion:
		var u unix.Utsname
		if err := unix.Uname(&u); err != nil {
			return err.Error(), true
		}
		release := unix.ByteSliceToString(u.Release[:])
		if haveMajor, haveMinor, _ := version(release); haveMajor < major || haveMajor == major && haveMinor < minor {
			return "the kernel is " + release, true
		}
	default:
		return "", false
	}
	return "", true
}

// version reads the first two numbers of a kernel version.
func version(s string) (major, minor int, ok bool) {
	first, rest, found := strings.Cut(s, ".")
	if !found {
		return 0, 0, false
	}
	end := 0
	for end < len(rest) && rest[end] >= '0' && rest[end] <= '9' {
		end++
	}
	major, err1 := strconv.Atoi(first)
	minor, err2 := strconv.Atoi(rest[:end])
	return major, minor, err1 == nil && err2 == nil
}
