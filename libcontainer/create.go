package libcontainer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/bundle"
	"github.com/mesoc/mesoc/libcontainer/cgroup2"
	"github.com/mesoc/mesoc/libcontainer/cgroup2/devices"
	"github.com/mesoc/mesoc/libcontainer/compile"
	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/launch"
	"github.com/mesoc/mesoc/libcontainer/plan"
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
	plan    *plan.Plan
	init    *compile.Init
	mount   cgroup2.Mount
	limits  cgroup2.Limits
	filter  devices.Program
	inputs  inputs
	pair    *cgroup2.Pair
	child   *launch.Child
	// terminal is our end of the console socket of an attached run, or -1.
	terminal int
}

// Create makes a container: everything but the program. On error nothing is
// left of it.
func (r *Runtime) Create(ctx context.Context, o CreateOptions) error {
	c, err := r.create(ctx, &o, plan.GateSocket, -1)
	c.close()
	return err
}

// create makes a container whose init waits at a gate. On error nothing is
// left of it but what has to be closed.
func (r *Runtime) create(ctx context.Context, o *CreateOptions, gate plan.Gate, console int) (*creation, error) {
	c := &creation{container: container{runtime: r}, options: *o, terminal: console}
	if err := c.decide(gate); err != nil {
		return c, fmt.Errorf("create container %s: %w", o.ID, err)
	}
	s, err := r.store()
	if err != nil {
		return c, err
	}
	if c.locked, err = s.Create(o.ID, c.record); err != nil {
		return c, err
	}
	if err := c.make(ctx); err != nil {
		if c.child != nil {
			c.child.Kill()
		}
		if undoErr := c.destroy(); undoErr != nil {
			err = errors.Join(err, fmt.Errorf("undo it: %w", undoErr))
		}
		return c, fmt.Errorf("create container %s: %w", o.ID, err)
	}
	return c, nil
}

// close lets go of all that the command has open.
func (c *creation) close() {
	if c == nil {
		return
	}
	c.inputs.close()
	if c.pair != nil {
		c.pair.Close()
	}
	if c.child != nil {
		c.child.Close()
	}
	c.container.close()
}

// decide reads the bundle and decides everything.
func (c *creation) decide(gate plan.Gate) error {
	if err := store.ValidID(c.options.ID); err != nil {
		return err
	}
	handed, err := socketActivation(c.options.PreserveFDs)
	if err != nil {
		return err
	}
	b, err := bundle.Load(c.options.Bundle)
	if err != nil {
		return err
	}
	for _, w := range b.Warnings {
		c.runtime.trace("warning: %s", w)
	}
	c.spec, c.hooks = b.Spec, b.Spec.Hooks
	if c.mount, err = cgroup2.FindMount(); err != nil {
		return err
	}
	var resources *specs.LinuxResources
	if c.spec.Linux != nil {
		resources = c.spec.Linux.Resources
	}
	if c.limits, err = cgroup2.Translate(resources); err != nil {
		return err
	}
	for _, i := range c.limits.Ignored {
		c.runtime.trace("warning: %s: ignored: %s", i.Field, i.Why)
	}
	if c.filter, err = devices.Compile(append(c.limits.Devices, devices.Defaults(devicePaths(c.spec)...)...)); err != nil {
		return err
	}
	if err := c.describe(b); err != nil {
		return err
	}
	if err := c.planInit(b, gate, handed); err != nil {
		return err
	}
	return c.open(gate)
}

// devicePaths are the nodes that the config defines itself.
func devicePaths(spec *specs.Spec) []string {
	if spec.Linux == nil {
		return nil
	}
	paths := make([]string, len(spec.Linux.Devices))
	for i := range spec.Linux.Devices {
		paths[i] = spec.Linux.Devices[i].Path
	}
	return paths
}

// describe fills in the record.
func (c *creation) describe(b *bundle.Bundle) error {
	annotations := b.Spec.Annotations
	if len(c.options.Annotations) > 0 {
		annotations = make(map[string]string, len(b.Spec.Annotations)+len(c.options.Annotations))
		for _, from := range []map[string]string{b.Spec.Annotations, c.options.Annotations} {
			for k, v := range from {
				annotations[k] = v
			}
		}
	}
	c.record = store.Record{
		ID:          c.options.ID,
		OCIVersion:  b.Spec.Version,
		Bundle:      b.Dir,
		Rootfs:      b.Rootfs,
		Created:     time.Now(),
		Status:      store.Creating,
		InitName:    compile.ProcessName,
		Cgroup:      c.cgroupPath(),
		CgroupLeaf:  c.runtime.CgroupsLeaf,
		CgroupMount: c.mount.Path,
		Annotations: annotations,
		HasProcess:  b.Spec.Process != nil,
		Owner:       uint32(os.Geteuid()),
	}
	var err error
	if c.record.BootID, err = sys.BootID(); err != nil {
		return err
	}
	if c.hooks != nil {
		if c.record.Hooks, err = json.Marshal(c.hooks); err != nil {
			return fmt.Errorf("write down the hooks: %w", err)
		}
	}
	// A cgroup that stands there already is not ours to remove.
	exists, err := cgroup2.Exists(c.mount, c.record.Cgroup)
	c.record.CgroupMade = !exists
	return err
}

