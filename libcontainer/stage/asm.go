//go:build amd64 || arm64

package stage

// Supported says whether this architecture has the interpreter in assembly,
// and with it the entry point and Clone.
const Supported = true

// clone makes the child and returns what the kernel returns to the parent.
//
//go:noescape
func clone(args *CloneArgs, image uintptr) (r uintptr)

// entryAddress is the address of the entry point, for the tests: they make
// binaries that are entered there without linking anew.
func entryAddress() uintptr
