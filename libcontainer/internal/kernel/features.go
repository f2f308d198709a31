package kernel

import (
	"slices"

	"golang.org/x/sys/unix"
)

// Features is the table: what is required first, then the rest, each in the
// order of the versions that brought it.
func Features() []Feature {
	return slices.Concat(required(), optional(), host())
}

func required() []Feature {
	const nothing = "no container can be made"
	return []Feature{
		{
			Name: "memfd_create and seals", Since: Version{3, 17}, Required: true, Probe: memfdSeals,
			Calls:   []string{"memfd_create"},
			UsedFor: "the program that a container's init runs, which nobody can change any more",
			Without: nothing,
		}, {
			Name: "execveat", Since: Version{3, 19}, Required: true, Probe: execveat,
			Calls:   []string{"execveat"},
			UsedFor: "starting init from a descriptor of a protected copy of mesoc's executable",
			Without: nothing,
		}, {
			Name: "cgroup2", Since: Version{4, 5}, Required: true, Probe: cgroup2,
			UsedFor: "containers' limits, and knowing and ending all their processes",
			Without: nothing + "; the hierarchies of version 1 are not used",
		}, {
			Name: "statx", Since: Version{4, 11}, Required: true, Probe: statx,
			Calls:   []string{"statx"},
			UsedFor: "looking at mount targets and device nodes through handles",
			Without: nothing,
		}, {
			Name: "device programs on cgroup2", Since: Version{4, 15}, Config: "CGROUP_BPF", Required: true, Probe: deviceProgram,
			Calls:   []string{"bpf"},
			UsedFor: "`linux.resources.devices`, and denying all devices but the harmless ones",
			Without: nothing + ", for it could use every device",
		}, {
			Name: "pidfd_send_signal", Since: Version{5, 1}, Required: true, Probe: pidfdSendSignal,
			Calls:   []string{"pidfd_send_signal"},
			UsedFor: "signals that cannot reach a process that has the pid of one that ended",
			Without: "kill and delete refuse to signal",
		}, {
			Name: "open_tree, move_mount", Since: Version{5, 2}, Required: true, Probe: mountAPI,
			Calls:   []string{"open_tree", "move_mount"},
			UsedFor: "bind mounts and placing all mounts through handles, with no path to race with",
			Without: nothing,
		}, {
			Name: "fsopen, fsmount", Since: Version{5, 2}, Required: true, Probe: fsopen,
			Calls:   []string{"fsopen", "fsconfig", "fsmount"},
			UsedFor: "one empty read-only directory that covers every masked directory",
			Without: "a container with masked paths cannot be made",
		}, {
			Name: "clone3", Since: Version{5, 3}, Required: true, Probe: clone3,
			Calls:   []string{"clone3"},
			UsedFor: "making init in its namespaces, with its pidfd, in one call",
			Without: nothing,
		}, {
			Name: "pidfd_open", Since: Version{5, 3}, Required: true, Probe: pidfdOpen,
			Calls:   []string{"pidfd_open"},
			UsedFor: "a handle on the process that a state file names, checked by its start time",
			Without: "kill, start and delete cannot find init",
		}, {
			Name: "waitid(P_PIDFD)", Since: Version{5, 4}, Required: true, Probe: waitidPidfd,
			UsedFor: "learning how init and hooks ended",
			Without: nothing,
		}, {
			Name: "openat2", Since: Version{5, 6}, Required: true, Probe: openat2,
			Calls:   []string{"openat2"},
			UsedFor: "paths inside a container's root that no symlink can lead out of it",
			Without: nothing,
		}, {
			Name: "CLONE_INTO_CGROUP", Since: Version{5, 7}, Required: true, Probe: cloneIntoCgroup,
			UsedFor: "init is born in its cgroup, so that nothing of it is ever counted elsewhere; moving it there takes milliseconds",
			Without: nothing,
		}, {
			Name: "faccessat2", Since: Version{5, 8}, Required: true, Probe: faccessat2,
			Calls:   []string{"faccessat2"},
			UsedFor: "finding the program of a container in its PATH with the rights it will have",
			Without: nothing,
		}, {
			Name: "close_range", Since: Version{5, 9}, Required: true, Probe: closeRange,
			Calls:   []string{"close_range"},
			UsedFor: "closing every descriptor before a container's program starts",
			Without: nothing,
		}, {
			Name: "CLOSE_RANGE_CLOEXEC", Since: Version{5, 11}, Required: true, Probe: closeRangeCloexec,
			UsedFor: "the same on init's first step, against descriptors that the caller has left open",
			Without: nothing,
		}, {
			Name: "mount_setattr", Since: Version{5, 12}, Required: true, Probe: mountSetattr,
			Calls:   []string{"mount_setattr"},
			UsedFor: "options of bind mounts, also recursive ones (`rro`), and the protected copy of mesoc's executable",
			Without: nothing,
		},
	}
}

