package main

import (
	"errors"
	"strings"
)

// There are two parsers of the command line. The one in this file accepts
// what engines send, a well-formed call of a command, without building
// anything. Whatever it does not accept (a mistake, a wish for help, the
// shell's completion) goes to the other, urfave/cli, which knows what to say.
// Both fill the same call from the same tables, and a test holds them to the
// same result.

// errParse is what package flag says of a value that it cannot read.
var errParse = errors.New("parse error")

// completionFlag is urfave/cli's, for the shell's completion. It stands last.
const completionFlag = "--generate-bash-completion"

// parse understands argv. Without a command to run (help has been printed,
// say) and without an error the call is done.
func (c *call) parse(argv []string) error {
	if c.parsePlain(argv) {
		return nil
	}
	c.command, c.globals, c.flags, c.args = nil, nil, nil, nil
	return c.parseWithApp(argv)
}

// parsePlain reports whether argv is a well-formed call of a command.
func (c *call) parsePlain(argv []string) bool {
	argv, ok := parseFlags(argv, globalOption, &c.globals)
	if !ok || len(argv) == 0 {
		c.command = &versionCommand
		return ok && c.globals.is("version")
	}
	c.command = commandNamed(argv[0])
	if c.command == nil {
		return false
	}
	c.args, ok = parseFlags(argv[1:], c.command.option, &c.flags)
	return ok && c.command.countArguments(c.args) == nil
}

// parseFlags reads flags by the rules of package flag up to the first word
// that is none, and returns the words from there.
func parseFlags(argv []string, find func(string) *option, into *given) (rest []string, ok bool) {
	for len(argv) > 0 {
		name, value, hasValue, isFlag := flagParts(argv[0])
		if !isFlag {
			return argv, true
		}
		if argv[0] == "--" {
			return argv[1:], true
		}
		argv = argv[1:]
		o := find(name)
		if o == nil {
			return nil, false
		}
		if !hasValue {
			if o.kind == boolean {
				value = "true"
			} else if len(argv) > 0 {
				value, argv = argv[0], argv[1:]
			} else {
				return nil, false
			}
		}
		if o.check(value) != nil {
			return nil, false
		}
		*into = append(*into, assignment{o.name, value})
	}
	return nil, true
}

// flagParts takes -name, --name and --name=value apart. A single dash is an
// argument, two are the end of the flags.
func flagParts(word string) (name, value string, hasValue, isFlag bool) {
	if len(word) < 2 || word[0] != '-' {
		return "", "", false, false
	}
	word = strings.TrimPrefix(word[1:], "-")
	name, value, hasValue = strings.Cut(word, "=")
	return name, value, hasValue, true
}

// arrange brings argv into the one order and spelling that the parsers know:
// settings spelled with underscores get dashes, and a command's flags that
// stand behind its arguments come before them, where they mean anything.
// What it does not know it leaves for the parsers to complain about.
func arrange(argv []string) []string {
	if n := len(argv); n > 0 && argv[n-1] == completionFlag {
		return argv // what the shell asks about is the order as it is typed
	}
	out := make([]string, 0, len(argv)+1)
	for len(argv) > 0 {
		word := argv[0]
		name, _, hasValue, isFlag := flagParts(word)
		if !isFlag || word == "--" {
			break
		}
		argv = argv[1:]
		o := globalOption(name)
		if o == nil {
			out = append(out, word)
			continue
		}
		out = append(out, strings.Replace(word, name, o.name, 1))
		if !hasValue && o.kind != boolean && len(argv) > 0 {
			out, argv = append(out, argv[0]), argv[1:]
		}
	}
	if len(argv) == 0 {
		return out
	}
	c := commandNamed(argv[0])
	if c == nil || c.programFollows {
		return append(out, argv...)
	}
	return flagsFirst(append(out, argv[0]), c, argv[1:])
}

// flagsFirst appends argv to out with c's flags before its arguments.
func flagsFirst(out []string, c *command, argv []string) []string {
	var args []string
	dashed := false // an argument that must not be taken for a flag
	for len(argv) > 0 {
		word := argv[0]
		argv = argv[1:]
		name, _, hasValue, isFlag := flagParts(word)
		if word == "--" {
			dashed = true
			args = append(args, argv...)
			break
		}
		if !isFlag {
			args = append(args, word)
			continue
		}
		out = append(out, word)
		if o := c.option(name); o != nil && !hasValue && o.kind != boolean && len(argv) > 0 {
			out, argv = append(out, argv[0]), argv[1:]
		}
	}
	if dashed {
		out = append(out, "--")
	}
	return append(out, args...)
}
