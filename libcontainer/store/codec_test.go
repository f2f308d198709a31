package store

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

// equalRecords compares field by field; times by the instant.
func equalRecords(t testing.TB, got, want Record) {
	t.Helper()
	if !got.Created.Equal(want.Created) {
		t.Errorf("Created: got %v, want %v", got.Created, want.Created)
	}
	got.Created, want.Created = time.Time{}, time.Time{}
	g, w := reflect.ValueOf(got), reflect.ValueOf(want)
	for i := range g.NumField() {
		if !reflect.DeepEqual(g.Field(i).Interface(), w.Field(i).Interface()) {
			t.Errorf("%s: got %#v, want %#v", g.Type().Field(i).Name, g.Field(i), w.Field(i))
		}
	}
}

// TestEveryFieldSurvives is what finds a field that encode or decodeField do
// not know: full must set it, and it must come back.
func TestEveryFieldSurvives(t *testing.T) {
	want := full("c")
	v := reflect.ValueOf(want)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("full leaves %s at its zero value", v.Type().Field(i).Name)
		}
	}
	data, err := encode(&want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decode(data)
	if err != nil {
		t.Fatal(err)
	}
	equalRecords(t, got, want)
	again, err := encode(&got)
	if err != nil || !bytes.Equal(again, data) {
		t.Errorf("encoded again: %s, %v\nwant %s", again, err, data)
	}
}

