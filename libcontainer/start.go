package libcontainer

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/cgroup2"
	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/launch"
)

// Start opens the gate of a created container and returns when its program
// runs. If the program cannot be executed, the error is the kernel's.
func (r *Runtime) Start(_ context.Context, id string) error {
	c, err := r.lock(id)
	defer c.close()
	if err != nil {
		return err
	}
	if err := c.startable(); err != nil {
		return err
	}
	notify, err := c.listenForNotify()
	if err != nil {
		return err
	}
	defer notify.close()
	if err := c.start(); err != nil {
		return fmt.Errorf("start container %s: %w", id, c.undo(err))
	}
	c.close() // it may take its time, and be deleted meanwhile
	return notify.forward(c)
}

// startable says whether the container waits to be started.
func (c *container) startable() error {
	status, err := c.runtime.status(&c.record)
	if err != nil {
		return err
	}
	switch status {
	case Created:
	case Stopped:
		return fmt.Errorf("cannot start container %s: it has stopped", c.record.ID)
	case Creating:
		return fmt.Errorf("cannot start container %s: its creation never finished [delete --force removes it]", c.record.ID)
	default:
		return fmt.Errorf("cannot start container %s: it is already %s", c.record.ID, status)
	}
	if !c.record.HasProcess {
		return fmt.Errorf("cannot start container %s: its config.json has no process", c.record.ID)
	}
	return nil
}

// start runs the hooks around the opening of the gate. Any failure is the end
// of the container.
func (c *container) start() error {
	if err := c.startHooks(); err != nil {
		return err
	}
	if err := c.openGate(); err != nil {
		return err
	}
	return c.poststart()
}

// startHooks runs the hooks of the container's own files, with no more rights
// than the container has.
func (c *container) startHooks() error {
	if c.hooks == nil || len(c.hooks.StartContainer) == 0 {
		return nil
	}
	p, err := readInside(c.locked.Dir(), insideName)
	if err != nil {
		return err
	}
	pidfd, err := c.openInit()
	if err != nil {
		return err
	}
	defer sys.Close(pidfd)
	place, err := insidePlace("startContainer", Created, c.record.Pid, pidfd, p.Namespaces)
	if err != nil {
		return err
	}
	pair, err := cgroup2.OpenPair(cgroup2.Mount{Path: c.record.CgroupMount}, c.record.Cgroup, c.record.CgroupLeaf)
	if err != nil {
		return err
	}
	defer pair.Close()
	place.cgroup = pair.Leaf.FD()
	place.identity, place.env = p.Process, p.Process.Env
	return c.runHooks(c.hooks.StartContainer, place)
}

// openGate connects to init, which takes that as the word to go, and waits
// until execve has closed the connection.
func (c *container) openGate() error {
	conn, err := sys.ConnectAt(unix.SOCK_SEQPACKET, c.locked.Dir(), gateName)
	if errors.Is(err, unix.ECONNREFUSED) { // it is no socket
		conn, err = c.openPipeGate()
	}
	if err != nil {
		return err
	}
	defer sys.Close(conn)
	step, errno, err := launch.ReadReport(conn)
	if err != nil {
		return err
	}
	if errno != 0 {
		what := "run the program"
		if step >= 0 && step < len(c.record.GateSteps) {
			what = c.record.GateSteps[step]
		}
		return &launch.StepError{Step: step, What: what, Errno: errno}
	}
	// Without the gate the container counts as running.
	if err := unix.Unlinkat(c.locked.Dir(), gateName, 0); err != nil {
		return fmt.Errorf("remove the gate: %w", err)
	}
	return nil
}

func (c *container) poststart() error {
	if c.hooks == nil || len(c.hooks.Poststart) == 0 {
		return nil
	}
	return c.runHooks(c.hooks.Poststart, runtimePlace("poststart", Running, c.record.Pid, c.record.Bundle))
}
