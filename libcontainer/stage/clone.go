package stage

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// CloneArgs is the kernel's struct clone_args, up to the field cgroup.
type CloneArgs struct {
	Flags      uint64
	Pidfd      *int32 // receives the descriptor with CLONE_PIDFD
	ChildTid   uint64
	ParentTid  uint64
	ExitSignal uint64
	Stack      uint64
	StackSize  uint64
	TLS        uint64
	SetTid     uint64
	SetTidSize uint64
	Cgroup     uint64 // descriptor of the cgroup's directory with CLONE_INTO_CGROUP
}

// Clone makes a child by clone3 that runs the image at the address given,
// and returns its pid. The child shares the parent's memory (CLONE_VM), and the
// parent does not wait for it, so that it can write the id maps and whatever
// else the child's program waits for; with CLONE_VFORK its thread waits for the
// execve, or the end.
//
// Sharing memory with a running Go process is safe because no Go code runs in
// the child: it goes from the kernel to an interpreter that lives in registers
// and never touches the stack, which stays the parent's. What the rest
// of the world asks for in return:
//
//   - The image, and all that it points to, lies outside of Go's heap (mmap),
//     and stays mapped until the child has called execve or ended.
//   - No signal handler may run in the child: it would run Go code, on the
//     parent's stack. All signals are blocked around the call, and handlers are
//     not inherited (CLONE_CLEAR_SIGHAND). The child starts with every signal
//     blocked; its program sets the mask that the next program is to have.
//   - The child's death does not touch the parent, but for one: the OOM killer
//     kills all who share the memory. If the child is to live in a cgroup
//     with a small memory.max, set the limit after its execve; if the limit is
//     there already, use CLONE_VFORK, whose children are spared (in_vfork).
//   - What belongs to the memory belongs to both: PR_SET_DUMPABLE, and the
//     loss of dumpability by a change of ids. A time namespace cannot be joined
//     before execve.
//   - Go has raised RLIMIT_NOFILE for itself (Nofile), and nobody takes that back.
//
// Clone is not Supported everywhere; there it returns ENOSYS.
func Clone(args *CloneArgs, image uintptr) (pid int, err error) {
	if !Supported {
		return 0, syscall.ENOSYS
	}
	const ours = unix.CLONE_VM | unix.CLONE_CLEAR_SIGHAND
	const never = unix.CLONE_THREAD | unix.CLONE_SIGHAND | unix.CLONE_SETTLS
	if args.Flags&never != 0 || args.Stack != 0 {
		return 0, syscall.EINVAL
	}
	a := *args
	a.Flags |= ours

	r := clone(&a, image)
	if r >= ^uintptr(maxErrno-1) {
		return 0, syscall.Errno(-r)
	}
	return int(r), nil
}
