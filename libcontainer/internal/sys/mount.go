package sys

import "golang.org/x/sys/unix"

// OpenTree opens the mount or, with OPEN_TREE_CLONE, a detached copy of the
// mount at path below dirfd. It is opened close-on-exec.
func OpenTree(dirfd int, path string, flags uint) (fd int, err error) {
	err = retry(func() (err error) {
		fd, err = unix.OpenTree(dirfd, path, flags|unix.OPEN_TREE_CLOEXEC)
		return err
	})
	if err != nil {
		return -1, fail("open tree", path, Called("open_tree", err))
	}
	return fd, nil
}

// MountSetattr changes the attributes of the mount at path below dirfd
// (AT_EMPTY_PATH for dirfd's own, AT_RECURSIVE for all below it).
func MountSetattr(dirfd int, path string, flags uint, attr *unix.MountAttr) error {
	return fail("set mount attributes of", path, Called("mount_setattr", retry(func() error {
		return unix.MountSetattr(dirfd, path, flags, attr)
	})))
}

// MoveMount attaches the mount at from below fromFd at to below toFd.
func MoveMount(fromFd int, from string, toFd int, to string, flags int) error {
	return fail("move mount to", to, Called("move_mount", retry(func() error {
		return unix.MoveMount(fromFd, from, toFd, to, flags)
	})))
}
