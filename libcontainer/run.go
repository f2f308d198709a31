package libcontainer

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/signals"
	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/launch"
	"github.com/mesoc/mesoc/libcontainer/plan"
	"github.com/mesoc/mesoc/libcontainer/store"
)

// Run creates a container, starts it, and unless it is detached waits for its
// end, passes signals on to it and deletes it. It returns the exit code of the
// program, 128+n if signal n killed it.
func (r *Runtime) Run(ctx context.Context, o RunOptions) (int, error) {
	tty, console, err := o.attachable()
	if err != nil {
		return 0, err
	}
	defer tty.close()
	c, err := r.create(ctx, &o.CreateOptions, plan.GateParent, console)
	defer c.close()
	if err != nil {
		return 0, err
	}
	var queue signals.Queue
	if !o.Detach {
		// Before the program runs, so that none ends us and leaves it alone, and
		// for good: what comes when it has ended must not end its deletion.
		if queue, err = signals.Catch(passedOn()); err != nil {
			return 0, fmt.Errorf("run container %s: %w", o.ID, c.undo(err))
		}
	}
	if err := c.runProgram(); err != nil {
		c.child.Kill()
		return 0, fmt.Errorf("run container %s: %w", o.ID, c.undo(err))
	}
	if o.Detach {
		return 0, nil
	}
	return c.attend(&o, tty, queue)
}

// runProgram opens the gate of a child that waits for us.
func (c *creation) runProgram() error {
	if !c.record.HasProcess {
		return errors.New("its config.json has no process")
	}
	hooks := c.hooks != nil && len(c.hooks.StartContainer) > 0
	if hooks {
		if err := c.publish(); err != nil {
			return err
		}
		if err := c.startHooks(); err != nil {
			return err
		}
	}
	if err := c.child.Go(); err != nil {
		return err
	}
	if !hooks { // who look at the container; otherwise it is known a moment later
		if err := c.publish(); err != nil {
			return err
		}
	}
	// The dialogue ends with the execve, or with the errno of what failed.
	if _, err := c.child.Next(); !errors.Is(err, launch.ErrDied) {
		return err
	}
	return c.poststart()
}

// attend waits for the end of an attached container, passes signals on to it
// meanwhile, and deletes it.
func (c *creation) attend(o *RunOptions, tty *terminal, queue signals.Queue) (int, error) {
	c.inputs.close()
	c.container.close() // others may kill and delete it meanwhile

	if c.plan.Process.Terminal {
		if err := tty.attach(); err != nil {
			c.child.Kill()
			if deleteErr := c.runtime.deleteEnded(&c.record); deleteErr != nil {
				err = fmt.Errorf("%w; %w", err, deleteErr)
			}
			return 0, err
		}
	}
	reap := c.child.ReapAsReaper
	switch {
	case c.child.Supervisor() != nil:
		reap = c.reapSupervised
	case o.NoSubreaper:
		reap = c.child.Reap
	}
	status, err := follow(c.child, tty, queue, reap)
	code := exitCode(status)
	if err != nil {
		return 0, fmt.Errorf("wait for container %s: %w", o.ID, err)
	}
	if o.Keep && c.record.Termination != nil { // the supervisor has recorded it
		return code, nil
	}
	end := &store.Termination{ExitCode: status.Code, Signal: int(status.Signal), Finished: time.Now()}
	var limit *store.Limitation
	if o.Keep || c.record.Parent != "" { // somebody may ask
		if limit, err = c.limitationSeen(status); err != nil {
			c.runtime.warn("find out whether memory ended container %s: %v", o.ID, err)
		}
	}
	if o.Keep {
		c.runtime.recordEnd(&c.record, end, limit)
		return code, nil
	}
	mergeEnd(&c.record, end, limit)
	if err := c.runtime.deleteEnded(&c.record); err != nil {
		return code, err
	}
	return code, nil
}

// deleteEnded deletes the container that we ran, of which the record says how it
// ended, unless somebody has deleted it, and perhaps made another one of that
// name.
func (r *Runtime) deleteEnded(record *store.Record) error {
	c, err := r.lock(record.ID)
	defer c.close()
	if errors.Is(err, store.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if c.record.Init() != record.Init() {
		return nil
	}
	mergeEnd(&c.record, record.Termination, record.Limitation)
	if err := c.destroy(); err != nil {
		return fmt.Errorf("delete container %s: %w", record.ID, err)
	}
	return nil
}

// passedOn are the signals that a container gets when they are sent to us, and
// SIGCHLD, which says that there is something to reap. Two others are about
// ourselves: SIGURG is how Go's scheduler interrupts itself, SIGPIPE tells that
// nobody reads our output. The C library keeps 32 and 33 to itself.
func passedOn() []unix.Signal {
	list := make([]unix.Signal, 0, signals.Last)
	for s := unix.Signal(1); s <= signals.Last; s++ {
		switch s {
		case unix.SIGURG, unix.SIGPIPE, unix.SIGKILL, unix.SIGSTOP, 32, 33:
		default:
			list = append(list, s)
		}
	}
	return list
}

// follow waits for the end of an attached program, passes signals on to it
// meanwhile, and returns how it ended.
func follow(child *launch.Child, tty *terminal, queue signals.Queue, reap func() (sys.ExitStatus, error)) (sys.ExitStatus, error) {
	status, err := passSignals(child, queue, tty, reap)
	tty.drain()
	return status, err
}

// exitCode is that of a shell: 128+n if signal n ended the program.
func exitCode(status sys.ExitStatus) int {
	if status.Signal != 0 {
		return 128 + int(status.Signal)
	}
	return status.Code
}

// passSignals passes signals on to the program until it has ended.
func passSignals(child *launch.Child, queue signals.Queue, tty *terminal, reap func() (sys.ExitStatus, error)) (sys.ExitStatus, error) {
	const short = 20 * time.Millisecond
	for patience := short; ; {
		s, err := queue.Next(patience)
		switch {
		case err != nil:
			return sys.ExitStatus{}, err
		case s == 0:
			patience = -1
			debug.SetGCPercent(100) // it can take days, so the collector is needed after all
		case s == unix.SIGCHLD:
			status, err := reap()
			if !errors.Is(err, unix.EAGAIN) {
				return status, err
			}
		case s == unix.SIGWINCH && tty.attached():
			tty.resize()
		default:
			_ = child.Signal(s) // it may have ended just now
		}
	}
}

// attachable makes ready for an attached run.
func (o *RunOptions) attachable() (tty *terminal, console int, err error) {
	if o.Detach {
		return nil, -1, nil
	}
	if o.ConsoleSocket != "" {
		return nil, -1, errors.New("cannot use console socket if mesoc will not detach or allocate tty [give --detach]")
	}
	if !o.NoSubreaper {
		// What the container leaves behind comes to us, and ends with the cgroup.
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			return nil, -1, fmt.Errorf("become a subreaper: %w", err)
		}
	}
	return newTerminal()
}
