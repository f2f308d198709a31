package resctrl

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestChange changes a class on a file that keeps all that is written to it, one
// write behind the other.
func TestChange(t *testing.T) {
	const was = "    MB:0= 20;1=100\n    L3:0=00f;1=7ff\n    L2:0=f\n"
	failed := errors.New("the rest failed")
	for name, c := range map[string]struct {
		lines   []string
		refuse  string // what the kernel stumbles over
		partial bool   // having taken all
		do      error
		written string
	}{
		"both":                           {lines: []string{"L3:0=ff", "MB:0=50"}, written: "L3:0=ff\nMB:0=50\n"},
		"one":                            {lines: []string{"MB:1=50"}, written: "MB:1=50\n"},
		"code and data":                  {lines: []string{"L3CODE:0=f\nL3DATA:0=f0"}, written: "L3CODE:0=f\nL3DATA:0=f0\n"},
		"the rest fails":                 {lines: []string{"L3:0=ff", "MB:0=50"}, do: failed, written: "L3:0=ff\nMB:0=50\nMB:0=20;1=100\nL3:0=00f;1=7ff\n"},
		"only what was set goes back":    {lines: []string{"L3:0=ff"}, do: failed, written: "L3:0=ff\nL3:0=00f;1=7ff\n"},
		"what did not change stays":      {lines: []string{"L3:0=F", "MB:0=50"}, do: failed, written: "L3:0=F\nMB:0=50\nMB:0=20;1=100\n"},
		"refused":                        {lines: []string{"L3:0=ff", "MB:9=50"}, refuse: "MB:9"},
		"refused when some of it is set": {lines: []string{"L3:0=ff", "MB:0=50"}, refuse: "MB:0=50", partial: true, written: "L3:0=ff\nMB:0=50\nMB:0=20;1=100\nL3:0=00f;1=7ff\n"},
	} {
		t.Run(name, func(t *testing.T) {
			tree := fake(t)
			dir := tree.Path + "/gold"
			if err := tree.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			put(t, dir+"/schemata", was)
			others := read(t, tree.Path, "schemata")
			tree.write = func(file, lines string) error {
				if c.refuse == "" || !strings.Contains(lines, c.refuse) {
					return write(file, lines)
				}
				put(t, tree.Path+"/info/last_cmd_status", "Non-hex character\n")
				if c.partial {
					return errors.Join(write(file, lines), unix.EINVAL)
				}
				return unix.EINVAL
			}
			done := false
			err := tree.Change(dir, c.lines, func() error { done = true; return c.do })
			switch {
			case done == (c.refuse != ""):
				t.Errorf("the rest was done: %v", done)
			case c.refuse == "" && err != c.do:
				t.Errorf("%v, want %v", err, c.do)
			case c.refuse != "" && (!errors.Is(err, unix.EINVAL) || !strings.HasPrefix(err.Error(), `set schemata "L3:0=ff\nMB:`) ||
				!strings.HasSuffix(err.Error(), "of class of service "+dir+": invalid argument (Non-hex character)")):
				t.Error(err)
			}
			if got := strings.TrimPrefix(read(t, dir, "schemata"), was); got != c.written {
				t.Errorf("written %q, want %q", got, c.written)
			}
			if read(t, tree.Path, "schemata") != others {
				t.Error("another class has changed")
			}
		})
	}
	t.Run("what somebody else sets meanwhile stays", func(t *testing.T) {
		tree := fake(t)
		before := read(t, tree.Path, "schemata")
		err := tree.Change(tree.Path, []string{"L3:0=f"}, func() error {
			return errors.Join(failed, write(tree.Path+"/schemata", "MB:1=30\n"))
		})
		if got, want := strings.TrimPrefix(read(t, tree.Path, "schemata"), before), "L3:0=f\nMB:1=30\nL3:0=7ff;1=7ff\n"; !errors.Is(err, failed) || got != want {
			t.Errorf("%v, written %q, want %q", err, got, want)
		}
	})
	t.Run("the class is gone", func(t *testing.T) {
		tree := fake(t)
		err := tree.Change(tree.Path+"/gold", []string{"L3:0=f"}, func() error { t.Error("done"); return nil })
		if want := "read the schemata of class of service " + tree.Path + "/gold: "; !errors.Is(err, unix.ENOENT) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	})
	t.Run("no way back", func(t *testing.T) {
		tree := fake(t)
		tree.write = func(file, lines string) error {
			if strings.Contains(lines, "7ff") {
				return unix.EBUSY
			}
			return write(file, lines)
		}
		err := tree.Change(tree.Path, []string{"L3:0=f"}, func() error { return failed })
		if !errors.Is(err, failed) || !errors.Is(err, unix.EBUSY) {
			t.Error(err)
		}
	})
}
