package cgroup2

import (
	"fmt"
	"strings"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"golang.org/x/sys/unix"
)

// Delegate gives a cgroup to a user, who may then make cgroups below it and
// move processes between them, and change no limit of the cgroup itself: the
// directory and the files that the kernel names for it change their owner, and
// nothing else. For the leaf of a container with a cgroup namespace and a
// writable mount of it.
func (c *Cgroup) Delegate(uid int) error {
	if err := unix.Fchownat(c.fd, "", uid, -1, unix.AT_EMPTY_PATH); err != nil {
		return fmt.Errorf("give cgroup %s to uid %d: %w", c.path, uid, err)
	}
	list, err := sys.ReadAll(sys.CWD, "/sys/kernel/cgroup/delegate")
	if err != nil { // a kernel before 4.15, or no sysfs
		list = "cgroup.procs\ncgroup.threads\ncgroup.subtree_control\n"
	}
	for file := range strings.FieldsSeq(list) {
		if strings.Contains(file, "/") {
			continue
		}
		// Files of controllers that are not enabled do not exist.
		err := unix.Fchownat(c.fd, file, uid, -1, unix.AT_SYMLINK_NOFOLLOW)
		if err != nil && err != unix.ENOENT {
			return fmt.Errorf("give %s of cgroup %s to uid %d: %w", file, c.path, uid, err)
		}
	}
	return nil
}
