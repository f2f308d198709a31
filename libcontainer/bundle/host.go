package bundle

import (
	"errors"
	"path"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/plan"
)

// host checks what only the host can answer. It looks and changes nothing, and
// what it finds can be otherwise a moment later: those who act look again.
// Where the spec itself is wrong about something, it is not asked about.
func (c *checker) host(b *Bundle) {
	c.rootExists(b)
	for i := range b.Spec.Mounts {
		c.sourceExists(b.Dir, i, &b.Spec.Mounts[i])
	}
	if l := b.Spec.Linux; l != nil {
		c.namespacesExist(l)
	}
	c.labelsWork(b.Spec)
}

func (c *checker) rootExists(b *Bundle) {
	if b.Spec.Root == nil || b.Spec.Root.Path == "" || hasNUL(b.Spec.Root.Path) {
		return
	}
	var st unix.Stat_t
	switch err := statRetry(b.Rootfs, &st); {
	case err != nil:
		c.failed("/root/path", b.Rootfs, err)
	case st.Mode&unix.S_IFMT != unix.S_IFDIR:
		c.failed("/root/path", b.Rootfs, unix.ENOTDIR)
	}
}

func (c *checker) sourceExists(dir string, i int, m *specs.Mount) {
	if m.Source == "" || hasNUL(m.Source) {
		return
	}
	bind, remount := false, false
	for _, o := range m.Options {
		bind = bind || o == "bind" || o == "rbind"
		remount = remount || o == "remount"
	}
	if !bind {
		return
	}
	source := within(dir, m.Source)
	var st unix.Stat_t
	if err := statRetry(source, &st); err != nil {
		c.failed(at("/mounts", i, "source"), source, err)
		return
	}
	var fs unix.Statfs_t
	if path.Clean("/"+m.Destination) == "/proc" && !remount && unix.Statfs(source, &fs) == nil && fs.Type != unix.PROC_SUPER_MAGIC {
		c.bad(at("/mounts", i, "source"), source, "must be a proc, for /proc")
	}
}

// namespacesExist looks at the namespaces to join. One that turns out to be
// the runtime's own is the host's: sysctls of it would be the host's.
func (c *checker) namespacesExist(l *specs.Linux) {
	var set, own uint64
	for i := range l.Namespaces {
		n := &l.Namespaces[i]
		kind, known := plan.NamespaceByName(string(n.Type))
		set |= kind.Flag
		if !known || n.Path == "" || !isAbs(n.Path) || hasNUL(n.Path) {
			continue
		}
		same, err := joinable(n.Path, kind)
		if err != nil {
			c.failed(at("/linux/namespaces", i, "path"), n.Path, err)
		}
		if same {
			own |= kind.Flag
		}
	}
	if own == 0 || len(l.Sysctl) == 0 {
		return
	}
	for _, name := range sortedKeys(l.Sysctl) {
		if plan.SysctlAllowed(name, set) != nil {
			continue // said before
		}
		if err := plan.SysctlAllowed(name, set&^own); err != nil {
			c.bad(at("/linux/sysctl", name), nil, err.Error())
		}
	}
}

// joinable looks whether a path is a namespace of the right kind, and whether
// it is the runtime's own.
func joinable(path string, kind plan.NamespaceKind) (same bool, err error) {
	fd, err := openRetry(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY)
	if err != nil {
		return false, err
	}
	defer unix.Close(fd)
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return false, err
	}
	if fs.Type != unix.NSFS_MAGIC {
		return false, errors.New("not a namespace")
	}
	flag, err := unix.IoctlRetInt(fd, unix.NS_GET_NSTYPE)
	if err != nil {
		return false, err
	}
	if uint64(flag) != kind.Flag {
		return false, errors.New("not a " + kind.Type + " namespace, but a " + namespaceName(uint64(flag)) + " namespace")
	}
	var there, here unix.Stat_t
	if err := unix.Fstat(fd, &there); err != nil {
		return false, err
	}
	if statRetry("/proc/thread-self/ns/"+kind.File, &here) != nil {
		return false, nil
	}
	return there.Dev == here.Dev && there.Ino == here.Ino, nil
}

func namespaceName(flag uint64) string {
	for _, kind := range plan.NamespaceKinds() {
		if kind.Flag == flag {
			return kind.Type
		}
	}
	return strconv.FormatUint(flag, 16)
}

func statRetry(path string, st *unix.Stat_t) error {
	for {
		if err := unix.Stat(path, st); err != unix.EINTR {
			return err
		}
	}
}
