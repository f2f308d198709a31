package main

import "context"

var pauseCommand = command{
	name:        "pause",
	usage:       "stop all processes of a container",
	arguments:   "ID",
	description: `Stops all processes of a container until "mesoc resume".`,
	minArgs:     1, maxArgs: 1, takesID: true, early: true,
	run: func(c *call) error {
		return c.runtime().Pause(context.Background(), c.id())
	},
}

var resumeCommand = command{
	name:        "resume",
	usage:       "let a paused container go on",
	arguments:   "ID",
	description: `Lets all processes go on that "mesoc pause" has stopped.`,
	minArgs:     1, maxArgs: 1, takesID: true, early: true,
	run: func(c *call) error {
		return c.runtime().Resume(context.Background(), c.id())
	},
}
