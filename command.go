package main

import (
	"fmt"
	"io"
	"strconv"

	"github.com/mesoc/mesoc/libcontainer"
	"github.com/mesoc/mesoc/libcontainer/bundle"
	"github.com/mesoc/mesoc/libcontainer/program"
)

// command is one command of mesoc, as both parsers and the help know it. The
// commands are package-level tables that nobody changes, laid out by the
// compiler: they cost nothing at start.
type command struct {
	name        string
	usage       string
	arguments   string // as the help shows them
	description string
	options     [][]option

	minArgs, maxArgs int
	takesID          bool // the first argument is a container's id
	programFollows   bool // nothing after the first argument is a flag
	hostless         bool // answers the same on every host: no file, no environment
	early            bool // runs before rarely used packages are there: see runEarly
	failure          int  // exit status of a failure, if it is not 1; a wrong command line is always 1

	// missing, if set, says what keeps the command from working on this host.
	// Then it has no help either: engines ask for that to find out.
	missing func() error

	run func(*call) error
}

// manyArguments is the most that a command takes which takes any number.
const manyArguments = 1<<31 - 1

// commands are all of them, in the order of the help.
func commands() []*command {
	return []*command{
		&createCommand, &startCommand, &runCommand, &execCommand, &stateCommand, &listCommand,
		&psCommand, &pauseCommand, &resumeCommand, &killCommand, &deleteCommand, &waitCommand, &watchCommand, &recoverCommand,
		&updateCommand, &eventsCommand, &statsCommand, &checkpointCommand, &restoreCommand, &specCommand,
		&validateCommand, &checkCommand, &featuresCommand,
	}
}

// commandNamed returns nil for a name that no command has. The ones that
// engines call thousands of times are found without looking at the others.
func commandNamed(name string) *command {
	switch name {
	case "create":
		return &createCommand
	case "start":
		return &startCommand
	case "state":
		return &stateCommand
	case "kill":
		return &killCommand
	case "delete":
		return &deleteCommand
	case "exec":
		return &execCommand
	}
	for _, c := range commands() {
		if c.name == name {
			return c
		}
	}
	return nil
}

// option returns the option of that name or alias, or nil.
func (c *command) option(name string) *option {
	for _, group := range c.options {
		for i := range group {
			if o := &group[i]; o.name == name || o.alias != "" && o.alias == name {
				return o
			}
		}
	}
	return nil
}

// kind is what an option's value has to look like.
type kind uint8

const (
	text    kind = iota
	boolean      // no value, or =true and =false
	number       // a decimal number, not negative
)

// option is one flag, of a command or global.
type option struct {
	name    string // with dashes
	alias   string // one letter, or what some say instead
	kind    kind
	meta    string // what stands for the value in the help
	usage   string
	repeats bool // every value counts, not only the last
	unbuilt bool // named by the contract, refused until it is there

	// annotation is what the option is sugar for: its value, or its values
	// with commas between them, become that of the annotation of ours.
	annotation string
}

// spellings are how the option is written, each between two marks.
func (o *option) spellings(before, after string) string {
	value := ""
	if o.kind != boolean {
		value = " value"
		if o.meta != "" {
			value = " " + o.meta
		}
	}
	s := before + "--" + o.name + value + after
	if o.alias != "" {
		s += ", " + before + "-" + o.alias + value + after
	}
	return s
}

// check says whether value is one that the option can have, in the words of
// package flag.
func (o *option) check(value string) error {
	switch o.kind {
	case boolean:
		if _, err := strconv.ParseBool(value); err != nil {
			return errParse
		}
	case number:
		if _, err := strconv.ParseUint(value, 10, 31); err != nil {
			return errParse
		}
	}
	return nil
}

// given are the flags of a command line in their order.
type given []assignment

type assignment struct{ name, value string }

// last returns the value that counts: repeats override.
func (g given) last(name string) (value string, ok bool) {
	for i := len(g) - 1; i >= 0; i-- {
		if g[i].name == name {
			return g[i].value, true
		}
	}
	return "", false
}

func (g given) text(name string) string {
	value, _ := g.last(name)
	return value
}

func (g given) is(name string) bool {
	value, ok := g.last(name)
	on, err := strconv.ParseBool(value)
	return ok && err == nil && on
}

// wish is whether a boolean option is on; nil when it is not given.
func (g given) wish(name string) *bool {
	if _, given := g.last(name); !given {
		return nil
	}
	on := g.is(name)
	return &on
}

// number of an option whose kind is number; 0 when it is not given.
func (g given) number(name string) int {
	n, _ := strconv.Atoi(g.text(name)) // held to digits by check
	return n
}

func (g given) all(name string) []string {
	var values []string
	for _, a := range g {
		if a.name == name {
			values = append(values, a.value)
		}
	}
	return values
}

// call is one command line, understood: what to run and with what.
type call struct {
	command         *command
	globals         given
	flags           given
	args            []string
	settings        settings
	journal         *journal
	fault           *program.Fault
	supervisorFault *program.Fault
	ran             bool  // what went wrong is not the command line
	err             error // the first thing that went wrong
	exitCode        int   // of a call without an error: a program that has run has one

	stdout, stderr io.Writer
}

// run runs the command.
func (c *call) run() {
	c.ran = true
	c.err = c.command.run(c)
}

// id is the container that the command is about.
func (c *call) id() string { return c.args[0] }

// runtime is libcontainer as the operator wants it.
func (c *call) runtime() *libcontainer.Runtime {
	r := &libcontainer.Runtime{
		Root:        c.settings.text(setRoot),
		CgroupsRoot: c.settings.text(setCgroupsRoot),
		CgroupsLeaf: c.settings.text(setCgroupsLeaf),
		Policy: bundle.Policy{
			Allowed:   c.settings.text(setAllowed),
			Isolation: c.settings.text(setIsolation),
		},
		Isolators:       isolators(),
		Warn:            c.journal.warn,
		Advise:          c.journal.advise,
		Fault:           c.fault,
		SupervisorFault: c.supervisorFault,
	}
	if c.settings.is(setDebug) {
		r.Trace = c.journal.trace
	}
	return r
}

// countArguments complains in the words of runc, which scripts know.
func (c *command) countArguments(args []string) error {
	n := len(args)
	switch {
	case n >= c.minArgs && n <= c.maxArgs:
		return nil
	case c.minArgs == c.maxArgs:
		return fmt.Errorf("mesoc: %q requires exactly %d argument(s)", c.name, c.minArgs)
	case n < c.minArgs:
		return fmt.Errorf("mesoc: %q requires a minimum of %d argument(s)", c.name, c.minArgs)
	}
	return fmt.Errorf("mesoc: %q requires a maximum of %d argument(s)", c.name, c.maxArgs)
}

// refuseUnbuilt names the first flag that is understood but cannot be obeyed yet.
func (c *call) refuseUnbuilt() error {
	for _, a := range c.flags {
		if o := c.command.option(a.name); o != nil && o.unbuilt && !(o.kind == boolean && !c.flags.is(o.name)) {
			return fmt.Errorf("run command %s: --%s: not supported yet", c.command.name, o.name)
		}
	}
	return nil
}
