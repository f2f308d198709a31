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
	"github.com/mesoc/mesoc/libcontainer/bundle"
)

var createCommand = command{
	name:      "create",
	usage:     "create a container",
	arguments: "ID",
	description: `Creates a container from a bundle and leaves it waiting: its process is
there, its namespaces, mounts, devices and limits too, but its program does
not run before "mesoc start ID".

With --supervise, which is the annotation io.mesoc.supervise=true, a process of
some 80 kB stays as the parent of the container's first process. It waits for the
end and records it, with the exit code or the signal, the time, and whether it was
the memory limit: see "mesoc wait". It outlives whoever made the container, stands
in a cgroup for all of its kind, @supervisors below cgroups_root, and ends with the
container. Should it be killed, the container goes on without one. Engines collect
the exit codes of their containers themselves and do not get along with it.`,
	options: [][]option{createOptions},
	minArgs: 1, maxArgs: 1, takesID: true, early: true,
	run: create,
}

// createOptions are those of create, which run has too.
var createOptions = []option{
	{name: "bundle", alias: "b", meta: "DIR", usage: "directory of the bundle (default: the current directory)"},
	{name: "pid-file", meta: "FILE", usage: "file to write the process id to"},
	{name: "console-socket", meta: "SOCKET", usage: "AF_UNIX socket that is sent the container's terminal"},
	{name: "pidfd-socket", meta: "SOCKET", usage: "AF_UNIX socket that is sent a pidfd of the container's process"},
	{name: "no-pivot", kind: boolean, usage: "move the root with MS_MOVE and chroot instead of pivot_root, for a root on a ramdisk"},
	{name: "no-new-keyring", kind: boolean, usage: "keep the caller's session keyring"},
	{name: "preserve-fds", kind: number, meta: "N", usage: "hand on N more descriptors (stdio + $LISTEN_FDS + N in total)"},
	{name: "annotation", meta: "KEY=VALUE", repeats: true, usage: "add an annotation to the bundle's (repeats)"},
	{name: "parent", meta: "ID", annotation: "parent", usage: "nest it in this container, which must be running"},
	{name: "share-cgroups", kind: boolean, annotation: "share-cgroups", usage: "limit it with its parent, not on its own"},
	{name: "supervise", kind: boolean, annotation: "supervise", usage: "leave a small process as the container's parent, which records how it ends"},

	{name: "sandbox", annotation: "sandbox", unbuilt: true},
	{name: "disk-limit", annotation: "disk.limit", unbuilt: true},
	{name: "network", repeats: true, annotation: "networks", unbuilt: true},
	{name: "publish", repeats: true, annotation: "publish", unbuilt: true},
	{name: "volume", repeats: true, unbuilt: true},
	{name: "image-config", annotation: "image-config", unbuilt: true},
}

func create(c *call) error {
	first.FillHeap()
	o, err := c.creation()
	if err != nil {
		return err
	}
	return c.runtime().Create(context.Background(), o)
}

// creation is what the flags of create and run ask for.
func (c *call) creation() (libcontainer.CreateOptions, error) {
	o := libcontainer.CreateOptions{
		ID:            c.id(),
		Bundle:        c.flags.text("bundle"),
		PidFile:       c.flags.text("pid-file"),
		ConsoleSocket: c.flags.text("console-socket"),
		PidfdSocket:   c.flags.text("pidfd-socket"),
		NoPivot:       c.flags.is("no-pivot"),
		NoNewKeyring:  c.flags.is("no-new-keyring"),
		PreserveFDs:   c.flags.number("preserve-fds"),
	}
	if o.Bundle == "" {
		o.Bundle = "."
	}
	if err := c.refuseUnbuilt(); err != nil {
		return o, err
	}
	if err := c.refuseCgroupManager(); err != nil {
		return o, err
	}
	if o.PidFile != "" {
		path, err := filepath.Abs(o.PidFile)
		if err != nil {
			return o, fmt.Errorf("find the pid file %s: %w", o.PidFile, err)
		}
		o.PidFile = path
	}
	var err error
	o.Annotations, err = c.annotations()
	return o, err
}

// annotations are those of the command line. Where it says one twice, the flag
// that is sugar for it counts.
func (c *call) annotations() (map[string]string, error) {
	var all map[string]string
	set := func(key, value string) {
		if all == nil {
			all = map[string]string{}
		}
		all[key] = value
	}
	for _, wish := range c.flags.all("annotation") {
		key, value, ok := strings.Cut(wish, "=")
		if !ok || key == "" {
			return nil, fmt.Errorf("read --annotation %q: must be KEY=VALUE", wish)
		}
		set(key, value)
	}
	for _, a := range c.flags {
		o := c.command.option(a.name)
		if o == nil || o.annotation == "" || o.unbuilt {
			continue
		}
		value := strings.Join(c.flags.all(o.name), ",")
		if !o.repeats {
			value = c.flags.text(o.name)
		}
		if o.kind == boolean {
			value = strconv.FormatBool(c.flags.is(o.name))
		}
		set(bundle.AnnotationPrefix+o.annotation, value)
	}
	return all, nil
}

// refuseCgroupManager refuses what only a new container needs: the commands
// for existing ones are called with the same global flags.
func (c *call) refuseCgroupManager() error {
	if c.settings.is(setSystemdCgroup) || c.settings.text(setCgroupManager) == "systemd" {
		return errors.New("--systemd-cgroup: not supported: mesoc makes its cgroups itself, below cgroups_root (leave the flag out, or set the engine's cgroup driver to cgroupfs)")
	}
	if c.settings.text(setCgroupManager) == "disabled" {
		return errors.New("--cgroup-manager disabled: not supported yet: every container gets its cgroup")
	}
	return nil
}
