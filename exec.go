package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/mesoc/mesoc/early/first"
	"github.com/mesoc/mesoc/libcontainer"
)

var execCommand = command{
	name:      "exec",
	usage:     "run another program in a container",
	arguments: "ID [PROGRAM [ARGUMENT...]]",
	description: `Runs a program in a created or running container: in its namespaces, its
cgroup and behind its system call filter, as the user and with the variables and
rights that the container's own program has, unless flags or --process say
otherwise. Without --detach it waits for the program's end and exits with its
exit code, or 128 and the number of the signal that ended it; a program that
does not come to run is 255.`,
	options: [][]option{execOptions, wishOptions},
	minArgs: 1, maxArgs: manyArguments, takesID: true, programFollows: true, failure: 255, early: true,
	run: execute,
}

var execOptions = []option{
	{name: "process", alias: "p", meta: "FILE", usage: "file with what config.json has as process, in place of a program and of the flags about it"},
	{name: "detach", alias: "d", kind: boolean, usage: "do not wait: leave the program running"},
	{name: "pid-file", meta: "FILE", usage: "file to write the process id to, once the program runs"},
	{name: "console-socket", meta: "SOCKET", usage: "AF_UNIX socket that is sent the program's terminal"},
	{name: "pidfd-socket", meta: "SOCKET", usage: "AF_UNIX socket that is sent a pidfd of the process"},
	{name: "preserve-fds", kind: number, meta: "N", usage: "hand on N more descriptors (stdio + $LISTEN_FDS + N in total)"},
	{name: "cgroup", meta: "PATH", usage: "run in this cgroup below the container's, which must exist"},
	{name: "ignore-paused", kind: boolean, usage: "wait for a paused container to be resumed, instead of an error"},
	{name: "no-subreaper", kind: boolean, usage: "for compatibility: exec adopts no orphans anyway"},
}

// wishOptions are about the program itself: a process file says all of it.
var wishOptions = []option{
	{name: "tty", alias: "t", kind: boolean, usage: "give the program a terminal"},
	{name: "user", alias: "u", meta: "UID[:GID]", usage: "run as this user, by number"},
	{name: "additional-gids", alias: "g", meta: "GID", repeats: true, usage: "be in this group too (repeats)"},
	{name: "env", alias: "e", meta: "NAME=VALUE", repeats: true, usage: "set a variable (repeats)"},
	{name: "cwd", meta: "DIR", usage: "start in this directory of the container"},
	{name: "cap", alias: "c", meta: "CAP_NAME", repeats: true, usage: "have this capability too (repeats)"},
	{name: "no-new-privs", kind: boolean, usage: "forbid new privileges"},
	{name: "apparmor", meta: "PROFILE", usage: "confine the program by this AppArmor profile"},
	{name: "process-label", meta: "LABEL", usage: "run with this SELinux label"},
}

func execute(c *call) error {
	first.FillHeap()
	o := libcontainer.ExecOptions{
		ID:            c.id(),
		ProcessFile:   c.flags.text("process"),
		PidFile:       c.flags.text("pid-file"),
		ConsoleSocket: c.flags.text("console-socket"),
		PidfdSocket:   c.flags.text("pidfd-socket"),
		PreserveFDs:   c.flags.number("preserve-fds"),
		Cgroup:        c.flags.text("cgroup"),
		Detach:        c.flags.is("detach"),
		IgnorePaused:  c.flags.is("ignore-paused"),
	}
	if o.PidFile != "" {
		path, err := filepath.Abs(o.PidFile)
		if err != nil {
			return fmt.Errorf("find the pid file %s: %w", o.PidFile, err)
		}
		o.PidFile = path
	}
	err := c.wishes(&o)
	if err != nil {
		return fmt.Errorf("exec in container %s: %w", o.ID, err)
	}
	c.exitCode, err = c.runtime().Exec(context.Background(), o)
	return err
}

// wishes reads what the command line says of the program.
func (c *call) wishes(o *libcontainer.ExecOptions) error {
	if o.ProcessFile != "" {
		if len(c.args) > 1 {
			return fmt.Errorf("--process %s and the program %q: only one of them can be run", o.ProcessFile, c.args[1])
		}
		for i := range wishOptions {
			// conmon repeats what the file says of a terminal.
			if _, given := c.flags.last(wishOptions[i].name); given && wishOptions[i].name != "tty" {
				return fmt.Errorf("--process %s and --%s: the file says it all", o.ProcessFile, wishOptions[i].name)
			}
		}
		return nil
	}
	w := &o.Wishes
	w.Args, w.Env, w.Cwd, w.Capabilities = c.args[1:], c.flags.all("env"), c.flags.text("cwd"), c.flags.all("cap")
	if len(w.Args) == 0 {
		return errors.New("no program is named: process args cannot be empty")
	}
	w.Labels.AppArmor, w.Labels.SELinux = c.flags.text("apparmor"), c.flags.text("process-label")
	w.NoNewPrivs, w.Terminal = c.flags.wish("no-new-privs"), c.flags.wish("tty")
	if user, given := c.flags.last("user"); given {
		var err error
		if w.UID, w.GID, err = parseUser(user); err != nil {
			return err
		}
	}
	for _, gid := range c.flags.all("additional-gids") {
		id, err := parseID(gid)
		if err != nil {
			return fmt.Errorf("read --additional-gids %q: %w", gid, err)
		}
		w.Groups = append(w.Groups, *id)
	}
	return nil
}

// parseUser reads UID or UID:GID. What is not a number to its last byte is
// refused: one runtime took it for 0, which is root (CVE-2026-30892).
func parseUser(text string) (uid, gid *uint32, err error) {
	user, group, both := strings.Cut(text, ":")
	if uid, err = parseID(user); err == nil && both {
		gid, err = parseID(group)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read --user %q: must be UID or UID:GID: %w", text, err)
	}
	return uid, gid, nil
}

// parseID reads the number of a user or a group. The highest means none of
// them to the kernel.
func parseID(text string) (*uint32, error) {
	const highest = 1<<32 - 2
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n > highest {
		return nil, fmt.Errorf("%q is no number from 0 to %d", text, highest)
	}
	id := uint32(n)
	return &id, nil
}
