package libcontainer

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
)

// delegateCgroup gives the leaf to the container's user if the config shows it
// to the container writably, as its own (config-linux, Cgroup ownership).
func (c *creation) delegateCgroup() error {
	if !c.plan.IsNew(unix.CLONE_NEWCGROUP) || !c.mountsCgroup() {
		return nil
	}
	uid, err := c.hostUser(c.plan.Process.UID)
	if err != nil || uid == 0 { // who has it already
		return err
	}
	return c.pair.Leaf.Delegate(uid)
}

// mountsCgroup says whether there is a mount of the cgroup for writing.
func (c *creation) mountsCgroup() bool {
	for i := range c.spec.Mounts {
		m := &c.spec.Mounts[i]
		if path.Clean("/"+m.Destination) == "/sys/fs/cgroup" && m.Source == "cgroup" &&
			!slices.Contains(m.Options, "ro") && !slices.Contains(m.Options, "rro") {
			return true
		}
	}
	return false
}

// hostUser is the number that a user of the container has for us.
func (c *creation) hostUser(uid uint32) (int, error) {
	if !c.plan.UserMapped {
		return int(uid), nil
	}
	m, err := readIDMap(c.child.Pid, "uid_map")
	if err != nil {
		return 0, err
	}
	host, ok := m.host(uid)
	if !ok {
		return 0, fmt.Errorf("find user %d of the container on the host: it is not mapped", uid)
	}
	return int(host), nil
}

// idMap is how a user namespace maps ids, as we see it: that of the config, or
// of the namespace that is joined (user_namespaces(7)).
type idMap []struct{ inside, outside, size uint32 }

func readIDMap(pid int, file string) (idMap, error) {
	text, err := sys.ReadAll(sys.CWD, "/proc/"+strconv.Itoa(pid)+"/"+file)
	if err != nil {
		return nil, err
	}
	var m idMap
	for line := range strings.Lines(text) {
		var numbers [3]uint32
		fields := strings.Fields(line)
		for i := range min(len(fields), len(numbers)) {
			n, err := strconv.ParseUint(fields[i], 10, 32)
			if err != nil {
				return nil, fmt.Errorf("read %s of process %d: %w", file, pid, err)
			}
			numbers[i] = uint32(n)
		}
		m = append(m, struct{ inside, outside, size uint32 }{numbers[0], numbers[1], numbers[2]})
	}
	return m, nil
}

// host is what an id of the namespace is outside.
func (m idMap) host(id uint32) (uint32, bool) {
	for _, e := range m {
		if id >= e.inside && id-e.inside < e.size {
			return e.outside + id - e.inside, true
		}
	}
	return 0, false
}

// maps says whether an id of the host is one of the namespace's.
func (m idMap) maps(id uint32) bool {
	for _, e := range m {
		if id >= e.outside && id-e.outside < e.size {
			return true
		}
	}
	return false
}
