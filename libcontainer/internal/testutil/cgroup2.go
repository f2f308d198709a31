package testutil

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// cgroupMount is where tests expect cgroup2: the runner of the privileged
// tests mounts it there in a mount namespace of its own if the host does not.
const cgroupMount = "/sys/fs/cgroup"

// Cgroup2 needs root and a cgroup2 mount that can be written to, and returns
// the mount and the name, relative to it, of a new directory for this test.
// Everything in it is killed and removed when the test ends.
func Cgroup2(t testing.TB) (mount, path string) {
	t.Helper()
	Root(t)
	need(t, "cgroup2", noCgroup2())
	dir, err := os.MkdirTemp(cgroupMount, cgroupPrefix())
	if err != nil {
		need(t, "cgroup2", err.Error())
	}
	t.Cleanup(func() {
		if err := removeCgroup(dir); err != nil {
			t.Errorf("remove scratch cgroup: %v", err)
		}
	})
	return cgroupMount, filepath.Base(dir)
}

// cgroupPrefix begins the names of this process's scratch cgroups. Packages
// are tested at the same time; each answers for its own.
func cgroupPrefix() string {
	return fmt.Sprintf("mesoc-test-%d-", os.Getpid())
}

func noCgroup2() string {
	var st unix.Statfs_t
	if err := unix.Statfs(cgroupMount, &st); err != nil {
		return err.Error()
	}
	if st.Type != unix.CGROUP2_SUPER_MAGIC {
		return cgroupMount + " is not cgroup2"
	}
	return ""
}

func noController(name string) string {
	if missing := noCgroup2(); missing != "" {
		return missing
	}
	b, err := os.ReadFile(cgroupMount + "/cgroup.controllers")
	if err != nil {
		return err.Error()
	}
	for _, have := range strings.Fields(string(b)) {
		if have == name {
			return ""
		}
	}
	return "the cgroup2 mount has no such controller"
}

// removeCgroup kills what is in dir and below and removes it. It knows nothing
// of package cgroup2, which it helps to test.
func removeCgroup(dir string) error {
	deadline := time.Now().Add(10 * time.Second)
	for {
		if err := os.WriteFile(dir+"/cgroup.kill", []byte("1"), 0); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENODEV) {
			return err
		}
		err := rmdirAll(dir)
		if err == nil || !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) {
			return err
		}
		if err := waitEvents(dir, time.Until(deadline)); err != nil {
			return err
		}
	}
}

// rmdirAll removes dir and the cgroups below it.
func rmdirAll(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := rmdirAll(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	if err := unix.Rmdir(dir); err != nil && err != unix.ENOENT {
		return &fs.PathError{Op: "rmdir", Path: dir, Err: err}
	}
	return nil
}

// waitEvents waits for cgroup.events of dir to change, while it says that
// there are processes.
func waitEvents(dir string, timeout time.Duration) error {
	fd, err := unix.Open(dir+"/cgroup.events", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil // removed
	}
	defer unix.Close(fd)
	var buf [256]byte
	n, err := unix.Read(fd, buf[:])
	if err != nil || !strings.Contains(string(buf[:n]), "populated 1") {
		return nil
	}
	_, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLPRI}}, int(max(0, timeout.Milliseconds())))
	if err == unix.EINTR {
		return nil
	}
	return err
}
