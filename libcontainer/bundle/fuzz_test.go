package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// FuzzConfig holds the three decoders against each other: what encoding/json
// takes, the generated one takes and reads alike; what the generated one does
// not take, the explaining one explains. Whatever is taken can be validated.
func FuzzConfig(f *testing.F) {
	for _, raw := range goodConfigs(f) {
		f.Add(raw)
	}
	for _, seed := range []string{base, "", "null", "[]", `{"process":{"args":1}}`, `{"root":{"path":"\ud83d\ude00"}}`, `{"a":[{}],"b":"\"]"}`,
		`{"process":{},"process":{"cwd":"/"}}`, `{"linux":{"sysctl":{"a":null}}}`, `{"\u0072oot":{"path":"/"}}`} {
		f.Add([]byte(seed))
	}
	f.Add(patched(f, "/linux/seccomp", `{"defaultAction":"\\\"}{","syscalls":[{"names":["}"]}]}`, "/linux/personality", `{"domain":"LINUX"}`))
	for _, table := range [][]badCase{badDocuments, badProcesses, badMounts, badLinux, badResources} {
		for _, c := range table {
			f.Add(patched(f, c.set...))
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		spec, err := parse("c", raw, nil)
		var invalid *ValidationError
		var syntax *SyntaxError
		if err != nil && !errors.As(err, &invalid) && !errors.As(err, &syntax) {
			t.Fatalf("not explained: %v", err)
		}
		var want specs.Spec
		jsonErr := json.Unmarshal(raw, &want)
		if _, _, problem := parseJSON(raw); (problem == "") != json.Valid(raw) && !strings.Contains(problem, "levels") {
			t.Fatalf("syntax: %q, valid JSON: %v", problem, json.Valid(raw))
		}
		if err != nil {
			if jsonErr == nil && syntax == nil && !foreign(&want) && !aliased(raw) {
				t.Fatalf("refused, and encoding/json takes it: %v", err)
			}
			return
		}
		if jsonErr == nil && !aliased(raw) && !foreign(&want) && !alike(spec, &want) {
			t.Fatalf("decoded as %s, and by encoding/json as %s", asJSON(t, spec), asJSON(t, &want))
		}
		agreeOnProfile(t, raw, spec)
		problems, _ := Validate(spec)
		for _, p := range problems {
			if !strings.HasPrefix(p.Pointer, "/") || p.Rule == "" {
				t.Fatalf("problem without place or rule: %+v", p)
			}
		}
	})
}

// agreeOnProfile decodes once more, with a profile that is known: all else is the
// same, and the text that was asked about is the profile.
func agreeOnProfile(t *testing.T, raw []byte, spec *specs.Spec) {
	var text []byte
	rest, err := decode(raw, func(profile []byte) bool { text = profile; return true })
	if err != nil {
		t.Fatalf("refused when the profile is known: %v", err)
	}
	if text == nil {
		if !alike(rest, spec) {
			t.Fatalf("decoded as %s, and as %s", asJSON(t, rest), asJSON(t, spec))
		}
		return
	}
	if rest.Linux.Seccomp != nil {
		t.Fatal("the profile was decoded, although it is known")
	}
	if err := profileText(text).decode(&rest.Linux.Seccomp, nil); err != nil || !alike(rest, spec) {
		t.Fatalf("%v: decoded in two parts as %s, and at once as %s", err, asJSON(t, rest), asJSON(t, spec))
	}
}

// foreign reports whether a spec has sections of which we keep no content.
func foreign(s *specs.Spec) bool {
	return s.Solaris != nil || s.Windows != nil || s.VM != nil || s.ZOS != nil || s.FreeBSD != nil
}

// aliased reports whether encoding/json may see properties that we do not: it
// ignores the case of names; and it merges what is there twice otherwise.
func aliased(raw []byte) bool {
	tree, _, problem := parseJSON(raw)
	return problem != "" || hasAlias(tree)
}

func hasAlias(n *node) bool {
	seen := map[string]bool{}
	for _, name := range n.names {
		folded := strings.ToLower(strings.ToUpper(name))
		if seen[folded] || !exactNames[name] && exactFolded[folded] {
			return true
		}
		seen[folded] = true
	}
	for _, inner := range n.nodes {
		if hasAlias(inner) {
			return true
		}
	}
	return false
}

var exactNames, exactFolded = propertyNames()

func propertyNames() (exact, folded map[string]bool) {
	exact, folded = map[string]bool{}, map[string]bool{}
	seen := map[reflect.Type]bool{}
	var visit func(t reflect.Type)
	visit = func(t reflect.Type) {
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			visit(t.Elem())
		case reflect.Struct:
			if seen[t] {
				return
			}
			seen[t] = true
			for i := range t.NumField() {
				name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
				exact[name], folded[strings.ToLower(strings.ToUpper(name))] = true, true
				visit(t.Field(i).Type)
			}
		}
	}
	visit(reflect.TypeFor[document]())
	return exact, folded
}

// alike compares two values, to whom an empty map and none are the same: that
// is where decoders differ.
func alike(a, b any) bool {
	if reflect.DeepEqual(a, b) {
		return true
	}
	first, errA := json.Marshal(a)
	second, errB := json.Marshal(b)
	return errA == nil && errB == nil && bytes.Equal(first, second)
}