// cgroupPath is the container's cgroup, relative to the cgroup2 mount.
func (c *creation) cgroupPath() string {
	if l := c.spec.Linux; l != nil && l.CgroupsPath != "" {
		return strings.TrimPrefix(path.Clean("/"+l.CgroupsPath), "/")
	}
	return path.Join(c.runtime.CgroupsRoot, c.options.ID)
}

// planInit decides what init does, and writes its program.
func (c *creation) planInit(b *bundle.Bundle, gate plan.Gate, handed activation) error {
	o := plan.Options{
		ID:          c.options.ID,
		Bundle:      b.Dir,
		Rootfs:      b.Rootfs,
		Gate:        gate,
		NoPivot:     c.options.NoPivot,
		NoKeyring:   c.options.NoNewKeyring,
		PreserveFDs: c.options.PreserveFDs + handed.listen,
		Env:         handed.env,
		Cgroup:      plan.Cgroup{Mount: c.record.CgroupMount, Path: c.record.Cgroup, Leaf: c.record.CgroupLeaf},
		Held:        heldCapabilities(),
	}
	if o.NoPivot {
		var err error
		if o.Cover, err = hostProcMounts(b.Rootfs); err != nil {
			return err
		}
	}
	if os.Getenv("NOTIFY_SOCKET") != "" {
		o.Env = append(o.Env, "NOTIFY_SOCKET="+notifyInside)
	}
	p, err := plan.New(c.spec, o)
	if err != nil {
		return err
	}
	if os.Getenv("NOTIFY_SOCKET") != "" {
		p.Mounts = append(p.Mounts, notifyMount(c.path(notifyName)))
	}
	if p.Process != nil {
		if err := c.setHome(p); err != nil {
			return err
		}
		restoreNofile(p.Process)
	}
	if missing := missingCapabilities(c.spec, o.Held); missing != "" && !p.UserMapped {
		c.runtime.trace("warning: %s: not held by the runtime, so not given to container %s", missing, c.options.ID)
	}
	c.plan = p
	c.init, err = compile.NewInit(p)
	if err != nil {
		return err
	}
	c.record.GateSteps = c.init.StepsAfterGate()
	if c.runtime.Trace != nil {
		for i := range c.init.Program.Len() {
			c.runtime.trace("%s", c.init.Program.Line(i))
		}
	}
	return nil
}

// restoreNofile gives the program the limit on open files that the caller had,
// unless the config has a wish: Go raises it for itself.
func restoreNofile(p *plan.Process) {
	for _, l := range p.Rlimits {
		if l.Resource == unix.RLIMIT_NOFILE {
			return
		}
	}
	if l := callersNofile(); l != nil {
		p.Rlimits = append(p.Rlimits, *l)
	}
}

// callersNofile is the limit on open files that this process was started
// with; nil if it is still the same.
func callersNofile() *plan.Rlimit {
	soft, hard, known := stage.Nofile()
	if !known || soft == hard {
		return nil
	}
	return &plan.Rlimit{Resource: unix.RLIMIT_NOFILE, Name: "RLIMIT_NOFILE", Soft: soft, Hard: hard}
}

// setHome gives the program a HOME if the config has none: callers expect it.
func (c *creation) setHome(p *plan.Plan) error {
	for _, e := range p.Process.Env {
		if strings.HasPrefix(e, "HOME=") && e != "HOME=" {
			return nil
		}
	}
	home, err := homeOf(p, p.Process.UID)
	if err != nil {
		return fmt.Errorf("look up the home of user %d: %w", p.Process.UID, err)
	}
	p.Process.SetDefaultEnv("HOME", home)
	return nil
}

// make makes what was decided. The child mounts while we set its limits; it
// cannot become the user's program before it is told to.
func (c *creation) make(ctx context.Context) error {
	if err := c.prepareDirectory(); err != nil {
		return err
	}
	var err error
	if c.pair, err = cgroup2.Create(c.mount, c.record.Cgroup, c.record.CgroupLeaf, c.limits.Controllers()); err != nil {
		c.record.Cgroup = "" // what stands there is not ours to undo
		return err
	}
	spec := launch.Spec{
		Program:      c.init.Program,
		Namespaces:   c.init.CloneFlags,
		Cgroup:       c.pair.Leaf.FD(),
		PidNamespace: c.inputs.pid,
		Inputs:       c.inputs.fds,
		Maps:         c.maps(),
		Fault:        c.runtime.Fault,
	}
	if c.child, err = launch.Start(&spec); err != nil {
		return err
	}
	if err := c.limit(); err != nil {
		return c.explain(err)
	}
	if err := c.accompany(ctx); err != nil {
		return c.explain(err)
	}
	return c.publish()
}

