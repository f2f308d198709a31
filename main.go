// Mesoc is an OCI runtime: it creates, starts, watches and removes containers
// as the OCI runtime specification and runc's command line ask for.
//
// This package is the command line and nothing else. There is one file a
// command: flags in, one call into libcontainer, print. Only this package
// exits, and only it knows of the operator's settings, of files of settings
// and of where errors are shown.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/mesoc/mesoc/early"
	"github.com/mesoc/mesoc/libcontainer"
	"github.com/mesoc/mesoc/libcontainer/stage"
)

func main() {
	if stage.IsInit(os.Args) {
		stage.Main(os.Args) // the container's init; does not return
	}
	if c, ok := early.Begun().(*call); ok {
		os.Exit(c.finish())
	}
	os.Exit(mesoc(os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// mesoc runs one command line and returns the exit status.
func mesoc(argv, environ []string, stdout, stderr io.Writer) int {
	c := &call{stdout: stdout, stderr: stderr}
	c.err = c.parse(arrange(argv))
	c.prepare(environ, readConfig)
	if c.err == nil && c.command != nil {
		c.run()
	}
	return c.finish()
}

// prepare finds out what the operator wants and opens the journal. It does
// that whatever has gone wrong by now: engines read the error from the log
// file that they named.
func (c *call) prepare(environ []string, read configReader) {
	keep := func(err error) {
		if c.err == nil {
			c.err = err
		}
	}
	var from operator
	// A command that answers the same on every host asks nobody.
	if c.command != nil && !c.command.hostless {
		from = operator{environ: environ, file: defaultConfig, read: read}
	}
	var err error
	c.settings, err = resolve(c.globals, from)
	keep(err)
	c.journal, err = openJournal(&c.settings, c.stderr)
	keep(err)
	if _, given := c.globals.last("criu"); given {
		c.journal.warn("--criu is ignored: criu is looked for in $PATH")
	}
	c.fault, err = fault(environ, faultVariable)
	if err == nil {
		c.supervisorFault, err = fault(environ, supervisorFaultVariable)
	}
	keep(err)
}

// finish reports what is to be reported, once, and returns the exit status.
func (c *call) finish() int {
	if c.err == nil {
		c.journal.close()
		return c.exitCode
	}
	if hint := libcontainer.Hint(c.err); hint != "" {
		c.err = fmt.Errorf("%w [%s]", c.err, hint)
	}
	about := record{code: 1}
	if c.command != nil {
		about.command = c.command.name
		if c.ran && c.command.failure != 0 {
			about.code = c.command.failure
		}
		if c.command.takesID && len(c.args) > 0 {
			about.id = c.args[0]
		}
	}
	c.journal.fail(c.err, about)
	return about.code
}
