package libcontainer

import (
	"slices"
	"strings"
	"testing"
)

const netDev = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0
  eth0: 1500 15 1 2 0 0 0 7 900 9 3 4 0 0 0 0
veth12345:18446744073709551615 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0
`

func TestParseInterfaces(t *testing.T) {
	got, err := parseInterfaces(netDev)
	want := []Interface{
		{"eth0", Traffic{1500, 15, 1, 2}, Traffic{900, 9, 3, 4}},
		{"veth12345", Traffic{1<<64 - 1, 1, 0, 0}, Traffic{}},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	// A namespace of its own without interfaces is not the same as none.
	if got, err := parseInterfaces("a\nb\n"); got == nil || len(got) != 0 || err != nil {
		t.Errorf("no interfaces: %v, %v", got, err)
	}
	for _, line := range []string{"eth0", "eth0: 1 2\n", ": 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n", "e: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n",
		"e: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 -1\n", "\n"} {
		if got, err := parseInterfaces("a\nb\n" + line); err == nil {
			t.Errorf("%q is read as %v", line, got)
		}
	}
}

func FuzzParseInterfaces(f *testing.F) {
	f.Add(netDev)
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parseInterfaces(text)
		if err == nil && len(list) > max(0, strings.Count(text, "\n")-1) {
			t.Fatalf("%q: %v", text, list)
		}
		for _, i := range list {
			if i.Name == "" || i.Name == loopback {
				t.Fatalf("%q: %v", text, list)
			}
		}
	})
}
