package main

import (
	"context"
	"encoding/json"
)

var waitCommand = command{
	name:      "wait",
	usage:     "wait for the end of a container",
	arguments: "ID",
	description: `Waits until the container's first process has ended, and prints how as JSON:
exit_code or signal; for which limit it was ended, if for one, as reason, message
and resources (in megabytes); and if the end was seen, finished_at. Exits with
the exit code, or 128 and the number of the signal. The end is remembered: a later wait,
and state and list, tell it until the container is deleted; of a nested
container wait does until the outermost one around it is deleted.

The end of a container with --supervise is always known. Of others the kernel
tells those who are not the parent only while they look: the end of a container
that nobody waited for is known as long as its parent has not collected it. If it is not known, that is an error, and nothing is printed. On
kernels before 6.15 the parent can be faster than a wait that is not root's in the
namespaces that the host has started with.`,
	minArgs: 1, maxArgs: 1, takesID: true,
	run: wait,
}

func wait(c *call) error {
	end, err := c.runtime().Wait(context.Background(), c.id())
	if err != nil {
		return err
	}
	if c.exitCode = 128 + end.Signal; end.ExitCode != nil {
		c.exitCode = *end.ExitCode
	}
	return json.NewEncoder(c.stdout).Encode(end)
}
