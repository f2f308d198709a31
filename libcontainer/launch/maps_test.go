package launch

import (
	"fmt"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// FuzzMaps reads the lines that the kernel is given back.
func FuzzMaps(f *testing.F) {
	f.Add(uint32(0), uint32(100000), uint32(65536), uint32(65536), uint32(0), uint32(1))
	f.Add(uint32(4294967295), uint32(4294967295), uint32(4294967295), uint32(0), uint32(0), uint32(0))
	f.Fuzz(func(t *testing.T, c1, h1, s1, c2, h2, s2 uint32) {
		list := []specs.LinuxIDMapping{{ContainerID: c1, HostID: h1, Size: s1}, {ContainerID: c2, HostID: h2, Size: s2}}
		m := NewMaps(list, list[1:])
		if strings.Count(m.UID, "\n") != 2 || !strings.HasSuffix(m.UID, "\n"+m.GID) {
			t.Fatalf("%+v: uid_map %q, gid_map %q", list, m.UID, m.GID)
		}
		for i, line := range strings.Split(strings.TrimSuffix(m.UID, "\n"), "\n") {
			var got specs.LinuxIDMapping
			if _, err := fmt.Sscanf(line, "%d %d %d", &got.ContainerID, &got.HostID, &got.Size); err != nil || got != list[i] {
				t.Errorf("%+v is written as %q: %v", list[i], line, err)
			}
		}
	})
}
