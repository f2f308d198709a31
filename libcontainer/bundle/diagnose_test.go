package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestSyntaxErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "line 1, column 1: expected a value, found the end of the file",
		" \n\n ":                  "line 3, column 2: expected a value, found the end of the file",
		"\ufeff{}":                "line 1, column 1: expected JSON, found a byte order mark",
		"{":                       "line 1, column 2: expected a property name in double quotes or }, found the end of the file",
		`{"a"`:                    "line 1, column 5: expected : after the property name, found the end of the file",
		`{"a":`:                   "line 1, column 6: expected a value, found the end of the file",
		`{"a":1`:                  "line 1, column 7: expected , or }, found the end of the file",
		`{"a":1,`:                 "line 1, column 8: expected a property name in double quotes, found the end of the file",
		`{"a":1,}`:                `line 1, column 8: expected a property name in double quotes, found "}"`,
		"{\n\t\"a\":1\n\t\"b\":2": `line 3, column 2: expected , or }, found "\""`,
		`{a:1}`:                   `line 1, column 2: expected a property name in double quotes or }, found "a"`,
		`{'a':1}`:                 `line 1, column 2: expected a property name in double quotes or }, found "'"`,
		`{"process":[`:            "line 1, column 13: expected a value or ], found the end of the file",
		`{"process":[1,]}`:        `line 1, column 15: expected a value, found "]"`,
		`{"process":[1 2]}`:       `line 1, column 15: expected , or ], found "2"`,
		`{"ociVersion":"1.0`:      "line 1, column 19: expected the \" that ends the string of line 1, column 15, found the end of the file",
		"{\"ociVersion\":\"1\n\"": "line 1, column 17: expected the \" that ends the string, found \"\\n\"",
		`{"ociVersion":"é\x"}`:    `line 1, column 18: expected one of "\/bfnrtu after \, found "x"`,
		`{"ociVersion":"\u12g4"}`: `line 1, column 20: expected a hexadecimal digit, found "g4"`,
		`{"ociVersion":tru}`:      `line 1, column 15: expected a value, found "tru"`,
		`{"ociVersion":None}`:     `line 1, column 15: expected a value, found "None"`,
		`{"ociVersion":-}`:        `line 1, column 16: expected a digit, found "}"`,
		`{"ociVersion":1.}`:       `line 1, column 17: expected a digit, found "}"`,
		`{"ociVersion":1e}`:       `line 1, column 17: expected a digit, found "}"`,
		`{} {}`:                   `line 1, column 4: expected the end of the file, found "{"`,
		`{"ociVersion":"1.0.0"}}`: `line 1, column 23: expected the end of the file, found "}"`,
		"{\"a\":\n \"\xff\"}":     "line 2, column 3: expected UTF-8, found the byte 0xff",
		"\x1f\x8b":                "line 1, column 2: expected UTF-8, found the byte 0x8b",
	} {
		_, err := parse("/b/config.json", []byte(text), nil)
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || err.Error() != "parse /b/config.json: "+want {
			t.Errorf("%q:\n\t%v\nwant\n\t%s", text, err, want)
		}
	}
}

func TestDepth(t *testing.T) {
	deep := `{"root":` + strings.Repeat("[", 1<<20)
	_, err := parse("c", []byte(deep), nil)
	if err == nil || !strings.Contains(err.Error(), "expected at most 1000 levels") {
		t.Error(err)
	}
}

// TestTruncated cuts a config everywhere: each piece has one clear error.
func TestTruncated(t *testing.T) {
	raw := goodConfigs(t)["docker.json"]
	for n := range len(raw) - 2 {
		_, err := parse("c", raw[:n], nil)
		var syntax *SyntaxError
		if !errors.As(err, &syntax) {
			t.Fatalf("cut at %d: %v", n, err)
		}
	}
}

