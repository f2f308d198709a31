package bundle

import (
	"github.com/opencontainers/runtime-spec/specs-go"
)

// This file is the one list of what is not built yet. When a feature lands,
// its line goes.

const ruleNotYet = "not supported yet"

// unsupportedProperties are refused when they say something.
var unsupportedProperties = [...]struct {
	pointer string
	says    func(l *specs.Linux) bool
}{
	{"/linux/resources/network/classID", func(l *specs.Linux) bool {
		return l.Resources != nil && l.Resources.Network != nil && l.Resources.Network.ClassID != nil && *l.Resources.Network.ClassID != 0
	}},
	{"/linux/resources/network/priorities", func(l *specs.Linux) bool {
		return l.Resources != nil && l.Resources.Network != nil && len(l.Resources.Network.Priorities) > 0
	}},
}

// annotationPrefix is that of the annotations that are ours. Those of others
// are ignored, one of ours never is: it would be a wish that nobody hears.
const annotationPrefix = "io.mesoc."

// unsupportedAnnotations are ours, with the isolator that is still missing.
var unsupportedAnnotations = [...]struct{ name, isolator string }{
	{"parent", ""},
	{"share-cgroups", ""},
	{"sandbox", ""},
	{"supervise", ""},
	{"resources", "cgroups/cpu, cgroups/mem"},
	{"disk.limit", "disk/du, disk/xfs"},
	{"volumes", "filesystem/shared"},
	{"networks", "network/cni"},
	{"publish", "network/cni"},
	{"docker-volumes", "docker/volume"},
	{"image-config", "docker/runtime"},
	{"command", "docker/runtime"},
	{"capabilities.effective", "linux/capabilities"},
	{"capabilities.bounding", "linux/capabilities"},
	{"rlimits", "posix/rlimits"},
	{"ipc-mode", "namespaces/ipc"},
	{"shm-size", "namespaces/ipc"},
	{"share-pid-namespace", "namespaces/pid"},
}

// unsupportedAnnotation is what an annotation of ours waits for.
func unsupportedAnnotation(name string) (needs string, known bool) {
	for _, a := range unsupportedAnnotations {
		if a.name != name {
			continue
		}
		if a.isolator == "" {
			return "", true
		}
		return " (needs the isolator " + a.isolator + ")", true
	}
	return "", false
}

func (c *checker) unsupported(s *specs.Spec) {
	for i := range unsupportedProperties {
		if u := &unsupportedProperties[i]; s.Linux != nil && u.says(s.Linux) {
			c.bad(u.pointer, nil, ruleNotYet)
		}
	}
	for _, p := range [...]struct {
		pointer string
		present bool
	}{
		{"/process/commandLine", s.Process != nil && s.Process.CommandLine != ""},
		{"/solaris", s.Solaris != nil}, {"/windows", s.Windows != nil}, {"/vm", s.VM != nil},
		{"/zos", s.ZOS != nil}, {"/freebsd", s.FreeBSD != nil},
	} {
		if p.present {
			c.bad(p.pointer, nil, "not supported: this is a runtime for Linux")
		}
	}
}
