// Package isolator is what the operator adds to containers beyond what their
// config.json asks for: the seven verbs of Mesos' isolators, the names and the
// one order of all of them, and the chain of those that a container has.
//
// The command line lists the isolators that are built; nobody registers
// himself. Package libcontainer calls the chain in the runtime's process, never
// in a container's. An isolator knows its resource and no other isolator; what
// is not the host's alone it does not do itself but returns, as plan.Edits.
package isolator

import (
	"context"

	"github.com/mesoc/mesoc/libcontainer/plan"
)

// Isolator isolates one resource of containers. A command lives for one
// container and one moment: what an isolator has to know later it finds by the
// container's id, or in what it was given.
type Isolator interface {
	// Name is the isolator's, as the setting isolation has it.
	Name() string

	// Prepare is called once, in order, when the container is on record and
	// before its process is there. It decides first and touches the host last,
	// in a way that Cleanup finds by the id.
	Prepare(context.Context, *Container) (plan.Edits, error)

	// Isolate is called once, when the container's process is there and waits.
	// It does what needs a pid and nothing else.
	Isolate(ctx context.Context, c *Container, pid int) error

	// Watch blocks until a limit of a prepared container is hit, or until the
	// context ends, whose error it then returns.
	Watch(context.Context, *Container) (*Limitation, error)

	// Update goes from what a container that lives asked for to what it asks
	// for now, all or nothing. The Edits have everything that the isolator
	// sets, changed or not. Going back is an Update with the two exchanged.
	Update(ctx context.Context, was, now *Container) (plan.Edits, error)

	// Usage adds the isolator's figures at any time, without an effect. What
	// it does not know stays as it is.
	Usage(context.Context, *Container, *Usage) error

	// Cleanup takes back what Prepare and Isolate have done. It is also called
	// after a Prepare that failed or never was, and again: a container that is
	// not known is success.
	Cleanup(context.Context, *Container) error

	// Recover compares what the host has with the containers that there are,
	// and returns the ids of those that are not among them. It removes nothing.
	Recover(ctx context.Context, known []Container) (orphans []string, err error)
}

// Container is what isolators are told of a container.
type Container struct {
	ID string
	// Resources are what it asks for, together with the containers that share
	// its cgroups. Of one that shares its parent's they are the parent's.
	Resources plan.Resources
	// Cgroup is the container's own; empty if it shares its parent's.
	Cgroup plan.Cgroup
}

// Usage are figures that the kernel does not have; 0 is what nobody measures.
type Usage struct {
	CPUsSoftLimit plan.CPUs // Mesos' cpus_soft_limit: the request
}

// Limitation is a limit that was hit.
type Limitation struct {
	Reason       string // one of Mesos' REASON_CONTAINER_LIMITATION…
	Message      string // for people: the figures
	Memory, Disk plan.Bytes
}

// Nop does nothing. Isolators embed it for the verbs that they have no use for.
type Nop struct{}

// Prepare has nothing to add.
func (Nop) Prepare(context.Context, *Container) (plan.Edits, error) { return plan.Edits{}, nil }

// Isolate needs no pid.
func (Nop) Isolate(context.Context, *Container, int) error { return nil }

// Watch has no limit that could be hit.
func (Nop) Watch(ctx context.Context, _ *Container) (*Limitation, error) {
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

// Update changes nothing.
func (Nop) Update(context.Context, *Container, *Container) (plan.Edits, error) {
	return plan.Edits{}, nil
}

// Usage measures nothing.
func (Nop) Usage(context.Context, *Container, *Usage) error { return nil }

// Cleanup has nothing to take back.
func (Nop) Cleanup(context.Context, *Container) error { return nil }

// Recover finds no orphans.
func (Nop) Recover(context.Context, []Container) ([]string, error) { return nil, nil }
