package libcontainer

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/cgroup2"
	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/store"
)

// Names of what a container's directory holds beside its record.
const (
	gateName   = "gate"   // the socket that start connects to
	notifyName = "notify" // directory with the NOTIFY_SOCKET of the container
	insideName = "inside" // the plan.Inside of what runs in the container later
)

// container is one container that this command is changing: its record is
// locked.
type container struct {
	runtime *Runtime
	record  store.Record
	locked  *store.Locked
	hooks   *specs.Hooks
}

func (r *Runtime) trace(format string, args ...any) {
	if r.Trace != nil {
		r.Trace(format, args...)
	}
}

func (r *Runtime) warn(format string, args ...any) {
	if r.Warn != nil {
		r.Warn(format, args...)
	}
}

func (r *Runtime) advise(format string, args ...any) {
	if r.Advise != nil {
		r.Advise(format, args...)
	}
}

func (r *Runtime) store() (*store.Store, error) { return store.New(r.Root) }

// lockWait is how long a command waits for another one that is changing the
// same container.
const lockWait = 30 * time.Second

// lock loads a container for changing it. An error can come with a container,
// which is locked then: all that is known of it is in the record.
func (r *Runtime) lock(id string) (*container, error) {
	return r.lockUntil(id, time.Now().Add(lockWait))
}

// lockUntil is lock with a deadline of its own.
func (r *Runtime) lockUntil(id string, deadline time.Time) (*container, error) {
	s, err := r.store()
	if err != nil {
		return nil, err
	}
	locked, err := s.Lock(id, deadline)
	if err != nil {
		return nil, err
	}
	c := &container{runtime: r, locked: locked}
	if c.record, err = locked.Load(); err != nil {
		return c, err
	}
	r.completeEnd(&c.record)
	if len(c.record.Hooks) > 0 {
		hooks := &specs.Hooks{}
		if err := json.Unmarshal(c.record.Hooks, hooks); err != nil {
			return c, fmt.Errorf("read the hooks of container %s: %w", id, err)
		}
		c.hooks = hooks
	}
	return c, nil
}

func (c *container) close() {
	if c != nil && c.locked != nil {
		c.locked.Close()
		c.locked = nil
	}
}

func (c *container) path(name string) string {
	return filepath.Join(c.runtime.Root, c.record.ID, name)
}

// openInit opens the container's first process. If it has ended, the error is
// ESRCH: a process that has taken its number since is not the container's.
func (c *container) openInit() (int, error) { return openInit(&c.record) }

func openInit(r *store.Record) (int, error) {
	if r.Pid == 0 {
		return -1, unix.ESRCH
	}
	if r.BootID != "" {
		if boot, err := sys.BootID(); err == nil && boot != r.BootID {
			return -1, unix.ESRCH
		}
	}
	return sys.OpenProcess(r.Init())
}

// cgroup opens the container's cgroup; nil if it is gone.
func (c *container) cgroup() (*cgroup2.Cgroup, error) {
	r := &c.record
	if r.Cgroup == "" {
		return nil, nil
	}
	cg, err := cgroup2.Open(cgroup2.Mount{Path: r.CgroupMount}, r.Cgroup)
	if errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	return cg, err
}

// endWait is how long the processes of a container that was killed may take to
// end; longer than any orderly end, shorter than an engine's patience.
const endWait = 10 * time.Second

// exitWait is how long a process may take that was killed with its cgroup and
// is out of it already: it is all but gone.
const exitWait = time.Second

// destroy ends all that runs of the container and removes all that was made
// for it, and before that the containers that are nested in it: the one undo,
// for a create that failed, for delete, for run. What is not there any more is
// no error. The record goes last, so that what is left can be destroyed again;
// as long as something runs, it stays.
func (c *container) destroy() error {
	if err := c.destroyChildren(); err != nil {
		return err
	}
	if err := c.endProcesses(); err != nil {
		return err
	}
	if err := c.endSupervisor(); err != nil {
		return err
	}
	if err := c.cleanup(); err != nil {
		return err
	}
	if err := c.removeClass(); err != nil {
		return err
	}
	if c.hooks != nil && len(c.hooks.Poststop) > 0 {
		c.runEveryHook(c.hooks.Poststop, runtimePlace("poststop", Stopped, 0, c.record.Bundle))
		// They run once, also when the removal has to be done again.
		c.record.Hooks = nil
		if err := c.locked.Save(c.record); err != nil {
			c.runtime.warn("%v", err)
		}
	}
	if err := c.keepEnd(); err != nil {
		return err
	}
	return c.locked.Remove()
}

