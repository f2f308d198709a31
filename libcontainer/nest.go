package libcontainer

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/cgroup2"
	"github.com/mesoc/mesoc/libcontainer/compile"
	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/plan"
	"github.com/mesoc/mesoc/libcontainer/store"
)

// What a container that is nested in another one gets from that one: a place
// in its cgroup, and the namespaces that the config does not list.

// parent is the container that another one is going to be nested in. It is
// locked until that is on record: who deletes it afterwards sees the child.
// Locks are taken from parents to children, by deletions as by creations.
type parent struct {
	container
	init int // a pidfd of its first process
	proc int // the directory of that in the host's procfs
}

// close lets go of it. It may be called again, and on nil.
func (p *parent) close() {
	if p == nil {
		return
	}
	p.container.close()
	for _, fd := range []*int{&p.init, &p.proc} {
		if *fd >= 0 {
			sys.Close(*fd)
		}
		*fd = -1
	}
}

// openParent finds the container that this one is to be nested in, locks it,
// and sees that it runs.
func (c *creation) openParent() error {
	id := c.wishes.Parent
	switch {
	case id == "" && c.wishes.ShareCgroups:
		return errors.New("share the cgroups of a parent: none is named [give --parent]")
	case id == "":
		return nil
	case id == c.options.ID:
		return errors.New("nest it in itself: it cannot be its own parent")
	}
	c.parent = &parent{container: container{runtime: c.runtime}, init: -1, proc: -1}
	if err := c.parent.open(id); err != nil {
		return fmt.Errorf("nest it in container %s: %w", id, err)
	}
	return nil
}

func (p *parent) open(id string) error {
	// Before it is locked: a create that goes on would keep us waiting, to no end.
	if record, status, err := p.runtime.look(id); err != nil {
		return err
	} else if err := nestable(&record, status); err != nil {
		return err
	}
	s, err := p.runtime.store()
	if err != nil {
		return err
	}
	if p.locked, err = s.Lock(id, time.Now().Add(lockWait)); err != nil {
		return err
	}
	if p.record, err = p.locked.Load(); err != nil {
		return err
	}
	status, err := p.runtime.status(&p.record)
	if err != nil {
		return err
	}
	if err := nestable(&p.record, status); err != nil {
		return err
	}
	return p.openProcess()
}

// nestable says why a container can hold no other one.
func nestable(record *store.Record, status Status) error {
	switch status {
	case Running:
	case Creating:
		return errors.New("its create has not finished")
	case Created:
		return errors.New("it has not been started")
	case Paused:
		return errors.New("it is paused [resume it first]")
	default:
		return ErrNotRunning
	}
	if record.Cgroup == "" {
		return errors.New("it has no cgroup")
	}
	return nil
}

// openProcess opens its first process, whose directory of /proc stays that
// process's, whoever gets its number.
func (p *parent) openProcess() error {
	var err error
	if p.init, err = p.openInit(); err == nil {
		p.proc, err = sys.Openat(sys.CWD, "/proc/"+strconv.Itoa(p.record.Pid), unix.O_PATH|unix.O_DIRECTORY, 0)
	}
	if err == nil {
		err = sys.PidfdSignal(p.init, 0)
	}
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENOENT) {
		return ErrNotRunning
	}
	return err
}

// nested is the cgroup of a container of that id in it, whatever the config of
// that wants: elsewhere it would be neither limited nor counted with the parent.
func (p *parent) nested(id string) string {
	return path.Join(p.record.Cgroup, cgroup2.Nested, id)
}

// adopt puts the id of a container on record that is about to be put on record
// itself, and drops those of containers that are gone.
func (p *parent) adopt(s *store.Store, id string) error {
	if p == nil {
		return nil
	}
	children := []string{id}
	for _, other := range p.record.Children {
		if record, err := s.Load(other); other != id && (err == nil && record.Parent == p.record.ID || !errors.Is(err, store.ErrNotExist)) {
			children = append(children, other)
		}
	}
	slices.Sort(children)
	p.record.Children = children
	return p.locked.Save(p.record)
}

