package libcontainer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/compile"
	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/launch"
	"github.com/mesoc/mesoc/libcontainer/plan"
	"github.com/mesoc/mesoc/libcontainer/stage"
	"github.com/mesoc/mesoc/libcontainer/store"
)

// hookPlace says where the hooks of one kind run.
type hookPlace struct {
	kind   string
	status Status // as the hooks are told
	pid    int    // of init, as the hooks see it
	// init is a pidfd of the process whose namespaces the hooks run in, or -1
	// for those of the runtime.
	init       int
	namespaces uint64
	env        []string      // of hooks that name none
	cwd        string        // where they start
	identity   *plan.Process // whose rights they have; nil for the runtime's
	cgroup     int           // the cgroup they run in, or -1 for the runtime's
}

// runtimePlace is where hooks run that are not the container's business.
func runtimePlace(kind string, status Status, pid int, bundle string) hookPlace {
	return hookPlace{kind: kind, status: status, pid: pid, init: -1, cgroup: -1, env: stage.Environ(), cwd: bundle}
}

// hookState is what hooks read from standard input (runtime.md, state).
func (c *container) hookState(p *hookPlace) ([]byte, error) {
	return json.Marshal(specState(&c.record, p.status, p.pid))
}

func specState(record *store.Record, status Status, pid int) specs.State {
	return specs.State{
		Version:     record.OCIVersion,
		ID:          record.ID,
		Status:      specs.ContainerState(status),
		Pid:         pid,
		Bundle:      record.Bundle,
		Annotations: record.Annotations,
	}
}

// runHooks runs the hooks of one kind in order and stops at the first that fails.
func (c *container) runHooks(hooks []specs.Hook, p hookPlace) error {
	for i := range hooks {
		if err := c.runHook(&hooks[i], i, &p); err != nil {
			return err
		}
	}
	return nil
}

// runEveryHook runs the hooks of one kind in order whatever becomes of them.
func (c *container) runEveryHook(hooks []specs.Hook, p hookPlace) {
	for i := range hooks {
		if err := c.runHook(&hooks[i], i, &p); err != nil {
			c.runtime.warn("%v", err)
		}
	}
}

func (c *container) runHook(h *specs.Hook, index int, p *hookPlace) error {
	fail := func(err error) error {
		return fmt.Errorf("run hook %s[%d] %s: %w", p.kind, index, h.Path, err)
	}
	state, err := c.hookState(p)
	if err != nil {
		return fail(err)
	}
	c.runtime.trace("hook %s[%d]: %s", p.kind, index, h.Path)
	args, env := h.Args, h.Env
	if len(args) == 0 {
		args = []string{h.Path}
	}
	if env == nil {
		env = p.env
	}
	program := compile.NewHook(&compile.Hook{
		Path: h.Path, Args: args, Env: env, Cwd: p.cwd,
		Join:     p.namespaces &^ unix.CLONE_NEWPID,
		Identity: p.identity, UserMapped: p.namespaces&unix.CLONE_NEWUSER != 0,
		Nofile: callersNofile(),
	})
	input, err := hookInput(state)
	if err != nil {
		return fail(err)
	}
	defer sys.Close(input)
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return fail(fmt.Errorf("make a pipe: %w", err))
	}
	defer sys.Close(pipe[0])
	spec := launch.Spec{
		Program:      program,
		Cgroup:       p.cgroup,
		PidNamespace: -1,
		Limited:      p.cgroup >= 0,
		Inputs:       map[string]int{compile.InputStdin: input, compile.InputStdout: pipe[1]},
	}
	if p.init >= 0 {
		spec.Inputs[compile.InputInit] = p.init
		if p.namespaces&unix.CLONE_NEWPID != 0 {
			spec.PidNamespace = p.init
		}
	}
	child, err := launch.Start(&spec)
	sys.Close(pipe[1])
	if err != nil {
		return fail(err)
	}
	defer child.Close()
	if err := passLaterListener(&c.record, p.identity, child, compile.HookListener, p.status); err != nil {
		child.Kill()
		return fail(err)
	}
	if err := waitForHook(child, pipe[0], h.Timeout); err != nil {
		return fail(err)
	}
	return nil
}

