package main

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mesoc/mesoc/libcontainer"
)

// The state is written by hand; encoding/json says what it has to look like.
func TestAppendState(t *testing.T) {
	created := time.Date(2024, 2, 29, 23, 59, 59, 1020, time.UTC)
	full := libcontainer.State{
		OCIVersion: "1.3.0", ID: "web-1", Pid: 4711, Status: libcontainer.Running,
		Bundle: "/srv/web", Rootfs: "/srv/web/root fs", Created: created, Owner: "root",
		Annotations: map[string]string{"b": `{"json":["in",1]}`, "a": "<&>\x00\x7f\u2028ü\xff\"\\\n", "": ""},
		Mesoc:       &libcontainer.Extension{Cgroup: &libcontainer.CgroupPaths{Path: "mesos/web-1", Leaf: "mesos/web-1/leaf"}},
	}
	bare := libcontainer.State{ID: "x", Status: libcontainer.Stopped}
	oneAnnotation := full
	oneAnnotation.Annotations = map[string]string{"k": "v"}
	empty := full
	empty.Annotations, empty.Mesoc = map[string]string{}, &libcontainer.Extension{}
	exited, killed := full, bare
	code := 0
	exited.Mesoc = &libcontainer.Extension{Cgroup: full.Mesoc.Cgroup, Termination: &libcontainer.Termination{ExitCode: &code, FinishedAt: &created}}
	killed.Mesoc = &libcontainer.Extension{Termination: &libcontainer.Termination{Signal: 9}}
	isolated, only := full, bare
	only.Mesoc = &libcontainer.Extension{Isolation: []string{"cgroups/cpu", "disk/xfs"}}
	isolated.Mesoc = &libcontainer.Extension{Isolation: []string{"cgroups/cpu"}, Cgroup: full.Mesoc.Cgroup}
	limited := bare
	limited.Mesoc = &libcontainer.Extension{Termination: &libcontainer.Termination{Reason: "R<", Message: "\"m\"",
		Resources: &libcontainer.Resources{Disk: 0.5}}}
	for _, s := range []libcontainer.State{full, bare, oneAnnotation, empty, exited, killed, limited, isolated, only} {
		want, err := json.MarshalIndent(s, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if got := string(appendState(nil, &s)); got != string(want) {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
}

// A member that somebody adds to the state must be written, too: with every
// member set, what is printed has as many as the type.
func TestAppendStateIsComplete(t *testing.T) {
	var s libcontainer.State
	fill(t, reflect.ValueOf(&s).Elem())
	want, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if got := string(appendState(nil, &s)); got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.String:
		v.SetString("s" + v.Type().Name())
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint32, reflect.Uint64:
		v.SetUint(7)
	case reflect.Float64:
		v.SetFloat(7.25)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(t, v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("key"), reflect.ValueOf("value"))
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(1, 2).UTC()))
			return
		}
		for i := range v.NumField() {
			fill(t, v.Field(i))
		}
	default:
		t.Fatalf("teach this test the kind %s", v.Kind())
	}
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "plain", "a\"b\\c", "\x00\x1f\x7f\x80\xff", "<script>&", "\u2028\u2029", "日本", "\b\f\n\r\t", "\xe2\x80", strings.Repeat("x", 300)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := appendString(nil, s); string(got) != string(want) {
			t.Errorf("%q: got %s, want %s", s, got, want)
		}
	})
}

func BenchmarkAppendState(b *testing.B) {
	s := libcontainer.State{
		OCIVersion: "1.3.0", ID: "web-1", Pid: 4711, Status: libcontainer.Running,
		Bundle: "/srv/web", Rootfs: "/srv/web/rootfs", Created: time.Unix(1, 2),
		Annotations: map[string]string{"a": "b", "c": "d"},
	}
	for b.Loop() {
		appendState(nil, &s)
	}
}
