package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/mesoc/mesoc/libcontainer"
)

var recoverCommand = command{
	name:  "recover",
	usage: "find what crashes have left, and clean it up",
	description: `Compares the state directory with the cgroups below the root cgroup and with
the processes, and prints a JSON object of lists: the containers that live
(recovered); cgroups that no state knows, and containers whose parent is gone,
with their processes (orphans);
containers whose create was killed, and how far it had come (incomplete);
containers whose process is gone (stale), which stay until they are deleted;
what was destroyed (cleaned); and what could not be looked at or destroyed
(errors). A container that is being created is in none of them.

A cgroup that another state directory knows is an orphan, too: with --clean,
let each state directory have a root cgroup of its own. Exits with 1 if there
are errors.`,
	options: [][]option{{
		{name: "clean", kind: boolean, usage: "destroy orphans and incomplete containers"},
	}},
	run: recoverContainers,
}

func recoverContainers(c *call) error {
	found, err := c.runtime().Recover(context.Background(), libcontainer.RecoverOptions{Clean: c.flags.is("clean")})
	if err != nil {
		return fmt.Errorf("recover containers: %w", err)
	}
	out := json.NewEncoder(c.stdout)
	out.SetEscapeHTML(false)
	if err := out.Encode(found); err != nil {
		return err
	}
	if n := len(found.Errors); n > 0 {
		return fmt.Errorf("recover containers: %d error(s), the first: %s", n, found.Errors[0].Error)
	}
	return nil
}
