// Package bundle loads config.json and finds everything that is wrong with it,
// all at once, each problem with its JSON pointer. Whoever holds a Bundle holds
// a valid one: the packages behind it look names up without asking again.
//
// It is called by the commands that take a bundle, before anything is touched.
// Validate is pure; Load also asks the host (are the root and the sources of
// the binds there, are the namespaces to join of the kind they should be). It
// must not know what is done with the spec: that is decided in package plan.
package bundle

import (
	"cmp"
	"fmt"
	"path/filepath"
	"reflect"
	"unicode/utf8"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// ConfigName is the name of the configuration in a bundle.
const ConfigName = "config.json"

// maxConfig bounds the configuration: the largest that engines write is a few
// hundred kilobytes.
const maxConfig = 16 << 20

// Bundle is a valid bundle.
type Bundle struct {
	Dir    string // absolute
	Rootfs string // absolute
	Spec   *specs.Spec
	Raw    []byte // config.json as it was read
	// Profile is the text of linux.seccomp, nil if there is none.
	Profile []byte
	// Warnings are what the spec wants said and not refused: capabilities that
	// nobody knows, a newer version of the spec, values without a meaning here.
	Warnings []Problem
}

// Load reads and validates the bundle in a directory. A profile that is known is
// neither decoded nor checked, and Spec is without it; known may be nil.
func Load(dir string, known Known) (*Bundle, error) {
	named := cmp.Or(dir, ".")
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find bundle %s: %w", named, err)
	}
	path := filepath.Join(dir, ConfigName)
	raw, err := readConfig(path)
	if err != nil {
		return nil, err
	}
	var profile []byte
	spec, err := parse(path, raw, func(text []byte) bool {
		profile = text
		return known != nil && known(text)
	})
	if err != nil {
		return nil, err
	}
	b := &Bundle{Dir: dir, Spec: spec, Raw: raw, Profile: profile}
	if spec.Root != nil {
		b.Rootfs = within(dir, spec.Root.Path)
	}
	c := checker{}
	c.spec(spec)
	if p := spec.Process; p != nil {
		c.missingLimits(p.Rlimits, func() *node { return treeOf(raw) }, "process")
	}
	c.host(b)
	if len(c.problems) > 0 {
		return nil, &ValidationError{Path: path, Problems: c.problems}
	}
	b.Warnings = c.warnings
	return b, nil
}

// Validate finds all problems of a spec that can be seen without looking at
// the host, in the order of the spec, and what deserves a warning.
func Validate(spec *specs.Spec) (problems, warnings []Problem) {
	c := checker{}
	c.spec(spec)
	return c.problems, c.warnings
}

// parse decodes a config.json. When that fails, it is read a second time by
// the decoder that can explain.
func parse(path string, raw []byte, known Known) (*specs.Spec, error) {
	if !utf8.Valid(raw) {
		return nil, notUTF8(path, raw)
	}
	spec, err := decode(raw, known)
	if err == nil {
		return spec, nil
	}
	if explained := diagnose(path, raw, reflect.TypeFor[document]()); explained != nil {
		return nil, explained
	}
	return nil, fmt.Errorf("parse %s: %w", path, err)
}

// readConfig reads a regular file of bounded size. It opens without blocking,
// so that a fifo is an error and not a wait.
func readConfig(path string) ([]byte, error) {
	fd, err := openRetry(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, fmt.Errorf("stat %s: %w", path, err)
	}
	if kind := st.Mode & unix.S_IFMT; kind != unix.S_IFREG {
		return nil, fmt.Errorf("read %s: %w", path, notRegular(kind))
	}
	if st.Size > maxConfig {
		return nil, fmt.Errorf("read %s: %d bytes, more than the %d that are allowed", path, st.Size, maxConfig)
	}
	// One byte more, so that a file that has grown is noticed.
	raw := make([]byte, st.Size+1)
	n := 0
	for n < len(raw) {
		m, err := unix.Read(fd, raw[n:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		if m == 0 {
			return raw[:n:n], nil
		}
		n += m
	}
	return nil, fmt.Errorf("read %s: changed while it was read", path)
}

func notRegular(kind uint32) error {
	if kind == unix.S_IFDIR {
		return unix.EISDIR
	}
	return fmt.Errorf("not a regular file")
}

func openRetry(path string, flags int) (int, error) {
	for {
		fd, err := unix.Open(path, flags, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// within is a path of a config: relative to the bundle unless absolute.
func within(dir, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}
