package libcontainer

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/bundle"
	"github.com/mesoc/mesoc/libcontainer/cgroup2"
	"github.com/mesoc/mesoc/libcontainer/compile"
	"github.com/mesoc/mesoc/libcontainer/internal/signals"
	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/launch"
	"github.com/mesoc/mesoc/libcontainer/plan"
	"github.com/mesoc/mesoc/libcontainer/store"
)

// Engines look for these words.
var (
	errStopped = errors.New("cannot exec in a stopped container")
	errPaused  = errors.New("cannot exec in a paused container (use --ignore-paused to override)")
)

// execution is one more process of a container. Nothing is recorded of it: it
// is in the container's cgroup and ends with it.
type execution struct {
	runtime *Runtime
	options *ExecOptions
	record  store.Record
	status  Status // of the container
	inside  *plan.Inside
	process *plan.Process
	inputs  inputs   // among them the pidfd of init
	classes []string // which of the inputs are resctrl's
	console int      // what an attached one sends its terminal to, or -1
	tty     *terminal
	cgroup  *cgroup2.Cgroup
	child   *launch.Child
}

// Exec runs a program in a container, and unless it is detached waits for its
// end, passes signals on to it, and returns its exit code, 128+n if signal n
// killed it. It takes no lock: a container can have any number of them, and be
// killed and deleted meanwhile.
func (r *Runtime) Exec(_ context.Context, o ExecOptions) (int, error) {
	e := &execution{runtime: r, options: &o, console: -1, inputs: inputs{pid: -1}}
	defer e.close()
	if err := e.open(); err != nil {
		return 0, fmt.Errorf("exec in container %s: %w", o.ID, err)
	}
	var queue signals.Queue
	if !o.Detach {
		var err error
		if queue, err = signals.Catch(passedOn()); err != nil {
			return 0, fmt.Errorf("exec in container %s: %w", o.ID, err)
		}
	}
	if err := e.start(); err != nil {
		if e.child != nil {
			e.child.Kill()
		}
		return 0, fmt.Errorf("exec in container %s: %w", o.ID, e.explain(err))
	}
	if o.Detach {
		return 0, nil
	}
	e.inputs.close()
	status, err := follow(e.child, e.tty, queue, e.child.Reap)
	if err != nil {
		return 0, fmt.Errorf("wait for the program in container %s: %w", o.ID, err)
	}
	return exitCode(status), nil
}

func (e *execution) close() {
	e.inputs.close()
	if e.console >= 0 {
		sys.Close(e.console)
	}
	e.tty.close()
	if e.cgroup != nil {
		e.cgroup.Close()
	}
	if e.child != nil {
		e.child.Close()
	}
}

// open decides what is to be done and opens all that it needs. It has no
// effect on the container.
func (e *execution) open() error {
	handed, err := socketActivation(e.options.PreserveFDs)
	if err != nil {
		return err
	}
	e.options.PreserveFDs += handed.listen
	s, err := e.runtime.store()
	if err != nil {
		return err
	}
	if e.record, err = s.Load(e.options.ID); err != nil {
		return err
	}
	if err := e.openInit(); err != nil {
		return err
	}
	if e.inside, err = readInside(sys.CWD, path.Join(e.runtime.Root, e.record.ID, insideName)); err != nil {
		return err
	}
	if e.process, err = e.decide(handed.env); err != nil {
		return err
	}
	if err := e.openFiles(); err != nil {
		return err
	}
	if err := e.openClasses(); err != nil {
		return err
	}
	return e.openCgroup()
}

// openInit opens the container's init, if it is one that can be joined.
func (e *execution) openInit() error {
	var err error
	if e.status, err = e.runtime.status(&e.record); err != nil {
		return err
	}
	switch {
	case e.status == Stopped:
		return errStopped
	case e.status == Paused && !e.options.IgnorePaused:
		return errPaused
	case e.status == Paused: // nothing happens before it is resumed
		e.status = Running
	case e.status == Creating:
		return errors.New("it is still being created")
	}
	fd, err := openInit(&e.record)
	if errors.Is(err, unix.ESRCH) {
		return errStopped
	}
	if err != nil {
		return err
	}
	e.inputs.donate(compile.InputInit, fd)
	return nil
}

// init is a pidfd of the container's first process.
func (e *execution) init() int { return e.inputs.fds[compile.InputInit] }

// decide finds out what the process is to be.
func (e *execution) decide(env []string) (*plan.Process, error) {
	o := e.options
	if o.ProcessFile == "" {
		w := o.Wishes
		w.Env = append(slices.Clone(w.Env), env...)
		return e.inside.NewExec(&w)
	}
	s, warnings, err := bundle.LoadProcess(o.ProcessFile)
	if err != nil {
		return nil, err
	}
	for _, w := range warnings {
		e.runtime.advise("%s", w)
	}
	return e.inside.NewProcess(s, plan.Options{Env: env, Held: heldCapabilities()}), nil
}

