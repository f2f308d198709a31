package sys

import "golang.org/x/sys/unix"

// programSeals make a memfd unchangeable for good.
const programSeals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE

// MemfdProgram returns a sealed memfd that holds data. Nobody can change it
// any more, not even who finds it through /proc, so it may be handed to a
// process that is less trusted than this one. The file offset is at its end:
// readers map it or use pread.
func MemfdProgram(name string, data []byte) (int, error) {
	fd, err := createMemfd(name)
	if err != nil {
		return -1, fail("create memfd", name, err)
	}
	if err := Write(fd, data); err != nil {
		Close(fd)
		return -1, fail("write memfd", name, err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, programSeals); err != nil {
		Close(fd)
		return -1, fail("seal memfd", name, err)
	}
	return fd, nil
}

// createMemfd asks for a file that can never be executed: with the sysctl
// vm.memfd_noexec at 2 nothing else is allowed. Kernels before 6.3 do not know
// the flag and answer EINVAL.
func createMemfd(name string) (int, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate(name, flags|unix.MFD_NOEXEC_SEAL)
	if err == unix.EINVAL {
		fd, err = unix.MemfdCreate(name, flags)
	}
	return fd, err
}
