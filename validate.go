package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/mesoc/mesoc/libcontainer"
	"github.com/mesoc/mesoc/libcontainer/bundle"
)

var validateCommand = command{
	name:  "validate",
	usage: "find what is wrong with a bundle",
	description: `Prints every problem of a bundle's config.json, one a line, each with its
JSON pointer. Exits with 1 if there is one. Nothing is created or changed.`,
	options: [][]option{{
		{name: "bundle", alias: "b", meta: "DIR", usage: "directory of the bundle (default: the current directory)"},
		{name: "format", alias: "f", meta: "FORMAT", usage: "text or json (default: text)"},
	}},
	run: validate,
}

func validate(c *call) error {
	format := c.flags.text("format")
	if format != "" && format != "text" && format != "json" {
		return fmt.Errorf("validate a bundle: invalid format option %q (text and json are known)", format)
	}
	b, err := bundle.Load(c.flags.text("bundle"))
	var invalid *bundle.ValidationError
	if err != nil && !errors.As(err, &invalid) {
		return err
	}
	var warnings []string
	problems := []bundle.Problem{}
	if invalid != nil {
		problems = invalid.Problems
	} else {
		warnings = b.Warnings
		if err := libcontainer.CheckFilter(b.Spec); err != nil {
			invalid = &bundle.ValidationError{Path: filepath.Join(b.Dir, bundle.ConfigName)}
			problems = append(problems, bundle.Problem{Pointer: "/linux/seccomp", Rule: err.Error()})
		}
	}
	if format == "json" {
		out := json.NewEncoder(c.stdout)
		out.SetEscapeHTML(false)
		if err := out.Encode(problems); err != nil {
			return err
		}
	} else {
		for i := range problems {
			fmt.Fprintln(c.stdout, problems[i])
		}
	}
	for _, w := range warnings {
		c.journal.warn("%s", w)
	}
	if len(problems) > 0 {
		return fmt.Errorf("validate %s: %d problem(s)", invalid.Path, len(problems))
	}
	return nil
}
