package plan

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Inside is what is kept of a Plan while the container lives: what a process
// that comes later (exec, a startContainer hook) joins, and what it is unless
// it says otherwise.
type Inside struct {
	Namespaces uint64 // CLONE_NEW* of the kinds that are not the runtime's own
	Keyring    string // as in Plan
	// Process is the container's first one, with the config's variables only:
	// what was added for it (a home, sockets) is not everybody's.
	Process *Process
}

// NewInside takes it from the plan of a spec.
func NewInside(p *Plan, spec *specs.Spec) *Inside {
	in := &Inside{Keyring: p.Keyring, Process: &Process{Umask: defaultUmask, Cwd: "/"}}
	for i := range p.Namespaces {
		in.Namespaces |= uint64(p.Namespaces[i].Flag)
	}
	if p.Process != nil {
		*in.Process = *p.Process
		in.Process.Env = uniqueEnv(spec.Process.Env)
	}
	return in
}

// UserMapped says that the user namespace is not the runtime's own.
func (in *Inside) UserMapped() bool { return in.Namespaces&unix.CLONE_NEWUSER != 0 }

// NewProcess decides what a valid process.json means in the container. What it
// leaves open is as it is for the first process.
func (in *Inside) NewProcess(s *specs.Process, o Options) *Process {
	p, first := newProcess(s, in.UserMapped(), o), in.Process
	if s.Capabilities == nil {
		p.Capabilities = first.Capabilities
	}
	if s.User.Umask == nil {
		p.Umask = first.Umask
	}
	if s.OOMScoreAdj == nil {
		p.OOMScoreAdj = first.OOMScoreAdj
	}
	if len(s.Rlimits) == 0 {
		p.Rlimits = slices.Clone(first.Rlimits)
	}
	p.Seccomp = first.Seccomp
	p.Attributes = NewAttributes(s, nil)
	p.Attributes.Personality, p.Attributes.MemoryPolicy = first.Attributes.Personality, first.Attributes.MemoryPolicy
	if p.Labels.AppArmor == "" {
		p.Labels.AppArmor = first.Labels.AppArmor
	}
	if p.Labels.SELinux == "" {
		p.Labels.SELinux = first.Labels.SELinux
	}
	if p.ExecAffinity.Initial == nil && p.ExecAffinity.Final == nil {
		p.ExecAffinity = first.ExecAffinity
	}
	return p
}

// Wishes are how another process of a container is to be other than its first.
type Wishes struct {
	Args         []string
	Env          []string // besides those that the config has
	Cwd          string   // empty for the first one's
	UID, GID     *uint32
	Groups       []uint32 // besides
	Capabilities []string // besides
	Labels       Labels   // each empty for the first one's
	NoNewPrivs   *bool
	Terminal     *bool
}

// NewExec decides what they mean.
func (in *Inside) NewExec(w *Wishes) (*Process, error) {
	p := *in.Process
	p.Args = w.Args
	if len(p.Args) == 0 || p.Args[0] == "" {
		return nil, errors.New("no program is named: executable file not found")
	}
	for _, e := range w.Env {
		if strings.IndexByte(e, '=') <= 0 {
			return nil, fmt.Errorf("set variable %q: must have the form NAME=VALUE", e)
		}
	}
	p.Env = uniqueEnv(append(slices.Clone(p.Env), w.Env...))
	if w.Cwd != "" {
		p.Cwd = w.Cwd
	}
	if !path.IsAbs(p.Cwd) {
		return nil, fmt.Errorf("change to directory %q: must be an absolute path", p.Cwd)
	}
	set(&p.UID, w.UID)
	set(&p.GID, w.GID)
	set(&p.NoNewPrivs, w.NoNewPrivs)
	set(&p.Terminal, w.Terminal)
	if w.Labels.AppArmor != "" {
		p.Labels.AppArmor = w.Labels.AppArmor
	}
	if w.Labels.SELinux != "" {
		if err := CheckSELinuxLabel(w.Labels.SELinux); err != nil {
			return nil, fmt.Errorf("set SELinux label %q: %w", w.Labels.SELinux, err)
		}
		p.Labels.SELinux = w.Labels.SELinux
	}
	p.Groups = append(slices.Clone(p.Groups), w.Groups...)
	for _, name := range w.Capabilities {
		if _, known := CapabilityByName(name); !known {
			return nil, fmt.Errorf("add capability %q: unknown capability", name)
		}
	}
	// Ambient ones survive an execve of anybody, so they are not given along
	// unless the config has made them inheritable (CVE-2022-29162).
	c, more := &p.Capabilities, CapabilityMask(w.Capabilities)
	c.Bounding |= more
	c.Effective |= more
	c.Permitted |= more
	c.Ambient |= more & c.Inheritable
	return &p, nil
}

func set[T any](to *T, wish *T) {
	if wish != nil {
		*to = *wish
	}
}

// insideMagic begins what Encode writes; its length and the fields follow.
const insideMagic = "mesoc inside 1\n"

var errInside = errors.New("not the plan of a container, or one of a newer mesoc")

// Encode writes it down, for DecodeInside.
func (in *Inside) Encode() []byte {
	c := coder{buf: make([]byte, 0, 4096)}
	c.inside(in)
	b := make([]byte, 0, len(insideMagic)+binary.MaxVarintLen64+len(c.buf))
	b = binary.AppendUvarint(append(b, insideMagic...), uint64(len(c.buf)))
	return append(b, c.buf...)
}

