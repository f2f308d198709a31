package bundle

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func inspect(t *testing.T, config string) (problems, warnings []string) {
	t.Helper()
	found, err := Inspect(newBundle(t, []byte(config)))
	if err != nil {
		t.Fatal(err)
	}
	return texts(found.Problems), texts(found.Warnings)
}

// TestInspectGoesOn has a value of a wrong type beside problems of every kind:
// each is told, with the value, and none twice.
func TestInspectGoesOn(t *testing.T) {
	problems, warnings := inspect(t, `{
		"ociVersion": "2.0.0", "mount": [ {"a": "`+strings.Repeat("é", 100)+`"} ],
		"process": {"cwd": "tmp", "args": 3, "user": {"uid": -1, "gid": 0}, "Env": true},
		"root": {"path": "nowhere", "readonly": "yes"},
		"mounts": [7, {"destination": "/a", "typ": "tmpfs"}],
		"linux": {"namespaces": [{"type": "netwrok"}, {"type": "mount"}], "a/b~c": null}
	}`)
	want := []string{
		"/process/args: 3: expected an array of strings, found a number",
		"/process/user/uid: -1: expected a whole number from 0 to 4294967295, found -1",
		`/root/readonly: "yes": expected a boolean, found a string`,
		"/mounts/0: 7: expected an object, found a number",
		`/ociVersion: "2.0.0": not supported, only 1.x is`,
		`/process/cwd: "tmp": must be an absolute path`,
		`/linux/namespaces/0/type: "netwrok": unknown kind of namespace`,
	}
	for _, w := range want {
		if !slices.Contains(problems, w) {
			t.Errorf("not told: %s", w)
		}
	}
	if i := slices.IndexFunc(problems, func(p string) bool { return strings.Contains(p, "nowhere") && strings.HasPrefix(p, "/root/path: ") }); i < 0 {
		t.Error("the host was not asked for the root")
	}
	for i, p := range problems {
		pointer, _, _ := strings.Cut(p, ": ")
		for _, other := range problems[:i] {
			if strings.HasPrefix(other, pointer+": ") || strings.HasPrefix(pointer, "/mounts/0/") {
				t.Errorf("told twice: %s", p)
			}
		}
	}
	for i, w := range []string{`/mount: [{"a":"`, "/process/Env: true: unknown property: ignored",
		`/mounts/1/typ: "tmpfs": unknown property: ignored`, "/linux/a~1b~0c: null: unknown property: ignored"} {
		if !strings.HasPrefix(warnings[i], w) || len(warnings[i]) > 200 {
			t.Errorf("warning %d: %s, want %s", i, warnings[i], w)
		}
	}
	if len(warnings) != 4 {
		t.Errorf("warnings %q", warnings)
	}
}

func TestInspectGood(t *testing.T) {
	for name, raw := range goodConfigs(t) {
		found, err := Inspect(newBundle(t, raw))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, p := range found.Problems { // the host may lack the sources
			if p.Err == nil {
				t.Errorf("%s: %s", name, p)
			}
		}
	}
}

func TestInspectNoDocument(t *testing.T) {
	for config, want := range map[string]string{"[]": "/: expected an object, found an array", "3": "/: expected an object, found a number"} {
		if problems, _ := inspect(t, config); !slices.Equal(problems, []string{want}) {
			t.Errorf("%s: %q", config, problems)
		}
	}
	var syntax *SyntaxError
	for _, config := range []string{"", "{", `{"a":1}x`, "\xff"} {
		if _, err := Inspect(newBundle(t, []byte(config))); !errors.As(err, &syntax) {
			t.Errorf("%q: %v", config, err)
		}
	}
}