func TestTypes(t *testing.T) {
	for text, want := range map[string][]string{
		`[]`:                 {"/: expected an object, found an array"},
		`"x"`:                {"/: expected an object, found a string"},
		`{"ociVersion":1}`:   {"/ociVersion: expected a string, found a number"},
		`{"process":true}`:   {"/process: expected an object, found a boolean"},
		`{"root":"rootfs"}`:  {"/root: expected an object, found a string"},
		`{"mounts":{}}`:      {"/mounts: expected an array of objects, found an object"},
		`{"mounts":["/x"]}`:  {"/mounts/0: expected an object, found a string"},
		`{"annotations":[]}`: {"/annotations: expected an object of strings, found an array"},
		`{"annotations":{"a/b":1,"c":"d","e~":null,"f":[]}}`:                    {"/annotations/a~1b: expected a string, found a number", "/annotations/f: expected a string, found an array"},
		`{"process":{"args":5,"cwd":[],"terminal":"yes"}}`:                      {"/process/args: expected an array of strings, found a number", "/process/cwd: expected a string, found an array", "/process/terminal: expected a boolean, found a string"},
		`{"process":{"args":["a",1,null,{}]}}`:                                  {"/process/args/1: expected a string, found a number", "/process/args/3: expected a string, found an object"},
		`{"process":{"user":{"uid":-1,"gid":4294967296,"additionalGids":"0"}}}`: {"/process/user/uid: expected a whole number from 0 to 4294967295, found -1", "/process/user/gid: expected a whole number from 0 to 4294967295, found 4294967296", "/process/user/additionalGids: expected an array of whole numbers, found a string"},
		`{"process":{"user":{"uid":1.5,"umask":"022"}}}`:                        {"/process/user/uid: expected a whole number from 0 to 4294967295, found 1.5", "/process/user/umask: expected a whole number from 0 to 4294967295, found a string"},
		`{"process":{"oomScoreAdj":1e2}}`:                                       {"/process/oomScoreAdj: expected a whole number from -9223372036854775808 to 9223372036854775807, found 1e2"},
		`{"linux":{"sysctl":{"a":1}}}`:                                          {"/linux/sysctl/a: expected a string, found a number"},
		`{"linux":{"resources":{"memory":{"limit":"1G"},"pids":{"limit":1.0}}}}`: {"/linux/resources/memory/limit: expected a whole number from -9223372036854775808 to 9223372036854775807, found a string",
			"/linux/resources/pids/limit: expected a whole number from -9223372036854775808 to 9223372036854775807, found 1.0"},
		`{"linux":{"resources":{"blockIO":{"weight":65536,"weightDevice":[{"major":"8"}]}}}}`: {"/linux/resources/blockIO/weight: expected a whole number from 0 to 65535, found 65536",
			"/linux/resources/blockIO/weightDevice/0/major: expected a whole number from -9223372036854775808 to 9223372036854775807, found a string"},
		`{"linux":{"timeOffsets":{"boottime":5}}}`:       {"/linux/timeOffsets/boottime: expected an object, found a number"},
		`{"hooks":{"poststop":[{"path":1},{"path":2}]}}`: {"/hooks/poststop/0/path: expected a string, found a number", "/hooks/poststop/1/path: expected a string, found a number"},
	} {
		_, err := parse("c", []byte(text), nil)
		var invalid *ValidationError
		if !errors.As(err, &invalid) {
			t.Errorf("%s: %v", text, err)
			continue
		}
		var got []string
		for _, p := range invalid.Problems {
			got = append(got, p.String())
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n\t%s\nwant\n\t%s", text, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
		}
	}
}

// TestEveryPropertyOfWrongType gives every property of the good configs, one
// after the other, a value of another type: each is found, and named.
func TestEveryPropertyOfWrongType(t *testing.T) {
	for name, raw := range goodConfigs(t) {
		var doc any
		exact := json.NewDecoder(bytes.NewReader(raw))
		exact.UseNumber()
		if err := exact.Decode(&doc); err != nil {
			t.Fatal(err)
		}
		eachValue("", doc, func(pointer string, value any, set func(any)) {
			wrong := any(map[string]any{"x": []any{1}})
			if _, object := value.(map[string]any); object {
				wrong = true
			}
			set(wrong)
			damaged, err := json.Marshal(doc)
			set(value)
			if err != nil {
				t.Fatal(err)
			}
			var invalid *ValidationError
			if _, err := parse("c", damaged, nil); !errors.As(err, &invalid) || invalid.Problems[0].Pointer != pointer {
				t.Errorf("%s: %s: %v", name, pointer, err)
			}
		})
	}
}

func eachValue(pointer string, value any, visit func(pointer string, value any, set func(any))) {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			visit(at(pointer, key), inner, func(n any) { v[key] = n })
			eachValue(at(pointer, key), inner, visit)
		}
	case []any:
		for i, inner := range v {
			visit(at(pointer, i), inner, func(n any) { v[i] = n })
			eachValue(at(pointer, i), inner, visit)
		}
	}
}

func unknownProperties(t *testing.T, raw []byte) []string {
	t.Helper()
	tree, _, problem := parseJSON(raw)
	if problem != "" {
		t.Fatal(problem)
	}
	return walk(tree, reflect.TypeFor[document]()).unknown
}

func TestUnknownProperties(t *testing.T) {
	got := unknownProperties(t, []byte(`{"ociVersion":"1.0.0","mount":[],"process":{"Cwd":"/","env":[]},
		"linux":{"resources":{"blockIO":{"weightDevice":[{"major":1,"minr":2}]}},"sysctl":{"x":"y"}},"windows":{"x":1}}`))
	want := []string{"/mount", "/process/Cwd", "/linux/resources/blockIO/weightDevice/0/minr"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestErrorCountsProblems(t *testing.T) {
	p := Problem{Pointer: "/a", Value: `"x"`, Rule: "must be y"}
	for n, want := range map[int]string{
		1: `validate c: /a: "x": must be y`,
		2: `validate c: /a: "x": must be y, and 1 more problem (the command validate lists them)`,
		4: `validate c: /a: "x": must be y, and 3 more problems (the command validate lists them)`,
	} {
		err := &ValidationError{Path: "c", Problems: slices.Repeat([]Problem{p}, n)}
		if err.Error() != want {
			t.Errorf("got  %s\nwant %s", err, want)
		}
	}
	if long := show(strings.Repeat("é", 1000)); len(long) > 200 || !strings.HasSuffix(long, `"…`) {
		t.Errorf("a long value is shown as %s", long)
	}
	if got := strings.Join([]string{show(nil), show(5), show(true), show("a\nb")}, " "); got != ` 5 true "a\nb"` {
		t.Errorf("values are shown as %s", got)
	}
}
