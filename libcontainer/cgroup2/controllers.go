package cgroup2

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"golang.org/x/sys/unix"
)

// Need is a controller and the file for which it is needed.
type Need struct {
	Controller string
	For        string // as memory.max
	// Wish says that the file is written where it is and not missed where it
	// is not: it sets what is so without it.
	Wish bool
}

// Controllers are the controllers that a container needs, each once.
type Controllers []Need

// add adds a need unless the controller is there already. A need takes the
// place of a wish.
func (c Controllers) add(n Need) Controllers {
	if n.Controller == "" {
		return c
	}
	for i, have := range c {
		if have.Controller == n.Controller {
			if have.Wish && !n.Wish {
				c[i] = n
			}
			return c
		}
	}
	return append(c, n)
}

// available drops the wishes that a list of controllers does not meet.
func (c Controllers) available(list string) Controllers {
	missing := c.missing(list)
	var out Controllers
	for _, n := range c {
		if !n.Wish || !slices.Contains(missing, n) {
			out = append(out, n)
		}
	}
	return out
}

func (c Controllers) hasWish() bool {
	return slices.ContainsFunc(c, func(n Need) bool { return n.Wish })
}

// String returns what subtree_control is told: +memory +pids.
func (c Controllers) String() string {
	var b strings.Builder
	for i, n := range c {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteByte('+')
		b.WriteString(n.Controller)
	}
	return b.String()
}

// names returns the controllers' names for an error.
func (c Controllers) names() string {
	return strings.ReplaceAll(strings.ReplaceAll(c.String(), " +", ", "), "+", "")
}

// missing returns the needs that a list of controllers, as the kernel writes
// it, does not meet.
func (c Controllers) missing(list string) Controllers {
	var out Controllers
next:
	for _, n := range c {
		for have := range strings.FieldsSeq(list) {
			if have == n.Controller {
				continue next
			}
		}
		out = append(out, n)
	}
	return out
}

// MissingControllerError says that a limit cannot be set because cgroup2 does
// not offer its controller.
type MissingControllerError struct {
	Need
	Mount string
}

func (e *MissingControllerError) Error() string {
	return fmt.Sprintf("set %s: cgroup2 at %s has no %s controller (cgroup v1 may be using it, or the kernel lacks it)", e.For, e.Mount, e.Controller)
}

// chain is a container's cgroup, the last, and the cgroups above it up to the
// root of the mount, the first.
type chain struct {
	mount Mount
	root  int // the mount, open
	path  string
}

// enable makes the needed controllers usable in the container's cgroup c and
// in what is below it, by writing subtree_control from the top down. Where they
// are there already, as after the first container, it is one read and one write.
func (h chain) enable(c *Cgroup, need Controllers) error {
	if need.hasWish() {
		root, err := h.openParent("")
		if err != nil {
			return err
		}
		list, err := root.read("cgroup.controllers")
		root.Close()
		if err != nil {
			return err
		}
		if need = need.available(list); len(need) == 0 {
			return nil
		}
	}
	have, err := c.read("cgroup.controllers")
	if err != nil {
		return err
	}
	if missing := need.missing(have); len(missing) > 0 {
		if err := h.enableAbove(missing); err != nil {
			return err
		}
	}
	return enableIn(c, need)
}

// enableAll makes all controllers usable in the container's cgroup c and in what
// is below it, as far as that goes, and returns those that are.
func (h chain) enableAll(c *Cgroup) (enabled string) {
	root, err := h.openParent("")
	if err != nil {
		return ""
	}
	defer root.Close()
	all, err := root.read("cgroup.controllers")
	if err != nil {
		return ""
	}
	have, err := c.read("cgroup.controllers")
	if err != nil {
		return ""
	}
	if missing := controllersIn(all).missing(have); len(missing) > 0 {
		h.handOn(root, missing)
		if have, err = c.read("cgroup.controllers"); err != nil {
			return ""
		}
	}
	if list := controllersIn(have); len(list) == 0 || enableIn(c, list) != nil {
		return ""
	}
	return have
}

// controllersIn is a list of controllers as the kernel writes it.
func controllersIn(list string) Controllers {
	var c Controllers
	for name := range strings.FieldsSeq(list) {
		c = append(c, Need{Controller: name, Wish: true})
	}
	return c
}

