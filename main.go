// Mesoc is an OCI runtime: it creates, starts, watches and removes containers
// as the OCI runtime specification and runc's command line ask for.
//
// This package is the command line and nothing else. There is one file a
// command: flags in, one call into libcontainer, print. Only main exits, and
// only this package knows of the operator's settings, of files of settings
// and of where errors are shown.
package main

import (
	"io"
	"os"

	"github.com/mesoc/mesoc/libcontainer/stage"
)

func main() {
	if stage.IsInit(os.Args) {
		stage.Main(os.Args) // the container's init; does not return
	}
	os.Exit(mesoc(os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// mesoc runs one command line and returns the exit status.
func mesoc(argv, environ []string, stdout, stderr io.Writer) int {
	c := &call{stdout: stdout, stderr: stderr}
	err := c.parse(arrange(argv))
	var broken error
	c.settings, broken = resolve(c.globals, c.operator(environ))
	if err == nil {
		err = broken
	}
	// The journal is opened whatever has gone wrong by now: engines read the
	// error from the log file that they named.
	var lost error
	c.journal, lost = openJournal(&c.settings, stderr)
	if err == nil {
		err = lost
	}
	if err == nil {
		c.fault, err = fault(environ)
	}
	if err == nil && c.command != nil {
		err = c.command.run(c)
	}
	if err != nil {
		return c.fail(err)
	}
	c.journal.close()
	return c.exitCode
}

// operator is where settings are looked for besides the flags. A command that
// answers the same on every host asks nobody.
func (c *call) operator(environ []string) operator {
	if c.command == nil || c.command.hostless {
		return operator{}
	}
	return operator{environ: environ, file: defaultConfig}
}

// fail reports err, once, and returns the exit status.
func (c *call) fail(err error) int {
	about := record{code: 1}
	if c.command != nil {
		about.command = c.command.name
		if c.command.failure != 0 {
			about.code = c.command.failure
		}
		if c.command.takesID && len(c.args) > 0 {
			about.id = c.args[0]
		}
	}
	c.journal.fail(err, about)
	return about.code
}
