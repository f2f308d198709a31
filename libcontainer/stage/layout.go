package stage

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/program"
)

//lint:file-ignore U1000 the assembly uses what Go does not

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
	sysPrlimit64 = unix.SYS_PRLIMIT64

	rlimitNofile = syscall.RLIMIT_NOFILE
	standardFDs  = 3

	sysPrctl      = syscall.SYS_PRCTL
	setTimerslack = unix.PR_SET_TIMERSLACK
	getTimerslack = unix.PR_GET_TIMERSLACK
	ampleSlack    = 10_000_000 // ns

	sysMadvise       = syscall.SYS_MADVISE
	populateRead     = unix.MADV_POPULATE_READ
	populateWrite    = unix.MADV_POPULATE_WRITE
	runtimeVariables = 24 << 10 // of those without pointers: the rest, 32 MB, is nearly empty

	mapProt  = syscall.PROT_READ | syscall.PROT_WRITE
	mapFlags = syscall.MAP_PRIVATE | mapFixedNoReplace

	exitFailed   = ExitFailed
	exitNoImage  = ExitNoImage
	exitBadImage = ExitBadImage

	sysClone3      = unix.SYS_CLONE3
	cloneArgsSize  = unsafe.Sizeof(CloneArgs{})
	sysSigprocmask = syscall.SYS_RT_SIGPROCMASK
	sigSetMask     = unix.SIG_SETMASK
	sigMaskSize    = 8
)

// mapFixedNoReplace is MAP_FIXED_NOREPLACE, the same on the architectures we know.
const mapFixedNoReplace = 0x100000
