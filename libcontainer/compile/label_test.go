package compile_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/mesoc/mesoc/libcontainer/compile"
	"github.com/mesoc/mesoc/libcontainer/plan"
)

// A hook inside the container must not be less confined than the container,
// and asks for that while /proc is still the host's.
func TestHookIsConfined(t *testing.T) {
	program := compile.NewHook(&compile.Hook{Path: "/hook", Args: []string{"hook"}, Cwd: "/", Join: 1,
		Identity: &plan.Process{NoNewPrivs: true, Labels: plan.Labels{AppArmor: "some-profile", SELinux: "u:r:t:s0"}}})
	var steps []string
	for i := range program.Len() {
		steps = append(steps, program.What(i))
	}
	last := -1
	for _, want := range []string{"see that /proc is procfs", "set AppArmor profile some-profile", "set SELinux label u:r:t:s0",
		"join the namespaces", "forbid new privileges", "exec "} {
		i := slices.IndexFunc(steps, func(s string) bool { return strings.HasPrefix(s, want) })
		if i <= last {
			t.Errorf("%q is step %d of\n%s", want, i, strings.Join(steps, "\n"))
		}
		last = i
	}
	if slices.ContainsFunc(steps, func(s string) bool { return strings.Contains(s, "for keys") }) {
		t.Error("a hook makes no keys")
	}
}
