package libcontainer

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/plan"
)

// protectAgain sees to it that a restored container is as protected as a new
// one. criu knows mounts, not what they are for: of several that show one file
// it restores all but the first writable, and a path that did not exist where
// the container was saved has nothing over it.
func (c *creation) protectAgain() error {
	if !c.plan.IsNew(unix.CLONE_NEWNS) {
		return nil
	}
	null, err := sys.OpenTree(sys.CWD, "/dev/null", unix.OPEN_TREE_CLONE|unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		return err
	}
	defer sys.Close(null)
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: it ends with the goroutine, in the container's namespace
		done <- func() error {
			if err := unix.Unshare(unix.CLONE_FS); err != nil {
				return fmt.Errorf("protect the mounts: %w", err)
			}
			if err := unix.Setns(c.child.Pidfd, unix.CLONE_NEWNS); err != nil {
				return fmt.Errorf("enter the restored mount namespace: %w", err)
			}
			root, err := sys.Openat(sys.CWD, "/", unix.O_PATH|unix.O_DIRECTORY, 0)
			if err != nil {
				return err
			}
			defer sys.Close(root)
			return protectMounts(root, null, c.plan)
		}()
	}()
	return <-done
}

// checkRights refuses processes that have come back with more rights than the
// config gives: they can have given rights up meanwhile, not have got any. An
// older criu forgets some of what takes rights away.
func (c *creation) checkRights() error {
	text, err := sys.ReadAll(sys.CWD, fmt.Sprintf("/proc/%d/status", c.child.Pid))
	if err != nil {
		return err
	}
	status := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(line, ":")
		status[key] = strings.TrimSpace(value)
	}
	p := c.plan.Process
	bounding, err := strconv.ParseUint(status["CapBnd"], 16, 64)
	switch {
	case err != nil:
		return fmt.Errorf("read the capabilities of the restored process: %w", err)
	case p.NoNewPrivs && status["NoNewPrivs"] != "1":
		return errors.New("criu has not restored no_new_privs [a newer criu does]")
	case p.Seccomp != nil && status["Seccomp"] != "2":
		return errors.New("criu has not restored the system call filter: the checkpoint has none, or criu is too old")
	case bounding&^p.Capabilities.Bounding != 0:
		return fmt.Errorf("the restored process has more capabilities in its bounding set (%x) than config.json (%x)",
			bounding, p.Capabilities.Bounding)
	}
	return nil
}

// protectMounts goes through what the plan says of mounts below the root. Null
// is a detached null device.
func protectMounts(root, null int, p *plan.Plan) error {
	for i := range p.Mounts {
		m := &p.Mounts[i]
		for _, a := range []struct {
			set, clear uint64
			recursive  bool
		}{{m.RecSet, m.RecClear, true}, {m.Set, m.Clear, false}} {
			if a.set|a.clear == 0 {
				continue
			}
			err := onMount(root, m.Destination, func(at int) error {
				// One that the container has unmounted has nothing to be protected.
				if mounted, _, err := isMountRoot(at); err != nil || !mounted {
					return err
				}
				return setAttributes(at, a.set, a.clear, a.recursive)
			})
			if err != nil {
				return err
			}
		}
	}
	for _, path := range p.ReadonlyPaths {
		if err := freezeAgain(root, path); err != nil {
			return err
		}
	}
	for _, path := range p.MaskedPaths {
		if err := maskAgain(root, null, path); err != nil {
			return err
		}
	}
	if p.Rootfs.Readonly {
		return setAttributes(root, unix.MOUNT_ATTR_RDONLY, 0, false)
	}
	return nil
}

// onMount calls f with a handle on what a path leads to. What is not there
// needs no protection.
func onMount(root int, path string, f func(at int) error) error {
	at, err := sys.Openat2(root, path, unix.O_PATH, 0, inRoot)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	if err == nil {
		defer sys.Close(at)
		err = f(at)
	}
	if err != nil {
		return fmt.Errorf("protect %s: %w", path, err)
	}
	return nil
}

func setAttributes(at int, set, clear uint64, recursive bool) error {
	flags := uint(unix.AT_EMPTY_PATH)
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	return sys.MountSetattr(at, "", flags, &unix.MountAttr{Attr_set: set, Attr_clr: clear})
}

// isMountRoot says whether something is mounted right there, and whether that
// is a directory.
func isMountRoot(at int) (mounted, dir bool, err error) {
	var st unix.Statx_t
	if err := unix.Statx(at, "", unix.AT_EMPTY_PATH, unix.STATX_TYPE, &st); err != nil {
		return false, false, fmt.Errorf("look at it: %w", err)
	}
	return st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0, st.Mode&unix.S_IFMT == unix.S_IFDIR, nil
}

func freezeAgain(root int, path string) error {
	return onMount(root, path, func(at int) error {
		mounted, _, err := isMountRoot(at)
		if err != nil {
			return err
		}
		if mounted {
			return setAttributes(at, unix.MOUNT_ATTR_RDONLY, 0, true)
		}
		tree, err := sys.OpenTree(at, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE|unix.OPEN_TREE_CLONE)
		if err != nil {
			return err
		}
		defer sys.Close(tree)
		if err := setAttributes(tree, unix.MOUNT_ATTR_RDONLY, 0, true); err != nil {
			return err
		}
		return attach(tree, at)
	})
}

func maskAgain(root, null int, path string) error {
	return onMount(root, path, func(at int) error {
		mounted, dir, err := isMountRoot(at)
		if err != nil {
			return err
		}
		if mounted {
			return setAttributes(at, unix.MOUNT_ATTR_RDONLY, 0, false)
		}
		tree := -1
		if dir {
			tree, err = emptyDirectory()
		} else if tree, err = sys.OpenTree(null, "", unix.AT_EMPTY_PATH|unix.OPEN_TREE_CLONE); err == nil {
			err = setAttributes(tree, unix.MOUNT_ATTR_RDONLY, 0, false)
		}
		if err == nil {
			err = attach(tree, at)
		}
		if tree >= 0 {
			sys.Close(tree)
		}
		return err
	})
}

func attach(tree, at int) error {
	return sys.MoveMount(tree, "", at, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
}

// emptyDirectory is a file system with nothing in it, not mounted yet.
func emptyDirectory() (int, error) {
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err == nil {
		defer sys.Close(fs)
		if err = unix.FsconfigSetString(fs, "nr_inodes", "2"); err == nil {
			err = unix.FsconfigCreate(fs)
		}
	}
	if err != nil {
		return -1, fmt.Errorf("make an empty directory: %w", err)
	}
	return unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC,
		unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
}
