package libcontainer

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestFreeName(t *testing.T) {
	all := func(string) (bool, error) { return true, nil }
	for _, c := range []struct {
		name  string
		taken []string
		want  string
	}{
		{"eth0", nil, "eth0"},
		{"eth0", []string{"eth0"}, ""},
		{"eth%d", nil, "eth0"},
		{"eth%d", []string{"eth0", "eth1", "eth3"}, "eth2"},
		{"%d", []string{"0"}, "1"},
	} {
		got, err := freeName(c.name, func(name string) (bool, error) { return slices.Contains(c.taken, name), nil })
		if got != c.want || (c.want == "") != errors.Is(err, unix.EEXIST) {
			t.Errorf("%s beside %q: %q, %v; want %q", c.name, c.taken, got, err, c.want)
		}
	}
	if name, err := freeName("interface-012%d", all); !errors.Is(err, unix.EEXIST) {
		t.Errorf("all numbers taken: %q, %v", name, err)
	}
	broken := func(string) (bool, error) { return true, unix.EPERM }
	if name, err := freeName("eth%d", broken); !errors.Is(err, unix.EPERM) {
		t.Errorf("nobody can tell: %q, %v", name, err)
	}
}
