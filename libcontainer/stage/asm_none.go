//go:build !amd64 && !arm64

package stage

// Supported says whether this architecture has the interpreter in assembly,
// and with it the entry point and Clone.
const Supported = false

func clone(*CloneArgs, uintptr) uintptr { panic("no assembly on this architecture") }

func entryAddress() uintptr { panic("no assembly on this architecture") }
