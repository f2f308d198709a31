package plan

import (
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Options are what the decision rests on beyond the spec.
type Options struct {
	ID          string
	Bundle      string // absolute; sources of binds may be relative to it
	Rootfs      string // absolute
	Gate        Gate
	NoPivot     bool
	Cover       []string // the host's own proc and sysfs mounts, for NoPivot
	NoKeyring   bool
	PreserveFDs int
	// Env are variables that the program gets behind those of the spec.
	Env    []string
	Cgroup Cgroup
	// Held are the capabilities that the runtime can hand on; the others are
	// left out of the sets, as the spec wants (config, process.capabilities).
	Held uint64
	// Inherited are the namespaces of the container that this one is nested in.
	// Those of a kind that the spec lists are not.
	Inherited []Namespace
	// Seccomp is the compiled filter of the spec, if it has one.
	Seccomp *Seccomp
}

// New decides what a valid spec means. It returns an error only for what
// validation lets through and no plan can express.
func New(spec *specs.Spec, o Options) (*Plan, error) {
	p := &Plan{
		ID:          o.ID,
		Hostname:    spec.Hostname,
		Domainname:  spec.Domainname,
		Rootfs:      Rootfs{Path: o.Rootfs, NoPivot: o.NoPivot, Cover: o.Cover},
		Gate:        o.Gate,
		PreserveFDs: o.PreserveFDs,
		Cgroup:      o.Cgroup,
		OwnDev:      true,
	}
	if spec.Root != nil {
		p.Rootfs.Readonly = spec.Root.Readonly
	}
	if !o.NoKeyring {
		p.Keyring = "_ses." + o.ID
	}
	if h := spec.Hooks; h != nil {
		//lint:ignore SA1019 prestart is deprecated and still due
		p.Hooks = len(h.Prestart)+len(h.CreateRuntime)+len(h.CreateContainer) > 0
	}
	if spec.Linux != nil {
		p.linux(spec.Linux)
	}
	p.Namespaces = append(p.Namespaces, o.Inherited...)
	p.UserMapped = p.Namespace(unix.CLONE_NEWUSER) != nil
	if err := p.mounts(spec.Mounts, o.Bundle); err != nil {
		return nil, err
	}
	if p.OwnDev {
		p.Devices = withDefaultDevices(p.Devices)
	}
	if spec.Process != nil {
		p.Process = newProcess(spec.Process, p.UserMapped, o)
		p.Process.Attributes = NewAttributes(spec.Process, spec.Linux)
	}
	return p, nil
}

func (p *Plan) linux(l *specs.Linux) {
	for _, n := range l.Namespaces {
		kind, _ := NamespaceByName(string(n.Type))
		p.Namespaces = append(p.Namespaces, Namespace{Flag: int(kind.Flag), Type: kind.Type, Path: n.Path})
	}
	for _, clock := range clockNames { // in a fixed order
		if t, ok := l.TimeOffsets[clock]; ok {
			p.TimeOffsets = append(p.TimeOffsets, TimeOffset{Clock: clock, Secs: t.Secs, Nanos: t.Nanosecs})
		}
	}
	if l.RootfsPropagation != "" {
		p.Rootfs.Propagation, _ = Propagation(l.RootfsPropagation)
	}
	p.MaskedPaths, p.ReadonlyPaths = l.MaskedPaths, l.ReadonlyPaths
	p.MountLabel = l.MountLabel
	for name, value := range l.Sysctl {
		file, _ := SysctlPath(name)
		p.Sysctls = append(p.Sysctls, Sysctl{Name: name, Path: file, Value: value})
	}
	slices.SortFunc(p.Sysctls, func(a, b Sysctl) int { return strings.Compare(a.Name, b.Name) })
	for i := range l.Devices {
		p.Devices = append(p.Devices, newDevice(&l.Devices[i]))
	}
}

func (p *Plan) mounts(mounts []specs.Mount, bundle string) error {
	for i := range mounts {
		options, err := ParseMountOptions(mounts[i].Options)
		if err != nil {
			return err
		}
		m := Mount{
			Destination:  path.Clean("/" + mounts[i].Destination),
			Type:         mounts[i].Type,
			Source:       mounts[i].Source,
			MountOptions: options,
			IDMapped:     options.IDMap || options.RecIDMap || len(mounts[i].UIDMappings) > 0,
		}
		if m.Bind && !path.IsAbs(m.Source) {
			m.Source = path.Join(bundle, m.Source)
		}
		m.applyLabel(p.MountLabel)
		if m.Bind && m.Destination == "/dev" {
			p.OwnDev = false
		}
		p.Mounts = append(p.Mounts, m)
	}
	return nil
}

// defaultDevices are those that every container has (config-linux, default devices).
var defaultDevices = [...]Device{
	{Path: "/dev/null", Type: unix.S_IFCHR, Major: 1, Minor: 3, Mode: 0o666, Default: true},
	{Path: "/dev/zero", Type: unix.S_IFCHR, Major: 1, Minor: 5, Mode: 0o666, Default: true},
	{Path: "/dev/full", Type: unix.S_IFCHR, Major: 1, Minor: 7, Mode: 0o666, Default: true},
	{Path: "/dev/random", Type: unix.S_IFCHR, Major: 1, Minor: 8, Mode: 0o666, Default: true},
	{Path: "/dev/urandom", Type: unix.S_IFCHR, Major: 1, Minor: 9, Mode: 0o666, Default: true},
	{Path: "/dev/tty", Type: unix.S_IFCHR, Major: 5, Minor: 0, Mode: 0o666, Default: true},
}

// withDefaultDevices puts the default devices before the config's, but for
// those that the config has its own wishes for.
func withDefaultDevices(own []Device) []Device {
	all := make([]Device, 0, len(defaultDevices)+len(own))
	for _, d := range defaultDevices {
		if !slices.ContainsFunc(own, func(o Device) bool { return o.Path == d.Path }) {
			all = append(all, d)
		}
	}
	return append(all, own...)
}

func newDevice(d *specs.LinuxDevice) Device {
	n := Device{Path: path.Clean(d.Path), Mode: 0o666, Major: uint32(d.Major), Minor: uint32(d.Minor)}
	switch d.Type {
	case "b":
		n.Type = unix.S_IFBLK
	case "p":
		n.Type = unix.S_IFIFO
	default: // c, and u, which is the same
		n.Type = unix.S_IFCHR
	}
	if d.FileMode != nil {
		n.Mode = uint32(*d.FileMode) & 0o7777
	}
	if d.UID != nil {
		n.UID = *d.UID
	}
	if d.GID != nil {
		n.GID = *d.GID
	}
	return n
}

// defaultUmask is what a program gets whose config names none, as runc has it.
const defaultUmask = 0o022

func newProcess(s *specs.Process, userMapped bool, o Options) *Process {
	r := &Process{
		Terminal:     s.Terminal,
		UID:          s.User.UID,
		GID:          s.User.GID,
		Groups:       s.User.AdditionalGids,
		Umask:        defaultUmask,
		Args:         s.Args,
		Env:          uniqueEnv(append(slices.Clone(s.Env), o.Env...)),
		Cwd:          s.Cwd,
		NoNewPrivs:   s.NoNewPrivileges,
		OOMScoreAdj:  s.OOMScoreAdj,
		Seccomp:      o.Seccomp,
		Labels:       NewLabels(s),
		ExecAffinity: NewAffinity(s.ExecCPUAffinity),
	}
	if s.User.Umask != nil {
		r.Umask = *s.User.Umask
	}
	if s.Terminal && s.ConsoleSize != nil {
		r.Rows, r.Cols = uint16(s.ConsoleSize.Height), uint16(s.ConsoleSize.Width)
	}
	for _, l := range s.Rlimits {
		resource, _ := RlimitByName(l.Type)
		r.Rlimits = append(r.Rlimits, Rlimit{Resource: resource, Name: l.Type, Soft: l.Soft, Hard: l.Hard})
	}
	if c := s.Capabilities; c != nil {
		held := o.Held
		if userMapped { // its root has all of them
			held = ^uint64(0)
		}
		r.Capabilities = Capabilities{
			Bounding:    CapabilityMask(c.Bounding),
			Effective:   CapabilityMask(c.Effective) & held,
			Inheritable: CapabilityMask(c.Inheritable) & held,
			Permitted:   CapabilityMask(c.Permitted) & held,
			Ambient:     CapabilityMask(c.Ambient) & held,
		}
		// An ambient capability has to be permitted and inheritable.
		r.Capabilities.Ambient &= r.Capabilities.Permitted & r.Capabilities.Inheritable
	}
	return r
}

// uniqueEnv drops all but the last entry of every variable and keeps their order.
func uniqueEnv(env []string) []string {
	if len(env) == 0 {
		return nil
	}
	last := make(map[string]int, len(env))
	for i, e := range env {
		name, _, _ := strings.Cut(e, "=")
		last[name] = i
	}
	out := make([]string, 0, len(last))
	for i, e := range env {
		name, _, _ := strings.Cut(e, "=")
		if last[name] == i {
			out = append(out, e)
		}
	}
	return out
}

// SetDefaultEnv adds a variable unless the program has it, and not empty.
func (r *Process) SetDefaultEnv(name, value string) {
	for i, e := range r.Env {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			if v == "" {
				r.Env[i] = name + "=" + value
			}
			return
		}
	}
	r.Env = append(r.Env, name+"="+value)
}
