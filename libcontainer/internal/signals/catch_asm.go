//go:build amd64 || arm64

package signals

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

//lint:file-ignore U1000 the assembly uses what Go does not

// What the assembly wants to know.
const (
	sysWrite     = unix.SYS_WRITE
	sysSigreturn = unix.SYS_RT_SIGRETURN
)

// sigaction is the kernel's, which has the same shape on both architectures.
type sigaction struct {
	handler, flags, restorer uintptr
	mask                     uint64
}

// catch installs the handler. Go's signal stack (SA_ONSTACK) is on every
// thread of the program, and whatever is interrupted goes on.
func catch(s unix.Signal) error {
	const onstack, restart, restorer = 0x08000000, 0x10000000, 0x04000000 // SA_*
	act := sigaction{handlerAddress(), onstack | restart | restorer, restorerAddress(), ^uint64(0)}
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(&act)), 0, unsafe.Sizeof(act.mask), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// handlerAddress and restorerAddress are where the kernel jumps to.
func handlerAddress() uintptr
func restorerAddress() uintptr
