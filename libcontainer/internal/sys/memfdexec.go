package sys

import "golang.org/x/sys/unix"

// MemfdExecutable returns a sealed memfd that holds data and can be executed.
func MemfdExecutable(name string, data []byte) (int, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate(name, flags|unix.MFD_EXEC)
	if err == unix.EINVAL { // before Linux 6.3 they all can
		fd, err = unix.MemfdCreate(name, flags)
	}
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
