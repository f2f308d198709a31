package stage

import (
	"encoding/binary"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/program"
)

// sharedImage is a program in memory that a child of Clone can run, at an
// address of the kernel's choice.
type sharedImage struct {
	at     uintptr
	memory []byte
}

const sharedSize = 1 << 16

// share builds a program and puts it into shared memory.
func share(t testing.TB, report int, build func(b *program.Builder)) sharedImage {
	t.Helper()
	at, _, e := unix.Syscall6(unix.SYS_MMAP, 0, sharedSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS, ^uintptr(0), 0)
	if e != 0 {
		t.Fatal(e)
	}
	t.Cleanup(func() { unix.Syscall(unix.SYS_MUNMAP, at, sharedSize, 0) })
	b := program.NewBuilder(uint64(at))
	build(b)
	img, err := b.Program().Encode(program.Image{Report: report})
	if err != nil {
		t.Fatal(err)
	}
	memory := unsafe.Slice((*byte)(pointer(at)), sharedSize)
	copy(memory, img)
	return sharedImage{at, memory}
}

func (i sharedImage) word(c program.Cell) uint64 {
	return binary.NativeEndian.Uint64(i.memory[uint64(c)-uint64(i.at):])
}

func needClone(t testing.TB) {
	t.Helper()
	if !Supported {
		t.Skip("no assembly on this architecture")
	}
	if os.Getenv(emulatorEnv) != "" {
		t.Skip("QEMU has no clone3")
	}
}

