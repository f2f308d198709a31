package stage

import "syscall"

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
