package cgroup2

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mesoc/mesoc/libcontainer/cgroup2/devices"
	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"golang.org/x/sys/unix"
)

// Pair is a container's two cgroups.
type Pair struct {
	Container *Cgroup // holds the limits
	Leaf      *Cgroup // holds the processes, and the limits once more

	// Made are the directories that Create has made, from the top down. What
	// is not among them existed before and is not the container's to remove.
	Made []string
}

// Close drops both descriptors.
func (p *Pair) Close() error {
	return errors.Join(p.Container.Close(), p.Leaf.Close())
}

// MadeContainer says that the container's own cgroup did not exist before.
func (p *Pair) MadeContainer() bool {
	return slices.Contains(p.Made, p.Container.path)
}

// Exists says whether there is a cgroup at path, so that it can be put on
// record, before Create, that the container does not own it.
func Exists(m Mount, path string) (bool, error) {
	path, err := CleanPath(path)
	if err != nil {
		return false, err
	}
	switch err := unix.Access(m.Path+"/"+path, unix.F_OK); err {
	case nil:
		return true, nil
	case unix.ENOENT:
		return false, nil
	default:
		return false, fmt.Errorf("look for cgroup %s: %w", path, err)
	}
}

// Create makes the container's cgroup at path below the mount, with every
// component that is missing, and the leaf in it, makes the needed controllers
// usable in both, and opens them. With all, so are all other controllers, as far
// as the cgroups above can hand them on: what the container uses is counted, and
// it can divide it.
//
// A cgroup that exists already is taken if it fits: it must not hold processes
// and not be frozen. On an error nothing is left that was not there before,
// but for controllers that were enabled on the way.
func Create(m Mount, path, leaf string, need Controllers, all bool) (*Pair, error) {
	path, err := CleanPath(path)
	if err != nil {
		return nil, err
	}
	if err := checkName(leaf); err != nil {
		return nil, fmt.Errorf("check name of leaf cgroup %q: %w", leaf, err)
	}
	root, err := m.open()
	if err != nil {
		return nil, err
	}
	defer sys.Close(root)
	p := &Pair{}
	if err := p.create(chain{mount: m, root: root, path: path}, leaf, need, all); err != nil {
		p.undo(root)
		return nil, err
	}
	return p, nil
}

func (p *Pair) create(h chain, leaf string, need Controllers, all bool) (err error) {
	if err := p.makePath(h.root, h.path); err != nil {
		return err
	}
	if p.Container, err = openBelow(h.root, h.path, h.path); err != nil {
		return err
	}
	if !p.MadeContainer() {
		if err := p.Container.fits(); err != nil {
			return err
		}
	}
	// Before the leaf is there: then the kernel has less to do.
	if all {
		need = need.missing(h.enableAll(p.Container))
	}
	if len(need) > 0 {
		if err := h.enable(p.Container, need); err != nil {
			return err
		}
	}
	leafPath := h.path + "/" + leaf
	switch err := unix.Mkdirat(p.Container.fd, leaf, dirMode); err {
	case nil:
		p.Made = append(p.Made, leafPath)
	case unix.EEXIST:
	default:
		return fmt.Errorf("make cgroup %s: %w", leafPath, err)
	}
	p.Leaf, err = openBelow(p.Container.fd, leaf, leafPath)
	return err
}

// dirMode is the mode of new cgroups.
const dirMode = 0o755

// makeTries bounds how often a path is made anew because the last of other
// cgroups has gone meanwhile, and the directory for all of them with it.
const makeTries = 100

// makePath makes what is missing of path.
func (p *Pair) makePath(root int, path string) error {
	for try := 1; ; try++ {
		if err := p.tryPath(root, path); !errors.Is(err, unix.ENOENT) || try == makeTries {
			return err
		}
	}
}

// tryPath makes what is missing of path. All but the last component usually
// exist, so the whole is tried first.
func (p *Pair) tryPath(root int, path string) error {
	err := unix.Mkdirat(root, path, dirMode)
	for end := 0; err == unix.ENOENT && end < len(path); {
		next := strings.IndexByte(path[end+1:], '/')
		if next < 0 {
			end = len(path)
		} else {
			end += 1 + next
		}
		prefix := path[:end]
		stepErr := unix.Mkdirat(root, prefix, dirMode)
		switch {
		case end == len(path):
			err = stepErr
		case stepErr == nil && !slices.Contains(p.Made, prefix):
			p.Made = append(p.Made, prefix)
		case stepErr == nil:
		case stepErr != unix.EEXIST:
			return fmt.Errorf("make cgroup %s: %w", prefix, stepErr)
		}
	}
	switch err {
	case nil:
		p.Made = append(p.Made, path)
		return nil
	case unix.EEXIST:
		return nil
	}
	return fmt.Errorf("make cgroup %s: %w", path, err)
}

// fits refuses a cgroup that exists and is in use: the container would share
// its limits with strangers, or hang in the freezer.
func (c *Cgroup) fits() error {
	text, err := c.read("cgroup.events")
	if err != nil {
		return err
	}
	if n, _ := parseKey(text, "populated"); n != 0 {
		return fmt.Errorf("use cgroup %s: it exists and holds processes%s", c.path, c.somePids())
	}
	if n, _ := parseKey(text, "frozen"); n != 0 {
		return fmt.Errorf("use cgroup %s: it exists and is frozen", c.path)
	}
	return nil
}

// undo removes what a failed create has made, as far as that goes: what
// somebody else has begun to use meanwhile stays.
func (p *Pair) undo(root int) {
	for _, c := range []*Cgroup{p.Container, p.Leaf} {
		if c != nil {
			c.Close()
		}
	}
	unmake(root, p.Made)
}

// Unmake removes the directories above the container's own cgroup that Create
// has made, once that is gone, as far as nobody else has begun to use them. A
// cgroup at its own path would be another container's by now.
func (p *Pair) Unmake(m Mount) error {
	above := p.Made[:max(0, slices.Index(p.Made, p.Container.path))]
	if len(above) == 0 {
		return nil
	}
	root, err := m.open()
	if err != nil {
		return err
	}
	defer sys.Close(root)
	unmake(root, above)
	return nil
}

func unmake(root int, made []string) {
	for _, path := range slices.Backward(made) {
		if unix.Unlinkat(root, path, unix.AT_REMOVEDIR) != nil {
			return
		}
	}
}

// OpenPair opens the cgroups of a container that has been created.
func OpenPair(m Mount, path, leaf string) (*Pair, error) {
	if err := checkName(leaf); err != nil {
		return nil, fmt.Errorf("check name of leaf cgroup %q: %w", leaf, err)
	}
	container, err := Open(m, path)
	if err != nil {
		return nil, err
	}
	inner, err := openBelow(container.fd, leaf, container.path+"/"+leaf)
	if err != nil {
		container.Close()
		return nil, err
	}
	return &Pair{Container: container, Leaf: inner}, nil
}

// Filter attaches the device program to the container's cgroup: in place of an
// older one where there can be one, and not at all where it would allow
// everything and there is none.
func (p *Pair) Filter(program devices.Program) error {
	var err error
	switch {
	case !p.MadeContainer():
		err = devices.Replace(p.Container.fd, program)
	case !program.AllowsAll():
		err = devices.Attach(p.Container.fd, program)
	}
	if err != nil {
		return fmt.Errorf("filter devices of cgroup %s: %w", p.Container.path, sys.Called("bpf", err))
	}
	return nil
}
