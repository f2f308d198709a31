package main

import (
	"context"

	"github.com/mesoc/mesoc/libcontainer"
)

var deleteCommand = command{
	name:      "delete",
	usage:     "delete a container",
	arguments: "ID",
	description: `Removes what a stopped or created container has left: its cgroups and its
state. A running container is an error without --force, and so is one in which
others are nested; with it they are destroyed first.`,
	options: [][]option{{
		{name: "force", alias: "f", kind: boolean, usage: "kill what runs, remove what is half made; an unknown id is no error"},
	}},
	minArgs: 1, maxArgs: 1, takesID: true, early: true,
	run: func(c *call) error {
		return c.runtime().Delete(context.Background(), c.id(), libcontainer.DeleteOptions{Force: c.flags.is("force")})
	},
}
