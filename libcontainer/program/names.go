package program

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// syscallName names the system calls that programs use; the same name on
// every architecture.
func syscallName(nr uint32) string {
	switch uintptr(nr) {
	case unix.SYS_ACCEPT4:
		return "accept4"
	case unix.SYS_BIND:
		return "bind"
	case unix.SYS_CAPSET:
		return "capset"
	case unix.SYS_CHDIR:
		return "chdir"
	case unix.SYS_CHROOT:
		return "chroot"
	case unix.SYS_CLOCK_GETTIME:
		return "clock_gettime"
	case unix.SYS_CLONE:
		return "clone"
	case unix.SYS_CLONE3:
		return "clone3"
	case unix.SYS_CLOSE:
		return "close"
	case unix.SYS_CLOSE_RANGE:
		return "close_range"
	case unix.SYS_DUP3:
		return "dup3"
	case unix.SYS_EXECVE:
		return "execve"
	case unix.SYS_EXECVEAT:
		return "execveat"
	case unix.SYS_EXIT_GROUP:
		return "exit_group"
	case unix.SYS_FACCESSAT2:
		return "faccessat2"
	case unix.SYS_FCHDIR:
		return "fchdir"
	case unix.SYS_FCHMOD:
		return "fchmod"
	case unix.SYS_FCHMODAT:
		return "fchmodat"
	case unix.SYS_FCHOWNAT:
		return "fchownat"
	case unix.SYS_FCNTL:
		return "fcntl"
	case unix.SYS_FSCONFIG:
		return "fsconfig"
	case unix.SYS_FSMOUNT:
		return "fsmount"
	case unix.SYS_FSOPEN:
		return "fsopen"
	case unix.SYS_FSTATFS:
		return "fstatfs"
	case unix.SYS_GETCWD:
		return "getcwd"
	case unix.SYS_GETPID:
		return "getpid"
	case unix.SYS_GETPPID:
		return "getppid"
	case unix.SYS_IOCTL:
		return "ioctl"
	case unix.SYS_IOPRIO_SET:
		return "ioprio_set"
	case unix.SYS_KEYCTL:
		return "keyctl"
	case unix.SYS_LSETXATTR:
		return "lsetxattr"
	case unix.SYS_MKDIRAT:
		return "mkdirat"
	case unix.SYS_MKNODAT:
		return "mknodat"
	case unix.SYS_MOUNT:
		return "mount"
	case unix.SYS_MOUNT_SETATTR:
		return "mount_setattr"
	case unix.SYS_MOVE_MOUNT:
		return "move_mount"
	case unix.SYS_OPENAT:
		return "openat"
	case unix.SYS_OPENAT2:
		return "openat2"
	case unix.SYS_OPEN_TREE:
		return "open_tree"
	case unix.SYS_PERSONALITY:
		return "personality"
	case unix.SYS_PIVOT_ROOT:
		return "pivot_root"
	case unix.SYS_PRCTL:
		return "prctl"
	case unix.SYS_READ:
		return "read"
	case unix.SYS_READLINKAT:
		return "readlinkat"
	case unix.SYS_RT_SIGPROCMASK:
		return "rt_sigprocmask"
	case unix.SYS_SCHED_SETATTR:
		return "sched_setattr"
	case unix.SYS_SECCOMP:
		return "seccomp"
	case unix.SYS_RECVMSG:
		return "recvmsg"
	case unix.SYS_SENDMSG:
		return "sendmsg"
	case unix.SYS_SETDOMAINNAME:
		return "setdomainname"
	case unix.SYS_SETGROUPS:
		return "setgroups"
	case unix.SYS_SETHOSTNAME:
		return "sethostname"
	case unix.SYS_SET_MEMPOLICY:
		return "set_mempolicy"
	case unix.SYS_SETNS:
		return "setns"
	case unix.SYS_SETRESGID:
		return "setresgid"
	case unix.SYS_SETRESUID:
		return "setresuid"
	case unix.SYS_SETSID:
		return "setsid"
	case unix.SYS_PRLIMIT64:
		return "prlimit64"
	case unix.SYS_SOCKET:
		return "socket"
	case unix.SYS_STATX:
		return "statx"
	case unix.SYS_SYMLINKAT:
		return "symlinkat"
	case unix.SYS_UMASK:
		return "umask"
	case unix.SYS_UMOUNT2:
		return "umount2"
	case unix.SYS_UNLINKAT:
		return "unlinkat"
	case unix.SYS_UNSHARE:
		return "unshare"
	case unix.SYS_WAITID:
		return "waitid"
	case unix.SYS_WRITE:
		return "write"
	}
	return "syscall_" + strconv.Itoa(int(nr))
}

func errnoName(e int64) string {
	switch unix.Errno(e) {
	case OK:
		return "ok"
	case AnyErrno:
		return "any errno"
	}
	if n := unix.ErrnoName(unix.Errno(e)); n != "" {
		return n
	}
	return strconv.FormatInt(e, 10)
}
