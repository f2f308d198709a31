package plan

import "golang.org/x/sys/unix"

// NamespaceKind is one of the kernel's kinds of namespaces.
type NamespaceKind struct {
	Type string // as the spec calls it: "network"
	File string // below /proc/PID/ns: "net"
	Flag uint64 // CLONE_NEW*
}

// namespaceKinds are in the order in which they are listed by `features`.
var namespaceKinds = [...]NamespaceKind{
	{"cgroup", "cgroup", unix.CLONE_NEWCGROUP},
	{"ipc", "ipc", unix.CLONE_NEWIPC},
	{"mount", "mnt", unix.CLONE_NEWNS},
	{"network", "net", unix.CLONE_NEWNET},
	{"pid", "pid", unix.CLONE_NEWPID},
	{"time", "time", unix.CLONE_NEWTIME},
	{"user", "user", unix.CLONE_NEWUSER},
	{"uts", "uts", unix.CLONE_NEWUTS},
}

// NamespaceByName is the kind of namespace that the spec calls by this name.
func NamespaceByName(name string) (kind NamespaceKind, known bool) {
	for i := range namespaceKinds {
		if namespaceKinds[i].Type == name {
			return namespaceKinds[i], true
		}
	}
	return NamespaceKind{}, false
}

// NamespaceKinds are all kinds of namespaces, sorted by the spec's names.
func NamespaceKinds() []NamespaceKind {
	return append([]NamespaceKind(nil), namespaceKinds[:]...)
}

// clockNames are the clocks that a time namespace can shift, as the spec and
// the kernel's timens_offsets call them.
var clockNames = [...]string{"monotonic", "boottime"}

// ClockByName is the number of a clock of a time namespace, by its name.
func ClockByName(name string) (id int, known bool) {
	switch name {
	case clockNames[0]:
		return unix.CLOCK_MONOTONIC, true
	case clockNames[1]:
		return unix.CLOCK_BOOTTIME, true
	}
	return 0, false
}
