package cgroup2

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func anyName(name string) bool { return name != "" && name != "." && name != ".." }

func TestLayout(t *testing.T) {
	l := Layout{Root: "mesos", Leaf: "leaf", ValidID: func(id string) bool { return anyName(id) && id != "bad" }}
	for path, want := range map[string]string{
		"mesos/a":                           "a",
		"mesos/a/leaf":                      "a*",
		"mesos/a/mesos/b":                   "a b",
		"mesos/a/mesos/b/leaf":              "a b*",
		"mesos/a/mesos/b/mesos/c/leaf":      "a b c*",
		"mesos/mesos":                       "mesos",
		"mesos/leaf":                        "leaf",
		"mesos/leaf/leaf":                   "leaf*",
		"mesos/mesos/mesos/mesos":           "mesos mesos",
		"mesos/leaf/mesos/leaf/leaf":        "leaf leaf*",
		"mesos/mesos/leaf":                  "mesos*",
		"":                                  "",
		"mesos":                             "",
		"mesos/":                            "",
		"/mesos/a":                          "",
		"mesos/a/":                          "",
		"mesos//a":                          "",
		"mesosx/a":                          "",
		"other/a":                           "",
		"mesos/bad":                         "",
		"mesos/a/mesos":                     "", // the directory for those that are nested in a
		"mesos/a/mesos/":                    "",
		"mesos/a/mesos/bad":                 "",
		"mesos/a/mesos/b/mesos":             "",
		"mesos/a/leaf/x":                    "", // a's own business
		"mesos/a/leaf/mesos/b":              "",
		"mesos/a/leaf/leaf":                 "",
		"mesos/a/b":                         "",
		"mesos/a/b/leaf":                    "",
		"mesos/a/mesos/b/c":                 "",
		"mesos/a/mesos/b/leaf/mesos":        "",
		"mesos/../mesos/a":                  "",
		"mesos/a/mesos/b/mesos/c/leaf/leaf": "",
	} {
		ids, leaf, ok := l.Parse(path)
		got := strings.Join(ids, " ")
		if leaf {
			got += "*"
		}
		if got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", path, got, ok, want)
		}
	}
}

// TestLayoutThereAndBack: every path that is made is read as what it was made
// of, whatever the names are, and no two are the same.
func TestLayoutThereAndBack(t *testing.T) {
	names := []string{"a", "b", Nested, "leaf", "mesos.", "leaf-"}
	random := rand.New(rand.NewPCG(1, 2))
	seen := map[string]string{}
	for range 2000 {
		l := Layout{Root: "mesos", Leaf: "leaf", ValidID: anyName}
		var ids []string
		for range 1 + random.IntN(4) {
			ids = append(ids, names[random.IntN(len(names))])
		}
		for _, leaf := range []bool{false, true} {
			path, key := l.Path(ids...), strings.Join(ids, " ")
			if leaf {
				path, key = path+"/"+l.Leaf, key+"*"
			}
			got, gotLeaf, ok := l.Parse(path)
			if !ok || gotLeaf != leaf || !slices.Equal(got, ids) {
				t.Errorf("%s: got %q, %v, %v", path, got, gotLeaf, ok)
			}
			if other, known := seen[path]; known && other != key {
				t.Errorf("%s is of %s and of %s", path, key, other)
			}
			seen[path] = key
		}
	}
}

// FuzzLayout: what is read as a container's is the path that it gets.
func FuzzLayout(f *testing.F) {
	for _, seed := range []string{"mesos/a/leaf", "mesos/a/mesos/b", "mesos/a/mesos", "mesos/mesos/mesos/mesos/leaf", "x/y/a//leaf"} {
		f.Add("mesos", "leaf", seed)
		f.Add("x/y", "c", seed)
	}
	f.Fuzz(func(t *testing.T, root, leaf, path string) {
		if _, err := CleanPath(root); err != nil || strings.HasPrefix(root, "/") || checkName(leaf) != nil || leaf == Nested {
			return // no setting lets that through
		}
		l := Layout{Root: root, Leaf: leaf, ValidID: func(id string) bool { return checkName(id) == nil }}
		ids, isLeaf, ok := l.Parse(path)
		if !ok {
			return
		}
		want := l.Path(ids...)
		if isLeaf {
			want += "/" + leaf
		}
		if want != path {
			t.Errorf("%q is read as %q, whose path is %q", path, ids, want)
		}
	})
}
