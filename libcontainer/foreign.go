package libcontainer

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/criu"
	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/plan"
)

// What a container uses that is not its own: mounts that show the host, files
// that its caller opened, namespaces that it joins. A checkpoint has only their
// names, and a restore says what takes their place.

// foreignMount is a mount that shows something of the host.
type foreignMount struct {
	at        string // in the container, symlinks followed
	source    string // on the host
	mask      bool   // the null device, unless it hides a directory
	recursive bool   // with what is mounted below the source
	others    []string
}

// foreignMounts are those of the plan, as the root resolves their paths.
func (c *container) foreignMounts(p *plan.Plan, root int) []foreignMount {
	if !p.IsNew(unix.CLONE_NEWNS) {
		return nil
	}
	var list []foreignMount
	var all []string
	for i := range p.Mounts {
		m := &p.Mounts[i]
		at := resolveInRoot(root, m.Destination)
		all = append(all, at)
		if m.Bind && !m.Remount {
			list = append(list, foreignMount{at: at, source: m.Source, recursive: m.Recursive})
		}
	}
	for _, masked := range p.MaskedPaths {
		list = append(list, foreignMount{at: resolveInRoot(root, masked), source: "/dev/null", mask: true})
	}
	if p.UserMapped && p.OwnDev {
		for i := range p.Devices {
			if d := &p.Devices[i]; d.Type != unix.S_IFIFO {
				list = append(list, foreignMount{at: resolveInRoot(root, d.Path), source: d.Path})
			}
		}
	}
	for i := range list {
		list[i].others = all
	}
	return append(list, foreignMount{at: path.Dir(notifyInside), source: c.path(notifyName)})
}

// below are the mounts of the container's table that came with a recursive one:
// what lies below it and below no other mount of the plan.
func (m *foreignMount) below(table []sys.MountPoint) []string {
	var list []string
	for i := range table {
		at := table[i].Path
		if !m.recursive || at == m.at || !strings.HasPrefix(at, m.at+"/") {
			continue
		}
		nearest := m.at
		for _, other := range m.others {
			if len(other) > len(nearest) && (at == other || strings.HasPrefix(at, other+"/")) {
				nearest = other
			}
		}
		if nearest == m.at {
			list = append(list, at)
		}
	}
	return list
}

// sources are where a restore finds the mount, and those below it now, by what
// they are called in the images.
func (m *foreignMount) sources(table []sys.MountPoint) []criu.Mount {
	list := []criu.Mount{{Key: m.at, Value: m.source}}
	if !m.recursive {
		return list
	}
	for i := range table {
		if rest, below := strings.CutPrefix(table[i].Path, strings.TrimSuffix(m.source, "/")+"/"); below && rest != "" {
			list = append(list, criu.Mount{Key: m.at + "/" + rest, Value: table[i].Path})
		}
	}
	return list
}

// resolveInRoot is where a path leads to below a root. A path that does not
// exist stays as it is.
func resolveInRoot(root int, name string) string {
	fd, err := sys.Openat2(root, name, unix.O_PATH, 0, inRoot)
	if err != nil {
		return name
	}
	defer sys.Close(fd)
	base, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", root))
	if err != nil {
		return name
	}
	full, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	rest, inside := strings.CutPrefix(full, strings.TrimSuffix(base, "/"))
	if err != nil || !inside || !strings.HasPrefix(rest, "/") {
		return name
	}
	return rest
}

func isDirectory(root int, name string) bool {
	fd, err := sys.Openat2(root, name, unix.O_PATH|unix.O_DIRECTORY, 0, inRoot)
	if err != nil {
		return false
	}
	sys.Close(fd)
	return true
}

// foreignNamespace is the name in images of a namespace that is joined and that
// criu leaves as it is; empty for any other. The names are runc's.
func foreignNamespace(n *plan.Namespace) string {
	switch {
	case n.Path == "":
	case n.Flag == unix.CLONE_NEWNET:
		return "extRootNetNS"
	case n.Flag == unix.CLONE_NEWPID:
		return "extRootPidNS"
	}
	return ""
}

// shortName is what the kernel calls a kind of namespaces below /proc/PID/ns.
func shortName(n *plan.Namespace) string {
	switch n.Flag {
	case unix.CLONE_NEWNET:
		return "net"
	case unix.CLONE_NEWNS:
		return "mnt"
	}
	return n.Type
}

// namespaceID is the inode of a namespace that a process is in.
func namespaceID(pid int, n *plan.Namespace) (uint64, error) {
	var st unix.Stat_t
	name := fmt.Sprintf("/proc/%d/ns/%s", pid, shortName(n))
	if err := unix.Stat(name, &st); err != nil {
		return 0, fmt.Errorf("look at %s: %w", name, err)
	}
	return st.Ino, nil
}

// networkPrefix is how criu names the image of what is in a network namespace.
const networkPrefix = "netns-"

// hasInterfaces says whether the network namespace of a process has one beside
// its loopback (proc_pid_net(5): two lines of heading, and a name and a colon each).
func hasInterfaces(pid int) (bool, error) {
	text, err := sys.ReadAll(sys.CWD, fmt.Sprintf("/proc/%d/net/dev", pid))
	if err != nil {
		return false, err
	}
	for line := range strings.Lines(text) {
		if name, _, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) != loopback {
			return true, nil
		}
	}
	return false, nil
}

