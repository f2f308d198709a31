package bundle

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/mesoc/mesoc/libcontainer/plan"
)

// AnnotationPrefix is that of the annotations that are ours. Those of others
// are ignored, one of ours never is: it would be a wish that nobody hears.
const AnnotationPrefix = "io.mesoc."

// Annotations are what the annotations of ours say.
type Annotations struct {
	Parent       string // id of the container to be nested in; empty for none
	ShareCgroups bool   // and to be limited with
	// Supervise asks for a process that waits for the container's end.
	Supervise bool
	Resources plan.Resources // resources
}

// annotation is one of ours.
type annotation struct {
	name string // what follows the prefix
	// isolators obey it, each of them alone. With none, mesoc itself does.
	isolators []string
	// read checks a value and keeps it. Without one the annotation is not
	// built yet, and refused by its name.
	read func(value string, into *Annotations) error
	// parts says whether each part of the value has an isolator that obeys it,
	// for values that several share.
	parts func(*Annotations, *Policy) error
	live  bool // can change while the container lives
}

// annotationTable has all of them: whoever builds one gives its line a reader,
// and Annotations a field. Nobody writes to it.
var annotationTable = [...]annotation{
	{name: "parent", read: func(value string, into *Annotations) error {
		if value == "" {
			return errors.New("must be the id of a container")
		}
		into.Parent = value
		return nil
	}},
	{name: "share-cgroups", read: func(value string, into *Annotations) error { return readBool(value, &into.ShareCgroups) }},
	{name: "sandbox"},
	{name: "supervise", read: func(value string, into *Annotations) error { return readBool(value, &into.Supervise) }},
	{name: "resources", isolators: []string{"cgroups/cpu", "cgroups/mem", "cgroups/all"}, read: readResources, parts: resourcesObeyed, live: true},
	{name: "disk.limit", isolators: []string{"disk/du", "disk/xfs"}},
	{name: "volumes", isolators: []string{"filesystem/shared"}},
	{name: "networks", isolators: []string{"network/cni"}},
	{name: "publish", isolators: []string{"network/cni"}},
	{name: "docker-volumes", isolators: []string{"docker/volume"}},
	{name: "image-config", isolators: []string{"docker/runtime"}},
	{name: "command", isolators: []string{"docker/runtime"}},
	{name: "capabilities.effective", isolators: []string{"linux/capabilities"}},
	{name: "capabilities.bounding", isolators: []string{"linux/capabilities"}},
	{name: "rlimits", isolators: []string{"posix/rlimits"}},
	{name: "ipc-mode", isolators: []string{"namespaces/ipc"}},
	{name: "shm-size", isolators: []string{"namespaces/ipc"}},
	{name: "share-pid-namespace", isolators: []string{"namespaces/pid"}},
}

// Policy is what the operator's settings say of annotations of ours.
type Policy struct {
	// Allowed are prefixes, separated by commas: a bundle may have those
	// annotations of ours that begin with one. What the caller of the runtime
	// says himself is not asked for: engines take a bundle's annotations from
	// images, too.
	Allowed string
	// Isolation are the isolators that are enabled, separated by commas.
	Isolation string
}

// ReadAnnotations merges the annotations of a bundle with those of the command
// line, which override them, and reads those of ours. merged is one of the two
// if the other is empty. The error is a *ValidationError.
func (p *Policy) ReadAnnotations(bundles, callers map[string]string) (merged map[string]string, read Annotations, err error) {
	merged = bundles
	switch {
	case len(callers) == 0:
	case len(bundles) == 0:
		merged = callers
	default:
		merged = maps.Clone(bundles)
		maps.Copy(merged, callers)
	}
	c := checker{}
	c.allowed(bundles, p)
	c.annotations(merged, &read, p)
	if len(c.problems) > 0 {
		return nil, Annotations{}, &ValidationError{Path: "annotations", Problems: c.problems}
	}
	return merged, read, nil
}

