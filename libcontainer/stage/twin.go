package stage

import (
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Main is the stage in Go: the first thing that main calls when IsInit says
// so. It maps the image, runs it, and never returns. Its results are those of
// the assembly, bit for bit, with these limits, which are those of a
// Go process: it has more than one thread, so making or joining a user
// namespace fails with EINVAL, and joining a time namespace with EUSERS; it
// has signal handlers until the execve; and it is larger (some 2 MB, several
// tasks), which a tiny memory.max or pids.max does not allow.
func Main(argv []string) {
	alone()
	fd, ok := descriptor(argv[1])
	if !ok {
		os.Exit(ExitNoImage)
	}
	at, _, e := syscall.RawSyscall6(sysMmap, imageBase, imageSize, mapProt, mapFlags, fd, 0)
	if e != 0 || at != imageBase {
		os.Exit(ExitNoImage)
	}
	end(at)
}

// alone makes this thread as much of a process of its own as can be: what a
// program changes (ids, namespaces) it changes for a thread.
func alone() {
	runtime.LockOSThread()
	// The root, working directory and umask are shared among threads; who
	// shares them may not join a mount namespace.
	syscall.RawSyscall(syscall.SYS_UNSHARE, unix.CLONE_FS, 0, 0)
	// The runtime interrupts threads that are long in one place with SIGURG;
	// a program would see it as EINTR.
	urg := uint64(1) << (syscall.SIGURG - 1)
	syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, unix.SIG_BLOCK, uintptr(unsafe.Pointer(&urg)), 0, 8, 0, 0)
}

// end runs the image and ends the process as its failure demands.
//
//go:nosplit
func end(image uintptr) {
	if load64(image) != imageMagic {
		os.Exit(ExitBadImage)
	}
	index, errno := run(image)
	report(image, index, errno)
	for {
		syscall.RawSyscall(sysExitGroup, ExitFailed, 0, 0)
	}
}

// descriptor reads digits as the assembly does.
func descriptor(s string) (fd uintptr, ok bool) {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		fd = fd*10 + uintptr(c-'0')
	}
	return fd, s != ""
}

// run runs the image at that address until an operation fails, or none is
// left (ENOEXEC). A program that does its work ends in an execve or an exit
// and is not seen again. It does not allocate, and neither it nor what it calls
// looks at the stack's limit: that is where the scheduler takes over, which in a
// process that a program has cloned waits for ever, for threads that are not there.
//
//go:nosplit
func run(image uintptr) (index uint64, errno uint32) {
	ops := load64(image + offOps)
	op := image + uintptr(load64(image+offFirst))
	for index < ops {
		var jump int64
		for tries := 0; ; tries++ {
			var ok bool
			errno = settle(op, operate(op))
			if jump, ok = answer(op, errno); !ok {
				return index, errno
			}
			if jump >= 0 {
				break
			}
			if tries == maxAgain {
				return index, errno
			}
		}
		index += uint64(jump) + 1
		op += uintptr(jump+1) * opSize
	}
	return index, uint32(errNoExec)
}

// operate carries the operation out once and returns its result, negative errnos included.
//
//go:nosplit
func operate(op uintptr) uintptr {
	var a [6]uintptr
	cells := load32(op + opCells)
	for i := range a {
		a[i] = uintptr(load64(op + opArgs + uintptr(i)*8))
		if cells&(1<<i) != 0 {
			a[i] = uintptr(load64(a[i]))
		}
	}
	switch load32(op) {
	case kindCall:
		r, _, e := syscall.RawSyscall6(uintptr(load32(op+opNr)), a[0], a[1], a[2], a[3], a[4], a[5])
		if e != 0 {
			return -uintptr(e)
		}
		return r
	case kindCheck:
		if load64(a[0])&uint64(a[1]) == uint64(a[2]) {
			return 0
		}
		return -a[3]
	case kindStore32:
		*(*uint32)(pointer(a[0])) = uint32(a[1])
		return 0
	case kindStore64:
		*(*uint64)(pointer(a[0])) = uint64(a[1])
		return 0
	}
	return ^uintptr(errNoExec - 1) // -ENOEXEC
}

// settle finds the errno of a result, 0 for success, and keeps what is to be kept.
//
//go:nosplit
func settle(op, r uintptr) uint32 {
	if r >= ^uintptr(maxErrno-1) {
		return uint32(-r)
	}
	if load32(op+opFlags)&flagWant != 0 && uint64(r) != load64(op+opWant) {
		return uint32(errProto)
	}
	if keep := uintptr(load64(op + opKeep)); keep != 0 {
		*(*uint64)(pointer(keep)) = uint64(r)
	}
	return 0
}

// answer looks the errno up in the rules: how many operations to skip, or -1
// for again. Without a rule success goes on and a failure is not ok.
//
//go:nosplit
func answer(op uintptr, errno uint32) (jump int64, ok bool) {
	rule := op + opRules
	for range load32(op+opFlags) >> ruleShift {
		if e := load32(rule); e == errno || e == ^uint32(0) && errno != 0 {
			return int64(int32(load32(rule + 4))), true
		}
		rule += ruleSize
	}
	return 0, errno == 0
}

// report writes {index, errno} to the report descriptor. Nobody may be listening.
//
//go:nosplit
func report(image uintptr, index uint64, errno uint32) {
	at := image + offScratch
	*(*uint32)(pointer(at)) = uint32(index) + load32(image+offIndexBase)
	*(*uint32)(pointer(at + 4)) = errno
	for {
		_, _, e := syscall.RawSyscall(sysWrite, uintptr(load64(image+offReport)), at, 8)
		if e != syscall.EINTR {
			return
		}
	}
}

//go:nosplit
func load32(at uintptr) uint32 { return *(*uint32)(pointer(at)) }

//go:nosplit
func load64(at uintptr) uint64 { return *(*uint64)(pointer(at)) }

// pointer makes a pointer of an address in the image: memory that the Go
// runtime knows nothing of.
//
//go:nosplit
func pointer(at uintptr) unsafe.Pointer { return unsafe.Add(unsafe.Pointer(nil), at) }
