package bundle

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

const strangeProfile = `{ "defaultAction": "SCMP_ACT_ALLOW", "x": "\"}{\\", "syscalls": [{"names":["mkdir"],"action":"SCMP_ACT_LOG"}] }`

// What is known is asked about by the text as it stands there, is not decoded,
// and what stands behind it is read as ever.
func TestLoadWithKnownProfile(t *testing.T) {
	dir := newBundle(t, patched(t, "/linux/seccomp", strangeProfile, "/linux/maskedPaths", `["/proc/keys"]`, "/hostname", `"h"`))
	for _, known := range []bool{true, false} {
		var asked string
		b, err := Load(dir, func(profile []byte) bool { asked += string(profile); return known })
		if err != nil {
			t.Fatal(err)
		}
		var s specs.LinuxSeccomp
		if err := json.Unmarshal([]byte(asked), &s); err != nil || len(s.Syscalls) != 1 || asked != string(b.Profile) {
			t.Errorf("asked about %s, keeps %s", asked, b.Profile)
		}
		if decoded := b.Spec.Linux.Seccomp != nil; decoded == known {
			t.Errorf("known: %t, decoded: %t", known, decoded)
		}
		if l := b.Spec.Linux; len(l.MaskedPaths) != 1 || len(l.Namespaces) == 0 || b.Spec.Hostname != "h" {
			t.Errorf("known: %t: %s", known, asJSON(t, b.Spec))
		}
	}
	b, err := Load(dir, nil)
	if err != nil || b.Spec.Linux.Seccomp.Syscalls[0].Action != specs.ActLog {
		t.Errorf("%+v, %v", b, err)
	}
}

func TestLoadWithoutProfile(t *testing.T) {
	for _, set := range [][]string{nil, {"/linux/seccomp", "null"}} {
		b, err := Load(newBundle(t, patched(t, set...)), func(profile []byte) bool {
			t.Errorf("%q: asked about %q", set, profile)
			return true
		})
		if err != nil || b.Profile != nil || b.Spec.Linux.Seccomp != nil {
			t.Errorf("%q: %+v, %v", set, b, err)
		}
	}
}

// A profile that is not known is refused together with all else that is wrong.
func TestLoadWithBadProfile(t *testing.T) {
	for profile, want := range map[string][]string{
		`[]`:                               {"/hostname", "/linux/seccomp"},
		`"x"`:                              {"/hostname", "/linux/seccomp"},
		`{"syscalls":[{"names":["a",1]}]}`: {"/hostname", "/linux/seccomp/syscalls/0/names/1"},
		`{"defaultErrnoRet":-1,"flags":3}`: {"/hostname", "/linux/seccomp/defaultErrnoRet", "/linux/seccomp/flags"},
	} {
		_, err := Load(newBundle(t, patched(t, "/hostname", "3", "/linux/seccomp", profile)), func([]byte) bool { return false })
		var invalid *ValidationError
		if !errors.As(err, &invalid) {
			t.Errorf("%s: %v", profile, err)
			continue
		}
		found := map[string]bool{}
		for _, p := range invalid.Problems {
			found[p.Pointer] = true
		}
		for _, pointer := range want {
			if !found[pointer] || len(found) != len(want) {
				t.Errorf("%s: %q, want %q", profile, texts(invalid.Problems), want)
			}
		}
	}
}

// Who cuts a profile out of a text that is broken in it must not get lost.
func TestBrokenProfiles(t *testing.T) {
	for _, profile := range []string{`{`, `{"a":"}`, `{"a":"\`, `{"a":[}`, `{"a":]}`, `{"a" 1}`, `{{}}`, `{"a":1,}`, `{"defaultAction":"SCMP_ACT_ALLOW"}}`, `{"a":{"}"}}`} {
		text := `{"ociVersion":"1.0.0","linux":{"seccomp":` + profile + `,"cgroupsPath":"/x"}}`
		var syntax *SyntaxError
		if _, err := parse("c", []byte(text), nil); !errors.As(err, &syntax) {
			t.Errorf("%s: %v", profile, err)
		}
	}
}
