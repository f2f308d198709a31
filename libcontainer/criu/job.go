package criu

import "github.com/checkpoint-restore/go-criu/v8/rpc"

// Operation is what criu is to do.
type Operation int

const (
	Dump    Operation = iota // save processes, and end them unless LeaveRunning
	PreDump                  // save their memory, and watch what changes of it
	Restore                  // bring them back
)

func (o Operation) request() rpc.CriuReqType {
	switch o {
	case PreDump:
		return rpc.CriuReqType_PRE_DUMP
	case Restore:
		return rpc.CriuReqType_RESTORE
	}
	return rpc.CriuReqType_DUMP
}

// Job is one request. All descriptors are the caller's, and borrowed. What is
// not explained is criu's option of that name (criu(8)).
type Job struct {
	Do      Operation
	Program string // as Find gives it

	Images     int    // the directory of the images
	Work       int    // the directory of the log
	Log        string // its name there
	LogPath    string // what to call it in errors
	Parent     string // the images that these only add to, relative to Images
	ConfigFile string // with options that override these; empty for none

	Pid          int    // what is dumped: the first process of a tree
	FreezeCgroup string // the cgroup that is frozen meanwhile
	Root         string // the root of what is restored: a mount point

	// Cgroup is the one that criu, and with it all that it restores, is born
	// into, or -1. CgroupNamespace makes it the root of a new namespace.
	Cgroup          int
	CgroupNamespace bool

	// Mounts are those that are not the container's: for a dump what to call
	// them, for a restore where to find what has that name.
	Mounts []Mount
	// External are other resources that are not the container's, when dumping.
	External []string
	// Inherit are descriptors that take the place of those, when restoring.
	Inherit []Inherited
	// Join are namespaces that what is restored is put into.
	Join []Namespace
	// EmptyNamespaces are the kinds (CLONE_NEW*) whose contents are not saved.
	EmptyNamespaces uint32

	LeaveRunning, ShellJob, FileLocks, LinkRemap, AutoDedup bool
	TCPEstablished, TCPSkipInFlight, TCPClose, ExtUnixSk    bool
	LSMProfile, LSMMountContext                             string
	// NetworkLock is how the network is stopped while dumping: "iptables",
	// "nftables" or "skip"; empty for criu's own choice.
	NetworkLock string
}

// Mount is a mount that is not the container's.
type Mount struct{ Key, Value string }

// Inherited is a descriptor that criu gets.
type Inherited struct {
	Key string // which resource it is
	FD  int    // or Null
}

// Null stands for the null device, open for reading and writing.
const Null = -1

// Namespace is a namespace to join.
type Namespace struct{ Kind, Path string } // "ipc", a file

// options are the job in criu's words.
func (j *Job) options() *rpc.CriuOpts {
	o := &rpc.CriuOpts{
		ImagesDirFd:   new(int32(j.Images)),
		WorkDirFd:     new(int32(j.Work)),
		LogFile:       &j.Log,
		LogLevel:      new(int32(logLevel)),
		NotifyScripts: new(true),
		// The cgroups are the caller's business: what is restored is born into one.
		ManageCgroupsMode: rpc.CriuCgMode_IGNORE.Enum(),

		ShellJob: &j.ShellJob, FileLocks: &j.FileLocks, LinkRemap: &j.LinkRemap, AutoDedup: &j.AutoDedup,
		TcpEstablished: &j.TCPEstablished, TcpClose: &j.TCPClose, ExtUnixSk: &j.ExtUnixSk,
		EmptyNs:         &j.EmptyNamespaces,
		OrphanPtsMaster: new(true),
		External:        j.External,
		ParentImg:       text(j.Parent),
		ConfigFile:      text(j.ConfigFile),
		LsmProfile:      text(j.LSMProfile),
		LsmMountContext: text(j.LSMMountContext),
	}
	for i := range j.Mounts {
		o.ExtMnt = append(o.ExtMnt, &rpc.ExtMountMap{Key: &j.Mounts[i].Key, Val: &j.Mounts[i].Value})
	}
	for i := range j.Inherit {
		o.InheritFd = append(o.InheritFd, &rpc.InheritFd{Key: &j.Inherit[i].Key, Fd: new(int32(firstInherited + i))})
	}
	for i := range j.Join {
		o.JoinNs = append(o.JoinNs, &rpc.JoinNamespace{Ns: &j.Join[i].Kind, NsFile: &j.Join[i].Path})
	}
	if j.Do == Restore {
		// A sibling of criu's is the child of who started criu, and can be waited for.
		o.RstSibling = new(true)
		o.Root = &j.Root
		return o
	}
	o.Pid = new(int32(j.Pid))
	o.LeaveRunning, o.TcpSkipInFlight = &j.LeaveRunning, &j.TCPSkipInFlight
	o.FreezeCgroup = text(j.FreezeCgroup)
	switch j.NetworkLock {
	case "iptables":
		o.NetworkLock = rpc.CriuNetworkLockMethod_IPTABLES.Enum()
	case "nftables":
		o.NetworkLock = rpc.CriuNetworkLockMethod_NFTABLES.Enum()
	case "skip":
		o.NetworkLock = rpc.CriuNetworkLockMethod_SKIP.Enum()
	}
	if j.Do == PreDump || j.Parent != "" {
		o.TrackMem = new(true)
	}
	return o
}

// logLevel has criu write down all that it does: what led to an error can only
// be seen afterwards.
const logLevel = 4

func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