// TestFieldsAreIndependent sets one field at a time, so that no two share a
// key and none hides behind another.
func TestFieldsAreIndependent(t *testing.T) {
	all := reflect.ValueOf(full("c"))
	for i := range all.NumField() {
		name := all.Type().Field(i).Name
		want := Record{ID: "c", Status: Creating}
		reflect.ValueOf(&want).Elem().Field(i).Set(all.Field(i))
		data, err := encode(&want)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := decode(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		equalRecords(t, got, want)
		if data, _ := encode(&Record{ID: "c", Status: Creating}); bytes.Contains(data, []byte("null")) {
			t.Errorf("%s: an empty field is written: %s", name, data)
		}
	}
}

// TestEncodingIsJSON holds our encoder against the one of the library.
func TestEncodingIsJSON(t *testing.T) {
	var all strings.Builder
	for c := range rune(0x250) {
		if c != 0 {
			all.WriteRune(c)
		}
	}
	r := full("c")
	r.Bundle = "/" + all.String() + "\u2028\U0001f600"
	data, err := encode(&r)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	if fields[keyBundle] != r.Bundle {
		t.Errorf("bundle: got %q, want %q", fields[keyBundle], r.Bundle)
	}
	if got := len(fields); got != reflect.TypeFor[Record]().NumField()+1 {
		t.Errorf("%d fields are written, want one for each of the record and the version", got)
	}
	if !bytes.HasSuffix(data, []byte("}\n")) || bytes.Count(data, []byte("\n")) != 1 {
		t.Errorf("not one line: %q", data)
	}
}

// TestGolden pins the schema: a change here needs a new Version.
func TestGolden(t *testing.T) {
	r := full("c")
	got, err := encode(&r)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"version":1,"id":"c","oci_version":"1.3.0","status":"created","bundle":"/bundles/c",` +
		`"rootfs":"/bundles/c/rootfs","created":"2026-08-30T12:34:56.123456789Z","pid":4711,` +
		`"pid_start_time":987654321,"init_name":"mesoc: ) \"init\"\u000a",` +
		`"boot_id":"c0ffee00-0000-4000-8000-000000000001","cgroup":"mesos/c","cgroup_leaf":"leaf",` +
		`"cgroup_mount":"/sys/fs/cgroup","cgroup_made":true,"parent":"p","children":["c1","c2"],"share_cgroups":true,"resctrl":["/sys/fs/resctrl/mon_groups/c"],"resctrl_class":"/sys/fs/resctrl/gold","isolation":["cgroups/cpu","disk/xfs"],` +
		`"supervisor_cgroup":"mesos/@supervisors","supervisor_pid":4710,"supervisor_start_time":987654320,"has_process":true,"rootless":true,` +
		`"owner":4294967295,"gate_steps":["wait for start","","execve /bin/sh"],` +
		`"hooks":{"prestart": [{"path":"/bin/true"}]},` +
		`"annotations":{"a":"","b":"2","ü\u0009":"\\\"\u007f` + "\u2028" + `"},` +
		`"termination":{"exit_code":77,"finished_at":"2026-08-30T12:35:00.000000005Z"},` +
		`"limitation":{"reason":"REASON_CONTAINER_LIMITATION_MEMORY","message":"Memory limit \"exceeded\"",` +
		`"mem_bytes":67108864,"disk_bytes":1},"memory_seen":{"oom":3,"oom_kill":2}}` + "\n"
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestTerminations: an exit code of zero is one, and a signal has none.
func TestTerminations(t *testing.T) {
	for want, e := range map[string]Termination{
		`"termination":{"exit_code":0}`:   {},
		`"termination":{"exit_code":255}`: {ExitCode: 255},
		`"termination":{"signal":9}`:      {Signal: 9},
	} {
		data, err := encode(&Record{ID: "c", Status: Created, Termination: &e})
		if err != nil || !bytes.Contains(data, []byte(want)) {
			t.Errorf("got %s, %v, want %s", data, err, want)
		}
		if got, err := decode(data); err != nil || got.Termination == nil || *got.Termination != e {
			t.Errorf("%s: got %+v, %v", want, got.Termination, err)
		}
	}
}

func TestRecordsThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Record)
		want   string
	}{
		{"id", func(r *Record) { r.ID = "a/b" }, "invalid container ID format"},
		{"parent", func(r *Record) { r.Parent = "a/b" }, `parent "a/b": not the id of another container`},
		{"its own parent", func(r *Record) { r.Parent = "c" }, `parent "c": not the id of another container`},
		{"child", func(r *Record) { r.Children = []string{"a", ".."} }, `children "..": not an id`},
		{"status", func(r *Record) { r.Status = "" }, `status "": unknown`},
		{"pid", func(r *Record) { r.Pid = -1 }, "pid -1: no process has it"},
		{"supervisor", func(r *Record) { r.SupervisorPid = -1 }, "supervisor_pid -1: no process has it"},
		{"supervisor's cgroup", func(r *Record) { r.SupervisorCgroup = ".." }, `supervisor_cgroup "..": it leads elsewhere`},
		{"exit code", func(r *Record) { r.Termination = &Termination{ExitCode: 256} }, "termination: no process ends so"},
		{"signal", func(r *Record) { r.Termination = &Termination{Signal: -1} }, "termination: no process ends so"},
		{"reason", func(r *Record) { r.Limitation = &Limitation{} }, `limitation "": unknown`},
		{"bytes in a message", func(r *Record) { r.Limitation = &Limitation{Reason: LimitationDisk, Message: "\xff"} }, `limitation "\xff": not UTF-8`},
		{"bundle", func(r *Record) { r.Bundle = "b" }, `bundle "b": not absolute`},
		{"rootfs", func(r *Record) { r.Rootfs = "../b" }, `rootfs "../b": not absolute`},
		{"mount", func(r *Record) { r.CgroupMount = "b" }, `cgroup_mount "b": not absolute`},
		{"bytes in a path", func(r *Record) { r.Bundle = "/\xff" }, `bundle "/\xff": not UTF-8`},
		{"NUL in a path", func(r *Record) { r.Rootfs = "/\x00" }, `rootfs "/\x00": it holds a NUL byte`},
		{"bytes in an annotation", func(r *Record) { r.Annotations = map[string]string{"k": "\xff"} }, `annotations "k": not UTF-8`},
		{"bytes in a step", func(r *Record) { r.GateSteps = []string{"\xff"} }, `gate_steps "\xff": not UTF-8`},
		{"cgroup", func(r *Record) { r.Cgroup = "a/../b" }, `cgroup "a/../b": it leads elsewhere`},
		{"resctrl", func(r *Record) { r.Resctrl = []string{"/sys/fs/resctrl/.."} }, `resctrl "/sys/fs/resctrl/..": it leads elsewhere`},
		{"bytes in resctrl", func(r *Record) { r.Resctrl = []string{"/\xff"} }, `resctrl "/\xff": not UTF-8`},
		{"class", func(r *Record) { r.ResctrlClass = "/sys/fs/resctrl/../gold" }, `resctrl_class "/sys/fs/resctrl/../gold": it leads elsewhere`},
		{"relative class", func(r *Record) { r.ResctrlClass = "gold" }, `resctrl_class "gold": it leads elsewhere`},
		{"bytes in a class", func(r *Record) { r.ResctrlClass = "/\xff" }, `resctrl_class "/\xff": not UTF-8`},
		{"bytes in isolation", func(r *Record) { r.Isolation = []string{"\xff"} }, `isolation "\xff": not UTF-8`},
		{"leaf", func(r *Record) { r.CgroupLeaf = "a/b" }, `cgroup_leaf "a/b": not a name`},
		{"hooks broken", func(r *Record) { r.Hooks = json.RawMessage(`{"a":`) }, "hooks: not a JSON object"},
		{"hooks closed early", func(r *Record) { r.Hooks = json.RawMessage(`{},"pid":1`) }, "hooks: not a JSON object"},
		{"hooks no object", func(r *Record) { r.Hooks = json.RawMessage(`[]`) }, "hooks: not a JSON object"},
		{"year", func(r *Record) { r.Created = time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC) }, "created 12026"},
		{"size", func(r *Record) { r.Annotations = map[string]string{"k": strings.Repeat("x", maxRecord)} }, "the record would have"},
	} {
		r := full("c")
		c.change(&r)
		if data, err := encode(&r); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %.100s, %v; want %s", c.name, data, err, c.want)
		}
	}
}

func TestDecodeTolerates(t *testing.T) {
	got, err := decode([]byte(" {\n \"future\" : {\"a\":[1,{\"b\":null}]}, \"id\":\"c\", \"status\":\"created\"," +
		"\"\\u0070id\": 7, \"version\" : 1 } \n\n"))
	if err != nil {
		t.Fatal(err)
	}
	equalRecords(t, got, Record{ID: "c", Status: Created, Pid: 7})
}

func FuzzRecord(f *testing.F) {
	r := full("c")
	data, err := encode(&r)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"version":1,"id":"x","status":"creating"}`))
	f.Add([]byte(`{"version":1,"id":"x","status":"stopped","created":"2026-01-01T00:00:00+23:59","hooks":{}}`))
	f.Add([]byte(`{"version":1,"id":"x","status":"created","annotations":{"a":null}}`))
	f.Add([]byte(`{"version":2,"id":[]}`))
	f.Add([]byte(`{"version":1,"id":"x","status":"running","pid":1e3,"gate_steps":["\ud800"],"cgroup":"a/.."}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := decode(bytes.Clone(data))
		if err != nil {
			return
		}
		// What is believed can be written, and read again. The lexer lets
		// through what is not quite JSON, a control character in a string for
		// one; that must not get into what we write.
		written, err := encode(&r)
		if err != nil || !json.Valid(written) {
			t.Fatalf("%q: decoded, but encoded as %q, %v", data, written, err)
		}
		again, err := decode(written)
		if err != nil {
			t.Fatalf("%q: %v", written, err)
		}
		if len(r.Annotations) == 0 {
			r.Annotations = nil
		}
		equalRecords(t, again, r)
	})
}
