//go:build amd64

package stage

// Supported says whether this architecture has the interpreter in assembly,
// and with it the entry point and Clone.
const Supported = true

// entry is the ELF entry point. It is declared for the tools only.
func entry()

// interpret takes its image in a register. It is declared for the tools only.
func interpret()

// clone makes the child and returns what the kernel returns to the parent.
//
//go:noescape
func clone(args *CloneArgs, image uintptr) (r uintptr)
