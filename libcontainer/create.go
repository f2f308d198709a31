package libcontainer

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/bundle"
	"github.com/mesoc/mesoc/libcontainer/cgroup2"
	"github.com/mesoc/mesoc/libcontainer/cgroup2/devices"
	"github.com/mesoc/mesoc/libcontainer/compile"
	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/launch"
	"github.com/mesoc/mesoc/libcontainer/plan"
	"github.com/mesoc/mesoc/libcontainer/resctrl"
	"github.com/mesoc/mesoc/libcontainer/stage"
	"github.com/mesoc/mesoc/libcontainer/store"
)

// creation is a container that is being made. What is decided, opened and
// checked comes first, with no effect on the host; then the record says what
// is going to be made; then it is made.
type creation struct {
	container
	options CreateOptions
	spec    *specs.Spec
	wishes  bundle.Annotations // of the bundle and of the caller
	parent  *parent            // nil for a container that is nested in none
	plan    *plan.Plan
	inside  []byte // the plan.Inside, encoded
	init    *compile.Init
	mount   cgroup2.Mount
	limits  cgroup2.Limits
	filter  devices.Program
	calls   systemCalls
	inputs  inputs
	pair    *cgroup2.Pair
	class   *resctrl.Class // nil without linux.intelRdt
	child   *launch.Child
	// orphaned says of a supervised child that its supervisor was killed.
	orphaned bool
	below    int // the directory that is going to be copied into a tmpfs
	// console is what an attached run gives init to send its terminal to, or -1.
	console int
	judged  bool // of a restore: its processes have been looked at
}

// Create makes a container: everything but the program. On error nothing is
// left of it.
func (r *Runtime) Create(ctx context.Context, o CreateOptions) error {
	c, err := r.create(ctx, &o, plan.GateSocket, -1)
	c.close()
	return err
}

// create makes a container whose init waits at a gate. On error nothing is
// left of it but what has to be closed. console is donated.
func (r *Runtime) create(ctx context.Context, o *CreateOptions, gate plan.Gate, console int) (*creation, error) {
	c := &creation{container: container{runtime: r}, options: *o, console: console, inputs: inputs{pid: -1}}
	if err := store.ValidID(o.ID); err != nil {
		return c, err
	}
	if err := c.decide(gate); err != nil {
		return c, fmt.Errorf("create container %s: %w", o.ID, err)
	}
	s, err := r.store()
	if err != nil {
		return c, err
	}
	if err := c.parent.adopt(s, o.ID); err != nil {
		return c, fmt.Errorf("create container %s: %w", o.ID, err)
	}
	if c.locked, err = s.Create(o.ID, c.record); err != nil {
		return c, err
	}
	c.parent.close()
	if err := c.make(ctx, gate); err != nil {
		if c.child != nil {
			c.child.Kill()
		}
		return c, fmt.Errorf("create container %s: %w", o.ID, c.undo(err))
	}
	return c, nil
}

// undo destroys the container because of err, with all that was made on the way
// to its cgroup, and returns that with what went wrong meanwhile.
func (c *creation) undo(err error) error {
	undoErr := c.destroy()
	if undoErr == nil && c.pair != nil {
		undoErr = c.pair.Unmake(c.mount)
	}
	return undone(err, undoErr)
}

// close lets go of all that the command has open.
func (c *creation) close() {
	if c == nil {
		return
	}
	c.inputs.close()
	c.parent.close()
	if c.console >= 0 {
		sys.Close(c.console)
	}
	if c.pair != nil {
		c.pair.Close()
	}
	if c.child != nil {
		c.child.Close()
	}
	c.container.close()
}

// make makes what was decided. The child mounts while we set its limits; it
// cannot become the user's program before it is told to.
func (c *creation) make(ctx context.Context, gate plan.Gate) error {
	if err := c.prepareDirectory(); err != nil {
		return err
	}
	if err := c.prepare(ctx); err != nil {
		c.record.Cgroup = "" // what may stand there is not ours to undo
		return err
	}
	if err := c.makeCgroups(); err != nil {
		return err
	}
	spec := launch.Spec{
		Program:      c.init.Program,
		Namespaces:   c.init.CloneFlags,
		Cgroup:       c.pair.Leaf.FD(),
		PidNamespace: c.inputs.pid,
		Inputs:       c.inputs.fds,
		Preserve:     c.plan.PreserveFDs,
		Maps:         c.maps(),
		Alone:        c.limits.OfMemory(),
		Fault:        c.runtime.Fault,
	}
	var err error
	if c.child, err = c.launch(&spec); err != nil {
		return err
	}
	// While the child mounts. Nobody reads it before the record says created.
	if err := writeNew(c.locked.Dir(), insideName, c.inside); err != nil {
		return err
	}
	if err := c.limit(); err != nil {
		return c.explain(err)
	}
	if err := c.isolate(ctx); err != nil {
		return err
	}
	if err := c.accompany(); err != nil {
		return c.explain(err)
	}
	if err := c.adjust(); err != nil {
		return c.explain(err)
	}
	// They are not moved back, so only when nothing is left to do but to tell.
	if err := c.moveNetDevices(); err != nil {
		return err
	}
	if err := c.entrust(); err != nil {
		return err
	}
	if gate == plan.GateParent {
		return nil // run does it while the program starts
	}
	return c.publish()
}

