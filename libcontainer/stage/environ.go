package stage

import (
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/early/first"
)

// What the entry point notes down: that it was run, and which variables it
// added for the Go runtime.
const (
	wasEntered = 1 << iota
	addedMaxProcs
	addedGC
)

// atEntry is where it does. It writes before the Go runtime starts; nothing
// else ever does.
var atEntry uint32

// Nofile is RLIMIT_NOFILE as the process was started with. Go raises the soft
// limit for itself when it starts, and takes that back in children of os/exec, but
// knows nothing of Clone's: a program that sets no other limit should set this
// one. Not ok without the entry point in assembly.
func Nofile() (soft, hard uint64, ok bool) {
	soft, hard = first.Nofile()
	return soft, hard, Entered() && hard != 0
}

// timerSlack is the slack in ns that the timers of the process had at its start;
// the entry point gives them more. 0 without the entry point.
var timerSlack uint64

// RestoreTimerSlack gives the calling thread, which has to be the goroutine's
// own, the timer slack that the process was started with (PR_SET_TIMERSLACK). Whoever
// starts a program other than by Clone calls it before, since it is inherited.
func RestoreTimerSlack() {
	// 0 asks for the thread's default, which is what it has without the entry
	// point. There is nothing that could be refused.
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(timerSlack), 0, 0, 0)
}

// Entered says whether this process came through the entry point in assembly,
// as stages of the same binary will then too. Otherwise they are the twin,
// with the limits that Main tells of.
func Entered() bool { return atEntry&wasEntered != 0 }

// Environ is the environment that the process was started with: os.Environ
// without what the entry point added. Hooks and everything else that
// is started from here is to get this one.
func Environ() []string {
	env := syscall.Environ()
	return without(without(env, atEntry&addedMaxProcs, "GOMAXPROCS=1"), atEntry&addedGC, "GOGC=off")
}

func without(env []string, is uint32, variable string) []string {
	if is == 0 || len(env) == 0 {
		return env
	}
	for i, v := range env {
		if v == variable {
			return append(env[:i:i], env[i+1:]...)
		}
	}
	return env
}
