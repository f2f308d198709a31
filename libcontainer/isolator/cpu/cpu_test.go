package cpu

import (
	"strings"
	"testing"

	"github.com/mesoc/mesoc/libcontainer/isolator"
	"github.com/mesoc/mesoc/libcontainer/isolator/conformance"
	"github.com/mesoc/mesoc/libcontainer/plan"
)

func asks(request, limit plan.CPUs) *isolator.Container {
	return &isolator.Container{ID: "c", Resources: plan.Resources{
		Requests: plan.Amounts{CPUs: request, Memory: plan.MiB}, Limits: plan.Amounts{CPUs: limit, Memory: plan.MiB}}}
}

func text(edits plan.Edits) string {
	var lines []string
	for _, l := range edits.Limits {
		lines = append(lines, l.File+"="+l.Value)
	}
	return strings.Join(lines, ", ")
}

func TestConformance(t *testing.T) {
	conformance.Test(t, Isolator{}, asks(500, 1000))
}

// The figures are those of Mesos' formulas, worked out by hand:
// cpu.weight = max(1, ⌊100·request⌋), cpu.max = max(100000 µs·limit, 1000 µs).
func TestLimits(t *testing.T) {
	const inf, most = plan.UnlimitedCPUs, plan.UnlimitedCPUs - 1
	for _, test := range []struct {
		request, limit plan.CPUs
		want           string
	}{
		{0, 0, ""},
		{1000, 0, "cpu.weight=100, cpu.max=max"},
		{500, 1000, "cpu.weight=50, cpu.max=100000 100000"},
		{500, inf, "cpu.weight=50, cpu.max=max"},
		{250, 1500, "cpu.weight=25, cpu.max=150000 100000"},
		{0, 2000, "cpu.max=200000 100000"},
		{0, inf, "cpu.max=max"},
		{1, 1, "cpu.weight=1, cpu.max=1000 100000"},
		{9, 9, "cpu.weight=1, cpu.max=1000 100000"},
		{10, 10, "cpu.weight=1, cpu.max=1000 100000"},
		{19, 11, "cpu.weight=1, cpu.max=1100 100000"},
		{20, 333, "cpu.weight=2, cpu.max=33300 100000"},
		{99999, 0, "cpu.weight=9999, cpu.max=max"},
		{100000, 0, "cpu.weight=10000, cpu.max=max"},
		{100010, 0, "cpu.weight=10000, cpu.max=max"},
		{most, most, "cpu.weight=10000, cpu.max=17592186044415 100000"},
		{1000, 175921860444, "cpu.weight=100, cpu.max=17592186044400 100000"},
		{1000, 175921860445, "cpu.weight=100, cpu.max=17592186044415 100000"},
	} {
		edits, err := Isolator{}.Prepare(t.Context(), asks(test.request, test.limit))
		if got := text(edits); err != nil || got != test.want {
			t.Errorf("request %d, limit %d: %s, %v, want %s", test.request, test.limit, got, err, test.want)
		}
	}
}

func TestUpdate(t *testing.T) {
	for _, test := range []struct {
		was, now *isolator.Container
		want     string
	}{
		{asks(500, 0), asks(250, 100), "cpu.weight=25, cpu.max=10000 100000"},
		{asks(500, 0), asks(0, 0), "cpu.weight=100, cpu.max=max"},
		{asks(500, 1000), asks(0, 1000), "cpu.max=100000 100000, cpu.weight=100"},
		{asks(0, 1000), asks(500, 0), "cpu.weight=50, cpu.max=max"},
		{asks(0, 1000), asks(0, 0), "cpu.max=max"},
	} {
		edits, err := Isolator{}.Update(t.Context(), test.was, test.now)
		if got := text(edits); err != nil || got != test.want {
			t.Errorf("%+v to %+v: %s, %v, want %s", test.was.Resources, test.now.Resources, got, err, test.want)
		}
	}
}

func TestUsage(t *testing.T) {
	var u isolator.Usage
	if err := (Isolator{}).Usage(t.Context(), asks(500, 1000), &u); err != nil || u != (isolator.Usage{CPUsSoftLimit: 500}) {
		t.Errorf("%+v, %v", u, err)
	}
}
