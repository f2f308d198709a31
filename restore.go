package main

import (
	"context"

	"github.com/mesoc/mesoc/libcontainer"
)

var restoreCommand = command{
	name:      "restore",
	usage:     "bring a container back from files",
	arguments: "ID",
	description: `Makes a container from a bundle and the files of "mesoc checkpoint", and lets its
processes go on where they were. The id and the bundle may be others than they
were; the root filesystem has to have the files that the processes have open,
and gets the mount points that it lacks.
Namespaces that the container joins, the sources of its bind mounts and its
standard files are those of the new bundle and the caller. Hooks prestart and
createRuntime run when its namespaces are there, poststart when it runs. Without
--detach it waits for the container's end, as run does.`,
	options: [][]option{imageOptions, restoreOptions},
	minArgs: 1, maxArgs: 1, takesID: true,
	missing: libcontainer.CriuMissing,
	run:     restore,
}

var restoreOptions = []option{
	{name: "bundle", alias: "b", meta: "DIR", usage: "directory of the bundle (default: the current directory)"},
	{name: "detach", alias: "d", kind: boolean, usage: "do not wait: leave the container running"},
	{name: "pid-file", meta: "FILE", usage: "file to write the process id to"},
	{name: "console-socket", meta: "SOCKET", usage: "AF_UNIX socket that is sent the container's terminal"},
	{name: "pidfd-socket", meta: "SOCKET", usage: "AF_UNIX socket that is sent a pidfd of the container's process"},
	{name: "keep", kind: boolean, usage: "do not delete the container when it has ended"},
	{name: "no-subreaper", kind: boolean, usage: "do not adopt the container's orphans"},
	{name: "no-pivot", kind: boolean, usage: "for compatibility: criu changes the root its own way"},
	{name: "tcp-close", kind: boolean, usage: "bring open TCP connections back closed"},
	{name: "lsm-profile", meta: "TYPE:NAME", usage: "confine the processes by this profile: apparmor:NAME or selinux:LABEL"},
	{name: "lsm-mount-context", meta: "LABEL", usage: "SELinux label of mounts, in place of the saved one"},
	{name: "annotation", meta: "KEY=VALUE", repeats: true, usage: "add an annotation to the bundle's (repeats)"},
}

func restore(c *call) error {
	o, err := c.creation()
	if err != nil {
		return err
	}
	o.NoPivot = false // it is for init, and there is none
	images, err := c.images()
	if err != nil {
		return err
	}
	c.exitCode, err = c.runtime().Restore(context.Background(), libcontainer.RestoreOptions{
		RunOptions: libcontainer.RunOptions{
			CreateOptions: o,
			Detach:        c.flags.is("detach"),
			Keep:          c.flags.is("keep"),
			NoSubreaper:   c.flags.is("no-subreaper"),
		},
		ImageOptions:    images,
		TCPClose:        c.flags.is("tcp-close"),
		LSMProfile:      c.flags.text("lsm-profile"),
		LSMMountContext: c.flags.text("lsm-mount-context"),
	})
	return err
}
