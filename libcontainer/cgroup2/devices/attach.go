package devices

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Attach loads p and attaches it to the cgroup that the descriptor is open on
// and that has no program of ours yet. Programs of cgroups above are asked
// too, and none can grant what another refuses (BPF_F_ALLOW_MULTI).
func Attach(cgroup int, p Program) error {
	prog, err := load(p)
	if err != nil {
		return err
	}
	defer unix.Close(prog) // the cgroup keeps the program alive
	return attach(cgroup, prog, unix.BPF_F_ALLOW_MULTI, 0)
}

// Replace is Attach for a cgroup that may have a program. One program is
// replaced in one step, so that at no moment too much is allowed or denied.
// Of several (not our doing) all are taken off once p is on.
func Replace(cgroup int, p Program) error {
	old, err := attached(cgroup)
	if err != nil {
		return err
	}
	defer closeAll(old)
	prog, err := load(p)
	if err != nil {
		return err
	}
	defer unix.Close(prog)
	if len(old) == 1 {
		return attach(cgroup, prog, unix.BPF_F_ALLOW_MULTI|unix.BPF_F_REPLACE, old[0])
	}
	if err := attach(cgroup, prog, unix.BPF_F_ALLOW_MULTI, 0); err != nil {
		return err
	}
	var errs []error
	for _, fd := range old {
		errs = append(errs, detach(cgroup, fd))
	}
	return errors.Join(errs...)
}

// Count returns how many device programs are attached to the cgroup itself.
func Count(cgroup int) (int, error) {
	ids, err := query(cgroup)
	return len(ids), err
}

// The attributes of bpf(2), as long as they are used here; the kernel takes
// the rest for zero.
type (
	loadAttr struct {
		progType uint32
		insnCnt  uint32
		insns    uint64
		license  uint64
		logLevel uint32
		logSize  uint32
		logBuf   uint64
	}
	attachAttr struct {
		target     uint32
		prog       uint32
		attachType uint32
		flags      uint32
		replace    uint32
	}
	// queryAttr is as long as the kernel's: from 6.17 until the fix in 7.2
	// (21c4b99b27f3) it writes the last field whatever size it is told.
	queryAttr struct {
		target      uint32
		attachType  uint32
		queryFlags  uint32
		attachFlags uint32
		progIDs     uint64
		progCount   uint32
		_           uint32
		_           [3]uint64
		revision    uint64
	}
)

// load verifies and compiles p in the kernel. Only a refusal is asked for its
// reasons, since writing them takes time.
func load(p Program) (int, error) {
	code, err := p.encode()
	if err != nil {
		return -1, err
	}
	license := []byte("Apache-2.0\x00") // of no meaning: no helper is called
	var pin runtime.Pinner
	defer pin.Unpin()
	attr := &loadAttr{
		progType: unix.BPF_PROG_TYPE_CGROUP_DEVICE,
		insnCnt:  uint32(len(p.insns)),
		insns:    address(&pin, code),
		license:  address(&pin, license),
	}
	fd, err := bpf(unix.BPF_PROG_LOAD, unsafe.Pointer(attr), unsafe.Sizeof(*attr))
	if err == nil {
		return fd, nil
	}
	if err == unix.EPERM {
		return -1, fmt.Errorf("load device program: %w (needs CAP_BPF and CAP_NET_ADMIN or CAP_SYS_ADMIN; before Linux 5.11 also room in RLIMIT_MEMLOCK)", err)
	}
	log := make([]byte, 64<<10)
	attr.logLevel, attr.logSize, attr.logBuf = 1, uint32(len(log)), address(&pin, log)
	if fd, again := bpf(unix.BPF_PROG_LOAD, unsafe.Pointer(attr), unsafe.Sizeof(*attr)); again == nil {
		unix.Close(fd)
	}
	if end := bytes.IndexByte(log, 0); end > 0 {
		return -1, fmt.Errorf("load device program: %w (verifier: %s)", err, bytes.TrimSpace(log[:end]))
	}
	return -1, fmt.Errorf("load device program: %w", err)
}

func attach(cgroup, prog int, flags uint32, replace int) error {
	attr := &attachAttr{
		target:     uint32(cgroup),
		prog:       uint32(prog),
		attachType: unix.BPF_CGROUP_DEVICE,
		flags:      flags,
		replace:    uint32(replace),
	}
	if _, err := bpf(unix.BPF_PROG_ATTACH, unsafe.Pointer(attr), unsafe.Sizeof(*attr)); err != nil {
		return fmt.Errorf("attach device program: %w", err)
	}
	return nil
}

func detach(cgroup, prog int) error {
	attr := &attachAttr{target: uint32(cgroup), prog: uint32(prog), attachType: unix.BPF_CGROUP_DEVICE}
	if _, err := bpf(unix.BPF_PROG_DETACH, unsafe.Pointer(attr), unsafe.Sizeof(*attr)); err != nil {
		return fmt.Errorf("detach device program: %w", err)
	}
	return nil
}

// attached opens the programs that are attached to the cgroup itself. Those
// that we may not open (a security module guards them) are not ours to replace.
func attached(cgroup int) ([]int, error) {
	ids, err := query(cgroup)
	if err != nil {
		return nil, err
	}
	var fds []int
	for _, id := range ids {
		attr := &struct{ id uint32 }{id}
		fd, err := bpf(unix.BPF_PROG_GET_FD_BY_ID, unsafe.Pointer(attr), unsafe.Sizeof(*attr))
		switch err {
		case nil:
			fds = append(fds, fd)
		case unix.EPERM, unix.EACCES, unix.ENOENT:
		default:
			closeAll(fds)
			return nil, fmt.Errorf("open device program %d: %w", id, err)
		}
	}
	return fds, nil
}

// maxPrograms is how many programs of one type the kernel lets one cgroup have.
const maxPrograms = 64

// query returns the ids of the programs that are attached to the cgroup itself.
func query(cgroup int) ([]uint32, error) {
	ids := make([]uint32, maxPrograms)
	var pin runtime.Pinner
	defer pin.Unpin()
	attr := &queryAttr{
		target:     uint32(cgroup),
		attachType: unix.BPF_CGROUP_DEVICE,
		progIDs:    address(&pin, ids),
		progCount:  maxPrograms,
	}
	_, err := bpf(unix.BPF_PROG_QUERY, unsafe.Pointer(attr), unsafe.Sizeof(*attr))
	if err != nil {
		return nil, fmt.Errorf("list device programs: %w", err)
	}
	return ids[:min(attr.progCount, maxPrograms)], nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// address pins s and returns where it begins: a number in an attribute keeps
// nothing alive and in place by itself.
func address[T any](pin *runtime.Pinner, s []T) uint64 {
	p := unsafe.SliceData(s)
	pin.Pin(p)
	return uint64(uintptr(unsafe.Pointer(p)))
}

// bpfTries bounds the retries of a call that signals keep interrupting: the
// verifier gives up on a pending signal (EAGAIN), and the Go runtime sends
// itself some.
const bpfTries = 100

func bpf(cmd uintptr, attr unsafe.Pointer, size uintptr) (int, error) {
	for try := 1; ; try++ {
		r, _, errno := unix.Syscall(unix.SYS_BPF, cmd, uintptr(attr), size)
		switch {
		case errno == 0:
			return int(r), nil
		case (errno == unix.EAGAIN || errno == unix.EINTR) && try < bpfTries:
		default:
			return -1, errno
		}
	}
}