// undo destroys the container because of err, and returns that with what went
// wrong on the way.
func (c *container) undo(err error) error { return undone(err, c.destroy()) }

// undone is err, and what went wrong when it was undone.
func undone(err, undoErr error) error {
	if undoErr != nil {
		return fmt.Errorf("%w; undo it: %w", err, undoErr)
	}
	return err
}

// endProcesses kills init and what is in the container's cgroup, waits for
// their end, and removes the cgroup.
func (c *container) endProcesses() error {
	deadline := time.Now().Add(endWait)
	fd, err := c.openInit()
	if errors.Is(err, unix.ESRCH) {
		return c.removeCgroup(deadline)
	}
	if err != nil {
		return c.endWithoutPidfd(deadline, err)
	}
	defer sys.Close(fd)
	defer c.seeEnd(fd, c.livesAsChild(fd))
	// init may have been moved to another cgroup.
	signalErr := sys.PidfdSignal(fd, unix.SIGKILL)
	if err := c.removeCgroup(deadline); err != nil {
		return err
	}
	if signalErr != nil {
		deadline = time.Now().Add(exitWait)
	}
	switch ended, err := sys.PidfdWait(fd, deadline); {
	case err != nil:
		return fmt.Errorf("wait for the end of init: %w", err)
	case ended:
		return nil
	case signalErr != nil:
		return fmt.Errorf("kill init, which is not in its cgroup: %w", signalErr)
	}
	return fmt.Errorf("wait for the end of init: pid %d still runs after SIGKILL", c.record.Pid)
}

// endWithoutPidfd is endProcesses where no pidfd of init can be had because of
// err: its cgroup ends without one, and then init must have ended with it.
func (c *container) endWithoutPidfd(deadline time.Time, err error) error {
	if err := c.removeCgroup(deadline); err != nil {
		return err
	}
	for deadline = time.Now().Add(exitWait); ; {
		stat, statErr := sys.ReadStat(c.record.Pid)
		switch {
		case errors.Is(statErr, unix.ESRCH), statErr == nil && (stat.Ended() || stat.StartTime != c.record.PidStartTime):
			return nil
		case statErr != nil, !time.Now().Before(deadline):
			return fmt.Errorf("kill init, which is not in its cgroup: %w", err)
		}
		time.Sleep(time.Millisecond) // out of its cgroup, and on its way
	}
}

// removeCgroup kills what is in the container's cgroup, waits for it until the
// deadline, and removes the cgroup.
func (c *container) removeCgroup(deadline time.Time) error {
	if c.record.Cgroup == "" {
		return nil
	}
	cg, err := c.cgroup()
	if err != nil {
		return err
	}
	if cg != nil {
		err = c.killCgroup(cg)
		cg.Close()
	}
	if err != nil {
		return err
	}
	// Even where there is none: one who made or removed it may have been killed
	// when it came to the directory around it.
	return cgroup2.Remove(cgroup2.Mount{Path: c.record.CgroupMount}, c.record.Cgroup, cgroup2.Removal{
		Leaf:          c.record.CgroupLeaf,
		KeepContainer: !c.record.CgroupMade,
		Nested:        c.record.Parent != "",
		Nests:         len(c.record.Children) > 0,
		Deadline:      deadline,
	})
}

// killCgroup kills what is the container's: everything, or only what is in
// the leaf if the cgroup around it was there before.
func (c *container) killCgroup(cg *cgroup2.Cgroup) error {
	if c.record.CgroupMade {
		return cg.Kill()
	}
	if c.record.Status == store.Creating {
		// A process of ours has died with the create, unless it had reached
		// the gate; what is there may also be another container's that came first.
		if others, err := c.sharesCgroup(); err != nil || others {
			return err
		}
	}
	leaf, err := cgroup2.Open(cgroup2.Mount{Path: c.record.CgroupMount}, c.record.Cgroup+"/"+c.record.CgroupLeaf)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer leaf.Close()
	return leaf.Kill()
}

// sharesCgroup says whether another container has the same cgroup.
func (c *container) sharesCgroup() (bool, error) {
	s, err := c.runtime.store()
	if err != nil {
		return false, err
	}
	ids, err := s.List()
	if err != nil {
		return false, err
	}
	for _, id := range ids {
		if id == c.record.ID {
			continue
		}
		other, err := s.Load(id)
		if err == nil && other.Cgroup == c.record.Cgroup {
			return true, nil
		}
	}
	return false, nil
}
