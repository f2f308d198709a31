package compile_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesoc/mesoc/libcontainer/compile"
	"github.com/mesoc/mesoc/libcontainer/plan"
	"github.com/mesoc/mesoc/libcontainer/program"
)

var update = flag.Bool("update", false, "write the golden files anew")

// options are those of every golden program, so that nothing of this host is in them.
func options(gate plan.Gate) plan.Options {
	return plan.Options{
		ID:     "c1",
		Bundle: "/bundle",
		Rootfs: "/bundle/rootfs",
		Gate:   gate,
		Env:    []string{"HOME=/root"},
		Cgroup: plan.Cgroup{Mount: "/sys/fs/cgroup", Path: "mesos/c1", Leaf: "leaf"},
		Held:   ^uint64(0),
	}
}

func compileSpec(t *testing.T, spec *specs.Spec, o plan.Options) *compile.Init {
	t.Helper()
	p, err := plan.New(spec, o)
	if err != nil {
		t.Fatal(err)
	}
	init, err := compile.NewInit(p)
	if err != nil {
		t.Fatal(err)
	}
	return init
}

// readSpec reads a config of testdata, JSON as engines write it.
func readSpec(t *testing.T, name string) *specs.Spec {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	spec := &specs.Spec{}
	if err := json.Unmarshal(data, spec); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return spec
}

// The program of a bundle is data: what init does for it is a golden file. A
// difference is either a mistake or has to be looked at, step by step, before
// `go test ./libcontainer/compile -update`.
func TestGolden(t *testing.T) {
	configs, err := filepath.Glob("testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(configs) < 10 {
		t.Fatalf("testdata has %d configs, want at least 10", len(configs))
	}
	for _, config := range configs {
		name := strings.TrimSuffix(filepath.Base(config), ".json")
		t.Run(name, func(t *testing.T) {
			o := options(plan.GateSocket)
			switch name {
			case "attached":
				o.Gate = plan.GateParent
			case "no-pivot":
				o.NoPivot, o.Cover = true, []string{"/sys", "/proc"}
			case "preserve-fds":
				o.PreserveFDs = 2
			case "notify":
				o.PreserveFDs, o.Seccomp = 1, notifying()
			}
			init := compileSpec(t, readSpec(t, config), o)
			var b strings.Builder
			if err := init.Program.Print(&b); err != nil {
				t.Fatal(err)
			}
			matchesGolden(t, filepath.Join("testdata", name+".golden"), b.String())
			encodes(t, init)
		})
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := 0; i < len(g) && i < len(w); i++ {
		if g[i] != w[i] {
			return "got  " + g[i] + "\nwant " + w[i]
		}
	}
	return "one of them is longer"
}

// encodes sees that every label is placed ahead and every input is named.
func encodes(t *testing.T, init *compile.Init) {
	t.Helper()
	inputs := map[string]uint64{}
	for name := range init.Program.Inputs() {
		inputs[name] = 1000
	}
	if _, err := init.Program.Encode(program.Image{Inputs: inputs}); err != nil {
		t.Errorf("encode: %v", err)
	}
	if n := init.Program.Len(); init.AfterGate <= 0 || init.AfterGate >= n {
		t.Errorf("the gate is at step %d of %d", init.AfterGate, n)
	}
	if steps := init.StepsAfterGate(); len(steps) > 8 {
		t.Errorf("%d steps behind the gate: what can fail should fail at create", len(steps))
	}
}

// Every step says what it does to which object: it is the user's error message.
func TestEveryStepIsDescribed(t *testing.T) {
	init := compileSpec(t, readSpec(t, "testdata/default.json"), options(plan.GateSocket))
	for i := range init.Program.Len() {
		what := init.Program.What(i)
		if len(what) < 4 || strings.ToLower(what[:1]) != what[:1] || strings.HasSuffix(what, ".") {
			t.Errorf("step %d is described as %q", i, what)
		}
	}
}

// The same plan always gives the same program: maps in the spec must not show.
func TestProgramsAreReproducible(t *testing.T) {
	spec := readSpec(t, "testdata/docker.json")
	print := func() string {
		var b strings.Builder
		_ = compileSpec(t, spec, options(plan.GateSocket)).Program.Print(&b)
		return b.String()
	}
	first := print()
	for range 20 {
		if again := print(); again != first {
			t.Fatalf("two programs of one plan differ:\n%s", firstDifference(again, first))
		}
	}
}
