package sys

import (
	"slices"
	"strings"
	"testing"
)

func TestParseMounts(t *testing.T) {
	got := ParseMounts(`22 1 0:20 / /proc rw,relatime shared:5 - proc proc rw
24 1 0:22 / /a\040b\134c rw master:1 propagate_from:2 - proc x rw
25 1 0:20 /sys /proc/sys ro - proc proc rw
22 1 0:20 / /proc rw,relatime
22 1 0:20 - proc proc rw
 - proc

33 24 0:35 /docker/x /mnt rw,nosuid - cgroup2 cgroup rw
`)
	want := []MountPoint{{22, "/", "/proc", "proc"}, {24, "/", `/a b\c`, "proc"}, {25, "/sys", "/proc/sys", "proc"}, {33, "/docker/x", "/mnt", "cgroup2"}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestUnescape(t *testing.T) {
	for s, want := range map[string]string{
		"":             "",
		"/plain":       "/plain",
		`/a\040b`:      "/a b",
		`\011\012\134`: "\t\n\\",
		`\\040`:        `\ `,
		`\04`:          `\04`,
		`\`:            `\`,
		`\777x`:        `\777x`,
		`\0400`:        " 0",
		`\+40`:         `\+40`,
		`ä\303\244`:    "ää",
	} {
		if got := unescape(s); got != want {
			t.Errorf("unescape(%q) = %q, want %q", s, got, want)
		}
	}
}

func TestMounts(t *testing.T) {
	mounts, err := Mounts()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(mounts, func(m MountPoint) bool { return m.Path == "/" }) {
		t.Errorf("nothing is mounted on / in %+v", mounts)
	}
}

func FuzzParseMounts(f *testing.F) {
	f.Add("33 24 0:35 / /mnt/a\\040b\\134c rw,nosuid - cgroup2 cgroup rw\n")
	f.Fuzz(func(t *testing.T, text string) {
		if n := len(ParseMounts(text)); n > strings.Count(text, " - ") {
			t.Fatalf("%d mounts in %q", n, text)
		}
	})
}
