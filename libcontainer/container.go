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
	gateName   = "gate"      // the socket that start connects to
	notifyName = "notify"    // directory with the NOTIFY_SOCKET of the container
	planName   = "plan.json" // what start needs to run hooks inside the container
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

// lock loads a container for changing it.
func (r *Runtime) lock(id string) (*container, error) {
	s, err := r.store()
	if err != nil {
		return nil, err
	}
	locked, err := s.Lock(id, time.Now().Add(lockWait))
	if err != nil {
		return nil, err
	}
	c := &container{runtime: r, locked: locked}
	c.record, err = locked.Load()
	if err != nil {
		return c, err
	}
	if len(c.record.Hooks) > 0 {
		c.hooks = &specs.Hooks{}
		if err := json.Unmarshal(c.record.Hooks, c.hooks); err != nil {
			return c, fmt.Errorf("read the hooks of container %s: %w", id, err)
		}
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

// destroy ends all that runs of the container and removes all that was made
// for it: the one undo, for a create that failed, for delete, for run. What is
// not there any more is no error; everything is tried, and the errors joined.
// The record goes last, so that what is left can be destroyed again.
func (c *container) destroy() error {
	err := c.endProcesses()
	if err != nil {
		return err // as long as something runs, what it uses must be found again
	}
	if c.hooks != nil {
		c.runEveryHook(c.hooks.Poststop, runtimePlace("poststop", Stopped, 0, c.record.Bundle))
	}
	return c.locked.Remove()
}

// endProcesses kills what is in the container's cgroup, waits for it, and
// removes the cgroup.
func (c *container) endProcesses() error {
	if fd, err := c.openInit(); err == nil {
		// init may have been moved to another cgroup.
		_ = sys.PidfdSignal(fd, unix.SIGKILL)
		defer sys.Close(fd)
	}
	cg, err := c.cgroup()
	if err != nil || cg == nil {
		return err
	}
	err = c.killCgroup(cg)
	cg.Close()
	if err != nil {
		return err
	}
	return cgroup2.Remove(cgroup2.Mount{Path: c.record.CgroupMount}, c.record.Cgroup, cgroup2.Removal{
		Leaf:          c.record.CgroupLeaf,
		KeepContainer: !c.record.CgroupMade,
		Deadline:      time.Now().Add(endWait),
	})
}

// killCgroup kills what is the container's: everything, or only what is in
// the leaf if the cgroup around it was there before.
func (c *container) killCgroup(cg *cgroup2.Cgroup) error {
	if c.record.CgroupMade {
		return cg.Kill()
	}
	if c.record.Status == store.Creating {
		// It may be another container's that was there first; a process of
		// ours has died with the create.
		return nil
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
