package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// readConfig calls set for each setting of a TOML file, in its order. It reads
// the syntax tree, where a value still knows its line, and not a decoded
// document, which would have lost it.
func readConfig(path string, data []byte, set func(key, value string, line int) error) error {
	var p unstable.Parser
	p.Reset(data)
	wrong := func(line int, format string, args ...any) error {
		return fmt.Errorf("read settings: file %s, line %d: %s", path, line, fmt.Sprintf(format, args...))
	}
	seen := map[string]int{}
	for p.NextExpression() {
		node := p.Expression()
		key, line := keyOf(&p, node)
		if node.Kind != unstable.KeyValue {
			return wrong(line, "[%s]: settings are not in tables", key)
		}
		if first, ok := seen[key]; ok {
			return wrong(line, "%s: set already in line %d", key, first)
		}
		seen[key] = line
		value, err := valueOf(node.Value())
		if err != nil {
			return wrong(line, "%s: %v", key, err)
		}
		if err := set(key, value, line); err != nil {
			return err
		}
	}
	if err := p.Error(); err != nil {
		line := 1
		var syntax *unstable.ParserError
		if errors.As(err, &syntax) {
			line = 1 + strings.Count(string(data[:p.Range(syntax.Highlight).Offset]), "\n")
		}
		return wrong(line, "%v", err)
	}
	return nil
}

func keyOf(p *unstable.Parser, node *unstable.Node) (key string, line int) {
	var parts []string
	keys := node.Key()
	for keys.Next() {
		if line == 0 {
			line = p.Shape(keys.Node().Raw).Start.Line
		}
		parts = append(parts, string(keys.Node().Data))
	}
	return strings.Join(parts, "."), line
}

// valueOf is a value in the spelling that it would have as a flag.
func valueOf(node *unstable.Node) (string, error) {
	switch node.Kind {
	case unstable.String, unstable.Bool, unstable.Integer:
		return string(node.Data), nil
	case unstable.Array:
		var values []string
		items := node.Children()
		for items.Next() {
			if items.Node().Kind != unstable.String {
				return "", errors.New("must be a list of strings")
			}
			values = append(values, string(items.Node().Data))
		}
		return strings.Join(values, ","), nil
	}
	return "", errors.New("must be a string, a number, true, false or a list of strings")
}
