package bundle

import (
	"path"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/plan"
)

// ruleOwnMounts is about properties that are applied to mounts: without a
// mount namespace made for the container they would be the host's, or those of
// whoever made the one that is joined.
const ruleOwnMounts = "needs a mount namespace made for the container"

func (c *checker) mounts(mounts []specs.Mount, ns *namespaceSet) {
	if len(mounts) > 0 && !ns.isNew(unix.CLONE_NEWNS) {
		c.bad("/mounts", nil, ruleOwnMounts)
	}
	for i := range mounts {
		c.mount(i, &mounts[i], ns)
	}
}

func (c *checker) mount(i int, m *specs.Mount, ns *namespaceSet) {
	options, ok := c.mountOptions(i, m.Options)
	if !ok {
		options = plan.MountOptions{}
	}
	c.destination(i, m, &options)
	switch {
	case !ok:
	case options.Bind:
		if m.Source == "" {
			c.bad(at("/mounts", i, "source"), nil, "is required for a bind mount")
		}
		if options.Data != "" {
			c.bad(at("/mounts", i, "options"), options.Data, "unknown, and a bind mount has no options of a filesystem")
		}
	case options.Remount:
	case m.Type == "":
		c.bad(at("/mounts", i, "type"), nil, "is required unless the options have bind or rbind")
	case m.Type == "bind":
		c.bad(at("/mounts", i, "type"), m.Type, "needs the option bind or rbind: the type does not make a bind mount")
	}
	if options.TmpCopyUp && (m.Type != "tmpfs" || options.Bind || options.Remount) {
		c.bad(at("/mounts", i, "options"), nil, "tmpcopyup is for a new tmpfs only")
	}
	if hasNUL(m.Type) {
		c.bad(at("/mounts", i, "type"), m.Type, ruleNUL)
	}
	if hasNUL(m.Source) {
		c.bad(at("/mounts", i, "source"), m.Source, ruleNUL)
	}
	if ok {
		c.idmap(i, m, &options, ns)
	}
}

// mountOptions parses options, and finds the one to blame when that fails.
func (c *checker) mountOptions(i int, list []string) (plan.MountOptions, bool) {
	options, err := plan.ParseMountOptions(list)
	if err != nil {
		pointer := at("/mounts", i, "options")
		for n := range list {
			if _, e := plan.ParseMountOptions(list[:n+1]); e != nil {
				pointer = at(pointer, n)
				break
			}
		}
		c.bad(pointer, nil, err.Error())
		return options, false
	}
	return options, true
}

// mountableBelowProc are the files of proc that lxcfs and its like replace.
// Everything else below /proc is where this program itself writes labels and
// settings to, and must be the kernel's.
var mountableBelowProc = [...]string{
	"/proc/cpuinfo", "/proc/diskstats", "/proc/meminfo", "/proc/stat", "/proc/swaps",
	"/proc/uptime", "/proc/loadavg", "/proc/slabinfo",
	"/proc/sys/kernel/ns_last_pid", "/proc/sys/crypto/fips_enabled",
}

func (c *checker) destination(i int, m *specs.Mount, o *plan.MountOptions) {
	if m.Destination == "" {
		c.bad(at("/mounts", i, "destination"), nil, ruleRequired)
		return
	}
	if hasNUL(m.Destination) {
		c.bad(at("/mounts", i, "destination"), m.Destination, ruleNUL)
		return
	}
	if !isAbs(m.Destination) {
		c.warn(at("/mounts", i, "destination"), m.Destination, "deprecated, should be an absolute path: taken relative to /")
	}
	clean := path.Clean("/" + m.Destination)
	switch {
	case clean == "/" && !o.Remount:
		c.bad(at("/mounts", i, "destination"), m.Destination, "must lie below the root")
	case clean == "/proc" && m.Type != "proc" && !o.Bind && !o.Remount:
		c.bad(at("/mounts", i, "destination"), m.Destination, "must be a proc or a bind of one, and not a "+show(m.Type))
	case strings.HasPrefix(clean, "/proc/"):
		for _, allowed := range mountableBelowProc {
			if clean == allowed {
				return
			}
		}
		c.bad(at("/mounts", i, "destination"), m.Destination, "must not lie inside /proc")
	}
}

// idmap checks the mappings of one mount.
func (c *checker) idmap(i int, m *specs.Mount, o *plan.MountOptions, ns *namespaceSet) {
	wanted := o.IDMap || o.RecIDMap
	uids, gids := len(m.UIDMappings), len(m.GIDMappings)
	switch {
	case uids == 0 && gids == 0 && !wanted:
		return
	case uids == 0 && gids > 0:
		c.bad(at("/mounts", i, "uidMappings"), nil, "is required with gidMappings")
	case gids == 0 && uids > 0:
		c.bad(at("/mounts", i, "gidMappings"), nil, "is required with uidMappings")
	case uids == 0 && ns.all&unix.CLONE_NEWUSER == 0:
		c.bad(at("/mounts", i, "options"), nil, "idmap needs uidMappings and gidMappings, or a user namespace whose mappings to use")
	}
	if !o.Bind {
		c.bad(at("/mounts", i, "options"), nil, "mapped ids are supported on bind mounts only")
	}
	if uids+gids > 0 {
		c.mappings(at("/mounts", i, "uidMappings"), m.UIDMappings)
		c.mappings(at("/mounts", i, "gidMappings"), m.GIDMappings)
	}
}
