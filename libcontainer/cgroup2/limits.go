package cgroup2

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mesoc/mesoc/libcontainer/cgroup2/devices"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Limits are the resources of an OCI document as cgroup2 takes them.
type Limits struct {
	// Settings are what is written, in this order.
	Settings []Setting
	// Devices are the document's own device rules, without the defaults.
	Devices []devices.Rule
	// Ignored are the values that have no meaning in cgroup2 and do no harm.
	Ignored []Ignored

	// belowUsage refuses memory limits that are lower than what is used.
	belowUsage *memoryCheck
}

// Setting is one value for one file of a cgroup.
type Setting struct {
	File       string
	Value      string
	Controller string // whose file it is; none for the kernel's own, cgroup.*
	Field      string // JSON pointer of what asked for it

	// Optional settings ask for what is so without them. They are left out
	// where the file does not exist, and need no controller.
	Optional bool
	// Else is what to set instead where the file does not exist.
	Else *Setting
	// KeepFirst puts the first word that the file holds before the value.
	KeepFirst bool
	// WithNext settings are refused by the kernel if the one that follows must
	// change first; then they are written behind it.
	WithNext bool
}

// Ignored is a value that is not used, and why.
type Ignored struct {
	Field string // JSON pointer
	Why   string
}

// FieldError is something wrong with one field of a document.
type FieldError struct {
	Field string // JSON pointer
	Err   error
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Err.Error() }
func (e *FieldError) Unwrap() error { return e.Err }

// memoryCheck is what checkBeforeUpdate asks for.
type memoryCheck struct {
	limit, total int64 // 0: not limited
}

// resources is the JSON pointer of what Translate reads.
const resources = "/linux/resources"

// Translate converts the resources of an OCI document, written for cgroup v1,
// to cgroup2. It is pure; what depends on the files that a kernel has is left
// to Apply, as alternatives. The error joins a FieldError for every value that
// is wrong or cannot be converted: nothing is dropped that would make a
// difference.
func Translate(r *specs.LinuxResources) (Limits, error) {
	if r == nil {
		return Limits{}, nil
	}
	t := &translation{}
	t.pids(r.Pids)
	t.memory(r.Memory)
	t.blockIO(r.BlockIO)
	t.cpu(r.CPU)
	t.hugepages(r.HugepageLimits)
	t.rdma(r.Rdma)
	t.network(r.Network)
	t.devices(r.Devices)
	t.unified(r.Unified) // last: it overrides
	if err := errors.Join(t.errs...); err != nil {
		return Limits{}, err
	}
	return t.limits, nil
}

// Add appends a value for a file. Field says who asks for it.
func (l *Limits) Add(file, value, field string) {
	l.Settings = append(l.Settings, Setting{
		File: file, Value: value, Controller: controllerOf(file), Field: field, Optional: value == noLimit,
	})
}

// OfMemory says whether there are limits of memory.
func (l Limits) OfMemory() bool {
	for _, s := range l.Settings {
		if s.Controller == "memory" {
			return true
		}
	}
	return false
}

// Controllers returns the controllers that the limits need, or would use.
func (l Limits) Controllers() Controllers {
	var need Controllers
	for _, s := range l.Settings {
		need = need.add(Need{Controller: s.Controller, For: s.File, Wish: s.Optional})
	}
	return need
}

// translation is a Translate under way.
type translation struct {
	limits Limits
	errs   []error
}

// set adds a setting. Field is relative to the resources.
func (t *translation) set(s Setting) {
	s.Field = resources + s.Field
	if s.Controller == "" {
		s.Controller = controllerOf(s.File)
	}
	if s.Else != nil {
		other := *s.Else
		other.Field, other.Controller = s.Field, s.Controller
		s.Else = &other
	}
	t.limits.Settings = append(t.limits.Settings, s)
}

func (t *translation) ignore(field, why string) {
	t.limits.Ignored = append(t.limits.Ignored, Ignored{Field: resources + field, Why: why})
}

func (t *translation) fail(field, format string, args ...any) {
	t.errs = append(t.errs, &FieldError{Field: resources + field, Err: fmt.Errorf(format, args...)})
}

// controllerOf returns whose file it is. The kernel's own files need none:
// those of cgroups as such, and the pressure files, which every cgroup has.
func controllerOf(file string) string {
	name, rest, _ := strings.Cut(file, ".")
	if name == "cgroup" || rest == "pressure" {
		return ""
	}
	return name
}

