package main

import (
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// withoutUsage is longer than the others because it says what the names are.
const withoutUsage = "[--errno NAME] SYSCALL… -- COMMAND…  run it where these system calls do not exist (ENOSYS), or fail as NAME"

// removable are the system calls that a test can take away.
var removable = map[string]uint32{
	"bpf":               unix.SYS_BPF,
	"clone3":            unix.SYS_CLONE3,
	"close_range":       unix.SYS_CLOSE_RANGE,
	"execveat":          unix.SYS_EXECVEAT,
	"faccessat2":        unix.SYS_FACCESSAT2,
	"fsconfig":          unix.SYS_FSCONFIG,
	"fsmount":           unix.SYS_FSMOUNT,
	"fsopen":            unix.SYS_FSOPEN,
	"memfd_create":      unix.SYS_MEMFD_CREATE,
	"mount_setattr":     unix.SYS_MOUNT_SETATTR,
	"move_mount":        unix.SYS_MOVE_MOUNT,
	"open_tree":         unix.SYS_OPEN_TREE,
	"openat2":           unix.SYS_OPENAT2,
	"pidfd_open":        unix.SYS_PIDFD_OPEN,
	"pidfd_send_signal": unix.SYS_PIDFD_SEND_SIGNAL,
	"statx":             unix.SYS_STATX,
}

// without becomes COMMAND below a filter that it cannot take off. It sets no
// no_new_privs, which would change what a runtime does, and so needs
// CAP_SYS_ADMIN.
func without(args []string) error {
	errno := unix.ENOSYS
	if len(args) > 1 && args[0] == "--errno" {
		if errno = errnoNamed(args[1]); errno == 0 {
			return fmt.Errorf("%s is no errno", args[1])
		}
		args = args[2:]
	}
	var calls []uint32
	for len(args) > 0 && args[0] != "--" {
		nr, ok := removable[args[0]]
		if !ok {
			return fmt.Errorf("%s is not among the calls that can be taken away", args[0])
		}
		calls = append(calls, nr)
		args = args[1:]
	}
	if len(calls) == 0 || len(args) < 2 {
		return fmt.Errorf("want %s", withoutUsage)
	}
	program, err := exec.LookPath(args[1])
	if err != nil {
		return err
	}
	filter := withoutFilter(calls, errno)
	runtime.LockOSThread() // the filter is this thread's, which becomes the command
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if _, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&prog))); e != 0 {
		return fmt.Errorf("install the filter: %w", e)
	}
	return unix.Exec(program, args[1:], unix.Environ())
}

func withoutFilter(calls []uint32, errno unix.Errno) []unix.SockFilter {
	filter := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}} // seccomp_data.nr
	for _, nr := range calls {
		filter = append(filter,
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: nr},
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errno)})
	}
	return append(filter, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
}

func errnoNamed(name string) unix.Errno {
	for e := unix.Errno(1); e < 200; e++ {
		if unix.ErrnoName(e) == strings.ToUpper(name) {
			return e
		}
	}
	return 0
}
