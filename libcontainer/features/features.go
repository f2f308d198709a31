// Package features says what this program can do, as the features document of
// the runtime-spec. The answer is the same on every host: what is compiled in,
// taken from the tables that the program itself goes by. Its caller is the
// command; it asks neither kernel nor settings.
package features

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/runtime-spec/specs-go/features"

	"github.com/mesoc/mesoc/libcontainer/plan"
	"github.com/mesoc/mesoc/libcontainer/seccomp"
)

// Document is the features document of the build with that version and commit.
func Document(version, commit string) *features.Features {
	yes, no := new(bool), new(bool)
	*yes = true
	return &features.Features{
		OCIVersionMin: "1.0.0",
		OCIVersionMax: specs.Version,
		Hooks: []string{
			"prestart", "createRuntime", "createContainer",
			"startContainer", "poststart", "poststop",
		},
		MountOptions: plan.MountOptionNames(),
		Linux: &features.Linux{
			Namespaces:      namespaces(),
			Capabilities:    plan.CapabilityNames(),
			Cgroup:          &features.Cgroup{V1: no, V2: yes, Systemd: no, SystemdUser: no, Rdma: yes},
			Seccomp:         filters(yes),
			Apparmor:        &features.Apparmor{Enabled: yes},
			Selinux:         &features.Selinux{Enabled: yes},
			MemoryPolicy:    &features.MemoryPolicy{Modes: plan.MemoryPolicyModes(), Flags: plan.MemoryPolicyFlags()},
			IntelRdt:        &features.IntelRdt{Enabled: yes, Schemata: yes, Monitoring: yes},
			MountExtensions: &features.MountExtensions{IDMap: &features.IDMap{Enabled: yes}},
			NetDevices:      &features.NetDevices{Enabled: yes},
		},
		Annotations: map[string]string{
			"io.mesoc.version": version,
			"io.mesoc.commit":  commit,
			"org.opencontainers.runc.checkpoint.enabled": "true", // what engines ask for, of every runtime
		},
		// All of ours: one that is not known is an error.
		PotentiallyUnsafeConfigAnnotations: []string{"io.mesoc."},
	}
}

func filters(yes *bool) *features.Seccomp {
	n := seccomp.Understood()
	return &features.Seccomp{Enabled: yes, Actions: n.Actions, Operators: n.Operators, Archs: n.Archs,
		KnownFlags: n.Flags, SupportedFlags: n.Flags}
}

func namespaces() []string {
	var names []string
	for _, kind := range plan.NamespaceKinds() {
		names = append(names, kind.Type)
	}
	return names
}