// openFiles opens what the program works with, and looks up what it takes from
// the container's files.
func (e *execution) openFiles() error {
	root := "/proc/" + strconv.Itoa(e.record.Pid) + "/root"
	if e.inside.Namespaces&unix.CLONE_NEWNS == 0 {
		fd, err := sys.Openat(sys.CWD, root, unix.O_PATH|unix.O_DIRECTORY, 0)
		if err != nil {
			return err
		}
		e.inputs.donate(compile.InputRoot, fd)
	}
	if err := setHome(e.process, func() ([]byte, error) { return readPasswd(root, passwdName) }); err != nil {
		return err
	}
	// Only now is it certain that the path was init's.
	if err := sys.PidfdSignal(e.init(), 0); err != nil {
		return errStopped
	}
	restoreNofile(e.process)
	if e.process.Terminal && !e.options.Detach {
		var err error
		if e.tty, e.console, err = newTerminal(); err != nil {
			return err
		}
		sizeLikeOurs(e.process)
	}
	if !e.options.Detach && e.options.ConsoleSocket != "" {
		return errors.New("cannot use console socket if mesoc will not detach or allocate tty [give --detach]")
	}
	return e.inputs.openConsole(e.process.Terminal, &e.console, e.options.ConsoleSocket)
}

// openCgroup opens the cgroup that the process is to be in: the leaf, or one
// below it that the caller names. In the container's own cgroup namespace the
// leaf is the root, so that is what a name counts from.
func (e *execution) openCgroup() error {
	at := path.Join(e.record.Cgroup, e.record.CgroupLeaf)
	if sub := strings.Trim(e.options.Cgroup, "/"); sub != "" {
		if strings.Contains(sub, ":") {
			return fmt.Errorf("find cgroup %s: cgroup2 has one hierarchy: name no controllers", e.options.Cgroup)
		}
		at += "/" + sub // not joined: that would hide a component ..
	}
	var err error
	e.cgroup, err = cgroup2.Open(cgroup2.Mount{Path: e.record.CgroupMount}, at)
	return err
}

// start makes the process, and returns when its program runs.
func (e *execution) start() error {
	spec := launch.Spec{
		Program: compile.NewExec(&compile.Exec{
			Process:     e.process,
			Join:        e.inside.Namespaces,
			Keyring:     e.inside.Keyring,
			PreserveFDs: e.options.PreserveFDs,
			Classes:     e.classes,
		}),
		Cgroup:       e.cgroup.FD(),
		PidNamespace: -1,
		Inputs:       e.inputs.fds,
		Limited:      true,
		Preserve:     e.options.PreserveFDs,
		Fault:        e.runtime.Fault,
	}
	e.runtime.traceProgram(spec.Program)
	var err error
	e.child, err = launch.Start(&spec)
	if errors.Is(err, unix.EBUSY) && e.options.Cgroup == "" {
		e.child, err = e.startBesideInit(&spec, err)
	}
	if err != nil {
		return err
	}
	if err := passLaterListener(&e.record, e.process, e.child, compile.ExecListener(e.options.PreserveFDs), e.status); err != nil {
		return err
	}
	// The dialogue ends with the execve, or with the errno of what failed.
	if _, err := e.child.Next(); !errors.Is(err, launch.ErrDied) {
		return err
	}
	return e.publish()
}

// startBesideInit is for containers that have made cgroups below the leaf and
// enabled controllers there, as systemd does: the leaf takes no processes then.
// Init is below it still, or the process goes nowhere.
func (e *execution) startBesideInit(spec *launch.Spec, busy error) (*launch.Child, error) {
	leaf := path.Join(e.record.Cgroup, e.record.CgroupLeaf)
	mount := cgroup2.Mount{Path: e.record.CgroupMount}
	at, err := cgroup2.PathOf(e.record.Pid)
	if err != nil {
		return nil, fmt.Errorf("%w; %w", busy, err)
	}
	if !strings.HasPrefix(at, leaf+"/") {
		return nil, fmt.Errorf("%w; init is not below it, but in /%s", busy, at)
	}
	beside, err := cgroup2.Open(mount, at)
	if err != nil {
		return nil, fmt.Errorf("%w; %w", busy, err)
	}
	e.cgroup.Close()
	e.cgroup = beside
	e.runtime.advise("exec in container %s: in init's cgroup %s: %v", e.record.ID, at, busy)
	spec.Cgroup = beside.FD()
	return launch.Start(spec)
}

// publish tells the caller of the process: what it asked for is there as soon
// as nothing can fail any more.
func (e *execution) publish() error {
	if e.process.Terminal && !e.options.Detach {
		if err := e.tty.attach(); err != nil {
			return err
		}
	}
	if err := sendPidfd(e.options.PidfdSocket, e.child.Pidfd); err != nil {
		return err
	}
	return writePidFile(e.options.PidFile, e.child.Pid)
}

// explain says of an error whether it is that the container has ended
// meanwhile: the kernel has many words for that.
func (e *execution) explain(err error) error {
	if ended, waitErr := sys.PidfdWait(e.init(), time.Now()); waitErr == nil && ended {
		return fmt.Errorf("%w: %w", errStopped, err)
	}
	return err
}
