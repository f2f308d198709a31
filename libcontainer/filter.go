package libcontainer

import (
	"errors"
	"path"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/bundle"
	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/plan"
	"github.com/mesoc/mesoc/libcontainer/seccomp"
)

// filterCache is the directory below the state directory that keeps compiled
// filters: engines give the same profile to every container. It is no valid id.
const filterCache = "@seccomp"

// systemCalls is what is known of the config's system call filter.
type systemCalls struct {
	filter seccomp.Filter
	cached bool // so the profile is good
}

// knownProfile looks the filter of a profile up in the cache. It is known if
// nothing of the profile is of interest any more.
func (c *creation) knownProfile(text []byte) bool {
	dir, err := c.runtime.openFilterCache()
	if err != nil {
		return false // without a cache it takes a little longer
	}
	c.calls.filter, c.calls.cached = seccomp.Lookup(dir, text, filterOptions())
	sys.Close(dir)
	return c.calls.cached && c.runtime.Trace == nil
}

// compileFilter compiles the system call filter of the config, if it has one.
func (c *creation) compileFilter(b *bundle.Bundle) (*plan.Seccomp, error) {
	if b.Profile == nil || c.spec.Process == nil {
		return nil, nil
	}
	filter, profile := &c.calls.filter, c.spec.Linux.Seccomp
	if !c.calls.cached {
		var err error
		if *filter, err = c.compileProfile(b); err != nil {
			return nil, err
		}
	}
	if c.runtime.Trace != nil {
		for _, left := range seccomp.Unknown(profile) {
			c.runtime.trace("%s", left)
		}
	}
	s := &plan.Seccomp{Flags: filter.Flags, Program: filter.Program}
	if filter.Notify {
		var err error
		if s.Listener, err = newListener(profile); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// compileProfile compiles a profile that is not in the cache, and puts it there.
func (c *creation) compileProfile(b *bundle.Bundle) (seccomp.Filter, error) {
	filter, err := seccomp.Compile(b.Spec.Linux.Seccomp, filterOptions())
	var wrong seccomp.Problems
	if errors.As(err, &wrong) {
		return filter, &bundle.ValidationError{Path: path.Join(c.record.Bundle, bundle.ConfigName), Problems: problemsOf(wrong)}
	}
	if err != nil {
		return filter, err
	}
	if dir, err := c.runtime.openFilterCache(); err == nil {
		seccomp.Store(dir, b.Profile, filterOptions(), filter)
		sys.Close(dir)
	}
	return filter, nil
}

func filterOptions() seccomp.Options {
	return seccomp.Options{Native: seccomp.Native(), Enosys: true}
}

// checkFilter says why create would refuse a system call filter, and what it
// would leave out. Loading a bundle does not: compiling is dear, and create does
// it anyway.
func checkFilter(profile *specs.LinuxSeccomp) (problems, warnings []bundle.Problem) {
	if profile == nil {
		return nil, nil
	}
	_, err := seccomp.Compile(profile, filterOptions())
	var wrong seccomp.Problems
	switch {
	case errors.As(err, &wrong):
		problems = problemsOf(wrong)
	case err != nil:
		problems = []bundle.Problem{{Pointer: "/linux/seccomp", Rule: err.Error()}}
	}
	return problems, problemsOf(seccomp.Unknown(profile))
}

func problemsOf(wrong seccomp.Problems) []bundle.Problem {
	problems := make([]bundle.Problem, len(wrong))
	for i, p := range wrong {
		problems[i] = bundle.Problem{Pointer: p.Pointer, Value: p.Value, Rule: p.Rule}
	}
	return problems
}

// openFilterCache opens the cache of filters. There is none before the first
// container has made the state directory.
func (r *Runtime) openFilterCache() (int, error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW
	name := path.Join(r.Root, filterCache)
	fd, err := sys.Openat(sys.CWD, name, flags, 0)
	if errors.Is(err, unix.ENOENT) {
		if err := unix.Mkdir(name, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
			return -1, err
		}
		fd, err = sys.Openat(sys.CWD, name, flags, 0)
	}
	if err != nil {
		return -1, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Uid != uint32(unix.Geteuid()) || st.Mode&0o022 != 0 {
		sys.Close(fd)
		return -1, errors.Join(err, unix.EPERM)
	}
	return fd, nil
}
