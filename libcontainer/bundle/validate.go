package bundle

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// newestMinor is the newest 1.x of the spec that this program knows.
const newestMinor = specs.VersionMinor

func (c *checker) spec(s *specs.Spec) {
	ns := c.namespaceSet(s.Linux)
	c.version(s.Version)
	c.root(s.Root, &ns)
	c.process(s.Process, s.Linux, &ns)
	c.hostnames(s, &ns)
	c.mounts(s.Mounts, &ns)
	c.hooks(s.Hooks)
	c.annotations(s.Annotations, nil, nil)
	c.linux(s.Linux, &ns)
	c.unsupported(s)
}

// version wants any 1.x. A newer one than ours is no error: what it has that
// we do not know is an unknown property, and those are ignored.
func (c *checker) version(version string) {
	const pointer = "/ociVersion"
	if version == "" {
		c.bad(pointer, nil, ruleRequired)
		return
	}
	major, minor, ok := semver(version)
	switch {
	case !ok:
		c.bad(pointer, version, "must be a version as SemVer 2.0.0 has it, such as 1.2.0")
	case major != "1":
		c.bad(pointer, version, "not supported, only 1.x is")
	default:
		if n, err := strconv.Atoi(minor); err != nil || n > newestMinor {
			c.warn(pointer, version, "newer than what is known here, 1."+strconv.Itoa(newestMinor))
		}
	}
}

// semver takes a version apart and reports whether it is one.
func semver(version string) (major, minor string, ok bool) {
	version, build, hasBuild := strings.Cut(version, "+")
	if hasBuild && !identifiers(build, false) {
		return "", "", false
	}
	version, pre, hasPre := strings.Cut(version, "-")
	if hasPre && !identifiers(pre, true) {
		return "", "", false
	}
	parts := strings.Split(version, ".")
	if len(parts) != 3 {
		return "", "", false
	}
	for _, p := range parts {
		if !isNumber(p) {
			return "", "", false
		}
	}
	return parts[0], parts[1], true
}

// identifiers are the parts of a pre-release or build suffix. Numbers in a
// pre-release have no leading zeros.
func identifiers(list string, numbers bool) bool {
	for part := range strings.SplitSeq(list, ".") {
		digits := part != ""
		for i := range len(part) {
			ch := part[i]
			digit := ch >= '0' && ch <= '9'
			if !digit && ch != '-' && (ch|0x20 < 'a' || ch|0x20 > 'z') {
				return false
			}
			digits = digits && digit
		}
		if part == "" || numbers && digits && !isNumber(part) {
			return false
		}
	}
	return true
}

// isNumber reports whether s is a decimal number without leading zeros.
func isNumber(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != "" && (s == "0" || s[0] != '0')
}

func (c *checker) root(root *specs.Root, ns *namespaceSet) {
	if root == nil {
		c.bad("/root", nil, ruleRequired)
		return
	}
	if root.Path == "" {
		c.bad("/root/path", nil, ruleRequired)
	}
	c.text("/root/path", root.Path)
	if root.Readonly && !ns.isNew(unix.CLONE_NEWNS) {
		c.bad("/root/readonly", true, ruleOwnMounts)
	}
}

// maxName is what the kernel takes for a host or domain name.
const maxName = 64

func (c *checker) hostnames(s *specs.Spec, ns *namespaceSet) {
	for _, n := range [...]struct{ pointer, value string }{{"/hostname", s.Hostname}, {"/domainname", s.Domainname}} {
		if n.value == "" || !c.text(n.pointer, n.value) {
			continue
		}
		if ns.all&unix.CLONE_NEWUTS == 0 {
			c.bad(n.pointer, n.value, "needs a uts namespace of the container's own")
		}
		if len(n.value) > maxName {
			c.bad(n.pointer, n.value, "must not be longer than 64 bytes")
		}
	}
}

func (c *checker) hooks(h *specs.Hooks) {
	if h == nil {
		return
	}
	//lint:ignore SA1019 deprecated, and still to be run
	c.hookList("/hooks/prestart", h.Prestart)
	c.hookList("/hooks/createRuntime", h.CreateRuntime)
	c.hookList("/hooks/createContainer", h.CreateContainer)
	c.hookList("/hooks/startContainer", h.StartContainer)
	c.hookList("/hooks/poststart", h.Poststart)
	c.hookList("/hooks/poststop", h.Poststop)
}

func (c *checker) hookList(pointer string, hooks []specs.Hook) {
	for i := range hooks {
		h := &hooks[i]
		here := at(pointer, i)
		switch {
		case h.Path == "":
			c.bad(here+"/path", nil, ruleRequired)
		case !isAbs(h.Path):
			c.bad(here+"/path", h.Path, ruleAbsolute)
		}
		c.text(here+"/path", h.Path)
		c.texts(here+"/args", h.Args)
		c.texts(here+"/env", h.Env)
		if h.Timeout != nil && *h.Timeout <= 0 {
			c.bad(here+"/timeout", *h.Timeout, "must be greater than zero")
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