// handOn enables controllers in the cgroups above the container's, from the root
// down to the first that cannot. None is asked that holds processes itself: it
// would take cpu and pids, and what is below it could hold none any more.
func (h chain) handOn(root *Cgroup, wanted Controllers) {
	for end := 0; ; end++ {
		p := root
		if end > 0 {
			var err error
			if p, err = h.openParent(h.path[:end]); err != nil {
				return
			}
		}
		ok := p.handsOn(wanted)
		if end > 0 {
			p.Close()
		}
		next := strings.IndexByte(h.path[min(end+1, len(h.path)):], '/')
		if !ok || next < 0 {
			return
		}
		end += next
	}
}

// handsOn enables those of the controllers that the cgroup has and does not hand on
// yet, and says whether it hands them all on now.
func (c *Cgroup) handsOn(wanted Controllers) bool {
	have, err := c.read("cgroup.controllers")
	if err != nil {
		return false
	}
	on, err := c.read("cgroup.subtree_control")
	if err != nil {
		return false
	}
	missing := wanted.available(have).missing(on)
	if len(missing) == 0 {
		return true
	}
	// The kernel's root has no type, and may hold processes.
	if _, err := c.read("cgroup.type"); !errors.Is(err, unix.ENOENT) && c.somePids() != "" {
		return false
	}
	return enableIn(c, missing) == nil
}

// enableAbove enables controllers in the cgroups above the container's. Those
// that have them are not written to: they may belong to somebody else.
func (h chain) enableAbove(need Controllers) error {
	// The path's prefixes, from the parent up; the empty one is the root.
	above := h.path
	var parents []*Cgroup // the nearest first
	defer func() {
		for _, p := range parents {
			p.Close()
		}
	}()
	for above != "" {
		above = parentOf(above)
		p, err := h.openParent(above)
		if err != nil {
			return err
		}
		parents = append(parents, p)
		have, err := p.read("cgroup.controllers")
		if err != nil {
			return err
		}
		missing := need.missing(have)
		if len(missing) == 0 {
			break
		}
		if above == "" {
			return &MissingControllerError{Need: missing[0], Mount: h.mount.Path}
		}
	}
	for i := len(parents) - 1; i >= 0; i-- {
		if err := enableIn(parents[i], need); err != nil {
			return err
		}
	}
	return nil
}

func (h chain) openParent(path string) (*Cgroup, error) {
	if path != "" {
		return openBelow(h.root, path, path)
	}
	return openBelow(h.root, ".", "/")
}

// enableIn makes the controllers usable in what is below c.
func enableIn(c *Cgroup, need Controllers) error {
	err := c.writeFile("cgroup.subtree_control", need.String())
	switch err {
	case nil:
		return nil
	case unix.EBUSY:
		return fmt.Errorf("enable %s in cgroup %s: it holds processes itself%s, which cgroup2 does not allow: %w",
			need.names(), c.path, c.somePids(), err)
	case unix.EOPNOTSUPP:
		// "domain invalid" is what cgroups become below one that holds
		// processes and has threaded controllers (cpu, cpuset, pids) enabled.
		kind, _ := c.read("cgroup.type")
		return fmt.Errorf("enable %s in cgroup %s: its type is %q, because a cgroup above it is threaded or holds processes: %w",
			need.names(), c.path, strings.TrimSpace(kind), err)
	}
	return fmt.Errorf("enable %s in cgroup %s: %w", need.names(), c.path, err)
}

// somePids names a few processes of c itself for an error.
func (c *Cgroup) somePids() string {
	const few = 5
	fd, err := sys.Openat(c.fd, "cgroup.procs", unix.O_RDONLY, 0)
	if err != nil {
		return ""
	}
	defer sys.Close(fd)
	var buf [fileMax]byte
	n, err := sys.Read(fd, buf[:])
	if err != nil {
		return ""
	}
	pids, err := parsePids(nil, string(buf[:n]))
	if err != nil || len(pids) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(" (pid")
	for i, pid := range pids {
		if i == few {
			b.WriteString(" …")
			break
		}
		b.WriteByte(' ')
		b.WriteString(strconv.Itoa(pid))
	}
	b.WriteByte(')')
	return b.String()
}
