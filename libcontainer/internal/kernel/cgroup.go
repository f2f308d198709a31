package kernel

import (
	"bytes"
	"errors"
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
)

// cgroup2 asks whether the kernel has the file system, mounted or not.
func cgroup2() (Answer, error) {
	return fileHas("/proc/filesystems", "cgroup2")
}

// fileHas looks for a word in a file of the kernel's.
func fileHas(path, word string) (Answer, error) {
	var buf [8192]byte
	n, err := sys.ReadFileAt(sys.CWD, path, buf[:])
	if err != nil {
		return CouldNotTell, err
	}
	for field := range bytes.FieldsSeq(buf[:n]) {
		if string(field) == word {
			return Yes, nil
		}
	}
	return No, nil
}

// cgroupMounts are the places where cgroup2 is: the usual ones, or those in the
// table of mounts that nothing covers.
func cgroupMounts() ([]string, error) {
	mounts := cgroup2Only("/sys/fs/cgroup", "/sys/fs/cgroup/unified")
	if len(mounts) > 0 {
		return mounts, nil
	}
	table, err := sys.Mounts()
	for _, m := range table {
		if m.Type == "cgroup2" {
			mounts = append(mounts, m.Path)
		}
	}
	return cgroup2Only(mounts...), err
}

func cgroup2Only(paths ...string) []string {
	return slices.DeleteFunc(paths, func(path string) bool {
		var st unix.Statfs_t
		return unix.Statfs(path, &st) != nil || st.Type != unix.CGROUP2_SUPER_MAGIC
	})
}

// cgroupFile looks for a file in a cgroup that is not the root of the
// hierarchy, since the root has few. Where beside is missing, too, it is the
// controller that is not enabled there.
func cgroupFile(name, beside string) func() (Answer, error) {
	return func() (Answer, error) {
		mounts, err := cgroupMounts()
		for _, mount := range mounts {
			if answer := cgroupFileBelow(mount, name, beside); answer != CouldNotTell {
				return answer, nil
			}
		}
		return CouldNotTell, errors.Join(errors.New("look for "+name+": there is no cgroup to look in that has "+beside), err)
	}
}

func cgroupFileBelow(mount, name, beside string) Answer {
	fd, err := sys.Openat(sys.CWD, mount, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return CouldNotTell
	}
	defer sys.Close(fd)
	entries, err := sys.ReadDir(fd)
	if err != nil {
		return CouldNotTell
	}
	// The mount itself is no root inside a cgroup namespace.
	for _, e := range append(entries, sys.Dirent{Name: ".", Type: unix.DT_DIR}) {
		if e.Type != unix.DT_DIR || unix.Faccessat(fd, e.Name+"/"+beside, unix.F_OK, 0) != nil {
			continue
		}
		if unix.Faccessat(fd, e.Name+"/"+name, unix.F_OK, 0) == nil {
			return Yes
		}
		if unix.Faccessat(fd, e.Name+"/"+beside, unix.F_OK, 0) == nil { // else the cgroup has gone meanwhile
			return No
		}
	}
	return CouldNotTell
}

// loadTries bounds the retries of BPF_PROG_LOAD: a signal, also one that the
// Go runtime sends itself, makes the verifier give up with EAGAIN.
const loadTries = 16

// deviceProgram loads a program that allows everything, and drops it.
func deviceProgram() (Answer, error) {
	instructions := [...]uint64{
		0xb7 | 1<<32, // r0 = 1
		0x95,         // exit
	}
	license := [...]byte{0}
	attr := struct {
		progType, count       uint32
		instructions, license uint64
		logLevel, logSize     uint32
		logBuf                uint64
		version, flags        uint32
	}{
		progType: unix.BPF_PROG_TYPE_CGROUP_DEVICE, count: uint32(len(instructions)),
		instructions: uint64(uintptr(unsafe.Pointer(&instructions))), license: uint64(uintptr(unsafe.Pointer(&license))),
	}
	defer runtime.KeepAlive(&instructions)
	defer runtime.KeepAlive(&license)
	for try := 1; ; try++ {
		fd, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_LOAD, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
		switch {
		case errno == 0:
			sys.Close(int(fd))
			return Yes, nil
		case errno == unix.EAGAIN && try < loadTries:
		case errno == unix.EINVAL: // no such type of program
			return No, nil
		default:
			return verdict(errno)
		}
	}
}
