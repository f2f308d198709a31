package bundle

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// FuzzInspect holds Inspect to Load: it finds something wrong exactly where
// Load does, and takes whatever it could read through all checks. What is not
// quite JSON only Inspect need notice.
func FuzzInspect(f *testing.F) {
	for _, raw := range goodConfigs(f) {
		f.Add(raw)
	}
	for _, seed := range []string{base, "[]", "3", `{"process":{"args":1,"cwd":"x"},"root":7}`, `{"mounts":[1,{"type":2}],"Mounts":[]}`,
		`{"linux":{"seccomp":{"syscalls":[{"names":["a",1]}]},"resources":{"cpu":{"shares":-1}}}}`, `{"a/b":1,"":{},"process":{"~":[]}}`,
		`{"process":{},"process":3}`, `{"annotations":{"a":1,"b":"c"},"hooks":[]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		i := &Inspection{Path: "c", raw: raw}
		loaded, loadErr := parse("c", raw, nil)
		err := i.read()
		var syntax *SyntaxError
		if err != nil {
			if !errors.As(err, &syntax) || loadErr == nil && json.Valid(raw) && !strings.Contains(err.Error(), "levels") {
				t.Fatalf("Inspect: %v, Load: %v", err, loadErr)
			}
			return
		}
		if (loadErr == nil) != (len(i.Problems) == 0) {
			t.Fatalf("Inspect: %q, Load: %v", texts(i.Problems), loadErr)
		}
		c := checker{}
		c.spec(i.Spec)
		i.Add(c.problems...)
		if loadErr == nil {
			problems, _ := Validate(loaded)
			if len(problems) > 0 != (len(i.Problems) > 0) {
				t.Fatalf("Inspect: %q, Validate: %q", texts(i.Problems), texts(problems))
			}
		}
		for _, p := range slices.Concat(i.Problems, i.Warnings) {
			if !strings.HasPrefix(p.Pointer, "/") || p.Rule == "" || len(p.Value) > 3*maxShown {
				t.Fatalf("not whole: %+v", p)
			}
		}
	})
}

// FuzzMappings compares with counting: mappings are good if no id is used twice
// on either side.
func FuzzMappings(f *testing.F) {
	f.Add([]byte{0, 10, 5, 5, 20, 5})
	f.Add([]byte{0, 10, 5, 4, 20, 5})
	f.Add([]byte{0, 0, 0})
	f.Add([]byte{250, 1, 5, 251, 9, 200, 1, 250, 6})
	f.Fuzz(func(t *testing.T, numbers []byte) {
		// Around both ends of what 32 bits hold.
		id := func(b byte) uint32 {
			if b >= 128 {
				return uint32(b) - 256
			}
			return uint32(b)
		}
		var list []specs.LinuxIDMapping
		inside, outside, good := map[uint64]bool{}, map[uint64]bool{}, true
		for ; len(numbers) >= 3 && len(list) < 20; numbers = numbers[3:] {
			m := specs.LinuxIDMapping{ContainerID: id(numbers[0]), HostID: id(numbers[1]), Size: uint32(numbers[2])}
			list = append(list, m)
			good = good && m.Size > 0
			for n := range uint64(m.Size) {
				c, h := uint64(m.ContainerID)+n, uint64(m.HostID)+n
				good = good && !inside[c] && !outside[h] && c < 1<<32 && h < 1<<32
				inside[c], outside[h] = true, true
			}
		}
		c := checker{}
		if got := c.mappings("/m", list); got != good || got != (len(c.problems) == 0) {
			t.Errorf("%+v: %v, want %v: %q", list, got, good, texts(c.problems))
		}
	})
}

// FuzzAnnotations: no annotation of ours is ignored, none of others refused.
func FuzzAnnotations(f *testing.F) {
	f.Add("io.mesoc.parent", "p", "a", "b")
	f.Add("", "x", "io.mesoc.", "")
	f.Add("io.mesoc.x/y~z", "\x00", "io.mesos.parent", "p")
	f.Fuzz(func(t *testing.T, key1, value1, key2, value2 string) {
		p := Policy{Allowed: AnnotationPrefix}
		_, _, err := p.ReadAnnotations(map[string]string{key1: value1}, map[string]string{key2: value2})
		for _, key := range []string{key1, key2} {
			name, ours := strings.CutPrefix(key, AnnotationPrefix)
			built := slices.ContainsFunc(annotationTable[:], func(a annotation) bool {
				return a.name == name && a.read != nil && len(a.isolators) == 0
			})
			if (key == "" || ours && !built) && err == nil {
				t.Errorf("%q is ignored", key)
			}
		}
		if err != nil && key1 != "" && key2 != "" && !strings.HasPrefix(key1, AnnotationPrefix) && !strings.HasPrefix(key2, AnnotationPrefix) {
			t.Errorf("%q and %q: %v", key1, key2, err)
		}
		var invalid *ValidationError
		if err != nil && (!errors.As(err, &invalid) || len(invalid.Problems) == 0) {
			t.Errorf("%q and %q: %#v", key1, key2, err)
		}
	})
}
