package memory

import (
	"os"
	"strings"
	"testing"

	"github.com/mesoc/mesoc/libcontainer/isolator"
	"github.com/mesoc/mesoc/libcontainer/isolator/conformance"
	"github.com/mesoc/mesoc/libcontainer/plan"
)

func asks(request, limit plan.Bytes) *isolator.Container {
	return &isolator.Container{ID: "c", Resources: plan.Resources{
		Requests: plan.Amounts{Memory: request, CPUs: 1}, Limits: plan.Amounts{Memory: limit, CPUs: 1}}}
}

// in makes a directory that stands for the container's cgroup: what matters is
// what memory.max holds. Without a text there is no such file.
func in(t *testing.T, c *isolator.Container, memoryMax string) *isolator.Container {
	t.Helper()
	c.Cgroup = plan.Cgroup{Mount: t.TempDir(), Path: "c"}
	dir := c.Cgroup.Mount + "/c"
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if memoryMax != "" {
		if err := os.WriteFile(dir+"/memory.max", []byte(memoryMax+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func text(edits plan.Edits) string {
	var lines []string
	for _, l := range edits.Limits {
		lines = append(lines, l.File+"="+l.Value)
	}
	return strings.Join(lines, ", ")
}

func TestConformance(t *testing.T) {
	conformance.Test(t, Isolator{}, in(t, asks(64*plan.MiB, 128*plan.MiB), "134217728"))
}

// The figures are those of Mesos' formulas, worked out by hand: memory.low =
// max(request, 32 MB), memory.max = max(limit, or else request, 32 MB).
func TestLimits(t *testing.T) {
	const inf, most = plan.UnlimitedBytes, plan.UnlimitedBytes - 1
	for _, test := range []struct {
		request, limit plan.Bytes
		want           string
	}{
		{0, 0, ""},
		{64 * plan.MiB, 0, "memory.low=67108864, memory.max=67108864"},
		{64 * plan.MiB, 128 * plan.MiB, "memory.low=67108864, memory.max=134217728"},
		{64 * plan.MiB, inf, "memory.low=67108864, memory.max=max"},
		{0, 64 * plan.MiB, "memory.max=67108864"},
		{0, inf, "memory.max=max"},
		{1, 0, "memory.low=33554432, memory.max=33554432"},
		{1, 2, "memory.low=33554432, memory.max=33554432"},
		{32*plan.MiB - 1, 32 * plan.MiB, "memory.low=33554432, memory.max=33554432"},
		{32*plan.MiB + 1, 32*plan.MiB + 2, "memory.low=33554433, memory.max=33554434"},
		{most, most, "memory.low=9223372036854775806, memory.max=9223372036854775806"},
	} {
		edits, err := Isolator{}.Prepare(t.Context(), asks(test.request, test.limit))
		if got := text(edits); err != nil || got != test.want {
			t.Errorf("request %d, limit %d: %s, %v, want %s", test.request, test.limit, got, err, test.want)
		}
	}
}

func TestUpdateNeverLowersTheLimit(t *testing.T) {
	const kept = "memory.max stays 134217728 and does not become 67108864: a container that runs is not given less"
	for _, test := range []struct {
		was, now   *isolator.Container
		max        string
		want, note string
	}{
		{asks(64*plan.MiB, 0), asks(128*plan.MiB, 0), "67108864", "memory.low=134217728, memory.max=134217728", ""},
		{asks(128*plan.MiB, 0), asks(128*plan.MiB, 0), "134217728", "memory.low=134217728, memory.max=134217728", ""},
		{asks(128*plan.MiB, 0), asks(64*plan.MiB, 0), "134217728", "memory.low=67108864, memory.max=134217728", kept},
		{asks(128*plan.MiB, 0), asks(64*plan.MiB, plan.UnlimitedBytes), "134217728", "memory.low=67108864, memory.max=max", ""},
		{asks(128*plan.MiB, 0), asks(0, 0), "134217728", "memory.low=0, memory.max=max", ""},
		// Mesos takes max for less than any figure, and lowers that.
		{asks(64*plan.MiB, plan.UnlimitedBytes), asks(64*plan.MiB, 0), "max", "memory.low=67108864, memory.max=max",
			"memory.max stays max and does not become 67108864: a container that runs is not given less"},
		{asks(0, 0), asks(64*plan.MiB, 0), "", "memory.low=67108864, memory.max=max",
			"memory.max stays max and does not become 67108864: a container that runs is not given less"},
		// Nothing is read for who asks for nothing.
		{asks(0, 0), asks(0, 0), "broken", "", ""},
	} {
		edits, err := Isolator{}.Update(t.Context(), test.was, in(t, test.now, test.max))
		if got := text(edits); err != nil || got != test.want || strings.Join(edits.Notes, "\n") != test.note {
			t.Errorf("%+v to %+v with %s: %s, %q, %v, want %s, %q", test.was.Resources, test.now.Resources, test.max,
				got, edits.Notes, err, test.want, test.note)
		}
	}
	_, err := Isolator{}.Update(t.Context(), asks(0, 0), in(t, asks(64*plan.MiB, 0), "broken"))
	if err == nil || !strings.Contains(err.Error(), "memory.max") {
		t.Errorf("a limit that cannot be read: %v", err)
	}
}
