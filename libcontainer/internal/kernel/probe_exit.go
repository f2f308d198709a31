package kernel

import (
	"errors"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
)

// pidfdExitInfo ends a thread of ours and asks its pidfd how: nobody has to
// reap a thread.
func pidfdExitInfo() (Answer, error) {
	ended := make(chan pidfdOf)
	go endThread(ended)
	thread := <-ended
	if errors.Is(thread.err, unix.EINVAL) { // the flag is of Linux 6.9
		return No, nil
	}
	if thread.err != nil {
		return verdict(thread.err)
	}
	defer sys.Close(thread.fd)
	if ended, err := sys.PidfdWait(thread.fd, time.Now().Add(time.Second)); err != nil || !ended {
		return CouldNotTell, err
	}
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
	switch err := unix.IoctlPidfdInfo(thread.fd, &info); {
	case errors.Is(err, unix.ENOTTY), errors.Is(err, unix.EINVAL), errors.Is(err, unix.ESRCH), err == nil && info.Mask&unix.PIDFD_INFO_EXIT == 0:
		return No, nil
	default:
		return verdict(err)
	}
}

type pidfdOf struct {
	fd  int
	err error
}

// endThread ends the thread it runs on and tells its pidfd. The first thread
// never ends, so from there it keeps that and goes to another.
func endThread(tell chan<- pidfdOf) {
	runtime.LockOSThread() // without an unlock the thread ends with the goroutine
	if unix.Gettid() == unix.Getpid() {
		another := make(chan pidfdOf)
		go endThread(another)
		tell <- <-another
		runtime.UnlockOSThread()
		return
	}
	fd, err := unix.PidfdOpen(unix.Gettid(), unix.PIDFD_THREAD)
	tell <- pidfdOf{fd, err}
}
