package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func wait(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("want PID SECONDS")
	}
	pid, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseFloat(args[1], 64)
	if err != nil {
		return err
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return err
	}
	end := time.Now().Add(time.Duration(seconds * float64(time.Second)))
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(max(0, time.Until(end).Milliseconds())))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err == nil && n == 0 {
			err = fmt.Errorf("process %d still there after %v s", pid, seconds)
		}
		return err
	}
}

func burn(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("want MIB")
	}
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	b, err := unix.Mmap(-1, 0, n<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return err
	}
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	fmt.Println("done")
	return nil
}

// idmap asks the kernel, because neither its version nor the name of the
// filesystem alone says whether a mount can be idmapped.
func idmap(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("want DIR")
	}
	child := exec.Command("sleep", "60")
	child.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 100000, Size: 1000}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 100000, Size: 1000}},
	}
	if err := child.Start(); err != nil {
		return err
	}
	defer func() { _ = child.Process.Kill(); _ = child.Wait() }()
	ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/user", child.Process.Pid))
	if err != nil {
		return err
	}
	tree, err := unix.OpenTree(unix.AT_FDCWD, args[0], unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return err
	}
	return unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &unix.MountAttr{
		Attr_set:  unix.MOUNT_ATTR_IDMAP,
		Userns_fd: uint64(ns.Fd()),
	})
}

// sched prints what sched_getattr(2) and ioprio_get(2) say, in their numbers.
func sched(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("want PID")
	}
	pid, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	a, err := unix.SchedGetAttr(pid, 0)
	if err != nil {
		return err
	}
	const whoProcess, classShift = 1, 13
	io, _, errno := unix.Syscall(unix.SYS_IOPRIO_GET, whoProcess, uintptr(pid), 0)
	if errno != 0 {
		return errno
	}
	fmt.Printf("policy %d flags %#x nice %d priority %d runtime %d deadline %d period %d\nioprio class %d level %d\n",
		a.Policy, a.Flags, a.Nice, a.Priority, a.Runtime, a.Deadline, a.Period, io>>classShift, io&(1<<classShift-1))
	return nil
}
