package features

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesoc/mesoc/libcontainer/bundle"
	"github.com/mesoc/mesoc/libcontainer/plan"
)

// silent lists what a value says nothing about, although its type could. To
// engines that is "unknown", and not "no".
func silent(at string, v reflect.Value) []string {
	var list []string
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return silent(at, v.Elem())
		}
		list = append(list, at)
	case reflect.Slice, reflect.Map, reflect.String:
		if v.Len() == 0 {
			list = append(list, at)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			list = append(list, silent(at+"/"+name, v.Field(i))...)
		}
	}
	return list
}

func TestDocumentIsComplete(t *testing.T) {
	document := Document("1.2.3", "abc")
	if list := silent("", reflect.ValueOf(*document)); len(list) > 0 {
		t.Errorf("says nothing about %s", strings.Join(list, ", "))
	}
	text, err := json.Marshal(document)
	if err != nil || strings.Contains(string(text), "null") {
		t.Errorf("%s, %v", text, err)
	}
}

// What the document promises is what a config may say.
func TestDocumentIsTrue(t *testing.T) {
	d := Document("1.2.3", "abc")
	if d.OCIVersionMin != "1.0.0" || d.OCIVersionMax != specs.Version {
		t.Errorf("versions %s to %s", d.OCIVersionMin, d.OCIVersionMax)
	}
	for _, o := range d.MountOptions {
		if m, err := plan.ParseMountOptions([]string{o}); err != nil || m.Data != "" {
			t.Errorf("mount option %s: %+v, %v", o, m, err)
		}
	}
	for _, n := range d.Linux.Namespaces {
		if _, known := plan.NamespaceByName(n); !known {
			t.Errorf("namespace %s", n)
		}
	}
	for _, n := range []specs.LinuxNamespaceType{specs.PIDNamespace, specs.NetworkNamespace, specs.MountNamespace, specs.IPCNamespace,
		specs.UTSNamespace, specs.UserNamespace, specs.CgroupNamespace, specs.TimeNamespace} {
		if !slices.Contains(d.Linux.Namespaces, string(n)) {
			t.Errorf("namespace %s is missing", n)
		}
	}
	for _, c := range d.Linux.Capabilities {
		if _, known := plan.CapabilityByName(c); !known {
			t.Errorf("capability %s", c)
		}
	}
	hooks := reflect.TypeFor[specs.Hooks]()
	for i := range hooks.NumField() {
		name, _, _ := strings.Cut(hooks.Field(i).Tag.Get("json"), ",")
		if !slices.Contains(d.Hooks, name) {
			t.Errorf("hook %s is missing", name)
		}
	}
	for _, prefix := range d.PotentiallyUnsafeConfigAnnotations {
		if problems := (&bundle.Policy{Allowed: prefix}).Problems(map[string]string{prefix + "x": ""}); len(problems) == 0 {
			t.Errorf("annotation %sx changes nothing", prefix)
		}
	}
}
