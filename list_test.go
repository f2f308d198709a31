package main

import (
	"slices"
	"testing"

	"github.com/mesoc/mesoc/libcontainer"
)

func TestForest(t *testing.T) {
	family := func(pairs ...string) (list []libcontainer.State) {
		for i := 0; i < len(pairs); i += 2 {
			s := libcontainer.State{ID: pairs[i]}
			if pairs[i+1] != "" {
				s.Mesoc = &libcontainer.Extension{Parent: pairs[i+1]}
			}
			list = append(list, s)
		}
		return list
	}
	for name, c := range map[string]struct {
		list []libcontainer.State
		want []string
	}{
		"none":                {nil, nil},
		"flat":                {family("a", "", "b", ""), []string{"a", "b"}},
		"deep":                {family("a", "c", "b", "", "c", "b", "d", "b", "e", "d", "f", "c"), []string{"b", "├─c", "│ ├─a", "│ └─f", "└─d", "  └─e"}},
		"parent is not there": {family("a", "x", "b", "a"), []string{"a", "└─b"}},
		"own parent":          {family("a", "a"), []string{"a"}},
		"circle":              {family("a", "b", "b", "a", "c", "b"), []string{"a", "b", "└─c"}},
		"beside a circle":     {family("a", "b", "b", "b"), []string{"b", "└─a"}},
	} {
		var got []string
		for _, l := range drawn(forest(c.list)) {
			got = append(got, l.branch+l.ID)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
