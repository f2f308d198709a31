package sys

import (
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Process names a process for good: pids are used again, a pid together with
// the time its process started is not. StartTime is in clock ticks since boot,
// as in /proc/PID/stat, and so only compares within one boot and one time
// namespace.
type Process struct {
	Pid       int
	StartTime uint64
}

// OpenProcess returns a pidfd of p. If p has ended, even if its pid lives on
// in another process, the error is ESRCH. A zombie is still p.
func OpenProcess(p Process) (pidfd int, err error) {
	pidfd, err = PidfdOpen(p.Pid)
	if err != nil {
		return -1, err
	}
	// The order is the proof: the pidfd pins whoever has the pid now. Should
	// that one end and its pid be taken between the two calls, the newcomer
	// started after p was recorded and its start time differs.
	stat, err := ReadStat(p.Pid)
	if err != nil {
		Close(pidfd)
		return -1, err
	}
	if stat.StartTime != p.StartTime {
		Close(pidfd)
		return -1, fail("open process", strconv.Itoa(p.Pid), unix.ESRCH)
	}
	return pidfd, nil
}

// PidfdOpen returns a pidfd of whoever has the pid now.
func PidfdOpen(pid int) (int, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return -1, fail("open process", strconv.Itoa(pid), Called("pidfd_open", err))
	}
	return fd, nil
}

// PidfdSignal sends sig to the process, and to nobody else whatever became of
// its pid. ESRCH says that it has ended and been reaped.
func PidfdSignal(pidfd int, sig unix.Signal) error {
	return Called("pidfd_send_signal", unix.PidfdSendSignal(pidfd, sig, nil, 0))
}

// PidfdWait waits until the process has ended, reaped or not, or the deadline
// has passed (zero: none), and says whether it has ended. It does not reap.
func PidfdWait(pidfd int, deadline time.Time) (ended bool, err error) {
	return WaitReadable(pidfd, deadline)
}

// ExitStatus says how a process ended: Signal is zero if it exited with Code.
type ExitStatus struct {
	Pid    int // as seen from the waiter's pid namespace
	Code   int
	Signal unix.Signal
	Core   bool // it also dumped core
}

// PidfdReap waits for the child to end and reaps it. With wait false it does
// not block: a child that still runs is EAGAIN. Who is not our child is ECHILD.
func PidfdReap(pidfd int, wait bool) (ExitStatus, error) {
	options := unix.WEXITED
	if !wait {
		options |= unix.WNOHANG
	}
	var info ChildInfo
	err := retry(func() error {
		return unix.Waitid(unix.P_PIDFD, pidfd, (*unix.Siginfo)(unsafe.Pointer(&info)), options, nil)
	})
	if err != nil {
		return ExitStatus{}, err
	}
	if info.pid == 0 {
		return ExitStatus{}, unix.EAGAIN
	}
	return info.Status(), nil
}

// ChildInfo is what the kernel writes for waitid(2): x/sys leaves out what
// siginfo_t has for SIGCHLD. The union begins behind three ints, aligned to a
// pointer's size.
type ChildInfo struct {
	signo, errno, code int32
	_                  [unsafe.Sizeof(uintptr(0)) - 4]byte
	pid                int32
	uid                uint32
	status             int32
	_                  [128 - 6*4 - (unsafe.Sizeof(uintptr(0)) - 4)]byte
}

// Status is how the child has ended.
func (c *ChildInfo) Status() ExitStatus {
	status := ExitStatus{Pid: int(c.pid)}
	switch c.code {
	case cldExited:
		status.Code = int(c.status)
	default:
		status.Signal = unix.Signal(c.status)
		status.Core = c.code == cldDumped
	}
	return status
}

// IsChild says whether the process is a child of ours that has not been reaped.
func IsChild(pidfd int) bool {
	return retry(func() error {
		return unix.Waitid(unix.P_PIDFD, pidfd, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	}) == nil
}

// The values of si_code for children that have ended, from asm-generic/siginfo.h.
const (
	cldExited = 1
	cldDumped = 3
)
