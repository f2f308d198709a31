package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/mesoc/mesoc/libcontainer"
)

var checkCommand = command{
	name:  "check",
	usage: "find what this host lacks",
	description: `Looks for everything of the host that mesoc uses, and prints one line a
feature: whether it is there (yes, no, or could not tell, as when a sandbox or
missing rights keep the answer back), its name, and if it is not known to be
there what it needs and what becomes of containers without it. JSON has an array
of objects with name, answer, reason, required, since, config, used_for and
without. Exits with 1 if something is missing that every container needs.
Nothing is created or changed.`,
	options: [][]option{{
		{name: "format", alias: "f", meta: "FORMAT", usage: "text or json (default: text)"},
	}},
	run: check,
}

func check(c *call) error {
	format := c.flags.text("format")
	if format != "" && format != "text" && format != "json" {
		return fmt.Errorf("check this host: invalid format option %q (text and json are known)", format)
	}
	found := libcontainer.CheckHost()
	if err := printFeatures(c.stdout, found, format == "json"); err != nil {
		return err
	}
	var missing []string
	for i := range found {
		if f := &found[i]; f.Required && f.Lacking() {
			missing = append(missing, f.Name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("check this host: no container can be made without %s", strings.Join(missing, "; "))
	}
	return nil
}

func printFeatures(w io.Writer, found []libcontainer.HostFeature, asJSON bool) error {
	if asJSON {
		out := json.NewEncoder(w)
		out.SetEscapeHTML(false)
		return out.Encode(found)
	}
	var b strings.Builder
	for i := range found {
		f := &found[i]
		fmt.Fprintf(&b, "%-14s  %s", f.Answer, f.Name)
		if f.Reason != "" {
			b.WriteString(" (" + strings.ReplaceAll(f.Reason, "\n", "; ") + ")")
		}
		if f.Answer != "yes" {
			b.WriteString(": needs Linux " + f.Since)
			if f.Config != "" {
				b.WriteString(" and " + f.Config)
			}
			b.WriteString("; without it, " + f.Without)
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}
