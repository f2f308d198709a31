package launch

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Maps are the id mappings of a new user namespace, as the files uid_map and
// gid_map take them (user_namespaces(7)).
type Maps struct {
	UID, GID string
	uid, gid []specs.LinuxIDMapping // the same, for fork
}

// NewMaps writes the lines of mappings.
func NewMaps(uid, gid []specs.LinuxIDMapping) *Maps {
	return &Maps{UID: mapLines(uid), GID: mapLines(gid), uid: uid, gid: gid}
}

// root says whether somebody is root of the user namespace: in one that is only
// there for its mappings, nobody has to be.
func (m *Maps) root() bool {
	mapped := func(list []specs.LinuxIDMapping) bool {
		return slices.ContainsFunc(list, func(e specs.LinuxIDMapping) bool { return e.ContainerID == 0 })
	}
	return m == nil || mapped(m.uid) && mapped(m.gid)
}

func mapLines(maps []specs.LinuxIDMapping) string {
	var b strings.Builder
	for _, m := range maps {
		b.WriteString(strconv.FormatUint(uint64(m.ContainerID), 10) + " " +
			strconv.FormatUint(uint64(m.HostID), 10) + " " + strconv.FormatUint(uint64(m.Size), 10) + "\n")
	}
	return b.String()
}

// Map writes the id mappings of the child's user namespace, and lets it go on.
func (c *Child) Map(m *Maps) error {
	dir, err := sys.Openat(sys.CWD, "/proc/"+strconv.Itoa(c.Pid), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer sys.Close(dir)
	for _, f := range [...][2]string{{"uid_map", m.UID}, {"gid_map", m.GID}} {
		if err := writeOnce(dir, f[0], f[1]); err != nil {
			return fmt.Errorf("write %s of the user namespace: %w", f[0], err)
		}
	}
	return c.Go()
}

// writeOnce writes a file in one write, as the kernel demands it of id maps.
func writeOnce(dir int, name, text string) error {
	fd, err := sys.Openat(dir, name, unix.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer sys.Close(fd)
	return sys.Write(fd, []byte(text))
}
