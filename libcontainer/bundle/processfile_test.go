package bundle

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func loadProcess(t *testing.T, text string) (*specs.Process, []Problem, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "process.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return LoadProcess(path)
}

func TestLoadProcess(t *testing.T) {
	p, warnings, err := loadProcess(t, ` {"args":["a"],"cwd":"/","env":["A=1"],"user":{"uid":1,"umask":18},"capabilities":{"bounding":["CAP_NEW"]},"x":{}} `)
	umask := uint32(18)
	want := &specs.Process{Args: []string{"a"}, Cwd: "/", Env: []string{"A=1"}, User: specs.User{UID: 1, Umask: &umask},
		Capabilities: &specs.LinuxCapabilities{Bounding: []string{"CAP_NEW"}}}
	if err != nil || !reflect.DeepEqual(p, want) {
		t.Errorf("got %+v, %v", p, err)
	}
	if len(warnings) != 1 || !strings.HasPrefix(warnings[0].String(), "/capabilities/bounding/0: ") {
		t.Errorf("warnings %q", warnings)
	}
}

// All that is wrong is found at once, with pointers into the file.
func TestBadProcessFiles(t *testing.T) {
	for text, want := range map[string][]string{
		`{}`: {"/cwd", "/args"},
		`{"args":["a"],"cwd":"/","rlimits":[{"type":"RLIMIT_CORE","soft":0,"hard":0},{"type":"RLIMIT_AS"}]}`: {"/rlimits/1/soft", "/rlimits/1/hard"},
		`{"args":["a"],"cwd":"/","user":{"uid":4294967295}}`:                                                 {"/user/uid"},
		`{"args":["a"],"cwd":"rel","rlimits":[{"type":"X","soft":1,"hard":1}],"user":{"umask":4096}}`:        {"/cwd", "/user/umask", "/rlimits/0/type"},
		`{"args":["a"],"cwd":"/","env":["A","=B"],"commandLine":"c"}`:                                        {"/env/0", "/env/1", "/commandLine"},
		`{"args":"a","cwd":1}`: {"/args", "/cwd"},
		`[]`:                   {"/"},
		`null`:                 {"/"},
	} {
		_, _, err := loadProcess(t, text)
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
	for _, text := range []string{"", "{", `{"args":["a"],"cwd":"/"} {}`, `{"args":["a"],"cwd":"/"},"linux":{}`, "\xff"} {
		if _, _, err := loadProcess(t, text); err == nil || !strings.Contains(err.Error(), "process.json") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, _, err := LoadProcess(t.TempDir()); err == nil {
		t.Error("a directory is taken")
	}
}

// FuzzProcess holds the decoder to encoding/json, and what it refuses to be explained.
func FuzzProcess(f *testing.F) {
	for _, seed := range []string{"", "null", "{}", "[]", `{"args":["a"],"cwd":"/"}`, `{},"linux":{"seccomp":{}}`, `{"args":1}`,
		`{"user":{"uid":-1}}`, `{"rlimits":[{"type":"RLIMIT_CPU","soft":1,"hard":18446744073709551615}]}`, `{"cwd":"\ud83d\ude00"} `} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := parseProcess("p", raw)
		var invalid *ValidationError
		var syntax *SyntaxError
		if err != nil && !errors.As(err, &invalid) && !errors.As(err, &syntax) {
			t.Fatalf("not explained: %v", err)
		}
		if err == nil && !json.Valid(raw) {
			t.Fatal("taken, and not valid JSON")
		}
		if err != nil || aliased(raw) {
			return
		}
		want := &specs.Process{}
		if json.Unmarshal(raw, want) == nil && !alike(p, want) {
			t.Fatalf("decoded as %+v, and by encoding/json as %+v", p, want)
		}
		validateProcess(p, raw)
	})
}
