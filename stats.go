package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer"
)

var statsCommand = command{
	name:      "stats",
	usage:     "print what containers use",
	arguments: "[ID...]",
	description: `Prints the figures of containers, each with all that it has started: a line
of JSON for each with the names that Mesos gives them, or a table for people.
A figure that nobody measures is not there. Without an ID it is about all
containers that live.

With --interval it goes on until the containers have ended, or SIGINT (^C) or
SIGTERM comes, and LOAD is how much of a processor was used in between. A table
on a terminal is drawn anew each time.`,
	options: [][]option{{
		{name: "format", alias: "f", meta: "FORMAT", usage: "json or table (default: json)"},
		{name: "interval", meta: "DURATION", usage: "print them again and again, with the load between"},
	}},
	maxArgs: manyArguments, takesID: true,
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
	v := statsView{out: c.stdout, table: format == "table"}
	if interval > 0 {
		v.before = map[string]*libcontainer.Stats{}
		v.screen = terminal(c.stdout)
		return c.runtime().FollowStats(context.Background(), c.args, interval, v.show)
	}
	ids := c.args
	if len(ids) == 0 {
		if ids, err = c.runtime().Running(); err != nil {
			return err
		}
	}
	now, err := c.measure(ids)
	if printErr := v.show(now); err == nil {
		err = printErr
	}
	return err
}

// measure returns the figures of those that can be measured, and the first
// error. Without an ID given, who is deleted meanwhile is not missed.
func (c *call) measure(ids []string) (all []*libcontainer.Stats, first error) {
	for _, id := range ids {
		s, err := c.runtime().Stats(context.Background(), id)
		switch {
		case err == nil:
			all = append(all, s)
		case first == nil && (len(c.args) > 0 || !errors.Is(err, fs.ErrNotExist)):
			first = err
		}
	}
	return all, first
}

// statsView prints figures, once or again and again.
type statsView struct {
	out    io.Writer
	table  bool
	before map[string]*libcontainer.Stats // the figures of the last time; nil if there is one time only
	screen *os.File                       // what is drawn anew, if somebody looks at it
	drawn  bool
}

// show writes in one go, so that what is drawn anew does not flicker.
func (v *statsView) show(now []*libcontainer.Stats) error {
	var out bytes.Buffer
	if v.table {
		statsTable(&out, now, v.before)
	} else {
		encoder := json.NewEncoder(&out)
		for _, s := range now {
			if err := encoder.Encode(newUsage(s)); err != nil {
				return err
			}
		}
	}
	if v.before != nil {
		clear(v.before)
		for _, s := range now {
			v.before[s.ID] = s
		}
	}
	text := out.Bytes()
	if v.table && v.screen != nil {
		rows, columns := 24, 80
		if size, err := unix.IoctlGetWinsize(int(v.screen.Fd()), unix.TIOCGWINSZ); err == nil && size.Row > 0 && size.Col > 0 {
			rows, columns = int(size.Row), int(size.Col)
		}
		text = redraw(text, rows, columns, !v.drawn)
		v.drawn = true
	}
	_, err := v.out.Write(text)
	return err
}

// redraw is a table as a terminal of that size is told to show it in place of
// what it shows, which it first clears: lines that would wrap are cut, and of
// those that would scroll the last says how many they are. The cursor is left
// below, where whoever ends the view goes on.
func redraw(table []byte, rows, columns int, fresh bool) []byte {
	const home, clearLine, clearBelow = "\x1b[H", "\x1b[K", "\x1b[J"
	lines := bytes.Split(bytes.TrimSuffix(table, []byte("\n")), []byte("\n"))
	if room := max(rows-1, 2); len(lines) > room {
		more := fmt.Appendf(nil, "and %d more", len(lines)-room+1)
		lines = append(lines[:room-1:room-1], more)
	}
	out := []byte(home)
	if fresh {
		out = append(out, clearBelow...)
	}
	for _, line := range lines {
		out = append(append(append(out, line[:min(len(line), columns)]...), clearLine...), '\n')
	}
	return append(out, clearBelow...)
}

// terminal is where somebody looks at what is written; nil if nobody does.
func terminal(out any) *os.File {
	f, ok := out.(*os.File)
	if !ok {
		return nil
	}
	if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err != nil {
		return nil
	}
	return f
}

// statsTable writes a table with a row for each container. The load is that
// since the figures before.
func statsTable(out *bytes.Buffer, now []*libcontainer.Stats, before map[string]*libcontainer.Stats) {
	w := tabwriter.NewWriter(out, 0, 1, 3, ' ', 0)
	heading := "ID\tCPU TIME\tMEMORY\tLIMIT\tPROCESSES\tTHREADS\tRECEIVED\tSENT\tREAD\tWRITTEN\n"
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
		read, written := throughput(s)
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", cpu, size(u.MemTotal), size(u.MemLimit),
			count(u.Processes), count(u.Threads), size(u.NetRxBytes), size(u.NetTxBytes), size(read), size(written))
	}
	w.Flush()
}

// throughput sums up the devices; nil where the kernel counts none.
func throughput(s *libcontainer.Stats) (read, written *uint64) {
	if s.IO == nil {
		return nil, nil
	}
	read, written = new(uint64), new(uint64)
	for i := range s.IO {
		*read += s.IO[i].ReadBytes
		*written += s.IO[i].WrittenBytes
	}
	return read, written
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
