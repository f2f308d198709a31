package bundle

import (
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesoc/mesoc/libcontainer/plan"
)

// process checks the program. A config may be without one: such a container
// can be created, and not started.
func (c *checker) process(p *specs.Process, l *specs.Linux, ns *namespaceSet) {
	if p == nil {
		return
	}
	switch {
	case p.Cwd == "":
		c.bad("/process/cwd", nil, ruleRequired)
	case !isAbs(p.Cwd):
		c.bad("/process/cwd", p.Cwd, ruleAbsolute)
	}
	c.text("/process/cwd", p.Cwd)
	switch {
	case len(p.Args) == 0:
		c.bad("/process/args", nil, "must name a program")
	case p.Args[0] == "":
		c.bad("/process/args/0", "", "executable file not found: the name is empty")
	}
	c.texts("/process/args", p.Args)
	c.env("/process/env", p.Env)
	c.console(p)
	c.user(&p.User, l, ns)
	c.rlimits(p.Rlimits)
	c.capabilities(p.Capabilities)
	if adj := p.OOMScoreAdj; adj != nil && (*adj < -1000 || *adj > 1000) {
		c.bad("/process/oomScoreAdj", *adj, "must be from -1000 to 1000")
	}
	c.attributes(p)
}

func (c *checker) env(pointer string, env []string) {
	for i, e := range env {
		switch strings.IndexByte(e, '=') {
		case -1:
			c.bad(at(pointer, i), e, "must have the form NAME=VALUE")
		case 0:
			c.bad(at(pointer, i), e, "must have a name before the =")
		}
		if hasNUL(e) {
			c.bad(at(pointer, i), e, ruleNUL)
		}
	}
}

// console checks the wish for a size. Engines that have none send two zeros.
func (c *checker) console(p *specs.Process) {
	box := p.ConsoleSize
	if !p.Terminal || box == nil || box.Height == 0 && box.Width == 0 {
		return
	}
	const most = 1<<16 - 1
	for _, n := range [...]struct {
		pointer string
		value   uint
	}{{"/process/consoleSize/height", box.Height}, {"/process/consoleSize/width", box.Width}} {
		if n.value == 0 || n.value > most {
			c.bad(n.pointer, n.value, "must be from 1 to 65535")
		}
	}
}

// noID is what setresuid(2), setgroups(2) and chown(2) take for no id at all: a
// user of that number would be left the runtime's own, which is root.
const noID = 1<<32 - 1

const ruleNoID = "must be less than 4294967295, which is no id to the kernel"

func (c *checker) user(u *specs.User, l *specs.Linux, ns *namespaceSet) {
	if u.UID == noID {
		c.bad("/process/user/uid", u.UID, ruleNoID)
	}
	if u.GID == noID {
		c.bad("/process/user/gid", u.GID, ruleNoID)
	}
	for i, gid := range u.AdditionalGids {
		if gid == noID {
			c.bad(at("/process/user/additionalGids", i), gid, ruleNoID)
		}
	}
	if u.Umask != nil && *u.Umask > 0o777 {
		c.bad("/process/user/umask", *u.Umask, "must be from 0 to 511 (0777 in octal)")
	}
	if u.Username != "" {
		c.warn("/process/user/username", u.Username, "has no meaning on Linux")
	}
	if l == nil || len(l.UIDMappings) == 0 || len(l.GIDMappings) == 0 || !ns.user() {
		return
	}
	if !mapped(l.UIDMappings, u.UID) {
		c.bad("/process/user/uid", u.UID, "is not mapped by /linux/uidMappings")
	}
	if !mapped(l.GIDMappings, u.GID) {
		c.bad("/process/user/gid", u.GID, "is not mapped by /linux/gidMappings")
	}
	for i, gid := range u.AdditionalGids {
		if !mapped(l.GIDMappings, gid) {
			c.bad(at("/process/user/additionalGids", i), gid, "is not mapped by /linux/gidMappings")
		}
	}
}

func (c *checker) rlimits(limits []specs.POSIXRlimit) {
	var seen uint64
	for i := range limits {
		l := &limits[i]
		resource, known := plan.RlimitByName(l.Type)
		switch {
		case l.Type == "":
			c.bad(at("/process/rlimits", i, "type"), nil, ruleRequired)
		case !known:
			c.bad(at("/process/rlimits", i, "type"), l.Type, "unknown resource limit")
		case seen&(1<<resource) != 0:
			c.bad(at("/process/rlimits", i, "type"), l.Type, "is there twice")
		}
		if known {
			seen |= 1 << resource
		}
		if l.Soft > l.Hard {
			c.bad(at("/process/rlimits", i, "soft"), l.Soft, "must not be above the hard limit")
		}
	}
}

// missingLimits notes rlimits without one of their values, which the decoder
// gives a 0: to be open to no file is a limit, too. For that the text is read
// again, by root, but only if there is a 0; the path leads to the process there.
func (c *checker) missingLimits(limits []specs.POSIXRlimit, root func() *node, path ...string) {
	if !slices.ContainsFunc(limits, func(l specs.POSIXRlimit) bool { return l.Soft == 0 || l.Hard == 0 }) {
		return
	}
	list := root().find(append(path, "rlimits")...)
	for i := range limits {
		limit := list.find(strconv.Itoa(i))
		for _, name := range [...]string{"soft", "hard"} {
			if value := limit.find(name); limit != nil && (value == nil || value.kind == nodeNull) {
				c.bad(at("/process/rlimits", i, name), nil, ruleRequired)
			}
		}
	}
}

// capabilities warns of names that nobody knows and of sets that the kernel
// will not grant as they are: the spec wants no error.
func (c *checker) capabilities(caps *specs.LinuxCapabilities) {
	if caps == nil {
		return
	}
	c.capabilitySet("bounding", caps.Bounding)
	effective := c.capabilitySet("effective", caps.Effective)
	inheritable := c.capabilitySet("inheritable", caps.Inheritable)
	permitted := c.capabilitySet("permitted", caps.Permitted)
	ambient := c.capabilitySet("ambient", caps.Ambient)
	c.ungrantable("effective", effective&^permitted, "not permitted: left out")
	c.ungrantable("ambient", ambient&^(permitted&inheritable),
		"not both permitted and inheritable: left out")
}

func (c *checker) capabilitySet(set string, names []string) uint64 {
	var mask uint64
	for i, name := range names {
		bit, known := plan.CapabilityByName(name)
		if !known {
			c.warn(at("/process/capabilities", set, i), name, "unknown capability: left out")
			continue
		}
		mask |= 1 << bit
	}
	return mask
}

// ungrantable warns once of all names of a mask.
func (c *checker) ungrantable(set string, mask uint64, rule string) {
	if mask == 0 {
		return
	}
	var names []string
	for bit, name := range plan.CapabilityNames() {
		if mask&(1<<bit) != 0 {
			names = append(names, name)
		}
	}
	c.warnings = append(c.warnings, Problem{Pointer: "/process/capabilities/" + set, Value: strings.Join(names, ", "), Rule: rule})
}
