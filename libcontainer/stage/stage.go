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

import (
	"syscall"

	"github.com/mesoc/mesoc/libcontainer/program"
)

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

// What package program lays down, under the names that the assembly knows
// (through go_asm.h). The differential tests fail if the two disagree.
const (
	imageMagic = program.Magic
	imageBase  = program.Base
	imageSize  = program.MaxSize

	offOps       = 0x08
	offFirst     = 0x10
	offReport    = 0x18
	offIndexBase = 0x20
	offScratch   = 0x28

	opSize    = program.OpSize
	opNr      = 4
	opCells   = 8
	opFlags   = 12
	opArgs    = 16
	opKeep    = 64
	opWant    = 72
	opRules   = 80
	flagWant  = 1
	ruleShift = 8
	ruleSize  = 8

	kindCall    = uint32(program.Call)
	kindCheck   = uint32(program.Check)
	kindStore32 = uint32(program.Store32)
	kindStore64 = uint32(program.Store64)

	maxAgain = program.MaxAgain
	maxErrno = 4095

	errProto  = int(syscall.EPROTO)
	errNoExec = int(syscall.ENOEXEC)
	errIntr   = int(syscall.EINTR)

	sysWrite     = syscall.SYS_WRITE
	sysExitGroup = syscall.SYS_EXIT_GROUP
	sysMmap      = syscall.SYS_MMAP

	mapProt  = syscall.PROT_READ | syscall.PROT_WRITE
	mapFlags = syscall.MAP_PRIVATE | mapFixedNoReplace

	exitFailed   = ExitFailed
	exitNoImage  = ExitNoImage
	exitBadImage = ExitBadImage
)

// mapFixedNoReplace is MAP_FIXED_NOREPLACE, the same on the architectures we know.
const mapFixedNoReplace = 0x100000

// IsInit says whether a process with these arguments was started to be a stage.
func IsInit(argv []string) bool { return len(argv) >= 2 && argv[0] == Name }
