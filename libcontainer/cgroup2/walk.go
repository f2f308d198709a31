package cgroup2

import (
	"fmt"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"golang.org/x/sys/unix"
)

// walk visits the cgroups below c, each before what is below it, and leaves
// each after that. c itself is visited, and not left. Cgroups that vanish
// meanwhile are passed over.
//
// However deep the tree is (a container that may make cgroups decides), at
// most three descriptors are open: the way up is `..`, which in cgroup2,
// where nothing can be renamed, is the way that was come by.
func (c *Cgroup) walk(visit func(dir int) error, leave func(parent int, name string) error) error {
	type level struct {
		name     string   // of the directory that is open
		children []string // to be visited
	}
	dir, err := sys.Openat(c.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return fmt.Errorf("open cgroup %s: %w", c.path, errnoOf(err))
	}
	defer func() { sys.Close(dir) }()
	var levels []level
	enter := func(name string) error {
		if err := visit(dir); err != nil && !gone(err) {
			return err
		}
		children, err := subdirectories(dir)
		if err != nil && !gone(err) {
			return fmt.Errorf("list cgroups below %s: %w", c.path, err)
		}
		levels = append(levels, level{name, children})
		return nil
	}
	if err := enter(""); err != nil {
		return err
	}
	for {
		l := &levels[len(levels)-1]
		if len(l.children) > 0 {
			name := l.children[0]
			l.children = l.children[1:]
			below, err := sys.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
			if gone(err) {
				continue
			}
			if err != nil {
				return fmt.Errorf("open cgroup %s below %s: %w", name, c.path, errnoOf(err))
			}
			sys.Close(dir)
			dir = below
			if err := enter(name); err != nil {
				return err
			}
			continue
		}
		if len(levels) == 1 {
			return nil
		}
		up, err := sys.Openat(dir, "..", unix.O_RDONLY|unix.O_DIRECTORY, 0)
		if err != nil {
			return fmt.Errorf("go up from a cgroup below %s: %w", c.path, errnoOf(err))
		}
		sys.Close(dir)
		dir = up
		if err := leave(dir, l.name); err != nil && !gone(err) {
			return err
		}
		levels = levels[:len(levels)-1]
	}
}

// subdirectories returns the names of the cgroups directly below dir.
func subdirectories(dir int) ([]string, error) {
	// The kernel counts a directory's subdirectories as links, which is
	// cheaper to ask than reading the names of fifty files.
	var st unix.Stat_t
	if err := unix.Fstat(dir, &st); err == nil && st.Nlink == 2 {
		return nil, nil
	}
	entries, err := sys.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.Type == unix.DT_DIR {
			names = append(names, e.Name)
		}
	}
	return names, nil
}

// stay is what a walk does on leaving that has nothing to do there.
func stay(int, string) error { return nil }
