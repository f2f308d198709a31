package kernel

import (
	"errors"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
)

// verdict reads the errno of a call that cannot succeed, or that does nothing
// when it does. The kernel that knows the call says one of yes. ENOSYS is what
// one says that does not, and what a sandbox says that wants to look like it.
func verdict(errno error, yes ...error) (Answer, error) {
	for _, e := range yes {
		if errors.Is(errno, e) {
			return Yes, nil
		}
	}
	switch {
	case errno == nil:
		return Yes, nil
	case errors.Is(errno, unix.ENOSYS):
		return No, nil
	}
	return CouldNotTell, errno
}

// call makes a system call; nil is success.
func call(nr uintptr, args ...uintptr) error {
	var a [6]uintptr
	copy(a[:], args)
	_, _, errno := unix.Syscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5])
	if errno == 0 {
		return nil
	}
	return errno
}

// none is a descriptor that is never open, and a set of flags that is never valid.
const none = ^uintptr(0)

func memfdSeals() (Answer, error) {
	fd, err := sys.MemfdProgram("probe", nil)
	if err == nil {
		sys.Close(fd)
	}
	if errors.Is(err, unix.EINVAL) { // the flag or the seals are not known
		return No, nil
	}
	return verdict(err)
}

func memfdNoexec() (Answer, error) {
	fd, err := unix.MemfdCreate("probe", unix.MFD_CLOEXEC|unix.MFD_NOEXEC_SEAL)
	if err == nil {
		sys.Close(fd)
	}
	if err == unix.EINVAL {
		return No, nil
	}
	return verdict(err)
}

func execveat() (Answer, error) {
	// With an argument: for a program without one some kernels log a warning.
	name := [...]byte{'x', 0}
	argv := [...]*byte{&name[0], nil}
	err := call(unix.SYS_EXECVEAT, none, uintptr(unsafe.Pointer(&name)), uintptr(unsafe.Pointer(&argv)),
		uintptr(unsafe.Pointer(&argv[1])), none)
	runtime.KeepAlive(&name)
	return verdict(err, unix.EINVAL, unix.EBADF)
}

func statx() (Answer, error) {
	var st unix.Statx_t
	return verdict(unix.Statx(unix.AT_FDCWD, "/", 0, unix.STATX_TYPE, &st))
}

// withPidfd probes with a pidfd of this process.
func withPidfd(probe func(fd int) (Answer, error)) (Answer, error) {
	fd, err := sys.PidfdOpen(os.Getpid())
	if err != nil {
		return CouldNotTell, err
	}
	defer sys.Close(fd)
	return probe(fd)
}

func pidfdOpen() (Answer, error) {
	fd, err := sys.PidfdOpen(os.Getpid())
	if err == nil {
		sys.Close(fd)
	}
	return verdict(err)
}

func pidfdSendSignal() (Answer, error) {
	// Not through withPidfd: this call is older than pidfd_open.
	return verdict(sys.PidfdSignal(-1, 0), unix.EBADF)
}

func waitidPidfd() (Answer, error) {
	return withPidfd(func(fd int) (Answer, error) {
		_, err := sys.PidfdReap(fd, false)
		if err == unix.EINVAL {
			return No, nil
		}
		return verdict(err, unix.ECHILD) // we are not our own child
	})
}

func mountAPI() (Answer, error) {
	answer, err := verdict(call(unix.SYS_OPEN_TREE, none, 0, none), unix.EINVAL)
	if answer != Yes {
		return answer, err
	}
	return verdict(call(unix.SYS_MOVE_MOUNT, none, 0, none, 0, none), unix.EINVAL)
}

func fsopen() (Answer, error) {
	answer, err := Yes, error(nil)
	for _, nr := range [...]uintptr{unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT} {
		if answer == Yes {
			answer, err = verdict(call(nr, none, none), unix.EINVAL)
		}
	}
	return answer, err
}

func mountSetattr() (Answer, error) {
	return verdict(call(unix.SYS_MOUNT_SETATTR, none, 0, none, 0, 0), unix.EINVAL)
}

// mountAttr asks to set attr on a mount that does not exist. A kernel that
// does not know the attribute says so first.
func mountAttr(attr uint64) func() (Answer, error) {
	return func() (Answer, error) {
		if answer, err := mountSetattr(); answer != Yes {
			return answer, err
		}
		// The namespace of an id-mapped mount is looked up in the same way.
		const never = 1<<31 - 1
		err := unix.MountSetattr(never, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: attr, Userns_fd: never})
		if err == unix.EINVAL {
			return No, nil
		}
		return verdict(err, unix.EBADF)
	}
}

