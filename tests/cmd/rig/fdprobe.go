package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"

	"golang.org/x/sys/unix"
)

// fds prints the descriptors from 3 on that this process was started with. It
// asks the kernel about each number: a look at /proc/self/fd would open more.
func fds(args []string) error {
	if len(args) != 0 {
		return fmt.Errorf("want nothing")
	}
	var found []int
	for fd := 3; fd < 1024; fd++ {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err == nil && flags&unix.FD_CLOEXEC == 0 { // what Go opens is close-on-exec
			found = append(found, fd)
		}
	}
	for _, fd := range found {
		name, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
		if err != nil {
			name = err.Error()
		}
		fmt.Printf("fd %d %s\n", fd, name)
	}
	fmt.Println("end of fds")
	return nil
}

// withFDs starts a program with the descriptors from FIRST to LAST open on a file.
func withFDs(args []string) error {
	if len(args) < 4 {
		return fmt.Errorf("want FILE FIRST LAST PROGRAM ARG…")
	}
	first, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	last, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	program, err := exec.LookPath(args[3])
	if err != nil {
		return err
	}
	fd, err := unix.Open(args[0], unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	// Out of the way of the others.
	high, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, last+1)
	if err != nil {
		return err
	}
	for n := first; n <= last; n++ {
		if err := unix.Dup3(high, n, 0); err != nil {
			return err
		}
	}
	return unix.Exec(program, args[3:], os.Environ())
}
