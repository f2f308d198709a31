package libcontainer

import (
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/plan"
)

// handSource gives init a handle on the source of a bind that it may not reach
// itself. The path is that of init's mount namespace, where it may be copied, and
// whose root still is the host's.
func (c *creation) handSource(m *plan.Mount) error {
	fail := func(err error) error { return fmt.Errorf("open %s for %s: %w", m.Source, m.Destination, err) }
	root, err := sys.Openat(sys.CWD, "/proc/"+strconv.Itoa(c.child.Pid)+"/root", unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return fail(err)
	}
	defer sys.Close(root)
	source, err := sys.Openat2(root, m.Source, unix.O_PATH, 0, unix.RESOLVE_IN_ROOT)
	if err != nil {
		return fail(err)
	}
	defer sys.Close(source)
	return c.child.Go(source)
}
