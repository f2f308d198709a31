package main

import (
	"context"
	"fmt"

	"github.com/mesoc/mesoc/libcontainer"
)

var checkpointCommand = command{
	name:      "checkpoint",
	usage:     "save a running container to files",
	arguments: "ID",
	description: `Saves the processes of a running container to files, from which "mesoc restore"
brings them back. The container ends with that, and is deleted, unless
--leave-running or --pre-dump is given; if it cannot be saved it goes on. Its
root filesystem is not saved, and what is in its network namespace only if that
has no interface beside lo: whoever gave it one has to again, as --empty-ns says.
The program criu does it, and has to be installed; options of its own it reads
from /etc/criu/mesoc.conf, or /etc/criu/runc.conf.`,
	options: [][]option{imageOptions, checkpointOptions},
	minArgs: 1, maxArgs: 1, takesID: true,
	missing: libcontainer.CriuMissing,
	run:     checkpoint,
}

// imageOptions are those that checkpoint and restore have both.
var imageOptions = []option{
	{name: "image-path", meta: "DIR", usage: "directory of the files (default: checkpoint)"},
	{name: "work-path", meta: "DIR", usage: "directory of criu's log (default: that of the files)"},
	{name: "tcp-established", kind: boolean, usage: "allow open TCP connections"},
	{name: "ext-unix-sk", kind: boolean, usage: "allow UNIX sockets that are connected to outside"},
	{name: "shell-job", kind: boolean, usage: "allow a terminal of the caller's"},
	{name: "file-locks", kind: boolean, usage: "save and restore locks on files"},
	{name: "link-remap", kind: boolean, usage: "keep open files that are deleted by linking them elsewhere"},
	{name: "auto-dedup", kind: boolean, usage: "free memory in earlier files that is in later ones"},
	{name: "empty-ns", meta: "KIND", repeats: true, usage: "leave what is in the namespaces of this kind to hooks; only network"},
	{name: "manage-cgroups-mode", meta: "MODE", usage: "only ignore, the default: the container gets its cgroups as in create"},
	{name: "parent-path", meta: "DIR", usage: "earlier files that these add to, relative to image-path"},

	{name: "lazy-pages", kind: boolean, unbuilt: true},
}

var checkpointOptions = []option{
	{name: "leave-running", kind: boolean, usage: "let the container go on"},
	{name: "pre-dump", kind: boolean, usage: "save the memory only, for a later checkpoint to add to, and let the container go on"},
	{name: "tcp-skip-in-flight", kind: boolean, usage: "leave TCP connections out that are not established yet"},
	{name: "network-lock", meta: "METHOD", usage: "how to stop the network meanwhile: iptables, nftables or skip (default: criu's own)"},

	{name: "status-fd", kind: number, unbuilt: true},
	{name: "page-server", unbuilt: true},
}

func checkpoint(c *call) error {
	images, err := c.images()
	if err != nil {
		return err
	}
	lock, given := c.flags.last("network-lock")
	if given && lock != "iptables" && lock != "nftables" && lock != "skip" {
		return fmt.Errorf("run command checkpoint: --network-lock %s: iptables, nftables and skip are known", lock)
	}
	return c.runtime().Checkpoint(context.Background(), libcontainer.CheckpointOptions{
		ID:              c.id(),
		ImageOptions:    images,
		Parent:          c.flags.text("parent-path"),
		LeaveRunning:    c.flags.is("leave-running"),
		PreDump:         c.flags.is("pre-dump"),
		TCPSkipInFlight: c.flags.is("tcp-skip-in-flight"),
		NetworkLock:     lock,
	})
}

// images is what the flags say of the files.
func (c *call) images() (libcontainer.ImageOptions, error) {
	o := libcontainer.ImageOptions{
		Images:          c.flags.text("image-path"),
		Work:            c.flags.text("work-path"),
		TCPEstablished:  c.flags.is("tcp-established"),
		ExternalSockets: c.flags.is("ext-unix-sk"),
		ShellJob:        c.flags.is("shell-job"),
		FileLocks:       c.flags.is("file-locks"),
		LinkRemap:       c.flags.is("link-remap"),
		AutoDedup:       c.flags.is("auto-dedup"),
	}
	if o.Images == "" {
		o.Images = "checkpoint"
	}
	if err := c.refuseUnbuilt(); err != nil {
		return o, err
	}
	if mode, given := c.flags.last("manage-cgroups-mode"); given && mode != "ignore" {
		return o, fmt.Errorf("run command %s: --manage-cgroups-mode %s: not supported: only ignore", c.command.name, mode)
	}
	for _, kind := range c.flags.all("empty-ns") {
		if kind != "network" {
			return o, fmt.Errorf("run command %s: --empty-ns %s: not supported: only network", c.command.name, kind)
		}
		o.EmptyNetwork = true
	}
	return o, nil
}
