package bundle

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// goodConfigs are what engines write.
func goodConfigs(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 6 {
		t.Fatalf("found %d configs in testdata: %v", len(files), err)
	}
	configs := map[string][]byte{}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		configs[filepath.Base(f)] = raw
	}
	return configs
}

// reference is what encoding/json makes of a config.
func reference(t testing.TB, raw []byte) *specs.Spec {
	t.Helper()
	var s specs.Spec
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	return &s
}

func TestGoodConfigs(t *testing.T) {
	warnings := map[string][]string{
		"runc.json": {"/process/capabilities/ambient: CAP_KILL, CAP_NET_BIND_SERVICE, CAP_AUDIT_WRITE: not both permitted and inheritable: left out"},
	}
	warnings["runc-rootless.json"] = warnings["runc.json"]
	for name, raw := range goodConfigs(t) {
		spec, err := parse(name, raw, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		problems, got := Validate(spec)
		for _, p := range problems {
			t.Errorf("%s: %s", name, p)
		}
		if !slices.Equal(texts(got), warnings[name]) {
			t.Errorf("%s: warnings %q, want %q", name, got, warnings[name])
		}
		if u := unknownProperties(t, raw); len(u) > 0 {
			t.Errorf("%s: unknown properties %q", name, u)
		}
		if err := diagnose(name, raw, reflect.TypeFor[document]()); err != nil {
			t.Errorf("%s: the explaining decoder finds what the generated one does not: %v", name, err)
		}
	}
}

func TestDecodersAgree(t *testing.T) {
	for name, raw := range goodConfigs(t) {
		got, err := decode(raw, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if want := reference(t, raw); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: decoded otherwise than by encoding/json:\n%s\n%s", name, asJSON(t, got), asJSON(t, want))
		}
	}
}

// TestDocumentIsSpec holds the top level of our document against the spec's:
// a property that a newer version of the spec adds must not be lost.
func TestDocumentIsSpec(t *testing.T) {
	ours, theirs := reflect.TypeFor[document](), reflect.TypeFor[specs.Spec]()
	for i := range theirs.NumField() {
		f := theirs.Field(i)
		own, ok := ours.FieldByName(f.Name)
		if !ok || own.Tag.Get("json") != f.Tag.Get("json") {
			t.Errorf("document lacks %s %q", f.Name, f.Tag.Get("json"))
		} else if own.Type != f.Type && own.Type != reflect.TypeFor[json.RawMessage]() && own.Type != reflect.TypeFor[*linux]() {
			t.Errorf("document.%s is %s, want %s", f.Name, own.Type, f.Type)
		}
	}
}

// TestDecoderIsComplete decodes a config that has every property of the spec:
// the generated decoder must be generated anew when the spec grows.
func TestDecoderIsComplete(t *testing.T) {
	var want specs.Spec
	fill(reflect.ValueOf(&want).Elem())
	want.Solaris, want.Windows, want.VM, want.ZOS, want.FreeBSD = nil, nil, nil, nil, nil
	got, err := decode([]byte(asJSON(t, &want)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, &want) {
		t.Errorf("decoded as\n%s\nwant\n%s", asJSON(t, got), asJSON(t, &want))
	}
}

// fill gives every field below a value one that is not zero.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0))
		fill(v.Index(1))
	case reflect.Map:
		inner := reflect.New(v.Type().Elem()).Elem()
		fill(inner)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("key"), inner)
	case reflect.String:
		v.SetString("a \"\\/\b\t\n<\u00e9\U0001f40b>")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Interface:
	default:
		if v.CanInt() {
			v.SetInt(-1 << (v.Type().Bits() - 1))
		} else {
			v.SetUint(^uint64(0) >> (64 - v.Type().Bits()))
		}
	}
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func BenchmarkDecode(b *testing.B) {
	for _, name := range []string{"runc.json", "docker.json"} {
		raw := goodConfigs(b)[name]
		b.Run("generated/"+name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decode(raw, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("reflection/"+name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				reference(b, raw)
			}
		})
	}
}

func BenchmarkValidate(b *testing.B) {
	spec := reference(b, goodConfigs(b)["docker.json"])
	b.ReportAllocs()
	for b.Loop() {
		if problems, _ := Validate(spec); len(problems) > 0 {
			b.Fatal(problems)
		}
	}
}
