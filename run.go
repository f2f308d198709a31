package main

import (
	"context"

	"github.com/mesoc/mesoc/early/first"
	"github.com/mesoc/mesoc/libcontainer"
)

var runCommand = command{
	name:      "run",
	usage:     "create and start a container, and wait for its end",
	arguments: "ID",
	description: `Creates a container from a bundle and starts it. Without --detach it waits
for the container's end, deletes it, and exits with the program's exit code,
or 128 and the number of the signal that ended it.`,
	options: [][]option{createOptions, runOptions},
	minArgs: 1, maxArgs: 1, takesID: true, early: true,
	run: run,
}

var runOptions = []option{
	{name: "detach", alias: "d", kind: boolean, usage: "do not wait: leave the container running"},
	{name: "keep", kind: boolean, usage: "do not delete the container when it has ended"},
	{name: "no-subreaper", kind: boolean, usage: "do not adopt the container's orphans"},
}

func run(c *call) error {
	first.FillHeap()
	o, err := c.creation()
	if err != nil {
		return err
	}
	c.exitCode, err = c.runtime().Run(context.Background(), libcontainer.RunOptions{
		CreateOptions: o,
		Detach:        c.flags.is("detach"),
		Keep:          c.flags.is("keep"),
		NoSubreaper:   c.flags.is("no-subreaper"),
	})
	return err
}
