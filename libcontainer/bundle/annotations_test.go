package bundle

import (
	"errors"
	"maps"
	"strings"
	"testing"
)

func TestAnnotationTable(t *testing.T) {
	seen := map[string]bool{}
	for i := range annotationTable {
		a := &annotationTable[i]
		if a.name == "" || seen[a.name] {
			t.Errorf("annotation %q is there twice, or without a name", a.name)
		}
		seen[a.name] = true
	}
}

// TestObey: what is not built says so, and what is needs its isolator.
func TestObey(t *testing.T) {
	reads := func(value string, _ *Annotations) error {
		if value != "good" {
			return errors.New("must be good")
		}
		return nil
	}
	either := []string{"a/x", "a/y"}
	for name, c := range map[string]struct {
		annotation annotation
		value      string
		policy     *Policy
		want       string // of the error
	}{
		"not built":                  {annotation{}, "good", nil, "not supported yet"},
		"not built, of an isolator":  {annotation{isolators: either}, "good", &Policy{Isolation: "a/x"}, "not supported yet (needs the isolator a/x, a/y)"},
		"ours":                       {annotation{read: reads}, "good", &Policy{}, ""},
		"ours, malformed":            {annotation{read: reads}, "bad", &Policy{}, "must be good"},
		"isolator enabled":           {annotation{isolators: either, read: reads}, "good", &Policy{Isolation: "b,a/y"}, ""},
		"isolator enabled, bad":      {annotation{isolators: either, read: reads}, "bad", &Policy{Isolation: "b,a/y"}, "must be good"},
		"isolator not enabled":       {annotation{isolators: either, read: reads}, "good", &Policy{Isolation: "a/xx,b"}, "[set isolation to a/x or a/y]"},
		"no isolator":                {annotation{isolators: either, read: reads}, "good", &Policy{}, "[set isolation to a/x or a/y]"},
		"nobody knows the operator":  {annotation{isolators: either, read: reads}, "good", nil, ""},
		"nobody knows him, and bad":  {annotation{isolators: either, read: reads}, "bad", nil, "must be good"},
		"ours, whatever is isolated": {annotation{read: reads}, "good", &Policy{Isolation: "a/x"}, ""},
	} {
		err := c.annotation.obey(c.value, &Annotations{}, c.policy)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestReadAnnotationsMerges(t *testing.T) {
	p := Policy{Allowed: AnnotationPrefix}
	bundles := map[string]string{"a": "1", "b": "2"}
	for name, c := range map[string]struct{ callers, want map[string]string }{
		"none":       {nil, map[string]string{"a": "1", "b": "2"}},
		"a new one":  {map[string]string{"c": ""}, map[string]string{"a": "1", "b": "2", "c": ""}},
		"instead of": {map[string]string{"b": "3"}, map[string]string{"a": "1", "b": "3"}},
	} {
		merged, _, err := p.ReadAnnotations(bundles, c.callers)
		if err != nil || !maps.Equal(merged, c.want) {
			t.Errorf("%s: got %v, %v, want %v", name, merged, err, c.want)
		}
	}
	if len(bundles) != 2 {
		t.Errorf("the bundle's have changed: %v", bundles)
	}
}

// TestAllowed: the setting is about what a bundle says, not about the caller.
func TestAllowed(t *testing.T) {
	const refusal = "not allowed to a bundle"
	for allowed, refused := range map[string]bool{
		"io.mesoc.": false, "io.": false, "org.example.,io.mesoc.none-": false, "": true, "io.mesoc.nonsense": true, "org.example.": true,
	} {
		p := Policy{Allowed: allowed}
		ours := map[string]string{"io.mesoc.none-such": "x", "org.other": "y"}
		_, _, err := p.ReadAnnotations(ours, nil)
		if err == nil || strings.Contains(err.Error(), refusal) != refused {
			t.Errorf("%q: %v", allowed, err)
		}
		if problems := p.Problems(ours); strings.Contains(problems[0].Rule, refusal) != refused {
			t.Errorf("%q: %v", allowed, problems)
		}
		_, _, err = p.ReadAnnotations(nil, ours)
		if err == nil || strings.Contains(err.Error(), refusal) {
			t.Errorf("%q, of the caller: %v", allowed, err)
		}
	}
}

func TestReadBool(t *testing.T) {
	on := false
	if err := readBool("true", &on); err != nil || !on {
		t.Errorf("true: %v, %v", on, err)
	}
	if err := readBool("false", &on); err != nil || on {
		t.Errorf("false: %v, %v", on, err)
	}
	for _, bad := range []string{"", "1", "True", "yes", " true"} {
		if readBool(bad, &on) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
