package cgroup2

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
)

func TestParsePids(t *testing.T) {
	for text, want := range map[string][]int{
		"": nil, "1\n": {1}, "1\n0\n4194304\n": {1, 0, 4194304}, "12\n34": {12}, "12": nil,
	} {
		got, err := parsePids(nil, text)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"\n", "x\n", "-1\n", "1 2\n", "99999999999999999999\n"} {
		if got, err := parsePids(nil, text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

func FuzzParsePids(f *testing.F) {
	f.Add("1\n22\n333\n")
	f.Add("1\n22\n333")
	f.Fuzz(func(t *testing.T, text string) {
		pids, err := parsePids(nil, text)
		if err != nil {
			return
		}
		var b strings.Builder
		for _, pid := range pids {
			fmt.Fprintln(&b, pid)
		}
		again, err := parsePids(nil, b.String())
		if err != nil || !slices.Equal(again, pids) {
			t.Fatalf("%q is read as %v, and that as %v (%v)", text, pids, again, err)
		}
	})
}

func TestParseKey(t *testing.T) {
	const events = "populated 1\nfrozen 0\n"
	for _, c := range []struct {
		text, key string
		want      uint64
		ok        bool
	}{
		{events, "populated", 1, true},
		{events, "frozen", 0, true},
		{events, "pop", 0, false},
		{"populated 1", "populated", 1, true},
		{"populated x\n", "populated", 0, false},
		{"populated\n", "populated", 0, false},
		{"", "populated", 0, false},
		{"oom 1\noom_kill 2\n", "oom_kill", 2, true},
	} {
		if got, ok := parseKey(c.text, c.key); got != c.want || ok != c.ok {
			t.Errorf("%s in %q: %d, %v", c.key, c.text, got, ok)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add("populated 1\nfrozen 0\n", "frozen")
	f.Fuzz(func(t *testing.T, text, key string) {
		n, ok := parseKey(text, key)
		if ok && !strings.Contains(text, key+" ") {
			t.Fatalf("%q is %d in %q", key, n, text)
		}
		if !ok && n != 0 {
			t.Fatalf("%q is %d without being there", key, n)
		}
	})
}

func TestParseMemoryEvents(t *testing.T) {
	const text = "low 0\nhigh 1\nmax 22\noom 3\noom_kill 4\noom_group_kill 5\n"
	if got, want := ParseMemoryEvents(text), (MemoryEvents{Max: 22, OOM: 3, OOMKill: 4}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := ParseMemoryEvents("low 0\n"); got != (MemoryEvents{}) {
		t.Errorf("%+v", got)
	}
	if got, want := SumMemoryEvents(text, "", "max 1\noom 1\n"), (MemoryEvents{Max: 23, OOM: 4, OOMKill: 4}); got != want {
		t.Errorf("the sum is %+v, want %+v", got, want)
	}
}

func TestParseMax(t *testing.T) {
	if n, unlimited, err := parseMax("max\n"); !unlimited || err != nil || n != 0 {
		t.Errorf("max: %d, %v, %v", n, unlimited, err)
	}
	if n, unlimited, err := parseMax("123\n"); unlimited || err != nil || n != 123 {
		t.Errorf("123: %d, %v, %v", n, unlimited, err)
	}
	if _, _, err := parseMax("x\n"); err == nil {
		t.Error("x is read")
	}
}

func TestCgroup2Mounts(t *testing.T) {
	const table = `24 1 0:22 / /proc rw,relatime shared:5 - proc proc rw
30 24 0:26 / /sys/fs/cgroup ro shared:9 - tmpfs tmpfs ro,mode=755
40 30 0:35 /docker/x /somewhere rw - cgroup2 cgroup rw
31 30 0:27 / /sys/fs/cgroup/unified rw shared:10 master:1 - cgroup2 cgroup2 rw
32 30 0:28 / /sys/fs/cgroup/systemd rw shared:11 - cgroup cgroup rw,name=systemd
33 24 0:35 / /mnt/a\040b\134c rw,nosuid - cgroup2 cgroup rw
broken line
34 24 - cgroup2 x
`
	got := cgroup2Mounts(sys.ParseMounts(table))
	want := []string{"/sys/fs/cgroup/unified", `/mnt/a b\c`, "/somewhere"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestCleanPath(t *testing.T) {
	for path, want := range map[string]string{
		"a": "a", "/a": "a", "/a/b": "a/b", "a/b/c": "a/b/c", "a.b/..c": "a.b/..c", "system.slice:docker:1": "system.slice:docker:1",
	} {
		if got, err := CleanPath(path); err != nil || got != want {
			t.Errorf("%q: %q, %v", path, got, err)
		}
	}
	for path, want := range map[string]string{
		"": "names the root", "/": "names the root", "//a": "empty", "a/": "empty", "a//b": "empty",
		"..": `".."`, "a/../b": `".."`, "/..": `".."`, ".": `"."`, "a/./b": `"."`,
		"a\x00b": "NUL", "a/b\nc": "newline", "a/" + strings.Repeat("x", 256): "longer than 255",
	} {
		_, err := CleanPath(path)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), fmt.Sprintf("%q", path)) {
			t.Errorf("%q: %v, want %s", path, err, want)
		}
	}
}
