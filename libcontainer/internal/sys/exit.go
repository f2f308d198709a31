package sys

import (
	"bytes"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// exitPatience is how long those who have no right to know the exit code of a
// zombie wait for it to be reaped: then the pidfd tells.
const exitPatience = time.Second

// PidfdExit says how p has ended, which need not be a child; pidfd is p's and
// polls as ended. The error is ENODATA if the kernel cannot tell: from 6.15 on
// it can if the pidfd was there before p was reaped (PIDFD_INFO_EXIT of
// pidfd_open(2)'s ioctl), and any can as long as p has not been reaped, if we
// have the right to ask (field 52 of proc_pid_stat(5)).
func PidfdExit(p Process, pidfd int) (ExitStatus, error) {
	for deadline := time.Now().Add(exitPatience); ; {
		// What the pidfd knows it knows before p is gone for good.
		reaped := PidfdSignal(pidfd, 0) == unix.ESRCH
		if status, ok := reapedExit(pidfd); ok {
			return status, nil
		}
		if status, ok := zombieExit(p); ok {
			return status, nil
		}
		if reaped || !time.Now().Before(deadline) {
			return ExitStatus{}, unix.ENODATA
		}
		time.Sleep(time.Millisecond)
	}
}

// reapedExit asks the pidfd.
func reapedExit(pidfd int) (ExitStatus, bool) {
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
	err := retry(func() error { return unix.IoctlPidfdInfo(pidfd, &info) })
	// The kernel says in the mask what it has filled in.
	if err != nil || info.Mask&unix.PIDFD_INFO_EXIT == 0 {
		return ExitStatus{}, false
	}
	return exitStatus(unix.WaitStatus(info.Exit_code)), true
}

// PidfdTellsExit says whether the pidfd of a process that lives may tell how it
// ends. Kernels from 6.13 to 6.14 tell other things.
func PidfdTellsExit(pidfd int) bool {
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
	err := retry(func() error { return unix.IoctlPidfdInfo(pidfd, &info) })
	return err == nil || err == unix.ESRCH
}

// zombieExit asks proc. To those who have no right to know it says 0.
func zombieExit(p Process) (ExitStatus, bool) {
	var buf [2048]byte
	dir := "/proc/" + strconv.Itoa(p.Pid)
	n, err := readProc(dir+"/stat", buf[:])
	if err != nil {
		return ExitStatus{}, false
	}
	stat, ok := parseStat(buf[:n])
	if !ok || stat.State != 'Z' || stat.StartTime != p.StartTime {
		return ExitStatus{}, false
	}
	code, err := strconv.Atoi(string(lastField(buf[:n])))
	if err != nil {
		return ExitStatus{}, false
	}
	// This asks for the same right (ptrace(2), PTRACE_MODE_READ_FSCREDS), and
	// a zombie still has a user namespace.
	var link [64]byte
	if _, err := unix.Readlink(dir+"/ns/user", link[:]); err != nil {
		return ExitStatus{}, false
	}
	return exitStatus(unix.WaitStatus(code)), true
}

// lastField of the line of /proc/PID/stat is exit_code, since Linux 3.5.
func lastField(line []byte) []byte {
	line = bytes.TrimRight(line, "\n")
	return line[bytes.LastIndexByte(line, ' ')+1:]
}

// exitStatus takes what wait4 gives apart.
func exitStatus(w unix.WaitStatus) ExitStatus {
	if w.Signaled() {
		return ExitStatus{Signal: w.Signal(), Core: w.CoreDump()}
	}
	return ExitStatus{Code: w.ExitStatus()}
}