func optional() []Feature {
	return []Feature{
		{
			Name: "memory policies", Since: Version{2, 6}, Config: "NUMA", Probe: memoryPolicy(mpolBind),
			UsedFor: "`linux.memoryPolicy`",
			Without: "a bundle that asks for one is refused by the kernel",
		}, {
			Name: "session keyrings", Since: Version{2, 6}, Config: "KEYS", Probe: keyrings,
			UsedFor: "a keyring of the container's own instead of the caller's",
			Without: "there is none to protect",
		}, {
			Name: "seccomp filters", Since: Version{3, 17}, Config: "SECCOMP_FILTER", Probe: setModeFilter(0),
			UsedFor: "`linux.seccomp`",
			Without: "a bundle that has one is refused by the kernel",
		}, {
			Name: "TIOCGPTPEER", Since: Version{4, 13}, Probe: ptyPeer,
			UsedFor: "opening a container's terminal through its master instead of by a name",
			Without: "a container with a terminal cannot be made",
		}, {
			Name: "seccomp user notification", Since: Version{5, 0}, Config: "SECCOMP_FILTER", Probe: seccompNotify,
			UsedFor: "`SCMP_ACT_NOTIFY` and `linux.seccomp.listenerPath`",
			Without: "a bundle that asks for it is refused by the kernel",
		}, {
			Name: "cgroup.freeze", Since: Version{5, 2}, Probe: cgroupFile("cgroup.freeze", "cgroup.events"),
			UsedFor: "telling paused containers, and refusing a frozen cgroup at create",
			Without: "no container is ever seen as paused",
		}, {
			Name: "/proc/PID/attr/apparmor", Since: Version{5, 8}, Config: "SECURITY_APPARMOR", Probe: apparmorAttributes,
			UsedFor: "`process.apparmorProfile`",
			Without: "`/proc/PID/attr/exec` is used; where AppArmor is off, a bundle with a profile is refused",
		}, {
			Name: "MOUNT_ATTR_IDMAP", Since: Version{5, 12}, Probe: mountAttr(unix.MOUNT_ATTR_IDMAP),
			UsedFor: "the mount options `idmap` and `ridmap`; each file system has to support it, too",
			Without: "a bundle that asks for them is refused by the kernel",
		}, {
			Name: "cgroup.kill", Since: Version{5, 14}, Probe: cgroupFile("cgroup.kill", "cgroup.events"),
			UsedFor: "killing all processes of a container at once, also those that fork faster than one can signal",
			Without: "each process is killed by its pidfd until none is left",
		}, {
			Name: "MOUNT_ATTR_NOSYMFOLLOW", Since: Version{5, 14}, Probe: mountAttr(unix.MOUNT_ATTR_NOSYMFOLLOW),
			UsedFor: "the mount option `nosymfollow` of bind mounts",
			Without: "a bundle that asks for it is refused by the kernel",
		}, {
			Name: "cpu.max.burst", Since: Version{5, 14}, Config: "CFS_BANDWIDTH", Probe: cgroupFile("cpu.max.burst", "cpu.weight"),
			UsedFor: "`linux.resources.cpu.burst`",
			Without: "a bundle that asks for it is refused",
		}, {
			Name: "cpu.idle", Since: Version{5, 15}, Probe: cgroupFile("cpu.idle", "cpu.weight"),
			UsedFor: "`linux.resources.cpu.idle`",
			Without: "a bundle that asks for it is refused",
		}, {
			Name: "MPOL_PREFERRED_MANY", Since: Version{5, 15}, Config: "NUMA", Probe: memoryPolicy(mpolPreferredMany),
			UsedFor: "this mode of `linux.memoryPolicy`",
			Without: "a bundle that asks for it is refused by the kernel",
		}, {
			Name: "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", Since: Version{5, 19}, Config: "SECCOMP_FILTER",
			Probe:   setModeFilter(unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV),
			UsedFor: "the flag of that name",
			Without: "a bundle that asks for it is refused by the kernel",
		}, {
			Name: "MFD_NOEXEC_SEAL", Since: Version{6, 3}, Probe: memfdNoexec,
			UsedFor: "the same program as not executable, which the sysctl `vm.memfd_noexec` can demand",
			Without: "the file could be executed, were it one; it is sealed all the same",
		}, {
			Name: "MPOL_WEIGHTED_INTERLEAVE", Since: Version{6, 9}, Config: "NUMA", Probe: memoryPolicy(mpolWeightedInterleave),
			UsedFor: "this mode of `linux.memoryPolicy`",
			Without: "a bundle that asks for it is refused by the kernel",
		}, {
			Name: "PIDFD_INFO_EXIT", Since: Version{6, 15}, Probe: pidfdExitInfo,
			UsedFor: "the commands `wait` and `watch`: how a process has ended that is no child of ours",
			Without: "the end of a container without `--supervise` is known only to a `watch` that is faster than the parent of the process, and to a `wait` that is that or may listen to the kernel's process events (CAP_NET_ADMIN in the host's first namespaces, CONFIG_PROC_EVENTS)",
		},
	}
}
