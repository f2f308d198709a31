package libcontainer

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
)

// ErrNotRunning says that there is no process to signal. Engines look for the
// text.
var ErrNotRunning = errors.New("container not running")

// Kill sends a signal to the container's init, or to all its processes. It
// takes no lock, so that a container can be killed while another command
// waits for it.
func (r *Runtime) Kill(_ context.Context, id string, sig unix.Signal, o KillOptions) error {
	s, err := r.store()
	if err != nil {
		return err
	}
	record, err := s.Load(id)
	if err != nil {
		return err
	}
	c := &container{runtime: r, record: record}
	if o.All {
		return c.signalAll(sig)
	}
	status, err := r.status(&record)
	if err != nil {
		return err
	}
	if status == Stopped {
		return fmt.Errorf("send %s to container %s: %w", signalName(sig), id, ErrNotRunning)
	}
	fd, err := c.openInit()
	if err == nil {
		defer sys.Close(fd)
		err = sys.PidfdSignal(fd, sig)
	}
	if errors.Is(err, unix.ESRCH) {
		err = ErrNotRunning
	}
	if err != nil {
		return fmt.Errorf("send %s to container %s: %w", signalName(sig), id, err)
	}
	return nil
}

// signalAll signals everything in the container's cgroup and below. A
// container without processes has been signalled.
func (c *container) signalAll(sig unix.Signal) error {
	cg, err := c.cgroup()
	if err != nil || cg == nil {
		return err
	}
	defer cg.Close()
	if err := cg.Signal(sig); err != nil {
		return fmt.Errorf("send %s to all processes of container %s: %w", signalName(sig), c.record.ID, err)
	}
	return nil
}

func signalName(sig unix.Signal) string {
	if n := unix.SignalName(sig); n != "" {
		return n
	}
	return fmt.Sprintf("signal %d", sig)
}
