package isolator

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mesoc/mesoc/libcontainer/plan"
)

// fake writes down what is called, and fails at the verb that it is told.
type fake struct {
	Nop
	name  string
	calls *[]string
	fails string
}

var errFake = errors.New("no")

func (f fake) call(verb string) error {
	*f.calls = append(*f.calls, verb+" "+f.name)
	if verb == f.fails {
		return errFake
	}
	return nil
}

func (f fake) Name() string { return f.name }
func (f fake) Prepare(context.Context, *Container) (plan.Edits, error) {
	return plan.Edits{Limits: []plan.Limit{{File: f.name}}}, f.call("prepare")
}
func (f fake) Isolate(context.Context, *Container, int) error { return f.call("isolate") }
func (f fake) Update(_ context.Context, was, now *Container) (plan.Edits, error) {
	return plan.Edits{}, f.call("update " + was.ID + now.ID)
}
func (f fake) Usage(_ context.Context, _ *Container, u *Usage) error {
	u.CPUsSoftLimit++
	return f.call("usage")
}
func (f fake) Cleanup(context.Context, *Container) error { return f.call("cleanup") }

// chain is three isolators, of which the second fails at a verb.
func chain(fails string) (Chain, *[]string) {
	calls := &[]string{}
	return Chain{fake{name: "a", calls: calls}, fake{name: "b", calls: calls, fails: fails}, fake{name: "c", calls: calls}}, calls
}

func wantCalls(t *testing.T, calls *[]string, want string) {
	t.Helper()
	if got := strings.Join(*calls, ", "); got != want {
		t.Errorf("called %s, want %s", got, want)
	}
}

func TestPrepare(t *testing.T) {
	c, calls := chain("")
	edits, err := c.Prepare(t.Context(), &Container{})
	wantCalls(t, calls, "prepare a, prepare b, prepare c")
	if err != nil || len(edits) != 3 || edits[1].Owner != "b" || edits[1].Limits[0].File != "b" {
		t.Errorf("%+v, %v", edits, err)
	}
	c, calls = chain("prepare")
	_, err = c.Prepare(t.Context(), &Container{})
	wantCalls(t, calls, "prepare a, prepare b")
	if !errors.Is(err, errFake) || err.Error() != "prepare isolator b: no" {
		t.Errorf("%v", err)
	}
}

func TestIsolate(t *testing.T) {
	c, calls := chain("isolate")
	err := c.Isolate(t.Context(), &Container{}, 1)
	wantCalls(t, calls, "isolate a, isolate b")
	if err == nil || err.Error() != "isolate isolator b: no" {
		t.Errorf("%v", err)
	}
}

func TestUpdateGoesBack(t *testing.T) {
	was, now := &Container{ID: "1"}, &Container{ID: "2"}
	c, calls := chain("update 12")
	_, err := c.Update(t.Context(), was, now)
	wantCalls(t, calls, "update 12 a, update 12 b, update 21 a")
	if err == nil || err.Error() != "update isolator b: no" {
		t.Errorf("%v", err)
	}
	c, calls = chain("update 21")
	err = c.Revert(t.Context(), was, now)
	wantCalls(t, calls, "update 21 c, update 21 b, update 21 a")
	if err == nil || err.Error() != "take the update back of isolator b: no" {
		t.Errorf("%v", err)
	}
}

func TestUsageOfSome(t *testing.T) {
	c, calls := chain("usage")
	u, err := c.Usage(t.Context(), &Container{})
	wantCalls(t, calls, "usage a, usage b, usage c")
	if u.CPUsSoftLimit != 2 || err == nil || err.Error() != "measure isolator b: no" {
		t.Errorf("%+v, %v", u, err)
	}
}

func TestCleanupTriesAll(t *testing.T) {
	calls := &[]string{}
	c := Chain{fake{name: "a", calls: calls, fails: "cleanup"}, fake{name: "b", calls: calls}, fake{name: "c", calls: calls, fails: "cleanup"}}
	err := c.Cleanup(t.Context(), &Container{})
	wantCalls(t, calls, "cleanup c, cleanup b, cleanup a")
	if err == nil || err.Error() != "clean up isolator c: no; clean up isolator a: no" {
		t.Errorf("%v", err)
	}
}

func TestParse(t *testing.T) {
	for list, want := range map[string]string{
		"":                        "",
		"cgroups/mem":             "cgroups/mem",
		"disk/xfs,cgroups/cpu":    "cgroups/cpu,disk/xfs",
		"cgroups/all,cgroups/cpu": "cgroups/cpu,cgroups/all",
		"network/cni,cgroups/net_cls,disk/xfs,disk/du,posix/rlimits,linux/capabilities,docker/volume,docker/runtime," +
			"filesystem/shared,namespaces/ipc,namespaces/pid,cgroups/all,cgroups/mem,cgroups/cpu": strings.Join(order[:], ","),
	} {
		names, err := Parse(list)
		if got := strings.Join(names, ","); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", list, got, err, want)
		}
	}
	for list, want := range map[string]string{
		",":                        `isolator "" is unknown`,
		"cgroups/mem,":             `isolator "" is unknown`,
		"cgroups/mem, disk/du":     `isolator " disk/du" is unknown`,
		"cgroups/memory":           `isolator "cgroups/memory" is unknown (known are cgroups/cpu, cgroups/mem, `,
		"disk/du,disk/xfs,disk/du": "isolator disk/du is named twice",
	} {
		if _, err := Parse(list); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", list, err, want)
		}
	}
}

func TestSelect(t *testing.T) {
	// Whatever the order they are listed in.
	built := []Isolator{fake{name: "disk/du"}, fake{name: CgroupsMem}, fake{name: CgroupsCPU}}
	for _, test := range []struct{ names, chain, missing string }{
		{"", "", ""},
		{"cgroups/mem", "cgroups/mem", ""},
		{"cgroups/all", "cgroups/cpu,cgroups/mem", ""},
		{"disk/du,cgroups/all,cgroups/mem", "cgroups/cpu,cgroups/mem,disk/du", ""},
		{"disk/xfs,cgroups/cpu,disk/yfs", "cgroups/cpu", "disk/xfs,disk/yfs"},
	} {
		var names []string
		if test.names != "" {
			names = strings.Split(test.names, ",")
		}
		chain, missing := Select(built, names)
		var got []string
		for _, i := range chain {
			got = append(got, i.Name())
		}
		if strings.Join(got, ",") != test.chain || strings.Join(missing, ",") != test.missing {
			t.Errorf("%s: %v, missing %v, want %s, missing %s", test.names, got, missing, test.chain, test.missing)
		}
	}
	// A name that is in the table and has parts of which one is not built.
	if _, missing := Select(built[:2], []string{cgroupsAll}); !slices.Equal(missing, []string{CgroupsCPU}) {
		t.Errorf("missing %v", missing)
	}
}
