// Package stage runs programs (package program): the lists of system calls
// that a container's init makes between clone and execve.
//
// There are two interpreters with the same behaviour. The one in assembly
// uses registers only, needs neither stack nor Go runtime, and is reached in
// two ways: from the ELF entry point of the binary (entry, linked with
// -ldflags "-E github.com/mesoc/mesoc/libcontainer/stage.entry"), when it is
// started under the name Name, and in the child that Clone makes. The twin in
// Go (Main) serves binaries that were linked without the flag, and
// architectures without assembly.
//
// Launch starts the child, main calls Main; both directions know programs only
// as images. What a program is for is none of this package's business.
package stage

// Name is what argv[0] must be for a binary to be a stage; argv[1] is then
// the number of the descriptor that holds the image, in decimal.
const Name = "mesoc-init"

// The exit statuses of a stage.
const (
	// ExitFailed is that of a program with a failing operation, once reported.
	ExitFailed = 1
	// ExitNoImage is that of a stage that could not map its image.
	ExitNoImage = 124
	// ExitBadImage is that of a stage whose image is none.
	ExitBadImage = 125
)

// EntrySymbol is what the linker is told to enter the binary at (-E).
const EntrySymbol = "github.com/mesoc/mesoc/libcontainer/stage.entry"

// IsInit says whether a process with these arguments was started to be a stage.
func IsInit(argv []string) bool { return len(argv) >= 2 && argv[0] == Name }
