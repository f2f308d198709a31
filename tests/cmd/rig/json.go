package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// edit applies edits to a JSON file, in order. An edit is a JSON pointer and
// what to do there:
//
//	/a/b=JSON     set
//	/a/b:=TEXT    set to a string
//	/a/b+=JSON    append to a list, which is made when missing
//	/a/b!         remove
//
// Missing objects on the way are made. In a list, a token @NAME stands for the
// first element whose type, destination or path is NAME. What follows -- becomes
// /process/args.
func edit(args []string) error {
	if len(args) < 1 {
		return fmt.Errorf("no file")
	}
	file := args[0]
	doc, err := load(file)
	if err != nil {
		return err
	}
	for i, e := range args[1:] {
		if e == "--" {
			list := []any{}
			for _, a := range args[1:][i+1:] {
				list = append(list, a)
			}
			if doc, err = at(doc, tokens("/process/args"), func(any) (any, bool, error) { return list, true, nil }); err != nil {
				return err
			}
			break
		}
		if doc, err = apply(doc, e); err != nil {
			return fmt.Errorf("%s: %w", e, err)
		}
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(doc); err != nil {
		return err
	}
	return os.WriteFile(file, out.Bytes(), 0o644)
}

// change says what becomes of a value: the new one, and whether it stays at all.
type change func(old any) (any, bool, error)

func apply(doc any, e string) (any, error) {
	if p, ok := strings.CutSuffix(e, "!"); ok && !strings.Contains(e, "=") {
		return at(doc, tokens(p), func(any) (any, bool, error) { return nil, false, nil })
	}
	// The first = that does not belong to a token ends the pointer.
	p, text, ok := strings.Cut(e, "=")
	if !ok {
		return nil, fmt.Errorf("no = in edit")
	}
	if p, ok := strings.CutSuffix(p, ":"); ok {
		return at(doc, tokens(p), func(any) (any, bool, error) { return text, true, nil })
	}
	var v any
	if err := decode([]byte(text), &v); err != nil {
		return nil, err
	}
	if p, ok := strings.CutSuffix(p, "+"); ok {
		return at(doc, tokens(p), func(old any) (any, bool, error) {
			list, isList := old.([]any)
			if !isList && old != nil {
				return nil, false, fmt.Errorf("not a list")
			}
			return append(list, v), true, nil
		})
	}
	return at(doc, tokens(p), func(any) (any, bool, error) { return v, true, nil })
}

func tokens(pointer string) []string {
	if pointer == "" {
		return nil
	}
	list := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	for i, t := range list {
		list[i] = strings.ReplaceAll(strings.ReplaceAll(t, "~1", "/"), "~0", "~")
	}
	return list
}

func at(doc any, path []string, f change) (any, error) {
	if len(path) == 0 {
		v, _, err := f(doc)
		return v, err
	}
	switch node := doc.(type) {
	case nil:
		return at(map[string]any{}, path, f)
	case map[string]any:
		old, keep := node[path[0]], true
		var err error
		if len(path) == 1 {
			old, keep, err = f(old)
		} else {
			old, err = at(old, path[1:], f)
		}
		if err != nil {
			return nil, err
		}
		if keep {
			node[path[0]] = old
		} else {
			delete(node, path[0])
		}
		return node, nil
	case []any:
		i, err := index(node, path[0])
		if err != nil {
			return nil, err
		}
		if len(path) > 1 {
			node[i], err = at(node[i], path[1:], f)
			return node, err
		}
		v, keep, err := f(node[i])
		if err != nil {
			return nil, err
		}
		if !keep {
			return append(node[:i], node[i+1:]...), nil
		}
		node[i] = v
		return node, nil
	}
	return nil, fmt.Errorf("%q: neither object nor list above it", path[0])
}

func index(list []any, token string) (int, error) {
	if name, ok := strings.CutPrefix(token, "@"); ok {
		for i, e := range list {
			m, _ := e.(map[string]any)
			for _, k := range []string{"type", "destination", "path"} {
				if m[k] == name {
					return i, nil
				}
			}
		}
		return 0, fmt.Errorf("no element named %q", name)
	}
	i, err := strconv.Atoi(token)
	if err != nil || i < 0 || i >= len(list) {
		return 0, fmt.Errorf("no element %q in a list of %d", token, len(list))
	}
	return i, nil
}

// get prints the values at the pointers: strings raw, everything else as
// compact JSON, and "absent" is an error.
func get(args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("want FILE POINTER…")
	}
	doc, err := load(args[0])
	if err != nil {
		return err
	}
	for _, p := range args[1:] {
		v, err := value(doc, tokens(p))
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		if s, ok := v.(string); ok {
			fmt.Println(s)
			continue
		}
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		fmt.Println(string(b))
	}
	return nil
}

func value(doc any, path []string) (any, error) {
	for _, t := range path {
		switch node := doc.(type) {
		case map[string]any:
			v, ok := node[t]
			if !ok {
				return nil, fmt.Errorf("no %q", t)
			}
			doc = v
		case []any:
			i, err := index(node, t)
			if err != nil {
				return nil, err
			}
			doc = node[i]
		default:
			return nil, fmt.Errorf("no %q in a plain value", t)
		}
	}
	return doc, nil
}

// keys reads tokens itself because a decoded map has lost the file's order.
func keys(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("want FILE")
	}
	b, err := read(args[0])
	if err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	depth, name := 0, true
	for {
		t, err := dec.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case json.Delim:
			if t == '{' || t == '[' {
				depth++
			} else {
				depth--
			}
			if depth == 1 && (t == '}' || t == ']') {
				name = true
			}
		default:
			if depth == 1 && name {
				fmt.Println(t)
				name = false
			} else if depth == 1 {
				name = true
			}
		}
	}
}

func load(file string) (any, error) {
	b, err := read(file)
	if err != nil {
		return nil, err
	}
	var doc any
	return doc, decode(b, &doc)
}

func read(file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(file)
}

// decode keeps numbers as they are written and takes one document only.
func decode(b []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return fmt.Errorf("more than one JSON document")
	}
	return nil
}
