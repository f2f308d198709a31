package libcontainer

import (
	"encoding/json"
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
	"github.com/mesoc/mesoc/libcontainer/isolator"
	"github.com/mesoc/mesoc/libcontainer/plan"
	"github.com/mesoc/mesoc/libcontainer/program"
	"github.com/mesoc/mesoc/libcontainer/stage"
	"github.com/mesoc/mesoc/libcontainer/store"
)

// What create decides, reads and opens before it has any effect on the host.

// decide reads the bundle and decides everything.
func (c *creation) decide(gate plan.Gate) error {
	handed, err := socketActivation(c.options.PreserveFDs)
	if err != nil {
		return err
	}
	b, err := bundle.Load(c.options.Bundle, c.knownProfile)
	if err != nil {
		return err
	}
	if c.record.Annotations, c.wishes, err = c.runtime.Policy.ReadAnnotations(b.Spec.Annotations, c.options.Annotations); err != nil {
		return err
	}
	for _, w := range b.Warnings {
		c.runtime.advise("%s", w)
	}
	c.spec, c.hooks = b.Spec, b.Spec.Hooks
	if err := c.openParent(); err != nil {
		return err
	}
	if c.mount, err = c.findMount(); err != nil {
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
		c.runtime.advise("%s: ignored: %s", i.Field, i.Why)
	}
	if err := c.limitWithParent(); err != nil {
		return err
	}
	if err := c.checkShare(); err != nil {
		return err
	}
	if c.filter, err = devices.Compile(append(c.limits.Devices, devices.Defaults(devicePaths(c.spec)...)...)); err != nil {
		return err
	}
	if err := c.describe(b); err != nil {
		return err
	}
	if err := c.decideClass(); err != nil {
		return err
	}
	if err := c.planInit(b, gate, handed); err != nil {
		return err
	}
	return c.open()
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
	isolation, err := isolator.Parse(c.runtime.Policy.Isolation)
	if err != nil {
		return err
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
		Isolation:   isolation,
		Parent:      c.wishes.Parent, ShareCgroups: c.sharesCgroups(),
		Annotations: c.record.Annotations,
		HasProcess:  b.Spec.Process != nil,
		Owner:       uint32(os.Geteuid()),
	}
	if c.wishes.Supervise {
		c.record.SupervisorCgroup = path.Join(c.runtime.CgroupsRoot, cgroup2.Supervisors)
	}
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
	if c.parent != nil {
		return c.parent.nested(c.options.ID)
	}
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
	var err error
	if o.Inherited, err = c.inherit(); err != nil {
		return err
	}
	if o.Seccomp, err = c.compileFilter(b); err != nil {
		return err
	}
	if o.NoPivot {
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
	c.inside = plan.NewInside(p, c.spec).Encode()
	if os.Getenv("NOTIFY_SOCKET") != "" {
		p.Mounts = append(p.Mounts, notifyMount(c.path(notifyName)))
	}
	if p.Process != nil {
		if err := setHome(p.Process, func() ([]byte, error) { return c.passwd(p) }); err != nil {
			return err
		}
		restoreNofile(p.Process)
		if p.Process.Terminal && c.console >= 0 {
			sizeLikeOurs(p.Process)
		}
	}
	if missing := missingCapabilities(c.spec, o.Held); missing != "" && !p.UserMapped {
		c.runtime.advise("%s: not held by the runtime, so not given to container %s", missing, c.options.ID)
	}
	c.plan = p
	c.init, err = compile.NewInit(p)
	if err != nil {
		return err
	}
	c.record.GateSteps = c.init.StepsAfterGate()
	c.runtime.traceProgram(c.init.Program)
	return nil
}

func (r *Runtime) traceProgram(p *program.Program) {
	if r.Trace != nil {
		for line := range p.Lines() {
			r.trace("%s", line)
		}
	}
}

func (r *Runtime) traceLine(line string) { r.trace("%s", line) }

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

// setHome gives the program a HOME if it has none: callers expect it.
func setHome(p *plan.Process, passwd func() ([]byte, error)) error {
	for _, e := range p.Env {
		if strings.HasPrefix(e, "HOME=") && e != "HOME=" {
			return nil
		}
	}
	data, err := passwd()
	if err != nil {
		return fmt.Errorf("look up the home of user %d: %w", p.UID, err)
	}
	p.SetDefaultEnv("HOME", homeIn(data, p.UID))
	return nil
}
