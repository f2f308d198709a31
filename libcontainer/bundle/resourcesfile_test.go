package bundle

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// resources reads and checks a document.
func resources(text string) (*specs.LinuxResources, error) {
	r, err := ReadResources("r.json", strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	return r, CheckResources("r.json", r)
}

func TestReadResources(t *testing.T) {
	r, err := resources(` {"memory":{"limit":5,"swappiness":0},"pids":{"limit":0},"x":{},"unified":{"a.b":"c"}}` + "\n")
	five, none, unset := int64(5), int64(0), uint64(0)
	want := &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &five, Swappiness: &unset}, Pids: &specs.LinuxPids{Limit: &none},
		Unified: map[string]string{"a.b": "c"}}
	if err != nil || !reflect.DeepEqual(r, want) {
		t.Errorf("got %+v, %v", r, err)
	}
}

// All that is wrong is found at once, with pointers into the document.
func TestBadResources(t *testing.T) {
	for text, want := range map[string][]string{
		`{"memory":{"swap":5},"cpu":{"idle":2,"realtimePeriod":1},"blockIO":{"weight":5}}`: {"/memory/swap", "/cpu/realtimePeriod", "/cpu/idle", "/blockIO/weight"},
		`{"memory":{"kernel":5,"swappiness":6}}`:                                           {"/memory/swappiness", "/memory/kernel"},
		`{"memory":{"limit":1.5},"pids":[],"cpu":{"shares":-1}}`:                           {"/memory/limit", "/pids", "/cpu/shares"},
		`{"unified":{"../x.y":"1","cgroup.procs":"1"},"network":{"classID":7}}`:            {"/unified/..~1x.y", "/unified/cgroup.procs", "/network/classID"},
		`{"devices":[{"allow":true,"access":"x","type":"q"}]}`:                             {"/devices/0/type", "/devices/0/access"},
		`[]`:     {"/"},
		` null `: {"/"},
	} {
		_, err := resources(text)
		var invalid *ValidationError
		if !errors.As(err, &invalid) {
			t.Errorf("%s: %v", text, err)
			continue
		}
		var got []string
		for _, p := range invalid.Problems {
			got = append(got, p.Pointer)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: problems at %q, want %q", text, got, want)
		}
	}
	for _, text := range []string{"", "{", `{} {}`, `{}},"process":{"args":[]}`, `{"a":1,}`, "\xff"} {
		if _, err := resources(text); err == nil || !strings.Contains(err.Error(), "r.json") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// FuzzResources holds the decoder to encoding/json, and what it refuses to be explained.
func FuzzResources(f *testing.F) {
	for _, seed := range []string{"", "null", "{}", "[]", `{}},"process":{}`, `{"memory":{"limit":-1}} `, `{"pids":{"limit":"x"}}`,
		`{"hugepageLimits":[{"pageSize":"2MB","limit":18446744073709551615}]}`, `{"cpu":{"cpus":"\ud83d"}}`, `{"rdma":{"":{}}}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ReadResources("r", strings.NewReader(text))
		var invalid *ValidationError
		var syntax *SyntaxError
		if err != nil {
			if !errors.As(err, &invalid) && !errors.As(err, &syntax) {
				t.Fatalf("not explained: %v", err)
			}
			return
		}
		if !json.Valid([]byte(text)) {
			t.Fatal("taken, and not valid JSON")
		}
		want := &specs.LinuxResources{}
		if !aliased([]byte(text)) && json.Unmarshal([]byte(text), want) == nil && !alike(r, want) {
			t.Fatalf("decoded as %+v, and by encoding/json as %+v", r, want)
		}
		CheckResources("r", r)
	})
}