// prepareDirectory makes what the container's directory holds beside the record.
func (c *creation) prepareDirectory() error {
	if os.Getenv("NOTIFY_SOCKET") != "" {
		if err := unix.Mkdirat(c.locked.Dir(), notifyName, 0o755); err != nil {
			return fmt.Errorf("make directory %s: %w", notifyName, err)
		}
	}
	if c.hooks != nil && len(c.hooks.StartContainer) > 0 {
		data, err := json.Marshal(&insidePlan{Namespaces: namespaceFlags(c.plan), Process: c.plan.Process})
		if err != nil {
			return fmt.Errorf("write down the plan: %w", err)
		}
		if err := sys.WriteFileAt(c.locked.Dir(), planName, data, 0o600); err != nil {
			return err
		}
	}
	if c.plan.Gate == plan.GateSocket {
		fd, err := sys.Listen(unix.SOCK_SEQPACKET, c.locked.Dir(), gateName)
		if err != nil {
			return err
		}
		c.inputs.donate(compile.InputGate, fd)
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

// limit puts the child under its limits.
func (c *creation) limit() error {
	if err := c.pair.Apply(c.limits); err != nil {
		return err
	}
	if err := c.pair.Filter(c.filter); err != nil {
		return err
	}
	p := c.plan.Process
	if p == nil {
		return nil
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
	}
	return nil
}

// accompany answers the child until it stands at the gate.
func (c *creation) accompany(ctx context.Context) error {
	for {
		event, err := c.child.Next()
		if err != nil {
			return err
		}
		if event.Code == compile.ToldReady {
			return nil
		}
		err = c.answer(ctx, event)
		if event.FD >= 0 {
			sys.Close(event.FD)
		}
		if err != nil {
			return err
		}
	}
}

// answer does what the child waits for, and lets it go on.
func (c *creation) answer(ctx context.Context, event launch.Event) error {
	missing := int(event.Code) - compile.ToldMissing
	switch {
	case event.Code == compile.ToldMap:
		return c.child.Map(c.maps())
	case event.Code == compile.ToldMounted:
		if err := c.createHooks(ctx); err != nil {
			return err
		}
	case missing >= 0 && missing < len(c.init.Missing) && event.FD >= 0:
		m := c.init.Missing[missing]
		if err := makeInRoot(event.FD, m.Path, m.File); err != nil {
			return err
		}
	default:
		return fmt.Errorf("hear from the process: event %d is unknown", event.Code)
	}
	return c.child.Go()
}

// createHooks runs the three kinds of hooks that come before the change of root.
func (c *creation) createHooks(context.Context) error {
	host := runtimePlace("prestart", Creating, c.child.Pid, c.record.Bundle)
	if err := c.runHooks(c.hooks.Prestart, host); err != nil { //nolint:staticcheck // deprecated and still due
		return err
	}
	host.kind = "createRuntime"
	if err := c.runHooks(c.hooks.CreateRuntime, host); err != nil {
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
	inside.cwd, inside.env = c.record.Bundle, host.env
	return c.runHooks(c.hooks.CreateContainer, inside)
}

// publish makes the container known: as soon as the record says created, the
// create has succeeded.
func (c *creation) publish() error {
	stat, err := sys.ReadStat(c.child.Pid)
	if err != nil {
		return err
	}
	c.record.Pid, c.record.PidStartTime, c.record.Status = c.child.Pid, stat.StartTime, store.Created
	if err := c.sendPidfd(); err != nil {
		return err
	}
	if err := c.locked.Save(c.record); err != nil {
		return err
	}
	if c.options.PidFile == "" {
		return nil
	}
	// Engines parse it as a bare number: no newline.
	return sys.WriteFileAt(sys.CWD, c.options.PidFile, fmt.Append(nil, c.child.Pid), 0o644)
}

func (c *creation) sendPidfd() error {
	if c.options.PidfdSocket == "" {
		return nil
	}
	sock, err := sys.Connect(unix.SOCK_STREAM, c.options.PidfdSocket)
	if err != nil {
		return err
	}
	defer sys.Close(sock)
	if err := sys.SendFD(sock, []byte("pidfd"), c.child.Pidfd); err != nil {
		return fmt.Errorf("send the pidfd to %s: %w", c.options.PidfdSocket, err)
	}
	return nil
}

// explain adds to an error of the child what only we can know: that it was
// the container's own memory limit that killed it.
func (c *creation) explain(err error) error {
	if !errors.Is(err, launch.ErrDied) {
		return err
	}
	// The cgroup knows of the kill before the process is gone.
	if events, oomErr := c.pair.Container.MemoryEvents(); oomErr == nil && events.OOMKill > 0 {
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
