package stage

import "syscall"

// The variables that the entry point adds for the Go runtime.
const (
	addedMaxProcs = 1 << iota
	addedGC
)

// added says which of them it did add. The entry point writes it before the
// Go runtime starts; nothing else ever does.
var added uint32

// Environ is the environment that the process was started with: os.Environ
// without what the entry point added. Hooks and everything else that
// is started from here is to get this one.
func Environ() []string {
	env := syscall.Environ()
	return without(without(env, added&addedMaxProcs, "GOMAXPROCS=1"), added&addedGC, "GOGC=off")
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
