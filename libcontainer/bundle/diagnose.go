package bundle

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
)

// diagnose explains why a file cannot be decoded as a type: where its syntax
// breaks, or every value that is of the wrong type. It compares the JSON with
// the spec's Go types by reflection, which is slow and needs no table. Nil
// means that it finds nothing wrong.
func diagnose(path string, raw []byte, t reflect.Type) error {
	tree, offset, problem := parseJSON(raw)
	if problem != "" {
		return syntaxError(path, raw, offset, problem)
	}
	w := walk(tree, t)
	if len(w.problems) == 0 {
		return nil
	}
	return &ValidationError{Path: path, Problems: w.problems}
}

// typeWalk goes through a JSON text and a Go type together.
type typeWalk struct {
	problems []Problem
	wrong    []*node  // the values of the problems
	unknown  []string // JSON pointers of the properties that the spec does not know
}

// walk compares a file with the type that it is decoded to. What it finds is
// in the order of the file.
func walk(tree *node, t reflect.Type) typeWalk {
	w := typeWalk{}
	w.value("", tree, t)
	return w
}

func (w *typeWalk) bad(pointer string, n *node, rule string) {
	w.problems = append(w.problems, Problem{Pointer: pointer, Rule: rule})
	w.wrong = append(w.wrong, n)
}

func (w *typeWalk) value(pointer string, n *node, t reflect.Type) {
	if n.kind == nodeNull || t == reflect.TypeFor[json.RawMessage]() {
		return
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if want := wantedKind(t); want != n.kind {
		w.mismatch(pointer, t, n)
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		w.members(pointer, n, t)
	case reflect.Map:
		for i, v := range n.nodes {
			w.value(at(pointer, n.names[i]), v, t.Elem())
		}
	case reflect.Slice:
		for i, v := range n.nodes {
			w.value(at(pointer, i), v, t.Elem())
		}
	case reflect.String, reflect.Bool:
	default:
		if !fits(n.text, t) {
			w.bad(pointer, n, "expected "+describe(t)+", found "+n.text)
		}
	}
}

func (w *typeWalk) members(pointer string, n *node, t reflect.Type) {
	for i, v := range n.nodes {
		here := at(pointer, n.names[i])
		if field, known := fieldType(t, n.names[i]); known {
			w.value(here, v, field)
		} else {
			w.unknown = append(w.unknown, here)
		}
	}
}

// fieldType is the type of the field that a property goes to.
func fieldType(t reflect.Type, property string) (reflect.Type, bool) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			if inner, known := fieldType(f.Type, property); known {
				return inner, true
			}
			continue
		}
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name == property {
			return f.Type, true
		}
	}
	return nil, false
}

func (w *typeWalk) mismatch(pointer string, t reflect.Type, n *node) {
	if pointer == "" {
		pointer = "/"
	}
	w.bad(pointer, n, "expected "+describe(t)+", found "+n.kind.String())
}

func wantedKind(t reflect.Type) nodeKind {
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return nodeObject
	case reflect.Slice:
		return nodeArray
	case reflect.String:
		return nodeString
	case reflect.Bool:
		return nodeBool
	default:
		return nodeNumber
	}
}

func (k nodeKind) String() string {
	return [...]string{"null", "a boolean", "a number", "a string", "an array", "an object"}[k]
}

// describe says in words what a type wants.
func describe(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Slice:
		return "an array of " + plural(t.Elem())
	case reflect.Map:
		if t.Elem().Kind() == reflect.String {
			return "an object of strings"
		}
		return "an object"
	case reflect.Struct, reflect.String, reflect.Bool:
		return wantedKind(t).String()
	}
	low, high := bounds(t)
	return "a whole number from " + low + " to " + high
}

func plural(t reflect.Type) string {
	switch wantedKind(t) {
	case nodeString:
		return "strings"
	case nodeNumber:
		return "whole numbers"
	default:
		return "objects"
	}
}

func isSigned(t reflect.Type) bool {
	return t.Kind() >= reflect.Int && t.Kind() <= reflect.Int64
}

// bounds are the least and the greatest number of a type.
func bounds(t reflect.Type) (low, high string) {
	if isSigned(t) {
		high := int64(1)<<(t.Bits()-1) - 1
		return strconv.FormatInt(-high-1, 10), strconv.FormatInt(high, 10)
	}
	return "0", strconv.FormatUint(^uint64(0)>>(64-t.Bits()), 10)
}

func fits(number string, t reflect.Type) bool {
	var err error
	if isSigned(t) {
		_, err = strconv.ParseInt(number, 10, t.Bits())
	} else {
		_, err = strconv.ParseUint(number, 10, t.Bits())
	}
	return err == nil
}
