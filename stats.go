package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer"
)

var statsCommand = command{
	name:      "stats",
	usage:     "print what containers use",
	arguments: "ID...",
	description: `Prints the figures of containers, each with all that it has started: a line
of JSON for each with the names that Mesos gives them, or a table for people.
A figure that nobody measures is not there.`,
	options: [][]option{{
		{name: "format", alias: "f", meta: "FORMAT", usage: "json or table (default: json)"},
		{name: "interval", meta: "DURATION", usage: "print them again and again, with the load between, until the containers have ended"},
	}},
	minArgs: 1, maxArgs: manyArguments, takesID: true,
	run: stats,
}

func stats(c *call) error {
	format, given := c.flags.last("format")
	if given && format != "json" && format != "table" {
		return fmt.Errorf("print figures: invalid format option %q (json and table are known)", format)
	}
	interval, err := c.flags.interval(0)
	if err != nil {
		return err
	}
	now, err := c.measure(c.args)
	if interval == 0 || len(now) == 0 {
		if printErr := c.printStats(format, now, nil, false); err == nil {
			err = printErr
		}
		return err
	}
	debug.SetGCPercent(100) // it may take days, so the collector is needed after all
	if err != nil {
		fmt.Fprintln(c.stderr, err)
	}
	return c.watchStats(format, interval, now)
}

// watchStats prints figures until nothing of the containers runs any more.
func (c *call) watchStats(format string, interval time.Duration, now []*libcontainer.Stats) error {
	before := map[string]*libcontainer.Stats{}
	for ticks := time.NewTicker(interval); ; <-ticks.C {
		if err := c.printStats(format, now, before, isTerminal(c.stdout)); err != nil {
			return err
		}
		var ids []string
		for _, s := range now {
			if s.Tasks != nil && s.Tasks.Processes > 0 {
				ids = append(ids, s.ID)
				before[s.ID] = s
			}
		}
		if len(ids) == 0 {
			return nil
		}
		now, _ = c.measure(ids) // what is deleted meanwhile is not missed
	}
}

// measure returns the figures of those that can be measured, and the first
// error.
func (c *call) measure(ids []string) (all []*libcontainer.Stats, first error) {
	for _, id := range ids {
		s, err := c.runtime().Stats(context.Background(), id)
		if err == nil {
			all = append(all, s)
		} else if first == nil {
			first = err
		}
	}
	return all, first
}

// isTerminal says whether somebody looks at it.
func isTerminal(out any) bool {
	f, ok := out.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// printStats writes in one go, so that a view that is redrawn does not flicker.
func (c *call) printStats(format string, now []*libcontainer.Stats, before map[string]*libcontainer.Stats, redraw bool) error {
	var out bytes.Buffer
	if format == "table" {
		if redraw {
			out.WriteString("\x1b[H\x1b[J") // to the upper left, and clear from there
		}
		if len(now) > 0 {
			statsTable(&out, now, before)
		}
	} else {
		encoder := json.NewEncoder(&out)
		for _, s := range now {
			if err := encoder.Encode(newUsage(s)); err != nil {
				return err
			}
		}
	}
	_, err := c.stdout.Write(out.Bytes())
	return err
}

// statsTable writes a table with a row for each container. The load is that
// since the figures before.
func statsTable(out *bytes.Buffer, now []*libcontainer.Stats, before map[string]*libcontainer.Stats) {
	w := tabwriter.NewWriter(out, 0, 1, 3, ' ', 0)
	heading := "ID\tCPU TIME\tMEMORY\tLIMIT\tPROCESSES\tTHREADS\tRECEIVED\tSENT\n"
	if before != nil {
		heading = "ID\tLOAD\t" + heading[len("ID\t"):]
	}
	fmt.Fprint(w, heading)
	for _, s := range now {
		fmt.Fprintf(w, "%s\t", s.ID)
		if before != nil {
			fmt.Fprintf(w, "%s\t", load(before[s.ID], s))
		}
		u := newUsage(s).Statistics
		cpu := "-"
		if s.CPU != nil {
			cpu = (time.Duration(s.CPU.Usage) * time.Microsecond).Round(time.Millisecond).String()
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", cpu, size(u.MemTotal), size(u.MemLimit),
			count(u.Processes), count(u.Threads), size(u.NetRxBytes), size(u.NetTxBytes))
	}
	w.Flush()
}

// load is the share of one processor that was used between two measurements.
func load(before, now *libcontainer.Stats) string {
	if before == nil || before.CPU == nil || now.CPU == nil || now.CPU.Usage < before.CPU.Usage {
		return "-"
	}
	elapsed := now.Time.Sub(before.Time)
	if elapsed <= 0 {
		return "-"
	}
	used := time.Duration(now.CPU.Usage-before.CPU.Usage) * time.Microsecond
	return strconv.FormatFloat(100*used.Seconds()/elapsed.Seconds(), 'f', 1, 64) + "%"
}

// size is a number of bytes for people.
func size(n *uint64) string {
	if n == nil {
		return "-"
	}
	const units = " KMGTPE"
	if *n < 1024 {
		return strconv.FormatUint(*n, 10) + "B"
	}
	value, unit := float64(*n), 0
	for value >= 1023.95 { // what would be written as 1024.0
		value, unit = value/1024, unit+1
	}
	return strconv.FormatFloat(value, 'f', 1, 64) + units[unit:unit+1] + "iB"
}

func count(n *int) string {
	if n == nil {
		return "-"
	}
	return strconv.Itoa(*n)
}
