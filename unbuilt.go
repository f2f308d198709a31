package main

import "fmt"

// unbuiltCommands are the ones that are named by the interface and not there
// yet. Whoever calls one, and be it with --help to find out whether it exists,
// gets an error.
func unbuiltCommands() []*command {
	names := []string{
		"checkpoint", "restore",
	}
	unbuilt := make([]*command, len(names))
	for i, name := range names {
		unbuilt[i] = &command{name: name, usage: "not supported yet", unbuilt: true, run: refuse}
	}
	return unbuilt
}

func refuse(c *call) error {
	return fmt.Errorf("run command %s: not supported yet", c.command.name)
}
