package bundle

import (
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/mailru/easyjson/jlexer"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// LoadProcess reads and validates a file that holds what config.json has as
// process, and returns it with what the spec wants said and not refused.
func LoadProcess(path string) (process *specs.Process, warnings []Problem, err error) {
	if path, err = filepath.Abs(path); err != nil {
		return nil, nil, fmt.Errorf("find %s: %w", path, err)
	}
	raw, err := readConfig(path)
	if err != nil {
		return nil, nil, err
	}
	if process, err = parseProcess(path, raw); err != nil {
		return nil, nil, err
	}
	problems, warnings := validateProcess(process, raw)
	if len(problems) > 0 {
		return nil, nil, &ValidationError{Path: path, Problems: problems}
	}
	return process, warnings, nil
}

// processPointer is where a process is in a config.json, and nothing in a file
// of its own.
const processPointer = "/process"

// validateProcess is Validate for a process alone, whose text is raw.
func validateProcess(p *specs.Process, raw []byte) (problems, warnings []Problem) {
	c := checker{}
	c.process(p, nil, &namespaceSet{})
	c.missingLimits(p.Rlimits, func() *node { return treeOf(raw) })
	c.unsupported(&specs.Spec{Process: p})
	for i := range c.problems {
		c.problems[i].Pointer = strings.TrimPrefix(c.problems[i].Pointer, processPointer)
	}
	for i := range c.warnings {
		c.warnings[i].Pointer = strings.TrimPrefix(c.warnings[i].Pointer, processPointer)
	}
	return c.problems, c.warnings
}

func parseProcess(path string, raw []byte) (*specs.Process, error) {
	if !utf8.Valid(raw) {
		return nil, notUTF8(path, raw)
	}
	p, err := decodeProcess(raw)
	if err == nil && p != nil {
		return p, nil
	}
	if explained := diagnose(path, raw, reflect.TypeFor[specs.Process]()); explained != nil {
		return nil, explained
	}
	if err == nil {
		return nil, &ValidationError{Path: path, Problems: []Problem{{Pointer: "/", Rule: "expected an object, found null"}}}
	}
	return nil, fmt.Errorf("parse %s: %w", path, err)
}

// decodeProcess has the decoder of config.json read one that has nothing else.
func decodeProcess(raw []byte) (*specs.Process, error) {
	// What would be more than a value must not become a part of it.
	alone := jlexer.Lexer{Data: raw}
	alone.SkipRecursive()
	alone.Consumed()
	if err := alone.Error(); err != nil {
		return nil, err
	}
	config := make([]byte, 0, len(raw)+len(`{"process":}`))
	config = append(append(append(config, `{"process":`...), raw...), '}')
	spec, err := decode(config, nil)
	if err != nil {
		return nil, err
	}
	return spec.Process, nil
}
