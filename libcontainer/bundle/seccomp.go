package bundle

import (
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// listener checks who is to be notified. The rest of a profile is checked by
// the compiler.
func (c *checker) listener(s *specs.LinuxSeccomp) {
	if s == nil {
		return
	}
	const pointer = "/linux/seccomp/listenerPath"
	if c.text(pointer, s.ListenerPath); s.ListenerPath != "" {
		return
	}
	if s.ListenerMetadata != "" {
		c.bad("/linux/seccomp/listenerMetadata", s.ListenerMetadata, "needs a listenerPath")
	}
	if s.DefaultAction == specs.ActNotify ||
		slices.ContainsFunc(s.Syscalls, func(r specs.LinuxSyscall) bool { return r.Action == specs.ActNotify }) {
		c.bad(pointer, nil, "is required for SCMP_ACT_NOTIFY")
	}
}
