package sys

import "golang.org/x/sys/unix"

// memfdSeals make a memfd unchangeable for good.
const memfdSeals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE

// MemfdProgram returns a sealed memfd that holds data and cannot be executed.
// Nobody can change it any more, not even who finds it through /proc, so it
// may be handed to a process that is less trusted than this one. The file
// offset is at its end: readers map it or use pread.
func MemfdProgram(name string, data []byte) (int, error) {
	return sealedMemfd(name, unix.MFD_NOEXEC_SEAL, whole(data))
}

// MemfdWritten is MemfdProgram for data that fill hands over in pieces.
func MemfdWritten(name string, fill func(write func([]byte) error) error) (int, error) {
	return sealedMemfd(name, unix.MFD_NOEXEC_SEAL, fill)
}

// MemfdExecutable returns a sealed memfd that holds data and can be executed.
func MemfdExecutable(name string, data []byte) (int, error) {
	return sealedMemfd(name, unix.MFD_EXEC, whole(data))
}

// whole is data in one piece.
func whole(data []byte) func(write func([]byte) error) error {
	return func(write func([]byte) error) error { return write(data) }
}

// sealedMemfd says explicitly whether the file may be executed, for the sysctl
// vm.memfd_noexec changes what saying nothing means. Kernels before 6.3 answer
// EINVAL to either flag, and have all memfds executable.
func sealedMemfd(name string, exec int, fill func(write func([]byte) error) error) (int, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate(name, flags|exec)
	if err == unix.EINVAL {
		fd, err = unix.MemfdCreate(name, flags)
	}
	if err != nil {
		return -1, fail("create memfd", name, Called("memfd_create", err))
	}
	if err := fill(func(piece []byte) error { return Write(fd, piece) }); err != nil {
		Close(fd)
		return -1, fail("write memfd", name, err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, memfdSeals); err != nil {
		Close(fd)
		return -1, fail("seal memfd", name, err)
	}
	return fd, nil
}
