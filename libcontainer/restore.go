package libcontainer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/compile"
	"github.com/mesoc/mesoc/libcontainer/criu"
	"github.com/mesoc/mesoc/libcontainer/internal/signals"
	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/launch"
	"github.com/mesoc/mesoc/libcontainer/plan"
	"github.com/mesoc/mesoc/libcontainer/stage"
	"github.com/mesoc/mesoc/libcontainer/store"
)

// RestoreOptions say what to make of a container's images.
type RestoreOptions struct {
	RunOptions
	ImageOptions
	TCPClose        bool   // connections come back closed
	LSMProfile      string // "apparmor:NAME" or "selinux:LABEL", in place of the saved one
	LSMMountContext string // SELinux context of mounts, in place of the saved one
}

// restoreRootName is the directory, below a container's, that its root is
// bound to for criu, in a mount namespace of criu's.
const restoreRootName = "root"

// inventoryName is the image without which a directory has no checkpoint.
const inventoryName = "inventory.img"

// Restore makes a container from a bundle and the images of a checkpoint, and
// returns as Run does: when the processes run, if it is detached, or else with
// the exit code of the first one. If it fails nothing is left of the container.
func (r *Runtime) Restore(ctx context.Context, o RestoreOptions) (int, error) {
	if err := store.ValidID(o.ID); err != nil {
		return 0, err
	}
	fail := func(err error) error { return fmt.Errorf("restore container %s: %w", o.ID, err) }
	program, err := criu.Find()
	if err != nil {
		return 0, fail(err)
	}
	images, err := openImages(&o.ImageOptions, false)
	if err != nil {
		return 0, fail(err)
	}
	defer images.close()
	if err := unix.Faccessat(images.images, inventoryName, unix.F_OK, 0); err != nil {
		return 0, fail(fmt.Errorf("find a checkpoint in %s: %s: %w", images.path, inventoryName, err))
	}
	tty, console, err := o.attachable()
	if err != nil {
		return 0, err
	}
	defer tty.close()
	c := &creation{container: container{runtime: r}, options: o.CreateOptions, console: console, inputs: inputs{pid: -1}}
	defer c.close()
	if err := c.decideRestore(); err != nil {
		return 0, fail(err)
	}
	s, err := r.store()
	if err != nil {
		return 0, err
	}
	if c.locked, err = s.Create(o.ID, c.record); err != nil {
		return 0, err
	}
	var queue signals.Queue
	if !o.Detach {
		// As in Run.
		queue, err = signals.Catch(passedOn())
	}
	if err == nil {
		err = c.restore(ctx, images, program, &o)
	}
	if err != nil {
		if c.child != nil {
			c.child.Kill()
		}
		return 0, fail(c.undo(err))
	}
	if o.Detach {
		return 0, nil
	}
	return c.attend(&o.RunOptions, tty, queue)
}

func (c *creation) decideRestore() error {
	if err := c.decide(plan.GateParent); err != nil {
		return err
	}
	if !c.record.HasProcess {
		return errors.New("its config.json has no process")
	}
	if c.parent != nil {
		return errors.New("in another container: not supported: criu gives it namespaces of its own")
	}
	if c.record.SupervisorCgroup != "" {
		return errors.New("a container that is supervised: not supported: init's parent is not criu's to choose")
	}
	return checkRestorable(c.plan)
}

// restore makes what criu does not, has criu do its part, and makes the
// container known.
func (c *creation) restore(ctx context.Context, images *imageDirs, program string, o *RestoreOptions) error {
	for _, name := range []string{restoreRootName, notifyName} {
		if err := unix.Mkdirat(c.locked.Dir(), name, 0o755); err != nil {
			return fmt.Errorf("make directory %s: %w", name, err)
		}
	}
	if err := c.prepare(ctx); err != nil {
		c.record.Cgroup = "" // as in make
		return err
	}
	if err := c.makeCgroups(); err != nil {
		return err
	}
	if !o.EmptyNetwork && c.plan.IsNew(unix.CLONE_NEWNET) {
		saved, err := images.haveNetwork()
		if err != nil {
			return err
		}
		o.EmptyNetwork = !saved
	}
	job := images.job(criu.Restore, program, "restore.log", &o.ImageOptions)
	job.Root = c.path(restoreRootName)
	if err := c.inMountsOfOwn(job.Root, c.makeMountPoints); err != nil {
		return err
	}
	job.Cgroup, job.CgroupNamespace = c.pair.Leaf.FD(), c.plan.IsNew(unix.CLONE_NEWCGROUP)
	job.TCPClose, job.LSMProfile, job.LSMMountContext = o.TCPClose, o.LSMProfile, o.LSMMountContext
	if err := c.replaceForeign(job, images.images); err != nil {
		return err
	}
	if err := c.inMountsOfOwn(job.Root, func() error {
		stage.RestoreTimerSlack()
		return job.Run(func(n criu.Notice) error { return c.followCriu(ctx, n, o.EmptyNetwork) })
	}); err != nil {
		return err
	}
	if c.child == nil || !c.judged {
		return errors.New("criu has let the processes run unseen: it is too old")
	}
	_ = unix.Unlinkat(c.locked.Dir(), restoreRootName, unix.AT_REMOVEDIR) // or it goes with the container
	if err := c.keepInside(); err != nil {
		return err
	}
	if err := c.publish(); err != nil {
		return err
	}
	return c.poststart()
}