func clone3() (Answer, error) {
	return verdict(call(unix.SYS_CLONE3, 0, 0), unix.EINVAL) // no kernel takes a size of 0
}

// cloneIntoCgroup gives an impossible descriptor in the field for the cgroup.
// Before 5.7 the structure has no such field, and anything in it is E2BIG.
// That the flags contradict each other keeps whatever else answers to clone3
// from making a process.
func cloneIntoCgroup() (Answer, error) {
	args := struct {
		flags, pidfd, childTid, parentTid, exitSignal, stack, stackSize, tls, setTid, setTidSize, cgroup uint64
	}{flags: unix.CLONE_INTO_CGROUP | unix.CLONE_FS | unix.CLONE_NEWNS, exitSignal: uint64(unix.SIGCHLD), cgroup: 1 << 40}
	err := call(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&args)), unsafe.Sizeof(args))
	if err == unix.E2BIG {
		return No, nil
	}
	return verdict(err, unix.EINVAL)
}

func openat2() (Answer, error) {
	return verdict(call(unix.SYS_OPENAT2, none, 0, 0, 0), unix.EINVAL) // no kernel takes a size of 0
}

func faccessat2() (Answer, error) {
	return verdict(unix.Faccessat2(unix.AT_FDCWD, "/", unix.F_OK, unix.AT_EACCESS))
}

func closeRange() (Answer, error) {
	return verdict(unix.CloseRange(1, 0, 0), unix.EINVAL) // from 1 to 0: nothing
}

func closeRangeCloexec() (Answer, error) {
	if answer, err := closeRange(); answer != Yes {
		return answer, err
	}
	const last = 1<<32 - 1 // which is no descriptor
	err := unix.CloseRange(last, last, unix.CLOSE_RANGE_CLOEXEC)
	if err == unix.EINVAL {
		return No, nil
	}
	return verdict(err)
}

// ptyPeer asks for the other side of a new terminal, which is still locked:
// EIO. The terminal goes with its descriptor.
func ptyPeer() (Answer, error) {
	fd, err := sys.Openat(sys.CWD, "/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return CouldNotTell, err
	}
	defer sys.Close(fd)
	peer, err := unix.IoctlRetInt(fd, unix.TIOCGPTPEER)
	switch err {
	case nil:
		sys.Close(peer)
	case unix.ENOTTY, unix.EINVAL:
		return No, nil
	}
	return verdict(err, unix.EIO)
}

// setModeFilter asks for a filter with flags and without a program, which is a
// wrong address to a kernel that knows the flags.
func setModeFilter(flags uintptr) func() (Answer, error) {
	return func() (Answer, error) {
		err := call(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, 0)
		if err == unix.EINVAL {
			return No, nil
		}
		return verdict(err, unix.EFAULT)
	}
}

func seccompNotify() (Answer, error) {
	var sizes [3]uint16
	err := call(unix.SYS_SECCOMP, unix.SECCOMP_GET_NOTIF_SIZES, 0, uintptr(unsafe.Pointer(&sizes)))
	if err == unix.EINVAL {
		return No, nil
	}
	return verdict(err)
}

func apparmorAttributes() (Answer, error) {
	err := unix.Access("/proc/self/attr/apparmor", unix.F_OK)
	if err == unix.ENOENT && unix.Access("/proc/self/attr", unix.F_OK) == nil {
		return No, nil
	}
	return verdict(err)
}

// Modes of memory policies (linux/mempolicy.h).
const (
	mpolBind               = 2
	mpolPreferredMany      = 5
	mpolWeightedInterleave = 6
)

// memoryPolicy asks for a mode on a page that nobody uses. If the mode that
// every kernel has fails there, it is not the mode.
func memoryPolicy(mode uintptr) func() (Answer, error) {
	return func() (Answer, error) {
		page, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
		if err != nil {
			return CouldNotTell, err
		}
		defer func() { _ = unix.Munmap(page) }()
		node := uint64(1)
		bind := func(mode uintptr) error {
			return call(unix.SYS_MBIND, uintptr(unsafe.Pointer(&page[0])), uintptr(len(page)), mode, uintptr(unsafe.Pointer(&node)), 64)
		}
		if answer, err := verdict(bind(mpolBind)); answer != Yes {
			return answer, err
		}
		err = bind(mode)
		if err == unix.EINVAL {
			return No, nil
		}
		return verdict(err)
	}
}

func keyrings() (Answer, error) {
	return verdict(call(unix.SYS_KEYCTL, 1<<30), unix.EOPNOTSUPP) // no such operation
}
