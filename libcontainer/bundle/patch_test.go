package bundle

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
)

// base is a small config without problems, which the tables damage.
const base = `{
	"ociVersion": "1.3.0",
	"process": {"user": {"uid": 0, "gid": 0}, "args": ["sh"], "env": ["PATH=/bin"], "cwd": "/"},
	"root": {"path": "rootfs"},
	"mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
	"linux": {"namespaces": [{"type": "mount"}, {"type": "uts"}, {"type": "ipc"}, {"type": "network"}, {"type": "pid"}], "resources": {}}
}`

// patched is base with values set: pairs of a JSON pointer and a JSON value.
// "-" appends to an array, an empty value removes.
func patched(t testing.TB, pairs ...string) []byte {
	t.Helper()
	var doc any
	if err := json.Unmarshal([]byte(base), &doc); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(pairs); i += 2 {
		var value any
		if pairs[i+1] != "" {
			exact := json.NewDecoder(strings.NewReader(pairs[i+1]))
			exact.UseNumber()
			if err := exact.Decode(&value); err != nil {
				t.Fatalf("value of %s: %v", pairs[i], err)
			}
		}
		parts := strings.Split(pairs[i], "/")[1:]
		for n, p := range parts {
			parts[n] = strings.NewReplacer("~1", "/", "~0", "~").Replace(p)
		}
		doc = patch(t, doc, parts, value, pairs[i+1] == "")
	}
	raw, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func patch(t testing.TB, doc any, parts []string, value any, remove bool) any {
	if len(parts) == 0 {
		return value
	}
	key, rest := parts[0], parts[1:]
	switch doc := doc.(type) {
	case nil:
		return map[string]any{key: patch(t, nil, rest, value, remove)}
	case map[string]any:
		if len(rest) == 0 && remove {
			delete(doc, key)
		} else {
			doc[key] = patch(t, doc[key], rest, value, remove)
		}
		return doc
	case []any:
		if key == "-" {
			return append(doc, patch(t, nil, rest, value, remove))
		}
		i, err := strconv.Atoi(key)
		if err != nil || i >= len(doc) {
			t.Fatalf("no element %q in %v", key, doc)
		}
		doc[i] = patch(t, doc[i], rest, value, remove)
		return doc
	}
	t.Fatalf("nothing can be set below %v", doc)
	return nil
}

// problemsOf decodes and validates a config, and gives the problems as text.
func problemsOf(t testing.TB, raw []byte) (problems, warnings []string) {
	t.Helper()
	spec, err := parse("config.json", raw, nil)
	if err != nil {
		t.Fatalf("parse %s: %v", raw, err)
	}
	list, warned := Validate(spec)
	return texts(list), texts(warned)
}

func texts(list []Problem) (lines []string) {
	for _, p := range list {
		lines = append(lines, p.String())
	}
	return lines
}
