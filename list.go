package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"text/tabwriter"
	"time"
)

var listCommand = command{
	name:  "list",
	usage: "list the containers",
	description: `Lists the containers of the state directory. A container whose state cannot
be read is told of on stderr, and the others are listed.`,
	options: [][]option{{
		{name: "format", alias: "f", meta: "FORMAT", usage: "table or json (default: table)"},
		{name: "quiet", alias: "q", kind: boolean, usage: "print ids only"},
		{name: "tree", kind: boolean, usage: "draw nested containers below their parents; in JSON, put them into their parents' children"},
	}},
	run: list,
}

func list(c *call) error {
	format, given := c.flags.last("format")
	if given && format != "table" && format != "json" {
		return fmt.Errorf("list containers: invalid format option %q (table and json are known)", format)
	}
	root := c.settings.text(setRoot)
	if _, named := c.globals.last("root"); named {
		// The default directory appears with the first container; one that
		// somebody names is a mistake when it is not there.
		if _, err := os.Stat(root); err != nil {
			return fmt.Errorf("list containers: %w", err)
		}
	}
	containers, broken, err := c.runtime().List()
	if err != nil {
		return err
	}
	for _, err := range broken {
		fmt.Fprintln(c.stderr, err)
	}
	for i := range containers {
		if containers[i].Owner == "" {
			containers[i].Owner = owner(filepath.Join(root, containers[i].ID))
		}
	}
	nodes := plainly(containers)
	if c.flags.is("tree") {
		nodes = forest(containers)
	}
	switch {
	case c.flags.is("quiet"):
		for _, l := range drawn(nodes) {
			fmt.Fprintln(c.stdout, l.branch+l.ID)
		}
		return nil
	case format == "json":
		return json.NewEncoder(c.stdout).Encode(nodes)
	}
	return c.table(drawn(nodes))
}

func (c *call) table(lines []line) error {
	w := tabwriter.NewWriter(c.stdout, 12, 1, 3, ' ', 0)
	fmt.Fprint(w, "ID\tPID\tSTATUS\tBUNDLE\tCREATED\tOWNER\n")
	for _, s := range lines {
		fmt.Fprintf(w, "%s%s\t%d\t%s\t%s\t%s\t%s\n",
			s.branch, s.ID, s.Pid, s.Status, s.Bundle, s.Created.Format(time.RFC3339Nano), s.Owner)
	}
	return w.Flush()
}

// owner is the name of the user whose directory it is, #uid for one without a name.
func owner(path string) string {
	var uid uint32
	info, err := os.Stat(path)
	if err == nil {
		uid = info.Sys().(*syscall.Stat_t).Uid
	}
	name := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(name); err == nil {
		return u.Username
	}
	return "#" + name
}