// makeCgroups makes the container's cgroups, and its class of service.
func (c *creation) makeCgroups() (err error) {
	if c.pair, err = cgroup2.Create(c.mount, c.record.Cgroup, c.record.CgroupLeaf, c.limits.Controllers(), !c.record.ShareCgroups); err != nil {
		c.record.Cgroup = "" // what stands there is not ours to undo
		return err
	}
	return c.makeClass()
}

// prepareDirectory makes what the container's directory holds beside the record.
func (c *creation) prepareDirectory() error {
	if os.Getenv("NOTIFY_SOCKET") != "" {
		if err := unix.Mkdirat(c.locked.Dir(), notifyName, 0o755); err != nil {
			return fmt.Errorf("make directory %s: %w", notifyName, err)
		}
	}
	switch {
	case c.plan.Gate != plan.GateSocket:
	case c.init.Listener != 0:
		return c.makePipeGate()
	default:
		fd, err := sys.Listen(unix.SOCK_SEQPACKET, c.locked.Dir(), gateName)
		if err != nil {
			return err
		}
		c.inputs.donate(compile.InputGate, fd)
	}
	return nil
}

// writeNew makes a file that is not there yet.
func writeNew(dir int, name string, data []byte) error {
	fd, err := sys.Openat(dir, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	err = sys.Write(fd, data)
	if closeErr := sys.Close(fd); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// maps are the id mappings of a new user namespace.
func (c *creation) maps() *launch.Maps {
	if !c.plan.IsNew(unix.CLONE_NEWUSER) {
		return nil
	}
	return launch.NewMaps(c.spec.Linux.UIDMappings, c.spec.Linux.GIDMappings)
}

// limit puts the child under the limits of its cgroup: those of memory only
// when running out of it is no longer our own end.
func (c *creation) limit() error {
	if err := c.pair.Filter(c.filter); err != nil {
		return err
	}
	if err := c.child.WaitAlone(); err != nil {
		return err
	}
	return c.pair.Apply(c.limits)
}

// adjust sets what only the runtime has the right to set, on the process that
// stands at the gate: it need not be the one that was cloned.
func (c *creation) adjust() error {
	if c.class != nil {
		if err := c.class.Add(c.child.Pid); err != nil {
			return err
		}
	}
	p := c.plan.Process
	if p == nil {
		return nil
	}
	if err := c.delegateCgroup(); err != nil {
		return err
	}
	if p.OOMScoreAdj != nil {
		if err := setOOMScoreAdj(c.child.Pid, *p.OOMScoreAdj); err != nil {
			return err
		}
	}
	if c.plan.UserMapped {
		for _, l := range compile.EarlyRlimits(p) {
			if err := unix.Prlimit(c.child.Pid, l.Resource, &unix.Rlimit{Cur: l.Soft, Max: l.Hard}, nil); err != nil {
				return fmt.Errorf("set rlimit %s to %d/%d: %w", l.Name, l.Soft, l.Hard, err)
			}
		}
		return prioritise(c.child.Pid, &p.Attributes)
	}
	return nil
}

// accompany answers the child until it stands at the gate.
func (c *creation) accompany() error {
	for {
		event, err := c.child.Next()
		if err != nil {
			return err
		}
		switch event.Code {
		case compile.ToldReady:
			return nil
		case compile.ToldFilter: // it says no more
			return passListener(&c.record, c.plan.Process, c.child, c.init.Listener, Creating)
		}
		err = c.answer(event)
		if event.FD >= 0 {
			sys.Close(event.FD)
		}
		if err != nil {
			return err
		}
	}
}

// answer does what the child waits for, and lets it go on.
func (c *creation) answer(event launch.Event) error {
	missing, copied := int(event.Code)-compile.ToldMissing, int(event.Code)-compile.ToldCopyUp
	source := int(event.Code) - compile.ToldSource
	switch {
	case event.Code == compile.ToldLimits:
		// They are: limit comes before the first answer.
	case event.Code == compile.ToldMap:
		return c.child.Map(c.maps())
	case event.Code == compile.ToldMounted:
		if err := c.createHooks(); err != nil {
			return err
		}
	case missing >= 0 && missing < len(c.init.Missing) && event.FD >= 0:
		m := c.init.Missing[missing]
		own, err := c.rootOwner()
		if err != nil {
			return err
		}
		if err := makeInRoot(event.FD, m.Path, m.File, own); err != nil {
			return err
		}
	case event.Code == compile.ToldBelow && event.FD >= 0:
		var err error
		if c.below, err = duplicate(event.FD); err != nil {
			return err
		}
	case copied >= 0 && copied < len(c.plan.Mounts) && event.FD >= 0:
		err := c.copyUp(&c.plan.Mounts[copied], c.below, event.FD)
		sys.Close(c.below)
		if err != nil {
			return err
		}
	case source >= 0 && source < len(c.plan.Mounts):
		return c.handSource(&c.plan.Mounts[source])
	default:
		return fmt.Errorf("hear from the process: event %d is unknown", event.Code)
	}
	return c.child.Go()
}

// createHooks runs the three kinds of hooks that come before the change of root.
func (c *creation) createHooks() error {
	if err := c.runtimeHooks(c.child.Pid); err != nil {
		return err
	}
	if len(c.hooks.CreateContainer) == 0 {
		return nil
	}
	// The path is the runtime's: the root of the container's mount namespace
	// still is the host's.
	inside, err := insidePlace("createContainer", Creating, c.child.Pid, c.child.Pidfd, namespaceFlags(c.plan))
	if err != nil {
		return err
	}
	inside.cwd, inside.env = c.record.Bundle, stage.Environ()
	return c.runHooks(c.hooks.CreateContainer, inside)
}

// runtimeHooks runs those of them that run in the runtime's namespaces, where
// the process has its own.
func (c *creation) runtimeHooks(pid int) error {
	if c.hooks == nil {
		return nil
	}
	host := runtimePlace("prestart", Creating, pid, c.record.Bundle)
	//lint:ignore SA1019 deprecated, and still due
	if err := c.runHooks(c.hooks.Prestart, host); err != nil {
		return err
	}
	host.kind = "createRuntime"
	return c.runHooks(c.hooks.CreateRuntime, host)
}

// publish makes the container known: as soon as the record says created, the
// create has succeeded.
func (c *creation) publish() error {
	stat, err := sys.ReadStat(c.child.Pid)
	if err != nil {
		return err
	}
	c.record.Pid, c.record.PidStartTime, c.record.Status = c.child.Pid, stat.StartTime, store.Created
	if err := sendPidfd(c.options.PidfdSocket, c.child.Pidfd); err != nil {
		return err
	}
	c.keepClass()
	if err := c.locked.Save(c.record); err != nil {
		return err
	}
	return writePidFile(c.options.PidFile, c.child.Pid)
}

// writePidFile writes a process id where the caller wants it, if anywhere.
// Engines parse it as a bare number: no newline.
func writePidFile(path string, pid int) error {
	if path == "" {
		return nil
	}
	return sys.WriteForeignFileAt(sys.CWD, path, fmt.Append(nil, pid), 0o644)
}

// sendPidfd sends a pidfd to the socket that the caller names, if any.
func sendPidfd(path string, pidfd int) error {
	if path == "" {
		return nil
	}
	sock, err := sys.Connect(unix.SOCK_STREAM, path)
	if err != nil {
		return err
	}
	defer sys.Close(sock)
	if err := sys.SendFD(sock, []byte("pidfd"), pidfd); err != nil {
		return fmt.Errorf("send the pidfd to %s: %w", path, err)
	}
	return nil
}

// explain adds to an error of the child what only we can know: that it was
// the container's own memory limit that killed it.
func (c *creation) explain(err error) error {
	if !errors.Is(err, launch.ErrDied) {
		return err
	}
	if lost := c.child.LostSupervisor(); lost != nil {
		return lost
	}
	// The cgroup knows of the kill before the process is gone.
	if events, oomErr := c.pair.Container.OwnMemoryEvents(c.record.CgroupLeaf); oomErr == nil && events != nil && events.OOMKill > 0 {
		return fmt.Errorf("init was killed by the container's memory limit [raise linux.resources.memory.limit]: %w", err)
	}
	status, waitErr := c.child.Wait()
	switch {
	case waitErr != nil:
		return err
	case status.Signal != 0:
		return fmt.Errorf("init was killed by %s: %w", signalName(status.Signal), err)
	}
	return fmt.Errorf("init ended with status %d: %w", status.Code, err)
}