// ReadUpdate reads annotations that are to change while the container lives.
// The error is a *ValidationError.
func (p *Policy) ReadUpdate(annotations map[string]string) (Annotations, error) {
	var read Annotations
	c := checker{}
	for _, key := range sortedKeys(annotations) {
		name, ours := strings.CutPrefix(key, AnnotationPrefix)
		live := func(a annotation) bool { return a.live && a.name == name }
		if !ours || !slices.ContainsFunc(annotationTable[:], live) {
			c.bad(at("/annotations", key), nil, "cannot change while the container lives")
		} else if err := readAnnotation(name, annotations[key], &read, p); err != nil {
			c.bad(at("/annotations", key), annotations[key], err.Error())
		}
	}
	if len(c.problems) > 0 {
		return Annotations{}, &ValidationError{Path: "annotations", Problems: c.problems}
	}
	return read, nil
}

// Problems are those that a bundle has because of the policy alone.
func (p *Policy) Problems(bundles map[string]string) []Problem {
	c := checker{}
	c.allowed(bundles, p)
	c.annotations(bundles, nil, p)
	return c.problems
}

// hasOurs says whether there is anything to do: mostly there is not.
func hasOurs(annotations map[string]string) bool {
	for key := range annotations {
		if key == "" || strings.HasPrefix(key, AnnotationPrefix) {
			return true
		}
	}
	return false
}

// allowed finds what a bundle may not say.
func (c *checker) allowed(annotations map[string]string, p *Policy) {
	if !hasOurs(annotations) {
		return
	}
	for _, key := range sortedKeys(annotations) {
		if strings.HasPrefix(key, AnnotationPrefix) && !hasPrefixIn(key, p.Allowed) {
			c.bad(at("/annotations", key), annotations[key], "not allowed to a bundle [see the setting allowed_annotations]")
		}
	}
}

func hasPrefixIn(key, list string) bool {
	for prefix := range strings.SplitSeq(list, ",") {
		if prefix != "" && strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}

// annotations reads those of ours. Without a policy every isolator counts as
// enabled.
func (c *checker) annotations(annotations map[string]string, into *Annotations, p *Policy) {
	if !hasOurs(annotations) {
		return
	}
	if into == nil {
		into = &Annotations{}
	}
	// By name, so that the problems have an order.
	for _, key := range sortedKeys(annotations) {
		value := annotations[key]
		if key == "" {
			c.bad("/annotations/", nil, "must have a key")
			continue
		}
		name, ours := strings.CutPrefix(key, AnnotationPrefix)
		if !ours {
			continue
		}
		if err := readAnnotation(name, value, into, p); err != nil {
			c.bad(at("/annotations", key), value, err.Error())
		}
	}
}

func readAnnotation(name, value string, into *Annotations, p *Policy) error {
	for i := range annotationTable {
		if a := &annotationTable[i]; a.name == name {
			return a.obey(value, into, p)
		}
	}
	return errors.New("no such annotation")
}

// obey reads a value, if there is anybody to obey it.
func (a *annotation) obey(value string, into *Annotations, p *Policy) error {
	switch {
	case a.read == nil && len(a.isolators) == 0:
		return errors.New(ruleNotYet)
	case a.read == nil:
		return errors.New(ruleNotYet + " (needs the isolator " + strings.Join(a.isolators, ", ") + ")")
	case p != nil && !p.enables(a.isolators...):
		return notObeyed("it", a.isolators...)
	}
	err := a.read(value, into)
	if err == nil && p != nil && a.parts != nil {
		err = a.parts(into, p)
	}
	return err
}

// notObeyed is the error of a wish that nobody would hear.
func notObeyed(what string, isolators ...string) error {
	return errors.New("no isolator that is enabled obeys " + what + " [set isolation to " + strings.Join(isolators, " or ") + "]")
}

// enables says whether one of the isolators is enabled, or none is needed.
func (p *Policy) enables(isolators ...string) bool {
	for name := range strings.SplitSeq(p.Isolation, ",") {
		if slices.Contains(isolators, name) {
			return true
		}
	}
	return len(isolators) == 0
}

// readBool reads a value that is true or false, and nothing else.
func readBool(value string, into *bool) error {
	switch value {
	case "true":
		*into = true
	case "false":
		*into = false
	default:
		return errors.New("must be true or false")
	}
	return nil
}
