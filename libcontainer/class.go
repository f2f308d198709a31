package libcontainer

import (
	"errors"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/bundle"
	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/resctrl"
)

// resctrlTree is where classes of service are.
func (r *Runtime) resctrlTree() (*resctrl.Tree, error) {
	if r.resctrl != nil {
		return r.resctrl, nil
	}
	return resctrl.Find()
}

// decideClass decides on the class of service, and puts on record what is going
// to be made for it. Without linux.intelRdt nobody looks at resctrl.
func (c *creation) decideClass() error {
	if c.spec.Linux == nil || c.spec.Linux.IntelRdt == nil {
		return nil
	}
	tree, err := c.runtime.resctrlTree()
	if err != nil {
		return err
	}
	if c.class, err = tree.Decide(c.record.ID, c.spec.Linux.IntelRdt); err != nil {
		return err
	}
	c.record.Resctrl, c.record.ResctrlClass = c.class.Makes(), c.class.Dir()
	return nil
}

func (c *creation) makeClass() (err error) {
	if c.class == nil {
		return nil
	}
	made, err := c.class.Make()
	if err != nil {
		c.record.Resctrl = made // what else stands there is not ours to undo
	}
	return err
}

// keepClass takes the class of a create that has succeeded off the record if it
// is to stay when the container goes.
func (c *creation) keepClass() {
	if c.class != nil {
		c.record.Resctrl = slices.DeleteFunc(c.record.Resctrl, c.class.Keeps)
	}
}

// openClasses opens what puts a process into the container's class of service,
// and then into its monitoring group, which takes those of its class only. One
// that somebody has removed since has no processes any more, and gets none.
func (e *execution) openClasses() error {
	class := e.record.ResctrlClass
	if class == "" {
		return nil
	}
	// On record they are in the order in which they are removed.
	groups := slices.DeleteFunc(slices.Clone(e.record.Resctrl), func(dir string) bool { return dir == class })
	for _, dir := range append([]string{class}, groups...) {
		tasks := dir + "/tasks"
		fd, err := sys.Openat(sys.CWD, tasks, unix.O_WRONLY|unix.O_APPEND|unix.O_NOFOLLOW, 0)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return err
		}
		e.inputs.donate(tasks, fd)
		e.classes = append(e.classes, tasks)
	}
	return nil
}

// removeClass removes what create made of the container's class of service.
// After a reboot nothing of that is there.
func (c *container) removeClass() error {
	if len(c.record.Resctrl) == 0 {
		return nil
	}
	tree, err := c.runtime.resctrlTree()
	if err != nil {
		c.runtime.warn("remove the class of service of container %s: %v", c.record.ID, err)
		return nil // with the mount went what was in it
	}
	return tree.Remove(c.record.Resctrl)
}

// newSchemata are the lines that an update sets of the container's class of
// service, checked.
func (c *container) newSchemata(o *UpdateOptions) ([]string, error) {
	if o.L3CacheSchema == "" && o.MemBwSchema == "" {
		return nil, nil
	}
	if err := bundle.CheckSchemata(&specs.LinuxIntelRdt{L3CacheSchema: o.L3CacheSchema, MemBwSchema: o.MemBwSchema}); err != nil {
		return nil, err
	}
	if c.record.ResctrlClass == "" {
		return nil, errors.New("it has no class of service whose schemata could change [linux.intelRdt of its config.json]")
	}
	var lines []string
	for _, s := range [...]string{o.L3CacheSchema, o.MemBwSchema} {
		if s != "" {
			lines = append(lines, strings.TrimSuffix(s, "\n"))
		}
	}
	return lines, nil
}

// reclass changes the schemata of the container's class of service, if there
// are any to change, and then does the rest: both or neither.
func (c *container) reclass(schemata []string, do func() error) error {
	if len(schemata) == 0 {
		return do()
	}
	tree, err := c.runtime.resctrlTree()
	if err != nil {
		return err
	}
	return tree.Change(c.record.ResctrlClass, schemata, do)
}
