// Package resctrl puts a container into a class of service: its share of cache
// and memory bandwidth, on processors that can divide them (Intel RDT; the
// kernel's Documentation/filesystems/resctrl.rst).
//
// libcontainer calls it, in the parent, and only for containers whose config
// has linux.intelRdt. Decide looks and decides, Make and Add act, Remove undoes
// what Make has made; Change is for classes that are there. It knows nothing of records: the caller writes down what
// Makes announces before it calls Make.
package resctrl

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
)

// Tree is a mounted resctrl file system. What makes and removes directories is
// named because no other file system does it that way: a new one has files in
// it, and can be removed with them.
type Tree struct {
	Path  string // where it is mounted
	Mkdir func(path string, mode uint32) error
	Rmdir func(path string) error

	write func(file, lines string) error // of schemata that change; nil for write, another one for tests
}

// Find finds where resctrl is mounted.
func Find() (*Tree, error) {
	mounts, err := sys.Mounts()
	if err != nil {
		return nil, fmt.Errorf("look for resctrl: %w", err)
	}
	for _, m := range mounts {
		if m.Type == "resctrl" && m.Root == "/" {
			return &Tree{Path: m.Path, Mkdir: unix.Mkdir, Rmdir: unix.Rmdir}, nil
		}
	}
	return nil, errors.New("/linux/intelRdt: needs a mounted resctrl file system [mount -t resctrl resctrl /sys/fs/resctrl]")
}

// Class is the class of service that a container gets.
type Class struct {
	tree     *Tree
	dir      string   // absolute
	exists   bool     // the class was there before
	shared   bool     // it has a name of its own, and outlives the container
	schemata []string // lines to write, in this order
	monitor  string   // directory of the container's monitoring group, or empty
}

// Decide decides on the class of the container with that id (config-linux,
// IntelRdt). It changes nothing.
func (t *Tree) Decide(id string, r *specs.LinuxIntelRdt) (*Class, error) {
	const pointer = "/linux/intelRdt"
	c := &Class{tree: t, shared: r.ClosID != ""}
	switch r.ClosID {
	case "/": // the default class
		c.dir = t.Path
	case "":
		c.dir = t.Path + "/" + id
	default:
		c.dir = t.Path + "/" + r.ClosID
	}
	for _, s := range append([]string{r.L3CacheSchema, r.MemBwSchema}, r.Schemata...) {
		if s != "" {
			c.schemata = append(c.schemata, s)
		}
	}
	if r.EnableMonitoring {
		c.monitor = c.dir + "/mon_groups/" + id
	}
	switch err := unix.Access(c.dir, unix.F_OK); {
	case err == nil:
		c.exists = true
	case err != unix.ENOENT:
		return nil, fmt.Errorf("look for class of service %s: %w", c.dir, err)
	case c.shared && len(c.schemata) == 0:
		return nil, fmt.Errorf("%s/closID: class of service %q does not exist, and there is no schema to make it with", pointer, r.ClosID)
	}
	if !c.exists {
		return c, nil
	}
	has, err := sys.ReadAll(sys.CWD, c.dir+"/schemata")
	if err != nil {
		return nil, err
	}
	for _, s := range [...]struct{ name, value string }{{"l3CacheSchema", r.L3CacheSchema}, {"memBwSchema", r.MemBwSchema}} {
		if !agrees(s.value, has) {
			return nil, fmt.Errorf("%s/%s: %q: class of service %s exists and has another one: %q",
				pointer, s.name, s.value, c.dir, strings.TrimSpace(has))
		}
	}
	return c, nil
}

// agrees says whether all that a schema sets is so in a file schemata already.
// The kernel pads names and numbers.
func agrees(schema, file string) bool {
	has := parse(file)
	for key, value := range parse(schema) {
		if has[key] != value {
			return false
		}
	}
	return true
}

// parse reads lines such as "L3:0=7ff;1=7ff" into {"L3:0": "7ff", …}.
func parse(schemata string) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(schemata) {
		resource, domains, _ := strings.Cut(strings.TrimSpace(line), ":")
		if domains == "" {
			continue
		}
		for domain := range strings.SplitSeq(domains, ";") {
			name, value, _ := strings.Cut(domain, "=")
			value = strings.TrimLeft(strings.ToLower(strings.TrimSpace(value)), "0")
			values[resource+":"+strings.TrimSpace(name)] = value
		}
	}
	return values
}

// Dir is the directory of the class, absolute.
func (c *Class) Dir() string { return c.dir }

// Makes are the directories that Make is going to make, in the order in which
// Remove takes them.
func (c *Class) Makes() []string {
	var dirs []string
	if c.monitor != "" {
		dirs = append(dirs, c.monitor)
	}
	if !c.exists {
		dirs = append(dirs, c.dir)
	}
	return dirs
}

// Keeps are those of Makes that outlive the container: a class with a name of
// its own is not for one container alone.
func (c *Class) Keeps(dir string) bool { return c.shared && dir == c.dir }

// Make makes the class and the monitoring group. The error is fs.ErrExist when
// somebody else made one of them meanwhile; made is what Make made, in the order
// of Makes.
func (c *Class) Make() (made []string, err error) {
	if !c.exists {
		if err := c.tree.Mkdir(c.dir, 0o755); err != nil {
			return nil, c.tree.explain("make class of service "+c.dir, err)
		}
		made = []string{c.dir}
	}
	for _, line := range c.schemata {
		if err := write(c.dir+"/schemata", line+"\n"); err != nil {
			return made, c.tree.explain("set schema "+strconv.Quote(line)+" of class of service "+c.dir, err)
		}
	}
	if c.monitor != "" {
		if err := c.tree.Mkdir(c.monitor, 0o755); err != nil {
			return made, c.tree.explain("make monitoring group "+c.monitor, err)
		}
		made = append([]string{c.monitor}, made...)
	}
	return made, nil
}

// Add puts a process of one thread into the class and the monitoring group; its
// children will be there too.
func (c *Class) Add(pid int) error {
	for _, dir := range [...]string{c.dir, c.monitor} {
		if dir == "" {
			continue
		}
		if err := write(dir+"/tasks", strconv.Itoa(pid)); err != nil {
			return c.tree.explain("put process "+strconv.Itoa(pid)+" into "+dir, err)
		}
	}
	return nil
}

// Remove removes directories that Make has made. What is gone is no error.
func (t *Tree) Remove(dirs []string) error {
	for _, dir := range dirs {
		if err := t.Rmdir(dir); err != nil && err != unix.ENOENT {
			return fmt.Errorf("remove %s: %w", dir, err)
		}
	}
	return nil
}

// write writes a line. Kernel files have no end to append to; in others, one
// sees what was written in which order.
func write(file, line string) error {
	fd, err := unix.Open(file, unix.O_WRONLY|unix.O_APPEND|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer sys.Close(fd)
	return sys.Write(fd, []byte(line))
}

// explain adds what resctrl itself says of its last refusal.
func (t *Tree) explain(what string, err error) error {
	said, readErr := sys.ReadAll(sys.CWD, t.Path+"/info/last_cmd_status")
	if said = strings.TrimSpace(said); readErr != nil || said == "" || said == "ok" {
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%s: %w (%s)", what, err, said)
}