// DecodeInside reads what Encode has written, also that of an older mesoc.
func DecodeInside(data []byte) (*Inside, error) {
	if len(data) < len(insideMagic) || string(data[:len(insideMagic)]) != insideMagic {
		return nil, errInside
	}
	data = data[len(insideMagic):]
	size, n := binary.Uvarint(data)
	if n <= 0 || uint64(len(data)-n) != size {
		return nil, errInside
	}
	c := coder{buf: data[n:], reading: true}
	in := &Inside{Process: &Process{}}
	c.inside(in)
	if c.broken || len(c.buf) > 0 {
		return nil, errInside
	}
	return in, nil
}

// coder writes fields one behind the other, or reads them back, so that their
// order stands in one place. Whoever adds a field puts it last: what an older
// mesoc wrote ends before it, and it is read as zero; what a newer one wrote
// goes on behind our last, and is refused, since it may be what limits rights.
type coder struct {
	buf     []byte
	reading bool
	broken  bool
}

func (c *coder) inside(in *Inside) {
	integer(c, &in.Namespaces)
	c.text(&in.Keyring)
	c.process(in.Process)
}

func (c *coder) process(p *Process) {
	c.flag(&p.Terminal)
	integer(c, &p.Rows)
	integer(c, &p.Cols)
	integer(c, &p.UID)
	integer(c, &p.GID)
	list(c, &p.Groups, integer)
	integer(c, &p.Umask)
	list(c, &p.Args, (*coder).text)
	list(c, &p.Env, (*coder).text)
	c.text(&p.Cwd)
	for _, set := range []*uint64{&p.Capabilities.Bounding, &p.Capabilities.Effective,
		&p.Capabilities.Inheritable, &p.Capabilities.Permitted, &p.Capabilities.Ambient} {
		integer(c, set)
	}
	c.flag(&p.NoNewPrivs)
	optional(c, &p.OOMScoreAdj, integer)
	list(c, &p.Rlimits, func(c *coder, l *Rlimit) {
		integer(c, &l.Resource)
		c.text(&l.Name)
		integer(c, &l.Soft)
		integer(c, &l.Hard)
	})
	optional(c, &p.Seccomp, func(c *coder, s *Seccomp) {
		integer(c, &s.Flags)
		list(c, &s.Program, func(c *coder, f *unix.SockFilter) {
			integer(c, &f.Code)
			integer(c, &f.Jt)
			integer(c, &f.Jf)
			integer(c, &f.K)
		})
		optional(c, &s.Listener, func(c *coder, l *Listener) {
			c.text(&l.Path)
			c.text(&l.Metadata)
		})
	})
	c.text(&p.Labels.AppArmor)
	c.text(&p.Labels.SELinux)
	optional(c, &p.Attributes.Scheduler, func(c *coder, s *Scheduler) {
		integer(c, &s.Size)
		integer(c, &s.Policy)
		integer(c, &s.Flags)
		integer(c, &s.Nice)
		integer(c, &s.Priority)
		integer(c, &s.Runtime)
		integer(c, &s.Deadline)
		integer(c, &s.Period)
		integer(c, &s.Util_min)
		integer(c, &s.Util_max)
	})
	optional(c, &p.Attributes.IOPriority, func(c *coder, i *IOPriority) {
		integer(c, &i.Class)
		integer(c, &i.Level)
	})
	optional(c, &p.Attributes.Personality, integer)
	optional(c, &p.Attributes.MemoryPolicy, func(c *coder, m *MemoryPolicy) {
		integer(c, &m.Mode)
		integer(c, &m.Flags)
		list(c, &m.Nodes, integer)
		c.text(&m.NodeList)
	})
	list(c, &p.ExecAffinity.Initial, integer)
	list(c, &p.ExecAffinity.Final, integer)
}

func integer[T ~int | ~int32 | ~uint8 | ~uint16 | ~uint32 | ~uint64](c *coder, v *T) {
	switch {
	case !c.reading:
		c.buf = binary.AppendUvarint(c.buf, uint64(*v))
	case len(c.buf) > 0:
		u, n := binary.Uvarint(c.buf)
		if n <= 0 || uint64(T(u)) != u {
			c.broken, c.buf = true, nil
			return
		}
		*v, c.buf = T(u), c.buf[n:]
	}
}

func (c *coder) flag(v *bool) {
	var n uint8
	if *v {
		n = 1
	}
	integer(c, &n)
	*v = n != 0
}

func (c *coder) text(v *string) {
	n := c.length(len(*v))
	if !c.reading {
		c.buf = append(c.buf, *v...)
		return
	}
	*v, c.buf = string(c.buf[:n]), c.buf[n:]
}

// length writes the length of what follows, or reads it: every element has a
// byte at least.
func (c *coder) length(n int) int {
	integer(c, &n)
	if c.reading && (n < 0 || n > len(c.buf)) {
		c.broken, c.buf = true, nil
		return 0
	}
	return n
}

func list[T any](c *coder, v *[]T, each func(*coder, *T)) {
	n := c.length(len(*v))
	if c.reading && n > 0 {
		*v = make([]T, n)
	}
	for i := range *v {
		each(c, &(*v)[i])
	}
}

func optional[T any](c *coder, v **T, value func(*coder, *T)) {
	there := *v != nil
	c.flag(&there)
	if !there {
		return
	}
	if c.reading {
		*v = new(T)
	}
	value(c, *v)
}