func (t *translation) pids(p *specs.LinuxPids) {
	if p == nil || p.Limit == nil {
		return
	}
	// 0 is a limit like others: the container can start no process.
	if value, ok := t.limit("/pids/limit", *p.Limit); ok {
		t.set(Setting{File: "pids.max", Value: value, Field: "/pids/limit", Optional: value == noLimit})
	}
}

// noLimit is what a file of limits holds when there is none, as in new cgroups.
const noLimit = "max"

// limit formats a number of which -1 means no limit.
func (t *translation) limit(field string, n int64) (string, bool) {
	switch {
	case n == -1:
		return noLimit, true
	case n < 0:
		t.fail(field, "%d is neither a limit nor -1", n)
		return "", false
	}
	return fmt.Sprint(n), true
}

func (t *translation) devices(list []specs.LinuxDeviceCgroup) {
	for i, d := range list {
		field := fmt.Sprintf("/devices/%d", i)
		rule := devices.Rule{Allow: d.Allow, Major: devices.Any, Minor: devices.Any}
		var err error
		if rule.Type, err = devices.ParseType(d.Type); err != nil {
			t.fail(field+"/type", "%w", err)
		}
		if rule.Access, err = devices.ParseAccess(d.Access); err != nil {
			t.fail(field+"/access", "%w", err)
		}
		if d.Major != nil {
			rule.Major = t.deviceNumber(field+"/major", *d.Major)
		}
		if d.Minor != nil {
			rule.Minor = t.deviceNumber(field+"/minor", *d.Minor)
		}
		t.limits.Devices = append(t.limits.Devices, rule)
	}
}

// deviceNumber checks a major or minor number. Engines write -1 for any.
func (t *translation) deviceNumber(field string, n int64) int64 {
	const numberMax = 1<<32 - 1
	if n < devices.Any || n > numberMax {
		t.fail(field, "%d is not a device number", n)
		return devices.Any
	}
	return n
}

func (t *translation) network(n *specs.LinuxNetwork) {
	if n == nil {
		return
	}
	if n.ClassID != nil && *n.ClassID != 0 { // 0 is no class
		t.fail("/network/classID", "not supported yet: net_cls is of cgroup v1")
	}
	if len(n.Priorities) > 0 {
		t.fail("/network/priorities", "not supported: net_prio is of cgroup v1")
	}
}

// unified adds values that are written as given. Files whose use is not to
// limit, but to move, stop or end processes or to shape the tree, are refused:
// the container's start depends on them.
func (t *translation) unified(values map[string]string) {
	files := make([]string, 0, len(values))
	for file := range values {
		files = append(files, file)
	}
	slices.Sort(files)
	for _, file := range files {
		field := "/unified/" + escapePointer(file)
		prefix, rest, dotted := strings.Cut(file, ".")
		switch {
		case strings.ContainsAny(file, "/\x00\n"):
			t.fail(field, "%q is not the name of a file", file)
			continue
		case !dotted || prefix == "" || rest == "":
			t.fail(field, "%q does not have the form CONTROLLER.FILE", file)
			continue
		case !controllerName(prefix):
			t.fail(field, "%q is not the name of a controller", prefix)
			continue
		case slices.Contains([]string{"cgroup.procs", "cgroup.threads", "cgroup.kill", "cgroup.freeze", "cgroup.type", "cgroup.subtree_control"}, file):
			t.fail(field, "%s is not a limit", file)
			continue
		}
		// The kernel takes one line a write.
		for line := range strings.Lines(values[file]) {
			if line = strings.TrimSuffix(line, "\n"); line != "" {
				t.set(Setting{File: file, Value: line, Field: field})
			}
		}
		if strings.TrimRight(values[file], "\n") == "" {
			// Clears cpuset.cpus; elsewhere the kernel says what is wrong.
			t.set(Setting{File: file, Value: "\n", Field: field})
		}
	}
}

// controllerName says whether s has the form of a controller's name, so that
// it can be put into subtree_control.
func controllerName(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return true
}

// escapePointer writes a key as a segment of a JSON pointer.
func escapePointer(key string) string {
	return strings.ReplaceAll(strings.ReplaceAll(key, "~", "~0"), "/", "~1")
}
