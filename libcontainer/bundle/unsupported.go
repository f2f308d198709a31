package bundle

import (
	"github.com/opencontainers/runtime-spec/specs-go"
)

// This file is the one list of what is not built yet, but for annotations,
// which annotations.go has. When a feature lands, its line goes.

const ruleNotYet = "not supported yet"

// unsupportedProperties are refused when they say something.
var unsupportedProperties = [...]struct {
	pointer string
	says    func(l *specs.Linux) bool
}{
	{"/linux/resources/network/classID", func(l *specs.Linux) bool {
		return l.Resources != nil && l.Resources.Network != nil && l.Resources.Network.ClassID != nil && *l.Resources.Network.ClassID != 0
	}},
	{"/linux/resources/network/priorities", func(l *specs.Linux) bool {
		return l.Resources != nil && l.Resources.Network != nil && len(l.Resources.Network.Priorities) > 0
	}},
}

func (c *checker) unsupported(s *specs.Spec) {
	for i := range unsupportedProperties {
		if u := &unsupportedProperties[i]; s.Linux != nil && u.says(s.Linux) {
			c.bad(u.pointer, nil, ruleNotYet)
		}
	}
	for _, p := range [...]struct {
		pointer string
		present bool
	}{
		{"/process/commandLine", s.Process != nil && s.Process.CommandLine != ""},
		{"/solaris", s.Solaris != nil}, {"/windows", s.Windows != nil}, {"/vm", s.VM != nil},
		{"/zos", s.ZOS != nil}, {"/freebsd", s.FreeBSD != nil},
	} {
		if p.present {
			c.bad(p.pointer, nil, "not supported: this is a runtime for Linux")
		}
	}
}
