package main

import (
	"os"
	_ "unsafe" // for go:linkname

	"github.com/mesoc/mesoc/libcontainer/stage"
)

// runEarly runs a well-formed call of a command that engines make all the
// time. It exits if that went well, and otherwise returns the call, for main
// to report on. Package early calls it while the program is being initialised,
// so it must not touch what comes later: variables of this package that need
// code to be run, and the packages that only help, mistakes, failures and
// files of settings need. A call that needs those it leaves to main, before
// anything has been done.
//
//go:linkname runEarly github.com/mesoc/mesoc/early.command
func runEarly() any {
	if len(os.Args) == 0 || stage.IsInit(os.Args) {
		return nil
	}
	c := &call{stdout: os.Stdout, stderr: os.Stderr}
	if !c.parsePlain(arrange(os.Args[1:])) || !c.command.early {
		return nil
	}
	c.prepare(os.Environ(), nil)
	if c.err != nil || c.journal.debug && !c.journal.plain() {
		c.journal.drop()
		return nil
	}
	c.run()
	if c.err == nil && len(c.journal.warnings) == 0 {
		os.Exit(c.exitCode)
	}
	return c
}
