package bundle

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// ReadResources reads what config.json has as linux.resources. The name is for
// errors.
func ReadResources(name string, from io.Reader) (*specs.LinuxResources, error) {
	raw, err := io.ReadAll(io.LimitReader(from, maxConfig+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", name, err)
	case len(raw) > maxConfig:
		return nil, fmt.Errorf("read %s: more than the %d bytes that are allowed", name, maxConfig)
	case !utf8.Valid(raw):
		return nil, notUTF8(name, raw)
	}
	// Comparing with the types also says what is wrong. The decoder of
	// config.json then has one that holds nothing else.
	if err := diagnose(name, raw, reflect.TypeFor[specs.LinuxResources]()); err != nil {
		return nil, err
	}
	if string(bytes.TrimSpace(raw)) == "null" {
		return nil, &ValidationError{Path: name, Problems: []Problem{{Pointer: "/", Rule: "expected an object, found null"}}}
	}
	spec, err := decode(fmt.Appendf(nil, `{"linux":{"resources":%s}}`, raw), nil)
	if err != nil {
		return nil, fmt.Errorf("parse %s: %w", name, err)
	}
	return spec.Linux.Resources, nil
}

// OpenResources is ReadResources of a file, or of stdin if the path is "-".
func OpenResources(path string, stdin io.Reader) (*specs.LinuxResources, error) {
	if path == "-" {
		return ReadResources("the resources on stdin", stdin)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the resources: %w", err)
	}
	defer f.Close()
	return ReadResources(path, f)
}

// resourcesPointer is where the resources are in a config.json, and nothing in
// a document of their own.
const resourcesPointer = "/linux/resources"

// CheckResources validates resources alone, with pointers into them.
func CheckResources(name string, r *specs.LinuxResources) error {
	c := checker{}
	c.resources(r)
	c.unsupported(&specs.Spec{Linux: &specs.Linux{Resources: r}})
	for i := range c.problems {
		c.problems[i].Pointer = strings.TrimPrefix(c.problems[i].Pointer, resourcesPointer)
	}
	if len(c.problems) > 0 {
		return &ValidationError{Path: name, Problems: c.problems}
	}
	return nil
}
