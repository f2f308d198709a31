// Package libcontainer tells the story of a container: create, start, run,
// exec, pause, kill, wait, delete, recover, state, list. It owns the order of things and nothing else:
// what a bundle means is decided in bundle and plan, what the container's
// init does in compile, how it is started in launch, where it is counted in
// cgroup2, and what is remembered in store.
//
// Its callers are the commands of the root package; it prints nothing and
// never exits.
package libcontainer

import (
	"time"

	"github.com/mesoc/mesoc/libcontainer/bundle"
	"github.com/mesoc/mesoc/libcontainer/isolator"
	"github.com/mesoc/mesoc/libcontainer/plan"
	"github.com/mesoc/mesoc/libcontainer/program"
	"github.com/mesoc/mesoc/libcontainer/resctrl"
	"github.com/mesoc/mesoc/libcontainer/store"
)

// Runtime is what every operation needs to know of the operator's settings.
type Runtime struct {
	// Root is the state directory, absolute.
	Root string
	// CgroupsRoot is the cgroup below which containers get theirs,
	// relative to the cgroup2 mount.
	CgroupsRoot string
	// CgroupsLeaf is the name of the cgroup that holds a container's processes.
	CgroupsLeaf string
	// Policy says which annotations of ours count.
	Policy bundle.Policy
	// Isolators are the ones that are built. Those that are enabled are Policy's.
	Isolators []isolator.Isolator
	// Trace, if set, is told what is done, step by step (--debug).
	Trace func(format string, args ...any)
	// Warn, if set, is told what went wrong without failing the operation.
	Warn func(format string, args ...any)
	// Advise, if set, is told what is odd about a bundle that works all the same.
	Advise func(format string, args ...any)
	// Fault, if set, makes one step of init's program fail; for tests.
	Fault *program.Fault
	// SupervisorFault is that for the program of the supervisor.
	SupervisorFault *program.Fault
	// resctrl, if set, takes the place of the mounted one; for tests.
	resctrl *resctrl.Tree
}

// CreateOptions are the wishes of a caller of Create beyond the bundle.
type CreateOptions struct {
	ID            string
	Bundle        string // directory, relative to the working directory or absolute
	PidFile       string // where to write init's pid; empty for nowhere
	ConsoleSocket string // AF_UNIX socket that is sent the terminal
	PidfdSocket   string // AF_UNIX socket that is sent init's pidfd
	NoPivot       bool   // MS_MOVE and chroot instead of pivot_root
	NoNewKeyring  bool   // keep the caller's session keyring
	PreserveFDs   int    // descriptors 3 to 3+N-1 are handed on
	Annotations   map[string]string
}

// RunOptions are those of Create and what becomes of the container.
type RunOptions struct {
	CreateOptions
	Detach      bool // return as soon as the program runs
	Keep        bool // do not delete the container when it has ended
	NoSubreaper bool // do not adopt the container's orphans
}

// ExecOptions say what to run in a container, and how.
type ExecOptions struct {
	ID string
	// ProcessFile has what config.json has as process. Without one the process
	// is the container's first but for the wishes.
	ProcessFile   string
	Wishes        Wishes
	PidFile       string // as in CreateOptions
	ConsoleSocket string
	PidfdSocket   string
	PreserveFDs   int
	Cgroup        string // below the container's leaf; empty for that
	Detach        bool   // return as soon as the program runs
	IgnorePaused  bool   // the program then runs when the container is resumed
}

// Wishes are how another process of a container is to be other than its first.
type Wishes = plan.Wishes

// KillOptions say whom a signal is for.
type KillOptions struct {
	All bool // every process of the container instead of init alone
}

// DeleteOptions say how far Delete may go.
type DeleteOptions struct {
	// Force kills what runs and removes what is half made; an unknown id is success.
	Force bool
}

// Status is the status of a container as the runtime-spec names it.
type Status string

// The statuses of the runtime-spec, and paused, which engines know.
const (
	Creating Status = "creating"
	Created  Status = "created"
	Running  Status = "running"
	Paused   Status = "paused"
	Stopped  Status = "stopped"
)

// State is what `state` and `list` print: runc's fields in runc's order, and
// the object mesoc.
type State struct {
	OCIVersion  string            `json:"ociVersion"`
	ID          string            `json:"id"`
	Pid         int               `json:"pid"`
	Status      Status            `json:"status"`
	Bundle      string            `json:"bundle"`
	Rootfs      string            `json:"rootfs"`
	Created     time.Time         `json:"created"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Owner       string            `json:"owner"`
	Mesoc       *Extension        `json:"mesoc,omitempty"`
}

// Extension is what mesoc knows of a container beyond runc's fields.
type Extension struct {
	Parent      string       `json:"parent,omitempty"`    // the container that it is nested in
	Children    []string     `json:"children,omitempty"`  // those that are nested in it
	Isolation   []string     `json:"isolation,omitempty"` // names of isolators
	Cgroup      *CgroupPaths `json:"cgroup,omitempty"`
	Termination *Termination `json:"termination,omitempty"`
}

// Termination is how a container's init ended: with an exit code or by a
// signal, and for which limit, if for one. A limit that was enforced without
// anybody having seen the end has neither of the first two.
type Termination struct {
	ExitCode   *int       `json:"exit_code,omitempty"`
	Signal     int        `json:"signal,omitempty"`
	Reason     Reason     `json:"reason,omitempty"`
	Message    string     `json:"message,omitempty"`
	Resources  *Resources `json:"resources,omitempty"`
	FinishedAt *time.Time `json:"finished_at,omitempty"` // when it was seen to end
}

// Reason names a kind of limit as Mesos does.
type Reason = store.Reason

// Resources are the limits that were hit, under Mesos' names and in its unit,
// megabytes of 2^20 bytes.
type Resources struct {
	Mem  float64 `json:"mem,omitempty"`
	Disk float64 `json:"disk,omitempty"`
}

// CgroupPaths are a container's two cgroups, relative to the cgroup2 mount.
type CgroupPaths struct {
	Path string `json:"path"`
	Leaf string `json:"leaf"`
}
