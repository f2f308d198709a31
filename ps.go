package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/mesoc/mesoc/libcontainer/stage"
)

var psCommand = command{
	name:      "ps",
	usage:     "list the processes of a container",
	arguments: "ID [OPTION...]",
	description: `Lists the processes of a container and of what it has started, those in
cgroups of its own too. The table is that of the host's ps, called with the
options given (default: -ef) and cut down to the container's processes.`,
	options: [][]option{{
		{name: "format", alias: "f", meta: "FORMAT", usage: "table, or json for a list of process ids (default: table)"},
	}},
	minArgs: 1, maxArgs: manyArguments, takesID: true, programFollows: true,
	run: ps,
}

func ps(c *call) error {
	format, given := c.flags.last("format")
	if given && format != "table" && format != "json" {
		return fmt.Errorf("list processes: invalid format option %q (table and json are known)", format)
	}
	pids, err := c.runtime().Processes(c.id())
	if err != nil {
		return err
	}
	if format == "json" {
		_, err := c.stdout.Write(appendPids(nil, pids))
		return err
	}
	options := c.args[1:]
	if len(options) == 0 {
		options = []string{"-ef"}
	}
	table, err := hostPs(options)
	if err == nil {
		err = printRows(c.stdout, table, pids)
	}
	if err != nil {
		return fmt.Errorf("list processes of container %s: %w", c.id(), err)
	}
	return nil
}

func appendPids(b []byte, pids []int) []byte {
	b = append(b, '[')
	for i, pid := range pids {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(pid), 10)
	}
	return append(b, "]\n"...)
}

// hostPs runs the host's ps and returns what it prints. Package os/exec would
// do this, and cost every command its initialisation.
func hostPs(options []string) ([]byte, error) {
	path, err := lookPath("ps")
	if err != nil {
		return nil, err
	}
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer out.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		in.Close()
		return nil, err
	}
	defer null.Close()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	stage.RestoreTimerSlack()
	process, err := os.StartProcess(path, append([]string{"ps"}, options...), &os.ProcAttr{Files: []*os.File{null, in, in}})
	in.Close()
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", path, err)
	}
	table, err := io.ReadAll(out)
	state, waitErr := process.Wait()
	switch {
	case err != nil:
		return nil, fmt.Errorf("read what %s prints: %w", path, err)
	case waitErr != nil:
		return nil, fmt.Errorf("wait for %s: %w", path, waitErr)
	case !state.Success():
		return nil, fmt.Errorf("run %s %s: %s: %s", path, strings.Join(options, " "), state, bytes.TrimSpace(table))
	}
	return table, nil
}

func lookPath(name string) (string, error) {
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && filepath.IsAbs(path) && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("find the host's %s: executable file not found in $PATH (--format json does without): %w", name, fs.ErrNotExist)
}

// printRows prints the heading of a table of ps and the rows of the processes.
func printRows(w io.Writer, table []byte, pids []int) error {
	heading, rows, _ := bytes.Cut(table, []byte{'\n'})
	column := slices.IndexFunc(bytes.Fields(heading), func(f []byte) bool { return string(f) == "PID" })
	if column < 0 {
		return errors.New("read what ps prints: it has no column PID")
	}
	out := append(heading, '\n')
	for row := range bytes.Lines(rows) {
		fields := bytes.Fields(row)
		if len(fields) <= column {
			continue
		}
		pid, err := strconv.Atoi(string(fields[column]))
		if err != nil {
			return fmt.Errorf("read what ps prints: %q is no process id", fields[column])
		}
		if slices.Contains(pids, pid) {
			out = append(out, row...)
		}
	}
	_, err := w.Write(out)
	return err
}
