package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer"
)

var killCommand = command{
	name:      "kill",
	usage:     "send a signal to a container",
	arguments: "ID [SIGNAL]",
	description: `Sends a signal (default: SIGTERM) to the container's first process. A signal
is a number, TERM, SIGTERM, RTMIN+3 or RTMAX-3.`,
	options: [][]option{{
		{name: "all", alias: "a", kind: boolean, usage: "signal every process of the container"},
	}},
	minArgs: 1, maxArgs: 2, takesID: true, early: true, programFollows: true,
	run: kill,
}

func kill(c *call) error {
	signal := unix.SIGTERM
	if len(c.args) > 1 {
		var err error
		if signal, err = parseSignal(c.args[1]); err != nil {
			return err
		}
	}
	return c.runtime().Kill(context.Background(), c.id(), signal, libcontainer.KillOptions{All: c.flags.is("all")})
}

// The real-time signals as libc counts them: it keeps the kernel's first two.
const (
	signalMin = 34
	signalMax = 64
)

func parseSignal(word string) (unix.Signal, error) {
	if n, err := strconv.Atoi(word); err == nil {
		if n < 0 || n > signalMax {
			return 0, fmt.Errorf("read signal %q: must be from 0 to %d", word, signalMax)
		}
		return unix.Signal(n), nil
	}
	name := strings.TrimPrefix(strings.ToUpper(word), "SIG")
	for _, end := range []struct {
		name  string
		first int
		sign  int
	}{{"RTMIN", signalMin, 1}, {"RTMAX", signalMax, -1}} {
		offset, ok := strings.CutPrefix(name, end.name)
		if !ok {
			continue
		}
		n := 0
		if offset != "" {
			var err error
			if n, err = strconv.Atoi(offset); err != nil || n*end.sign < 0 || offset[0] != "-+"[(end.sign+1)/2] {
				break
			}
		}
		if n += end.first; n >= signalMin && n <= signalMax {
			return unix.Signal(n), nil
		}
	}
	if s := unix.SignalNum("SIG" + name); s != 0 {
		return s, nil
	}
	return 0, fmt.Errorf("read signal %q: unknown signal", word)
}