func start(t testing.TB, image sharedImage) (pid int) {
	t.Helper()
	pid, err := Clone(&CloneArgs{ExitSignal: uint64(unix.SIGCHLD)}, image.at)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

const everySignal = ^uint64(0) &^ (1<<(unix.SIGKILL-1) | 1<<(unix.SIGSTOP-1))

// The child has every signal blocked and no handlers; the parent is as it was.
func TestCloneSignals(t *testing.T) {
	needClone(t)
	signal.Notify(make(chan os.Signal, 1), unix.SIGUSR1)
	defer signal.Reset(unix.SIGUSR1)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, after uint64
	if err := sigprocmask(nil, &before); err != nil {
		t.Fatal(err)
	}

	var mask, pid program.Cell
	image := share(t, -1, func(b *program.Builder) {
		mask, pid = b.Cell("mask", 0), b.Cell("pid", 0)
		none := b.Cell("none", 0)
		b.Call("read mask", unix.SYS_RT_SIGPROCMASK, program.Const(0), program.Const(0), program.Addr(mask).Arg(), program.Const(8))
		b.Call("get pid", unix.SYS_GETPID).Keep(pid)
		b.Call("signal itself", unix.SYS_KILL, pid.Arg(), program.Const(unix.SIGUSR1))
		b.Call("unblock", unix.SYS_RT_SIGPROCMASK, program.Const(unix.SIG_SETMASK), program.Addr(none).Arg(), program.Const(0), program.Const(8))
		b.Call("end", unix.SYS_EXIT_GROUP, program.Const(1))
	})
	child := start(t, image)
	if err := sigprocmask(nil, &after); err != nil {
		t.Fatal(err)
	}
	status := wait(t, child)
	if image.word(mask) != everySignal {
		t.Errorf("mask of the child %#x, want %#x", image.word(mask), uint64(everySignal))
	}
	if image.word(pid) != uint64(child) {
		t.Errorf("the child is %d, Clone says %d", image.word(pid), child)
	}
	if !status.Signaled() || status.Signal() != syscall.SIGUSR1 {
		t.Errorf("status %#x, want death by SIGUSR1", status)
	}
	if before != after {
		t.Errorf("mask of the parent %#x, was %#x", after, before)
	}
}

// The parent goes on while the child waits, and the two share memory.
func TestCloneDoesNotWait(t *testing.T) {
	needClone(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var told program.Cell
	image := share(t, -1, func(b *program.Builder) {
		told = b.Cell("told", 0)
		b.Call("wait", unix.SYS_READ, program.Const(r.Fd()), b.Space(8).Arg(), program.Const(1)).Want(1)
		b.Call("end", unix.SYS_EXIT_GROUP, told.Arg())
	})
	pid := start(t, image)
	binary.NativeEndian.PutUint64(image.memory[uint64(told)-uint64(image.at):], 42)
	if _, err := w.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if status := wait(t, pid); status.ExitStatus() != 42 {
		t.Errorf("status %#x, want exit status 42", status)
	}
}

func TestClonePidfd(t *testing.T) {
	needClone(t)
	image := share(t, -1, func(b *program.Builder) { b.Call("end", unix.SYS_EXIT_GROUP, program.Const(5)) })
	pidfd := int32(-1)
	pid, err := Clone(&CloneArgs{Flags: unix.CLONE_PIDFD, Pidfd: &pidfd, ExitSignal: uint64(unix.SIGCHLD)}, image.at)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(int(pidfd))
	for {
		err = unix.Waitid(unix.P_PIDFD, int(pidfd), nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		t.Errorf("wait for pidfd %d: %v", pidfd, err)
	}
	if status := wait(t, pid); status.ExitStatus() != 5 {
		t.Errorf("status %#x, want exit status 5", status)
	}
}

// With CLONE_VFORK the parent goes on when the child has ended, or executed.
func TestCloneWaits(t *testing.T) {
	needClone(t)
	var ended program.Cell
	image := share(t, -1, func(b *program.Builder) {
		ended = b.Cell("ended", 0)
		pause := b.Space(16) // struct timespec
		b.PutUint64(pause+8, 20e6)
		b.Call("sleep", unix.SYS_NANOSLEEP, pause.Arg(), program.Const(0))
		b.Store64("say so", program.Addr(ended), program.Const(1))
		b.Call("end", unix.SYS_EXIT_GROUP, program.Const(5))
	})
	pid, err := Clone(&CloneArgs{Flags: unix.CLONE_VFORK, ExitSignal: uint64(unix.SIGCHLD)}, image.at)
	if err != nil {
		t.Fatal(err)
	}
	if image.word(ended) != 1 {
		t.Error("the parent did not wait")
	}
	if status := wait(t, pid); status.ExitStatus() != 5 {
		t.Errorf("status %#x, want exit status 5", status)
	}
}

func TestCloneRefuses(t *testing.T) {
	needClone(t)
	for _, args := range []CloneArgs{
		{Flags: unix.CLONE_THREAD}, {Flags: unix.CLONE_SIGHAND},
		{Flags: unix.CLONE_SETTLS}, {Stack: 1}, {Flags: unix.CLONE_NEWNS | unix.CLONE_FS}, {ExitSignal: 1 << 20},
	} {
		if pid, err := Clone(&args, 0); err != unix.EINVAL {
			t.Errorf("Clone(%+v): pid %d, %v; want %v", args, pid, err, unix.EINVAL)
		}
	}
	const kernelSize = 88 // CLONE_ARGS_SIZE_VER2
	if size := unsafe.Sizeof(CloneArgs{}); size != kernelSize {
		t.Errorf("CloneArgs has %d bytes, the kernel's %d", size, kernelSize)
	}
}

// What launch does: a child that becomes a stage by execve, twice removed
// from any Go code.
func TestCloneThenExec(t *testing.T) {
	needClone(t)
	s := newSubject()
	s.makeData()
	s.append("a")
	s.exit(23)
	dirPath := t.TempDir()
	dir, err := os.Open(dirPath)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	stageImage := memfd(t)
	defer stageImage.Close()
	img, err := s.Program().Encode(program.Image{Report: 2, Inputs: map[string]uint64{"report": 2, "dir": 4}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stageImage.WriteAt(img, 0); err != nil {
		t.Fatal(err)
	}
	path := helper(t, "entry")
	image := share(t, 2, func(b *program.Builder) {
		none := b.Cell("none", 0)
		// Both descriptors may be below 10: move them out of the way first.
		b.Call("move image", unix.SYS_DUP3, program.Const(stageImage.Fd()), program.Const(203), program.Const(0))
		b.Call("move directory", unix.SYS_DUP3, program.Const(dir.Fd()), program.Const(204), program.Const(0))
		b.Call("place image", unix.SYS_DUP3, program.Const(203), program.Const(3), program.Const(0))
		b.Call("place directory", unix.SYS_DUP3, program.Const(204), program.Const(4), program.Const(0))
		b.Call("unblock", unix.SYS_RT_SIGPROCMASK, program.Const(unix.SIG_SETMASK), program.Addr(none).Arg(), program.Const(0), program.Const(8))
		b.Call("become the stage", unix.SYS_EXECVE, b.String(path).Arg(), b.Vector([]string{Name, "3"}).Arg(), b.Vector(nil).Arg())
	})
	status := wait(t, start(t, image))
	if files := listing(t, dirPath); status.ExitStatus() != 23 || files["data"] != "a" {
		t.Errorf("status %#x, files %q", status, files)
	}
}

// Children come and go while the parent's goroutines grow their stacks, the
// collector runs, and signals arrive.
func TestCloneStress(t *testing.T) {
	needClone(t)
	children := 400
	if testing.Short() {
		children = 50
	}
	stop := make(chan struct{})
	var busy sync.WaitGroup
	for range 3 {
		busy.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					grow(200)
					runtime.GC()
				}
			}
		})
	}
	var sum program.Cell
	image := share(t, -1, func(b *program.Builder) {
		sum = b.Cell("sum", 0)
		for i := range 200 {
			b.Store64("count", program.Addr(sum), program.Const(i))
			b.Call("yield", unix.SYS_SCHED_YIELD)
		}
		b.Call("end", unix.SYS_EXIT_GROUP, sum.Arg())
	})
	var cloners sync.WaitGroup
	for range 4 {
		cloners.Go(func() {
			for range children / 4 {
				pid, err := Clone(&CloneArgs{ExitSignal: uint64(unix.SIGCHLD)}, image.at)
				if err != nil {
					t.Error(err)
					return
				}
				var status syscall.WaitStatus
				for {
					if _, err = syscall.Wait4(pid, &status, 0, nil); err != syscall.EINTR {
						break
					}
				}
				if err != nil || !status.Exited() {
					t.Errorf("child %d: status %#x, %v", pid, status, err)
				}
			}
		})
	}
	cloners.Wait()
	close(stop)
	busy.Wait()
}

//go:noinline
func grow(n int) int {
	var frame [256]byte
	frame[n%256] = byte(n)
	if n == 0 {
		return len(frame)
	}
	return grow(n-1) + int(frame[n%256])
}

// sigprocmask sets the thread's signal mask with the kernel's 64 signals.
func sigprocmask(set, old *uint64) error {
	_, _, e := syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK,
		uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(old)), 8, 0, 0)
	if e != 0 {
		return e
	}
	return nil
}
