package bundle

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Inspection is all that can be said of a bundle at once.
type Inspection struct {
	Path     string // of the config.json
	Problems []Problem
	// Warnings are those of a bundle, and the properties that the spec does not
	// know: they are ignored, as the spec wants, and some are typos.
	Warnings []Problem
	// Spec is what could be read: values of a wrong type are left out.
	Spec *specs.Spec

	tree *node
	raw  []byte
}

// Inspect is Load for who wants to know everything that is wrong: it goes on
// where Load gives up, and takes its time. An error says that the config could
// not be read, or is no JSON (*SyntaxError).
func Inspect(dir string) (*Inspection, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	i := &Inspection{Path: filepath.Join(dir, ConfigName)}
	if i.raw, err = readConfig(i.Path); err != nil {
		return nil, err
	}
	if err := i.read(); err != nil {
		return nil, err
	}
	b := &Bundle{Dir: dir, Spec: i.Spec}
	if i.Spec.Root != nil {
		b.Rootfs = within(dir, i.Spec.Root.Path)
	}
	c := checker{}
	c.spec(i.Spec)
	if p := i.Spec.Process; p != nil {
		c.missingLimits(p.Rlimits, func() *node { return i.tree }, "process")
	}
	c.host(b)
	i.Warnings = append(c.warnings, i.Warnings...)
	i.Add(c.problems...)
	return i, nil
}

// read decodes the config, without the values of a wrong type, which become the
// first problems.
func (i *Inspection) read() error {
	if !utf8.Valid(i.raw) {
		return notUTF8(i.Path, i.raw)
	}
	tree, offset, problem := parseJSON(i.raw)
	if problem != "" {
		return syntaxError(i.Path, i.raw, offset, problem)
	}
	i.tree = tree
	w := walk(tree, reflect.TypeFor[document]())
	for _, pointer := range w.unknown {
		i.Warnings = append(i.Warnings, Problem{Pointer: pointer, Value: i.valueAt(pointer), Rule: "unknown property: ignored"})
	}
	var err error
	if i.Spec, err = decode(i.raw, nil); err == nil {
		return nil
	}
	if i.Spec, err = decode(without(i.raw, w.wrong), nil); err != nil {
		i.Spec = &specs.Spec{} // the document itself is of a wrong type
	}
	i.Add(w.problems...)
	return nil
}

// without is a JSON text with null for some of its values, in their order.
func without(raw []byte, values []*node) []byte {
	var out []byte
	done := 0
	for _, n := range values {
		out = append(append(out, raw[done:n.start]...), "null"...)
		done = n.end
	}
	return append(out, raw[done:]...)
}

// Add adds problems, with the values that they are about, but for those of a
// value that has one already, or that lies in one of a wrong type.
func (i *Inspection) Add(problems ...Problem) {
	known := slices.Clone(i.Problems)
	for _, p := range problems {
		if slices.ContainsFunc(known, func(k Problem) bool {
			return p.Pointer == k.Pointer || k.Pointer == "/" || strings.HasPrefix(p.Pointer, k.Pointer+"/")
		}) {
			continue
		}
		if p.Value == "" {
			p.Value = i.valueAt(p.Pointer)
		}
		i.Problems = append(i.Problems, p)
	}
}

var pointerNames = strings.NewReplacer("~1", "/", "~0", "~")

// valueAt shows what a JSON pointer points to; nothing if there is nothing.
func (i *Inspection) valueAt(pointer string) string {
	parts := strings.Split(strings.Trim(pointer, "/"), "/")
	for p := range parts {
		parts[p] = pointerNames.Replace(parts[p])
	}
	n := i.tree.find(parts...)
	if n == nil {
		return ""
	}
	var b bytes.Buffer
	if err := json.Compact(&b, i.raw[n.start:n.end]); err != nil {
		return ""
	}
	if b.Len() > maxShown {
		return strings.ToValidUTF8(b.String()[:maxShown], "") + "…"
	}
	return b.String()
}

// find is the value that a path of names and indices leads to, nil if there is none.
func (n *node) find(path ...string) *node {
	for _, name := range path {
		if n == nil {
			return nil
		}
		n = n.member(name)
	}
	return n
}

// member is the one of that name or index, nil if there is none. Of two that
// have one name it is the second that counts.
func (n *node) member(name string) *node {
	at := len(n.names)
	if n.kind == nodeArray {
		var err error
		if at, err = strconv.Atoi(name); err != nil || at < 0 || at >= len(n.nodes) {
			return nil
		}
		return n.nodes[at]
	}
	for at--; at >= 0; at-- {
		if n.names[at] == name {
			return n.nodes[at]
		}
	}
	return nil
}