// hookInput is a file that holds the state: unlike a pipe it takes any amount
// without a reader.
func hookInput(state []byte) (int, error) {
	fd, err := sys.MemfdProgram("state", state)
	if err != nil {
		return -1, err
	}
	if _, err := unix.Seek(fd, 0, unix.SEEK_SET); err != nil {
		sys.Close(fd)
		return -1, fmt.Errorf("rewind the state: %w", err)
	}
	return fd, nil
}

// hookTail is how much of a hook's output its error carries.
const hookTail = 8 << 10

// hookTimeoutMax bounds the arithmetic with timeouts, in seconds: ten years.
const hookTimeoutMax = 10 * 365 * 24 * 3600

// waitForHook waits until the hook has ended, collecting what it prints. At
// the timeout, in seconds, its whole process group is killed; a grandchild
// that has left the group and holds the pipe open does not keep us waiting.
func waitForHook(child *launch.Child, out int, timeout *int) error {
	var deadline time.Time
	if timeout != nil {
		deadline = time.Now().Add(time.Duration(min(*timeout, hookTimeoutMax)) * time.Second)
	}
	// A step that failed is told first of all; a hook that runs says nothing.
	// One whose execve the agent of its filter has to answer may wait until the
	// time is over, which collect sees then.
	if _, err := child.NextBefore(deadline); !errors.Is(err, launch.ErrDied) && !errors.Is(err, launch.ErrSilent) {
		child.Kill()
		return err
	}
	var tail []byte
	ended, err := collect(child.Pidfd, out, deadline, &tail)
	if err != nil {
		child.Kill()
		return err
	}
	if !ended {
		_ = unix.Kill(-child.Pid, unix.SIGKILL) // the child is not reaped yet, so the group is still its own
		child.Kill()
		return withOutput(fmt.Errorf("timed out after %ds", *timeout), tail)
	}
	status, err := child.Wait()
	switch {
	case err != nil:
		return err
	case status.Signal != 0:
		return withOutput(fmt.Errorf("killed by %s", signalName(status.Signal)), tail)
	case status.Code != 0:
		return withOutput(fmt.Errorf("exit status %d", status.Code), tail)
	}
	return nil
}

func withOutput(err error, tail []byte) error {
	if text := strings.TrimSpace(string(tail)); text != "" {
		return fmt.Errorf("%w, output: %s", err, text)
	}
	return err
}

// collect reads out until the process has ended or the deadline (zero: none)
// has passed, and keeps the last hookTail bytes.
func collect(pidfd, out int, deadline time.Time, tail *[]byte) (ended bool, err error) {
	if err := unix.SetNonblock(out, true); err != nil {
		return false, err
	}
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}, {Fd: int32(out), Events: unix.POLLIN}}
	for {
		wait, over := -1, false
		if !deadline.IsZero() {
			left := time.Until(deadline)
			// Who comes late looks once more: the hook may have ended in time.
			over = left <= 0
			wait = int((max(0, min(left, time.Hour)) + time.Millisecond - 1) / time.Millisecond)
		}
		if _, err := unix.Poll(fds, wait); errors.Is(err, unix.EINTR) {
			continue // and what fds says is old
		} else if err != nil {
			return false, fmt.Errorf("wait for the hook: %w", err)
		}
		if fds[1].Revents != 0 && !drain(out, tail) {
			fds[1].Fd = -1 // closed: the process is all there is to wait for
		}
		if fds[0].Revents != 0 {
			drain(out, tail)
			return true, nil
		}
		if over {
			return false, nil
		}
	}
}

// drain reads what there is and says whether there may be more. It reads no
// more than a pipe holds, which is what the hook has written at its end: who
// goes on writing does not keep us.
func drain(fd int, tail *[]byte) bool {
	var buf [4096]byte
	for range pipeSize / len(buf) {
		n, err := unix.Read(fd, buf[:])
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return errors.Is(err, unix.EAGAIN)
		case n == 0:
			return false
		default:
			*tail = append(*tail, buf[:n]...)
			if over := len(*tail) - hookTail; over > 0 {
				*tail = append((*tail)[:0], (*tail)[over:]...)
			}
		}
	}
	return true
}

// pipeSize is how much a pipe holds (pipe(7)).
const pipeSize = 64 << 10
