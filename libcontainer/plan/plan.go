// Package plan holds the decision: what is going to be done for a container,
// with every default filled in, every name resolved and every path absolute.
// The OCI spec is the wish, the Plan is what will happen; package compile
// turns it into a program and nobody edits it after that.
//
// It is pure data. It also holds the tables of names that the spec uses
// (mount options, capabilities, rlimits, sysctls), because validation and
// decision must agree on them. It makes no system call and imports no other
// package of ours.
package plan

import "golang.org/x/sys/unix"

// Plan is one container's init.
type Plan struct {
	ID         string
	Hostname   string
	Domainname string
	Namespaces []Namespace
	// UserMapped says that the user namespace is not the runtime's own.
	UserMapped  bool
	TimeOffsets []TimeOffset
	Rootfs      Rootfs
	Mounts      []Mount
	Devices     []Device
	// OwnDev says that /dev is the container's own, so that default nodes and
	// links may be made in it. It is not when the host's is bound there.
	OwnDev        bool
	MaskedPaths   []string
	ReadonlyPaths []string
	// MountLabel is the SELinux context of what the runtime mounts; empty for none.
	MountLabel string
	Sysctls    []Sysctl
	// Keyring is the name of the session keyring to join; empty for none.
	Keyring string
	Process *Process // nil: the container cannot be started
	Hooks   bool     // hooks run before the root is changed, and init waits for them
	Gate    Gate
	// PreserveFDs is how many descriptors from 3 on the program inherits.
	PreserveFDs int
	Cgroup      Cgroup
}

// Gate says what init waits for before it runs the program.
type Gate int

const (
	// GateSocket waits for a connection to the listening socket of the container.
	GateSocket Gate = iota
	// GateParent waits for the runtime that created it.
	GateParent
)

// Namespace is one kind of namespace that is not the runtime's own.
type Namespace struct {
	Flag int    // CLONE_NEW*
	Type string // "network", as the spec names it
	Path string // joined if not empty, else new
	// Inherited says that it is the parent's, and joined for that: Path says
	// where it is, for people.
	Inherited bool
}

// Namespace of that kind, or nil if the container has the runtime's own.
func (p *Plan) Namespace(flag int) *Namespace {
	for i := range p.Namespaces {
		if p.Namespaces[i].Flag == flag {
			return &p.Namespaces[i]
		}
	}
	return nil
}

// IsNew says whether the container gets a namespace of that kind made for it.
func (p *Plan) IsNew(flag int) bool {
	n := p.Namespace(flag)
	return n != nil && n.Path == ""
}

// TimeOffset is one line for timens_offsets (time_namespaces(7)).
type TimeOffset struct {
	Clock string
	Secs  int64
	Nanos uint32
}

// Rootfs is the container's root.
type Rootfs struct {
	Path        string // absolute
	Readonly    bool
	Propagation uintptr // MS_*, with MS_REC; 0 for the default
	// NoPivot moves the root over / and changes into it, for hosts whose root
	// is the initial ramfs.
	NoPivot bool
	// Cover are the host's own proc and sysfs mounts, which NoPivot would
	// leave reachable.
	Cover []string
}

// Mount is one mount below the root.
type Mount struct {
	Destination string // cleaned, absolute in the container
	Type        string
	Source      string // absolute for binds
	MountOptions
	// Label is the SELinux context that the top gets once it is mounted, where
	// it cannot be an option; empty for none.
	Label string
	// IDMapped says that the source arrives as a tree of mounts that has its
	// ids mapped already.
	IDMapped bool
}

// Device is a node to make.
type Device struct {
	Path         string
	Type         uint32 // S_IFCHR, S_IFBLK or S_IFIFO
	Major, Minor uint32
	Mode         uint32 // permission bits
	UID, GID     uint32
	Default      bool // made because the spec says so, not because the config does
}

// Sysctl is one value to write below /proc/sys.
type Sysctl struct {
	Name  string // as the config has it
	Path  string // relative to /proc/sys
	Value string
}

// Process is the program that the container is for.
type Process struct {
	Terminal     bool
	Rows, Cols   uint16 // 0 for no wish
	UID, GID     uint32
	Groups       []uint32
	Umask        uint32
	Args         []string
	Env          []string
	Cwd          string
	Capabilities Capabilities
	NoNewPrivs   bool
	OOMScoreAdj  *int
	Rlimits      []Rlimit
	Seccomp      *Seccomp // nil for no filter
	Labels       Labels
	Attributes   Attributes
	// ExecAffinity is for processes that are executed in the container; its own
	// first one has no use for it.
	ExecAffinity Affinity
}

// Seccomp is a system call filter, ready for seccomp(2).
type Seccomp struct {
	Flags   uint32 // SECCOMP_FILTER_FLAG_*
	Program []unix.SockFilter
	// Listener says who is notified; nil if no rule notifies anyone. With it,
	// Flags has SECCOMP_FILTER_FLAG_NEW_LISTENER.
	Listener *Listener
}

// Listener is where the listener of a filter goes.
type Listener struct {
	Path     string // an absolute path of the runtime's: the agent's socket
	Metadata string // opaque, for the agent
}

// Capabilities are the five sets, a bit for each capability.
type Capabilities struct {
	Bounding, Effective, Inheritable, Permitted, Ambient uint64
}

// Rlimit is one resource limit.
type Rlimit struct {
	Resource   int // RLIMIT_*
	Name       string
	Soft, Hard uint64
}

// Cgroup is where the container is counted.
type Cgroup struct {
	Mount string // where cgroup2 is mounted on the host
	Path  string // relative to the mount, without a leading slash
	Leaf  string // name of the cgroup below it that holds the processes
}
