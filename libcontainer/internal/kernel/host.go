package kernel

// host is what depends on how the host is set up as much as on its kernel:
// what is mounted, enabled by a parameter, limited by a sysctl, installed.
func host() []Feature {
	list := []Feature{{
		Name: "a mount of cgroup2", Since: Version{4, 5}, Required: true, Probe: cgroupMounted,
		UsedFor: "the cgroups of containers",
		Without: "no container can be made",
	}}
	list = append(list, namespaces()...)
	list = append(list, controllers()...)
	list = append(list, []Feature{
		{
			Name: "AppArmor", Since: Version{2, 6}, Config: "SECURITY_APPARMOR", Probe: appArmor,
			UsedFor: "`process.apparmorProfile`",
			Without: "a bundle that names a profile is refused",
		}, {
			Name: "SELinux", Since: Version{2, 6}, Config: "SECURITY_SELINUX", Probe: fileSystem("selinuxfs"),
			UsedFor: "`process.selinuxLabel` and `linux.mountLabel`",
			Without: "a bundle that names a label is refused",
		}, {
			Name: "criu", Since: Version{3, 11}, Probe: program("criu"),
			UsedFor: "`checkpoint` and `restore`; it is a program",
			Without: "containers cannot be checkpointed",
		}, {
			Name: "project quotas on XFS or ext4", Since: Version{4, 5}, Config: "QUOTA", Probe: projectQuotas,
			UsedFor: "limits on disk space that the kernel enforces; a file system has to be mounted with `prjquota`",
			Without: "disk space is measured, not enforced",
		}, {
			Name: "resctrl", Since: Version{4, 10}, Config: "X86_CPU_RESCTRL", Probe: fileSystem("resctrl"),
			UsedFor: "`linux.intelRdt`; the processor has to have it",
			Without: "a bundle that asks for it is refused",
		},
	}...)
	for i := range list {
		list[i].Host = true
	}
	return list
}

// namespaces are all kinds but that of mounts, which every kernel has, and that
// of time.
func namespaces() []Feature {
	const without = "a bundle that asks for one is refused by the kernel"
	return []Feature{
		{
			Name: "ipc namespaces", Since: Version{3, 0}, Config: "IPC_NS", Probe: namespace("ipc"),
			UsedFor: "the namespace `ipc`", Without: without,
		}, {
			Name: "network namespaces", Since: Version{3, 0}, Config: "NET_NS", Probe: namespace("net"),
			UsedFor: "the namespace `network`", Without: without,
		}, {
			Name: "uts namespaces", Since: Version{3, 0}, Config: "UTS_NS", Probe: namespace("uts"),
			UsedFor: "the namespace `uts`, `hostname` and `domainname`", Without: without,
		}, {
			Name: "pid namespaces", Since: Version{3, 8}, Config: "PID_NS", Probe: namespace("pid"),
			UsedFor: "the namespace `pid`", Without: without,
		}, {
			Name: "user namespaces", Since: Version{3, 8}, Config: "USER_NS", Probe: namespace("user"),
			UsedFor: "the namespace `user`, id mappings, and mounts that are mapped", Without: without,
		}, {
			Name: "cgroup namespaces", Since: Version{4, 6}, Config: "CGROUPS", Probe: namespace("cgroup"),
			UsedFor: "the namespace `cgroup`", Without: without,
		}, {
			Name: "time namespaces", Since: Version{5, 6}, Config: "TIME_NS", Probe: namespace("time"),
			UsedFor: "the namespace `time` and `linux.timeOffsets`", Without: without,
		},
	}
}

// controllers are those that limits are set with. A hierarchy of version 1 that
// has a controller keeps it from cgroup2.
func controllers() []Feature {
	var list []Feature
	for _, c := range [...]struct {
		name    string
		since   Version
		config  string
		usedFor string
	}{
		{"io", Version{4, 5}, "BLK_CGROUP", "`linux.resources.blockIO`"},
		{"memory", Version{4, 5}, "MEMCG", "`linux.resources.memory`"},
		{"pids", Version{4, 5}, "CGROUP_PIDS", "`linux.resources.pids`"},
		{"rdma", Version{4, 11}, "CGROUP_RDMA", "`linux.resources.rdma`"},
		{"cpu", Version{4, 15}, "CGROUP_SCHED", "`linux.resources.cpu`"},
		{"cpuset", Version{5, 0}, "CPUSETS", "`linux.resources.cpu.cpus` and `mems`"},
		{"hugetlb", Version{5, 6}, "CGROUP_HUGETLB", "`linux.resources.hugepageLimits`"},
	} {
		list = append(list, Feature{
			Name: "controller " + c.name, Since: c.since, Config: c.config, Probe: controller(c.name),
			UsedFor: c.usedFor,
			Without: "such a limit is an error that names the controller; a hierarchy of version 1 may have it",
		})
	}
	return append(list, Feature{
		Name: "swap accounting", Since: Version{4, 5}, Config: "SWAP", Probe: cgroupFile("memory.swap.max", "memory.max"),
		UsedFor: "`linux.resources.memory.swap`",
		Without: "such a limit is an error that names the file",
	})
}