// passwd reads the passwd file of the root that its process sees.
func (p *parent) passwd() ([]byte, error) {
	root, err := sys.Openat(p.proc, "root", unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	defer sys.Close(root)
	return readPasswdBelow(root, passwdName)
}

// findMount finds where the container's cgroup is going to be.
func (c *creation) findMount() (cgroup2.Mount, error) {
	if c.parent == nil {
		return cgroup2.FindMount()
	}
	if l := c.spec.Linux; l != nil && l.CgroupsPath != "" {
		c.runtime.advise("/linux/cgroupsPath: ignored: the cgroup of a nested container is in its parent's")
	}
	return cgroup2.Mount{Path: c.parent.record.CgroupMount}, nil
}

// sharesCgroups says whether no controller is to be enabled for the container:
// because it wants none, or because its parent has none.
func (c *creation) sharesCgroups() bool {
	return c.wishes.ShareCgroups || c.parent != nil && c.parent.record.ShareCgroups
}

// limitWithParent makes sure that a container which shares its parent's cgroups
// wants no limits of its own: nobody would obey them. What sets that which is
// so anyway is left out. Device rules need no controller, and hold.
func (c *creation) limitWithParent() error {
	if !c.sharesCgroups() {
		return nil
	}
	var fields []string
	for _, s := range c.limits.Settings {
		if !s.Optional && !slices.Contains(fields, s.Field) {
			fields = append(fields, s.Field)
		}
	}
	c.limits.Settings = nil
	if len(fields) == 0 {
		return nil
	}
	return fmt.Errorf("limit it by %s: it shares the cgroups of container %s and has no limits of its own",
		strings.Join(fields, ", "), c.wishes.Parent)
}

// inherit opens the namespaces of the parent of those kinds that the config
// does not list, unless they are the runtime's own. They are those of its
// process, which are no more than that has the right to.
func (c *creation) inherit() ([]plan.Namespace, error) {
	if c.parent == nil {
		return nil, nil
	}
	var inherited []plan.Namespace
	for _, kind := range plan.NamespaceKinds() {
		if lists(c.spec.Linux, &kind) {
			continue
		}
		fd, err := c.parent.namespace(&kind)
		if err != nil {
			return nil, fmt.Errorf("join the parent's %s namespace: %w", kind.Type, err)
		}
		switch {
		case fd < 0:
			continue
		case kind.Flag == unix.CLONE_NEWPID:
			c.inputs.pid = fd
		default:
			c.inputs.donate(compile.InputNamespace(kind.Type), fd)
		}
		inherited = append(inherited, plan.Namespace{
			Flag: int(kind.Flag), Type: kind.Type, Inherited: true,
			Path: "of container " + c.parent.record.ID,
		})
	}
	return inherited, nil
}

func lists(l *specs.Linux, kind *plan.NamespaceKind) bool {
	return l != nil && slices.ContainsFunc(l.Namespaces, func(n specs.LinuxNamespace) bool { return string(n.Type) == kind.Type })
}

// namespace opens the one that its process is in, -1 if that is ours.
func (p *parent) namespace(kind *plan.NamespaceKind) (int, error) {
	var its, ours unix.Stat_t
	own := "/proc/self/ns/" + kind.File
	if err := unix.Stat(own, &ours); err == unix.ENOENT {
		return -1, nil // the kernel has none of that kind
	} else if err != nil {
		return -1, fmt.Errorf("stat %s: %w", own, err)
	}
	fd, err := sys.Openat(p.proc, "ns/"+kind.File, unix.O_RDONLY, 0)
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENOENT) {
		return -1, ErrNotRunning
	}
	if err != nil {
		return -1, err
	}
	if err := unix.Fstat(fd, &its); err != nil {
		sys.Close(fd)
		return -1, err
	}
	if its.Ino == ours.Ino && its.Dev == ours.Dev {
		sys.Close(fd)
		return -1, nil
	}
	return fd, nil
}
