package main

import (
	"maps"
	"testing"
)

// TestAnnotationsOfTheCommandLine: flags that are sugar become the annotation
// they stand for, and count where --annotation says something else.
func TestAnnotationsOfTheCommandLine(t *testing.T) {
	sweet := &command{options: [][]option{{
		{name: "annotation", repeats: true},
		{name: "text", annotation: "a-text"},
		{name: "list", annotation: "a.list", repeats: true},
		{name: "on", kind: boolean, annotation: "is-on"},
		{name: "later", annotation: "later", unbuilt: true},
		{name: "other"},
	}}}
	for name, c := range map[string]struct {
		flags given
		want  map[string]string
	}{
		"nothing":      {given{{"other", "x"}}, nil},
		"annotations":  {given{{"annotation", "a=1"}, {"annotation", "b=x=y"}, {"annotation", "a=2"}}, map[string]string{"a": "2", "b": "x=y"}},
		"text":         {given{{"text", "x"}, {"text", "y"}}, map[string]string{"io.mesoc.a-text": "y"}},
		"list":         {given{{"list", "x"}, {"list", "y"}}, map[string]string{"io.mesoc.a.list": "x,y"}},
		"boolean":      {given{{"on", "1"}}, map[string]string{"io.mesoc.is-on": "true"}},
		"boolean off":  {given{{"on", "F"}}, map[string]string{"io.mesoc.is-on": "false"}},
		"the flag won": {given{{"text", "x"}, {"annotation", "io.mesoc.a-text=y"}}, map[string]string{"io.mesoc.a-text": "x"}},
		"not built":    {given{{"later", "x"}}, nil},
	} {
		got, err := (&call{command: sweet, flags: c.flags}).annotations()
		if err != nil || !maps.Equal(got, c.want) {
			t.Errorf("%s: got %v, %v, want %v", name, got, err, c.want)
		}
	}
	for _, bad := range []string{"noequals", "", "=x"} {
		if _, err := (&call{command: sweet, flags: given{{"annotation", bad}}}).annotations(); err == nil {
			t.Errorf("--annotation %q is taken", bad)
		}
	}
}
