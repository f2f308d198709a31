package plan

import "strconv"

// capabilityNames are the kernel's capabilities; the index is the bit.
var capabilityNames = [...]string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER",
	"CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID",
	"CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST",
	"CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER",
	"CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE",
	"CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE",
	"CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD",
	"CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL", "CAP_SETFCAP",
	"CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
}

// CapabilityByName is the bit of a capability by its name ("CAP_CHOWN").
func CapabilityByName(name string) (bit int, known bool) {
	for i := range capabilityNames {
		if capabilityNames[i] == name {
			return i, true
		}
	}
	return 0, false
}

// CapabilityNames are the names of all capabilities in the order of their bits.
func CapabilityNames() []string {
	return append([]string(nil), capabilityNames[:]...)
}

// CapabilityName is the name of a bit, or a number for bits without a name.
func CapabilityName(bit int) string {
	if bit >= 0 && bit < len(capabilityNames) {
		return capabilityNames[bit]
	}
	return "capability " + strconv.Itoa(bit)
}

// CapabilityMask is the set of the named capabilities as capset(2) takes it.
// Names that nobody knows are left out: the spec wants a warning about them
// and no error, and bundle has given it.
func CapabilityMask(names []string) uint64 {
	var mask uint64
	for _, name := range names {
		if bit, known := CapabilityByName(name); known {
			mask |= 1 << bit
		}
	}
	return mask
}
