package libcontainer

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/compile"
	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/launch"
	"github.com/mesoc/mesoc/libcontainer/plan"
)

// openMaps prepares the sources of mounts whose ids are mapped: only the owner
// of the file system's user namespace may do that, so init gets them ready
// made (mount_setattr(2), ID-mapped mounts).
func (c *creation) openMaps() error {
	for i := range c.plan.Mounts {
		m := &c.plan.Mounts[i]
		if !m.IDMapped {
			continue
		}
		fd, err := c.openMapped(m, &c.spec.Mounts[i])
		if err != nil {
			return fmt.Errorf("map the ids of %s on %s: %w", m.Source, m.Destination, err)
		}
		c.inputs.donate(compile.InputSource(i), fd)
	}
	return nil
}

func (c *creation) openMapped(m *plan.Mount, s *specs.Mount) (int, error) {
	if !m.Bind {
		return -1, errors.New("only bind mounts can be mapped")
	}
	user, err := c.openMapping(s)
	if err != nil {
		return -1, err
	}
	defer sys.Close(user)
	flags := uint(unix.OPEN_TREE_CLONE)
	if m.Recursive {
		flags |= unix.AT_RECURSIVE
	}
	tree, err := sys.OpenTree(sys.CWD, m.Source, flags)
	if err != nil {
		return -1, err
	}
	// Mappings without either option count for what the bind covers.
	deep := m.RecIDMap || (m.Recursive && !m.IDMap)
	err = setattr(tree, deep, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(user)})
	if err == nil {
		// A copy of a mount of the host must not propagate back to it.
		err = setattr(tree, true, &unix.MountAttr{Propagation: unix.MS_SLAVE})
	}
	if err != nil {
		sys.Close(tree)
		return -1, fmt.Errorf("%w [ID-mapped mounts need Linux 5.12 and a file system that supports them]", err)
	}
	return tree, nil
}

func setattr(tree int, recursive bool, attr *unix.MountAttr) error {
	flags := uint(unix.AT_EMPTY_PATH)
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	return sys.MountSetattr(tree, "", flags, attr)
}

// openMapping opens a user namespace with the mappings of a mount: its own, or
// else those of the container.
func (c *creation) openMapping(s *specs.Mount) (int, error) {
	uid, gid := s.UIDMappings, s.GIDMappings
	if len(uid) == 0 {
		if n := c.plan.Namespace(unix.CLONE_NEWUSER); n != nil && n.Path != "" {
			return duplicate(c.inputs.fds[compile.InputNamespace(n.Type)])
		}
		uid, gid = c.spec.Linux.UIDMappings, c.spec.Linux.GIDMappings
	}
	child, err := launch.Start(&launch.Spec{
		Program:      compile.NewHolder(),
		Namespaces:   unix.CLONE_NEWUSER,
		Cgroup:       -1,
		PidNamespace: -1,
		Maps:         launch.NewMaps(uid, gid),
	})
	if err != nil {
		return -1, err
	}
	defer child.Close()
	defer child.Kill()
	if _, err := child.Next(); err != nil {
		return -1, err
	}
	return sys.Openat(sys.CWD, "/proc/"+strconv.Itoa(child.Pid)+"/ns/user", unix.O_RDONLY, 0)
}
