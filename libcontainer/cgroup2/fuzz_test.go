package cgroup2

import (
	"path"
	"strconv"
	"strings"
	"testing"
)

// FuzzFiles reads a text as each of the files that are read: nothing is made up
// that it does not hold.
func FuzzFiles(f *testing.F) {
	f.Add("max\n")
	f.Add("18446744073709551615\n")
	f.Add("cpuset cpu io memory hugetlb pids rdma misc\n")
	f.Add("low 0\nhigh 0\nmax 3\noom 2\noom_kill 1\noom_group_kill 0\n")
	f.Add("oom_kill 1 2\noom_kill\n\noom -1")
	f.Fuzz(func(t *testing.T, text string) {
		limit, unlimited, err := parseMax(text)
		word := strings.TrimSuffix(text, "\n")
		if err == nil && !unlimited && word != strings.Repeat("0", max(0, len(word)-len(strconv.FormatUint(limit, 10))))+strconv.FormatUint(limit, 10) {
			t.Errorf("%q is the limit %d", text, limit)
		}
		if unlimited != (word == "max") {
			t.Errorf("%q is no limit: %v", text, unlimited)
		}
		events := ParseMemoryEvents(text)
		for name, n := range map[string]uint64{"max": events.Max, "oom": events.OOM, "oom_kill": events.OOMKill} {
			if n > 0 && !strings.Contains(text, name+" ") {
				t.Errorf("%q has %d %s", text, n, name)
			}
		}
		need := Controllers{{Controller: "memory", For: "memory.max"}, {Controller: "pids", For: "pids.max", Wish: true}}
		for _, n := range need.missing(text) {
			if (" " + strings.Join(strings.Fields(text), " ") + " ") != strings.ReplaceAll(" "+strings.Join(strings.Fields(text), " ")+" ", " "+n.Controller+" ", " ") {
				t.Errorf("%s is not missing in %q", n.Controller, text)
			}
		}
		if got := len(need.missing(text)); got+len(need.available(text)) < len(need) {
			t.Errorf("%q: %d missing, %v available", text, got, need.available(text))
		}
	})
}

// FuzzCleanPath: what is taken leads below the mount, and nowhere else than it
// says.
func FuzzCleanPath(f *testing.F) {
	for _, seed := range []string{"a", "/a/b", "../a", "a//b", "a/./b", "", "/", "a/..", "a\x00", "a\nb", strings.Repeat("x", 256)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		clean, err := CleanPath(name)
		if err != nil {
			if clean != "" {
				t.Errorf("%q is %q and %v", name, clean, err)
			}
			return
		}
		if path.Clean("/"+name) != "/"+clean || clean == "" || strings.ContainsAny(clean, "\x00\n") {
			t.Errorf("%q is taken for %q", name, clean)
		}
	})
}
