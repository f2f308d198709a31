package seccomp

import (
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// What features tells engines is what Compile takes.
func TestUnderstood(t *testing.T) {
	n := Understood()
	if len(n.Actions) != 9 || len(n.Operators) != 7 || len(n.Archs) != 23 || len(n.Flags) != 4 {
		t.Fatalf("%d actions, %d operators, %d architectures, %d flags", len(n.Actions), len(n.Operators), len(n.Archs), len(n.Flags))
	}
	compiles := func(word string, s specs.LinuxSeccomp) {
		t.Helper()
		if _, err := Compile(&s, Options{Native: specs.ArchX86_64}); err != nil {
			t.Errorf("%s: %v", word, err)
		}
	}
	for _, a := range n.Actions {
		compiles(a, specs.LinuxSeccomp{DefaultAction: specs.LinuxSeccompAction(a)})
	}
	for _, o := range n.Operators {
		compiles(o, specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{
			Names: []string{"getpid"}, Action: specs.ActErrno,
			Args: []specs.LinuxSeccompArg{{Op: specs.LinuxSeccompOperator(o), Value: 1, ValueTwo: 1}},
		}}})
	}
	for _, a := range n.Archs {
		if _, err := Compile(&specs.LinuxSeccomp{DefaultAction: specs.ActAllow}, Options{Native: specs.Arch(a)}); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
	for _, f := range n.Flags {
		compiles(f, specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Flags: []specs.LinuxSeccompFlag{specs.LinuxSeccompFlag(f)}})
	}
}