// standardFiles are the names of a process's first three descriptors, and in
// foreign those that criu has to be told of: files that lie in none of the
// container's mounts. Pipes it finds by itself.
func standardFiles(pid int, table []sys.MountPoint) (names, foreign []string, err error) {
	names = make([]string, 3)
	for fd := range names {
		at := fmt.Sprintf("/proc/%d/fd/%d", pid, fd)
		link, err := os.Readlink(at)
		if errors.Is(err, unix.ENOENT) {
			continue // closed
		}
		if err != nil {
			return nil, nil, err
		}
		names[fd] = link
		if strings.HasPrefix(link, "pipe:") || strings.HasPrefix(link, "socket:") || strings.HasPrefix(link, "anon_inode:") {
			continue
		}
		mount, err := mountOf(pid, fd)
		if err != nil {
			return nil, nil, err
		}
		if hasMount(table, mount) {
			continue
		}
		var st unix.Stat_t
		if err := unix.Stat(at, &st); err != nil {
			return nil, nil, fmt.Errorf("look at %s: %w", at, err)
		}
		names[fd] = fmt.Sprintf("file[%x:%x]", mount, st.Ino)
		if st.Mode&unix.S_IFMT == unix.S_IFCHR && unix.Major(st.Rdev) != memoryMajor {
			names[fd] = fmt.Sprintf("tty[%x:%x]", st.Rdev, st.Dev)
		}
		foreign = append(foreign, names[fd])
	}
	return names, foreign, nil
}

// hostNulls are the names of the host's null device, where processes have it
// open, in the form of standardFiles: a program may have put what it got as a
// standard file elsewhere.
func hostNulls(pids []int, table []sys.MountPoint) ([]string, error) {
	var list []string
	for _, pid := range pids {
		fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		if errors.Is(err, unix.ENOENT) {
			continue // it has ended
		}
		if err != nil {
			return nil, err
		}
		for _, entry := range fds {
			name, err := nullName(pid, entry.Name(), table)
			if err != nil && !errors.Is(err, unix.ENOENT) {
				return nil, err
			}
			if err == nil && name != "" && !slices.Contains(list, name) {
				list = append(list, name)
			}
		}
	}
	return list, nil
}

// nullName is the name of a descriptor that is the host's null device; empty
// for any other.
func nullName(pid int, entry string, table []sys.MountPoint) (string, error) {
	at := fmt.Sprintf("/proc/%d/fd/%s", pid, entry)
	if link, err := os.Readlink(at); err != nil || !strings.HasSuffix(link, "/null") {
		return "", err
	}
	var st unix.Stat_t
	if err := unix.Stat(at, &st); err != nil {
		return "", err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Rdev != unix.Mkdev(memoryMajor, nullMinor) {
		return "", nil
	}
	fd, err := strconv.Atoi(entry)
	if err != nil {
		return "", err
	}
	mount, err := mountOf(pid, fd)
	if err != nil || hasMount(table, mount) {
		return "", err
	}
	return fmt.Sprintf("file[%x:%x]", mount, st.Ino), nil
}

// memoryMajor is the major number of /dev/null and its like.
const memoryMajor = 1

// nullMinor is the minor number of /dev/null.
const nullMinor = 3

// mountOf is the id of the mount that a descriptor was opened in (proc_pid_fdinfo(5)).
func mountOf(pid, fd int) (int, error) {
	name := fmt.Sprintf("/proc/%d/fdinfo/%d", pid, fd)
	text, err := sys.ReadAll(sys.CWD, name)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(text) {
		if id, ok := strings.CutPrefix(line, "mnt_id:"); ok {
			return strconv.Atoi(strings.TrimSpace(id))
		}
	}
	return 0, fmt.Errorf("read %s: it has no mnt_id", name)
}

func hasMount(table []sys.MountPoint, id int) bool {
	for i := range table {
		if table[i].ID == id {
			return true
		}
	}
	return false
}

// inherited are the descriptors of ours that take the place of those that the
// container had as standard input, output and errors.
func inherited(images int) ([]criu.Inherited, error) {
	text, err := sys.ReadAll(images, descriptorsName)
	if errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	var names []string
	if err == nil {
		err = json.Unmarshal([]byte(text), &names)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", descriptorsName, err)
	}
	return inheritedFor(names), nil
}

// inheritedFor chooses them by the names. What several have in common can only
// have one in its place. Behind the three are those of hostNulls: the null device
// again, whatever ours are.
func inheritedFor(names []string) []criu.Inherited {
	nulls := names[min(len(names), 3):]
	var list []criu.Inherited
	for fd, name := range names[:min(len(names), 3)] {
		kind, _, _ := strings.Cut(name, "[")
		if kind != "file" && kind != "tty" && !strings.HasPrefix(name, "pipe:") {
			continue // the container's own
		}
		if slices.Contains(nulls, name) {
			continue
		}
		if first := slices.Index(names, name); first < fd {
			// Read and written, by descriptors that were opened apart: the null device.
			if first == 0 && kind == "file" {
				list[0].FD = criu.Null
			}
			continue
		}
		list = append(list, criu.Inherited{Key: name, FD: fd})
	}
	for _, name := range nulls {
		if strings.HasPrefix(name, "file[") {
			list = append(list, criu.Inherited{Key: name, FD: criu.Null})
		}
	}
	return list
}
