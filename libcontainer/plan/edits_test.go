package plan

import (
	"errors"
	"slices"
	"testing"
)

func TestMerge(t *testing.T) {
	config := Edits{Owner: "config.json", Limits: []Limit{
		{"io.max", "8:0 rbps=1", "/linux/resources/blockIO"}, {"io.max", "8:16 rbps=1", "/linux/resources/blockIO"},
		{"pids.max", "5", "/linux/resources/pids/limit"},
	}}
	cpu := Edits{Owner: "cgroups/cpu", Limits: []Limit{{"cpu.weight", "50", "io.mesoc.resources"}}}
	got, err := Merge(config, cpu, Edits{Owner: "cgroups/mem"})
	want := append(slices.Clone(config.Limits), cpu.Limits...)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	if got, err := Merge(); got != nil || err != nil {
		t.Errorf("%v, %v, want nothing", got, err)
	}
}

func TestConflict(t *testing.T) {
	_, err := Merge(
		Edits{Owner: "config.json", Limits: []Limit{{"cpu.weight", "50", "/linux/resources/cpu/shares"}}},
		Edits{Owner: "cgroups/cpu", Limits: []Limit{{"cpu.weight", "50", "io.mesoc.resources"}}},
	)
	const want = "set cpu.weight: both config.json (/linux/resources/cpu/shares) and cgroups/cpu (io.mesoc.resources) do"
	var conflict *ConflictError
	if !errors.As(err, &conflict) || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
