package cgroup2

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"golang.org/x/sys/unix"
)

// Update changes limits of a container that lives, all of them or none: what
// there was is read first, and put back when the kernel refuses something. The
// controllers that are enabled on the way stay so, and what was done because
// of a limit (pages taken away, processes killed) stays done. The device
// program is left alone.
func (p *Pair) Update(m Mount, l Limits) error {
	if err := p.enable(m, l.Controllers()); err != nil {
		return err
	}
	if err := l.belowUsage.checkUsage(p.Container); err != nil {
		return err
	}
	outside, err := p.Container.values(l.Settings)
	if err != nil {
		return err
	}
	inside, err := p.Leaf.values(l.Settings)
	if err != nil {
		return err
	}
	writes, err := planUpdate(l.Settings, outside, inside)
	if err != nil {
		return fmt.Errorf("change limits of cgroup %s: %w", p.Container.path, err)
	}
	for i, w := range writes {
		if err := p.at(w).write(w.file, w.value); err != nil {
			return p.revert(writes[:i], err)
		}
	}
	return nil
}

// enable makes controllers usable in both cgroups.
func (p *Pair) enable(m Mount, need Controllers) error {
	if len(need) == 0 {
		return nil
	}
	root, err := m.open()
	if err != nil {
		return err
	}
	defer sys.Close(root)
	return chain{mount: m, root: root, path: p.Container.path}.enable(p.Container, need)
}

func (p *Pair) at(w write) *Cgroup {
	if w.leaf {
		return p.Leaf
	}
	return p.Container
}

// revert takes writes back, the last one first, so that the kernel sees states
// that it has accepted before.
func (p *Pair) revert(done []write, err error) error {
	for i := len(done) - 1; i >= 0; i-- {
		w := done[i]
		if w.before == "" {
			continue
		}
		if backErr := p.at(w).write(w.file, w.before); backErr != nil {
			err = fmt.Errorf("%w; put back what was there: %w", err, backErr)
		}
	}
	return err
}

// values are what files of a cgroup hold. A file that is not there is not in
// it, one that cannot be read is empty.
type values map[string]string

// values reads what an update may change, and what it depends on.
func (c *Cgroup) values(settings []Setting) (values, error) {
	v := values{}
	for _, s := range settings {
		files := []string{s.File}
		if s.Else != nil {
			files = append(files, s.Else.File)
		}
		if s.File == fileIdle || s.File == fileWeight {
			files = []string{fileIdle, fileWeight}
		}
		for _, file := range files {
			if _, known := v[file]; known {
				continue
			}
			text, err := sys.ReadAll(c.fd, file)
			switch errno := errnoOf(err); errno {
			case nil:
				v[file] = strings.TrimSuffix(text, "\n")
			case unix.ENOENT:
			case unix.EINVAL, unix.EOPNOTSUPP, unix.EACCES: // only to be written
				v[file] = ""
			default:
				return nil, fmt.Errorf("read %s of cgroup %s: %w", file, c.path, errno)
			}
		}
	}
	return v, nil
}

// errNoFile says that the kernel has no such limit.
var errNoFile = errors.New("the kernel has no such file")
