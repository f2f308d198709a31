package libcontainer

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
)

// makeMountPoints makes what the container's mounts are mounted on, as create
// does: the root may be a new one, and criu makes none. What lies in a file
// system that comes back with the images has them. It is called in a mount
// namespace that nobody needs afterwards: a mount point in what is bound is made
// there.
func (c *creation) makeMountPoints() error {
	own, err := c.rootOwner()
	if err != nil {
		return err
	}
	root, err := sys.Openat(sys.CWD, c.path(restoreRootName), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer sys.Close(root)
	var restored []string // where file systems of the container's own are
	for i := range c.plan.Mounts {
		m := &c.plan.Mounts[i]
		at := resolveInRoot(root, m.Destination)
		if at == "/" || m.Remount || isBelow(at, restored) {
			continue
		}
		file := false
		if m.Bind {
			var st unix.Stat_t
			if err := unix.Stat(m.Source, &st); err != nil {
				return fmt.Errorf("find %s for %s: %w", m.Source, m.Destination, err)
			}
			file = st.Mode&unix.S_IFMT != unix.S_IFDIR
		}
		if err := makeInRoot(root, strings.TrimPrefix(m.Destination, "/"), file, own); err != nil {
			return err
		}
		at = resolveInRoot(root, m.Destination)
		if !m.Bind {
			restored = append(restored, at)
			continue
		}
		if err := bindInRoot(root, m.Source, at); err != nil {
			return fmt.Errorf("bind %s on %s: %w", m.Source, m.Destination, err)
		}
	}
	return nil
}

// isBelow says whether a path is in one of the directories, and not one of them.
func isBelow(at string, dirs []string) bool {
	for _, dir := range dirs {
		if strings.HasPrefix(at, dir+"/") {
			return true
		}
	}
	return false
}

// bindInRoot mounts a source on a path that the root resolves.
func bindInRoot(root int, source, at string) error {
	target, err := sys.Openat2(root, at, unix.O_PATH, 0, inRoot)
	if err != nil {
		return err
	}
	defer sys.Close(target)
	return unix.Mount(source, fmt.Sprintf("/proc/self/fd/%d", target), "", unix.MS_BIND|unix.MS_REC, "")
}
