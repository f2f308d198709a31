package bundle

import (
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// intelRdt checks the class of service (config-linux, IntelRdt). closID becomes
// the name of a directory, and the others lines of a file.
func (c *checker) intelRdt(r *specs.LinuxIntelRdt) {
	if r == nil {
		return
	}
	const pointer = "/linux/intelRdt"
	if r.ClosID != "/" {
		if rule := closID(r.ClosID); rule != "" {
			c.bad(pointer+"/closID", r.ClosID, rule)
		}
	}
	c.schemata(pointer, r)
	for i, s := range r.Schemata {
		if s == "" {
			c.bad(at(pointer, "schemata", i), nil, ruleEmpty)
		}
		c.schema(at(pointer, "schemata", i), s)
	}
}

// schemata checks those that update can change.
func (c *checker) schemata(pointer string, r *specs.LinuxIntelRdt) {
	// Several lines are what a cache with code and data apart needs.
	c.text(pointer+"/l3CacheSchema", r.L3CacheSchema)
	if s := r.MemBwSchema; s != "" && !strings.HasPrefix(s, "MB:") {
		c.bad(pointer+"/memBwSchema", s, "must begin with MB:")
	}
	c.schema(pointer+"/memBwSchema", r.MemBwSchema)
}

// CheckSchemata validates what an update asks for of a class of service.
func CheckSchemata(r *specs.LinuxIntelRdt) error {
	c := checker{}
	if c.schemata("", r); len(c.problems) > 0 {
		return &ValidationError{Path: "the schemata", Problems: c.problems}
	}
	return nil
}

// schema checks one line of the file schemata.
func (c *checker) schema(pointer, line string) {
	if strings.Contains(line, "\n") {
		c.bad(pointer, line, "must be one line")
	}
	c.text(pointer, line)
}

// closID is what is wrong with the name of a class of service. The other
// directories and the files of resctrl's root are no classes.
func closID(id string) string {
	switch id {
	case ".", "..", "info", "mon_data", "mon_groups":
		return "not the name of a class of service"
	}
	switch {
	case strings.ContainsAny(id, "/\n\x00"):
		return "must be one name, without slashes, newlines and NUL bytes, or / alone"
	case len(id) > unix.NAME_MAX:
		return "must not be longer than 255 bytes"
	}
	return ""
}
