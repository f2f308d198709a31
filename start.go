package main

import "context"

var startCommand = command{
	name:        "start",
	usage:       "start the program of a created container",
	arguments:   "ID",
	description: `Lets the program run that "mesoc create" has left waiting.`,
	minArgs:     1, maxArgs: 1, takesID: true, early: true,
	run: func(c *call) error {
		return c.runtime().Start(context.Background(), c.id())
	},
}