// keepInside keeps what exec needs. criu gives what it restores a time
// namespace, so that clocks go on where they were.
func (c *creation) keepInside() error {
	in, err := plan.DecodeInside(c.inside)
	if err != nil {
		return err
	}
	var own, theirs unix.Stat_t
	if unix.Stat("/proc/self/ns/time", &own) == nil &&
		unix.Stat(fmt.Sprintf("/proc/%d/ns/time", c.child.Pid), &theirs) == nil && own.Ino != theirs.Ino {
		in.Namespaces |= unix.CLONE_NEWTIME
	}
	return writeNew(c.locked.Dir(), insideName, in.Encode())
}

// replaceForeign tells criu what takes the place of what was not the container's own.
func (c *creation) replaceForeign(job *criu.Job, images int) error {
	root, err := sys.Openat(sys.CWD, c.record.Rootfs, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer sys.Close(root)
	table, err := sys.Mounts()
	if err != nil {
		return err
	}
	for _, m := range c.foreignMounts(c.plan, root) {
		job.Mounts = append(job.Mounts, m.sources(table)...)
	}
	if job.Inherit, err = inherited(images); err != nil {
		return err
	}
	for i := range c.plan.Namespaces {
		n := &c.plan.Namespaces[i]
		fd := c.inputs.pid
		if n.Flag != unix.CLONE_NEWPID {
			fd = c.inputs.fds[compile.InputNamespace(n.Type)]
		}
		if key := foreignNamespace(n); key != "" {
			job.Inherit = append(job.Inherit, criu.Inherited{Key: key, FD: fd})
		} else if n.Path != "" {
			job.Join = append(job.Join, criu.Namespace{Kind: shortName(n), Path: fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), fd)})
		}
	}
	return nil
}

// inMountsOfOwn calls f with the container's root bound to a directory, which
// criu wants to be a mount point. The mount is in a namespace of this thread's
// and of who is started from it: whatever ends us, nothing stays mounted.
func (c *creation) inMountsOfOwn(root string, f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: it ends with the goroutine
		done <- func() error {
			if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
				return fmt.Errorf("make a mount namespace for criu: %w", err)
			}
			// Mounts of the host go on to arrive, and ours do not get out.
			if err := unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
				return fmt.Errorf("separate the mounts of criu: %w", err)
			}
			if err := unix.Mount(c.record.Rootfs, root, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
				return fmt.Errorf("bind the root %s for criu: %w", c.record.Rootfs, err)
			}
			return f()
		}()
	}()
	return <-done
}

// followCriu does what is due at the points that criu comes to. In a network
// namespace that is left empty the loopback interface is down.
func (c *creation) followCriu(ctx context.Context, n criu.Notice, emptyNetwork bool) error {
	c.runtime.trace("criu: %s", n.Script)
	switch n.Script {
	case "setup-namespaces":
		// They are there, and empty: hooks configure the network now.
		if emptyNetwork && c.plan.IsNew(unix.CLONE_NEWNET) {
			if err := loopbackUp(n.Pid); err != nil {
				return err
			}
		}
		return c.runtimeHooks(n.Pid)
	case "orphan-pts-master":
		return c.sendTerminal(n.FD)
	case "post-restore":
		return c.adopt(ctx, n.Pid)
	case "pre-resume":
		return c.judge()
	}
	return nil
}

// sendTerminal passes the container's terminal on, as its init does in a create.
func (c *creation) sendTerminal(fd int) error {
	socket, wanted := c.inputs.fds[compile.InputConsole]
	if fd < 0 || !wanted {
		return errors.New("the checkpoint has a terminal, and config.json none [set process.terminal]")
	}
	if err := sys.SendFD(socket, []byte("/dev/ptmx"), fd); err != nil {
		return fmt.Errorf("send the terminal to the console socket: %w", err)
	}
	return nil
}

// judge ends the processes if they have come back with more rights than they
// should have: criu lets them run after this whatever it is told. It is in their
// cgroup, and ends too.
func (c *creation) judge() error {
	if c.child == nil {
		return errors.New("criu has named no process")
	}
	c.judged = true
	err := c.checkRights()
	if err != nil {
		err = errors.Join(err, c.pair.Leaf.Kill())
	}
	return err
}

// adopt takes the processes over that criu has restored, and that it still
// keeps from running.
func (c *creation) adopt(ctx context.Context, pid int) error {
	var err error
	if c.child, err = launch.Adopt(pid); err != nil {
		return err
	}
	if err := c.protectAgain(); err != nil {
		return err
	}
	if err := c.pair.Filter(c.filter); err != nil {
		return err
	}
	if err := c.pair.Apply(c.limits); err != nil {
		return err
	}
	if err := c.isolate(ctx); err != nil {
		return err
	}
	if c.class != nil {
		all, err := c.pair.Container.Processes()
		if err != nil {
			return err
		}
		for _, pid := range all {
			if err := c.class.Add(pid); err != nil {
				return err
			}
		}
	}
	return c.delegateCgroup()
}
