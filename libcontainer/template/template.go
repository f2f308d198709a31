// Package template holds the config.json that `mesoc spec` writes: the one
// that people start from, and that the figures in benchmarks are about. It is
// pure data, equal to runc's but for the host name; its caller is the command,
// and it knows nothing of the host.
package template

import (
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Config runs sh on a terminal, in new namespaces, as a root with three
// capabilities.
func Config() *specs.Spec {
	capabilities := func() []string {
		return []string{"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"}
	}
	return &specs.Spec{
		Version: specs.Version,
		Process: &specs.Process{
			Terminal: true,
			Args:     []string{"sh"},
			Env: []string{
				"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
				"TERM=xterm",
			},
			Cwd: "/",
			Capabilities: &specs.LinuxCapabilities{
				Bounding:  capabilities(),
				Effective: capabilities(),
				Permitted: capabilities(),
			},
			Rlimits:         []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Hard: 1024, Soft: 1024}},
			NoNewPrivileges: true,
		},
		Root:     &specs.Root{Path: "rootfs", Readonly: true},
		Hostname: "mesoc",
		Mounts:   mounts(),
		Linux: &specs.Linux{
			Resources:  &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}},
			Namespaces: namespaces("pid", "network", "ipc", "uts", "mount", "cgroup"),
			MaskedPaths: []string{
				"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
				"/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware",
				"/proc/scsi", "/sys/devices/virtual/tpm",
			},
			ReadonlyPaths: []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"},
		},
	}
}

func mounts() []specs.Mount {
	return []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc"},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs",
			Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts",
			Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
		{Destination: "/dev/shm", Type: "tmpfs", Source: "shm",
			Options: []string{"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}},
		{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue",
			Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/sys", Type: "sysfs", Source: "sysfs",
			Options: []string{"nosuid", "noexec", "nodev", "ro"}},
		{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup",
			Options: []string{"nosuid", "noexec", "nodev", "relatime", "ro"}},
	}
}

func namespaces(types ...specs.LinuxNamespaceType) []specs.LinuxNamespace {
	list := make([]specs.LinuxNamespace, len(types))
	for i, t := range types {
		list[i].Type = t
	}
	return list
}

// Rootless makes a config one for that user, who has no power over the host:
// a user namespace in which the user is root, the host's network, the host's
// /sys, which cannot be mounted anew without a network of one's own, and no
// limits.
func Rootless(config *specs.Spec, uid, gid int) {
	l := config.Linux
	l.Namespaces = namespaces("pid", "ipc", "uts", "mount", "cgroup", "user")
	l.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: uint32(uid), Size: 1}}
	l.GIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: uint32(gid), Size: 1}}
	l.Resources = nil
	for i := range config.Mounts {
		m := &config.Mounts[i]
		if m.Destination == "/sys" {
			m.Type, m.Source, m.Options = "none", "/sys", []string{"rbind", "nosuid", "noexec", "nodev", "ro"}
			continue
		}
		var options []string
		for _, o := range m.Options {
			// Only the user's own ids are there to be given away.
			if !strings.HasPrefix(o, "uid=") && !strings.HasPrefix(o, "gid=") {
				options = append(options, o)
			}
		}
		m.Options = options
	}
}
