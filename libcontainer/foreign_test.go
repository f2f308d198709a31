package libcontainer

import (
	"slices"
	"testing"

	"github.com/mesoc/mesoc/libcontainer/criu"
	"github.com/mesoc/mesoc/libcontainer/internal/sys"
)

func TestInheritedFor(t *testing.T) {
	for _, c := range []struct {
		name  string
		names []string
		want  []criu.Inherited
	}{
		{"pipes", []string{"pipe:[1]", "pipe:[2]", "pipe:[3]"}, []criu.Inherited{{Key: "pipe:[1]", FD: 0}, {Key: "pipe:[2]", FD: 1}, {Key: "pipe:[3]", FD: 2}}},
		{"one pipe for both outputs", []string{"/dev/null", "pipe:[2]", "pipe:[2]"}, []criu.Inherited{{Key: "pipe:[2]", FD: 1}}},
		{"a terminal of the container", []string{"/dev/pts/0", "/dev/pts/0", "/dev/pts/0"}, nil},
		{"the null device for all", []string{"file[5:3]", "file[5:3]", "file[5:3]"}, []criu.Inherited{{Key: "file[5:3]", FD: criu.Null}}},
		{"a file for both outputs", []string{"", "file[5:4]", "file[5:4]"}, []criu.Inherited{{Key: "file[5:4]", FD: 1}}},
		{"a terminal of the caller", []string{"tty[8800:17]", "tty[8800:17]", "tty[8800:17]"}, []criu.Inherited{{Key: "tty[8800:17]", FD: 0}}},
		{"more than there should be", []string{"", "", "", "pipe:[9]"}, nil},
		{"the null device elsewhere", []string{"/fifo", "pipe:[2]", "pipe:[2]", "file[5:3]"}, []criu.Inherited{{Key: "pipe:[2]", FD: 1}, {Key: "file[5:3]", FD: criu.Null}}},
		{"the null device, in all", []string{"file[5:3]", "pipe:[2]", "file[5:3]", "file[5:3]"}, []criu.Inherited{{Key: "pipe:[2]", FD: 1}, {Key: "file[5:3]", FD: criu.Null}}},
		{"none", nil, nil},
	} {
		if got := inheritedFor(c.names); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

// A recursive bind brings mounts along; those that the config puts below it
// are not among them.
func TestForeignMounts(t *testing.T) {
	table := []sys.MountPoint{{Path: "/"}, {Path: "/data"}, {Path: "/data/sub"}, {Path: "/data/own"}, {Path: "/data/own/deep"}, {Path: "/database"}}
	m := foreignMount{at: "/data", source: "/srv/data", recursive: true, others: []string{"/data", "/data/own", "/proc"}}
	if got := m.below(table); !slices.Equal(got, []string{"/data/sub"}) {
		t.Errorf("below: got %q", got)
	}
	host := []sys.MountPoint{{Path: "/srv/data"}, {Path: "/srv/data/sub"}, {Path: "/srv/database"}}
	want := []criu.Mount{{Key: "/data", Value: "/srv/data"}, {Key: "/data/sub", Value: "/srv/data/sub"}}
	if got := m.sources(host); !slices.Equal(got, want) {
		t.Errorf("sources: got %v", got)
	}
	m.recursive = false
	if got := m.below(table); len(got) != 0 {
		t.Errorf("below one that is not recursive: got %q", got)
	}
	if got := m.sources(host); !slices.Equal(got, want[:1]) {
		t.Errorf("sources of one that is not recursive: got %v", got)
	}
}
