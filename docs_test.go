package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The tables in the documents are written by the tables in the program.
// `go test -update .` writes them.
func TestDocuments(t *testing.T) {
	for path, sections := range map[string]map[string]func() string{
		"docs/settings.md":    {"settings": settingsMarkdown},
		"docs/commands.md":    {"commands": commandsMarkdown},
		"contrib/man/mesoc.8": {"commands": commandsRoff, "settings": settingsRoff},
	} {
		document, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want := string(document)
		for name, section := range sections {
			begin, end := "<!-- begin "+name+" -->\n", "<!-- end "+name+" -->\n"
			if strings.HasSuffix(path, ".8") {
				begin, end = ".\\\" begin "+name+"\n", ".\\\" end "+name+"\n"
			}
			before, rest, ok1 := strings.Cut(want, begin)
			_, after, ok2 := strings.Cut(rest, end)
			if !ok1 || !ok2 {
				t.Fatalf("%s has no place for %s", path, name)
			}
			want = before + begin + section() + end + after
		}
		if want == string(document) {
			continue
		}
		if !*update {
			t.Errorf("%s is not what the program does: go test -update .", path)
			continue
		}
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func settingsMarkdown() string {
	var b strings.Builder
	for _, group := range []string{groupState, groupOutput, groupEngines, groupIsolators} {
		fmt.Fprintf(&b, "\n### %s\n\n| setting | default | |\n|---|---|---|\n", group)
		for i := range settingTable {
			s := &settingTable[i]
			if s.group != group {
				continue
			}
			value := s.shown
			if value == "" && s.value != "" {
				value = "`" + s.value + "`"
			}
			name, usage := "`"+s.key()+"`", s.usage
			if s.flagOnly {
				name = "`--" + s.name + "`"
				usage += " (a flag only)"
			}
			if s.name == "config" {
				usage += "; also `MESOC_CONFIG`"
			}
			fmt.Fprintf(&b, "| %s | %s | %s |\n", name, value, usage)
		}
	}
	return b.String() + "\n"
}

func commandsMarkdown() string {
	var b strings.Builder
	for _, c := range commands() {
		fmt.Fprintf(&b, "\n## mesoc %s\n\n    mesoc %s%s\n\n%s\n", c.name, c.name, synopsis(c), c.description)
		if len(c.options) == 0 {
			continue
		}
		b.WriteString("\n| flag | |\n|---|---|\n")
		for _, group := range c.options {
			for i := range group {
				if o := &group[i]; !o.unbuilt {
					fmt.Fprintf(&b, "| %s | %s |\n", o.spellings("`", "`"), o.usage)
				}
			}
		}
	}
	b.WriteString("\n## Not built yet\n\nNamed by the interface, refused with an error that names them:\n\n")
	for _, c := range commands() {
		for _, group := range c.options {
			for i := range group {
				if o := &group[i]; o.unbuilt {
					fmt.Fprintf(&b, "- `%s --%s`\n", c.name, o.name)
				}
			}
		}
	}
	return b.String() + "\n"
}

func synopsis(c *command) string {
	s := ""
	if len(c.options) > 0 {
		s = " [flags]"
	}
	if c.arguments != "" {
		s += " " + c.arguments
	}
	return s
}

func roff(s string) string {
	s = strings.ReplaceAll(s, `\`, `\e`)
	return strings.ReplaceAll(s, "-", `\-`)
}

func commandsRoff() string {
	var b strings.Builder
	for _, c := range commands() {
		fmt.Fprintf(&b, ".SS \"mesoc %s%s\"\n%s\n", c.name, roff(synopsis(c)), roff(c.description))
		for _, group := range c.options {
			for i := range group {
				if o := &group[i]; !o.unbuilt {
					fmt.Fprintf(&b, ".TP\n\\fB%s\\fR\n%s\n", roff(o.spellings("", "")), roff(o.usage))
				}
			}
		}
	}
	return b.String()
}

func settingsRoff() string {
	var b strings.Builder
	for _, group := range []string{groupState, groupOutput, groupEngines, groupIsolators} {
		fmt.Fprintf(&b, ".SS \"%s\"\n", roff(group))
		for i := range settingTable {
			s := &settingTable[i]
			if s.group != group {
				continue
			}
			name := s.key()
			if s.flagOnly {
				name = roff("--" + s.name)
			}
			fmt.Fprintf(&b, ".TP\n\\fB%s\\fR\n%s", name, roff(s.usage))
			if value := s.byDefault(); value != "" {
				fmt.Fprintf(&b, " (default: %s)", roff(value))
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}
