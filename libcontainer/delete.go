package libcontainer

import (
	"context"
	"errors"
	"fmt"

	"github.com/mesoc/mesoc/libcontainer/store"
)

// Delete removes a container that has ended or was never started, and all
// that was made for it. With Force it ends what runs, removes what a create
// left half made, and takes an unknown id for one that is deleted already.
func (r *Runtime) Delete(_ context.Context, id string, o DeleteOptions) error {
	c, err := r.lock(id)
	defer c.close()
	switch {
	case c == nil && o.Force && errors.Is(err, store.ErrNotExist):
		return nil
	case c != nil && err != nil && o.Force:
		// No record, or none that can be read: only the directory can be removed.
		r.warn("delete container %s: %v", id, err)
		return c.locked.Remove()
	case err != nil:
		return err
	}
	if !o.Force {
		status, err := r.status(&c.record)
		if err != nil {
			return err
		}
		if status != Stopped && status != Created {
			return fmt.Errorf("cannot delete container %s that is not stopped: %s", id, status)
		}
	}
	if err := c.destroy(); err != nil {
		return fmt.Errorf("delete container %s: %w", id, err)
	}
	return nil
}
