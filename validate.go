package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mesoc/mesoc/libcontainer/bundle"
)

var validateCommand = command{
	name:  "validate",
	usage: "find what is wrong with a bundle",
	description: `Prints every problem of a bundle's config.json, one a line, each with its
JSON pointer, the value and the rule. Exits with 1 if there is one. What create
would ignore, properties that the specification does not know among it, is told
as warnings: on standard error, in JSON as objects whose member warning is true.
Nothing is created or changed.`,
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
	found, err := c.runtime().Inspect(c.flags.text("bundle"))
	var syntax *bundle.SyntaxError
	switch {
	case errors.As(err, &syntax) && format == "json":
		found = &bundle.Inspection{Path: syntax.Path}
		found.Problems = []bundle.Problem{{Rule: fmt.Sprintf("line %d, column %d: %s", syntax.Line, syntax.Column, syntax.Problem)}}
	case err != nil:
		return err
	}
	if format == "json" {
		out := json.NewEncoder(c.stdout)
		out.SetEscapeHTML(false)
		if err := out.Encode(report(found)); err != nil {
			return err
		}
	} else {
		for i := range found.Problems {
			fmt.Fprintln(c.stdout, found.Problems[i])
		}
		for i := range found.Warnings {
			c.journal.writeWarning(found.Warnings[i].String())
		}
	}
	if len(found.Problems) > 0 {
		return fmt.Errorf("validate %s: %d problem(s)", found.Path, len(found.Problems))
	}
	return nil
}

// remark is a problem or a warning, in JSON.
type remark struct {
	bundle.Problem
	Warning bool `json:"warning,omitempty"`
}

func report(found *bundle.Inspection) []remark {
	list := []remark{}
	for _, p := range found.Problems {
		if p.Pointer == "/" { // all of it, which people can tell better so
			p.Pointer = ""
		}
		list = append(list, remark{Problem: p})
	}
	for _, p := range found.Warnings {
		list = append(list, remark{Problem: p, Warning: true})
	}
	return list
}
