package isolator

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/mesoc/mesoc/libcontainer/plan"
)

// Chain is the isolators that a container has, in the order of preparation.
// The empty one costs nothing.
type Chain []Isolator

// Select takes those that are named from the ones that are built, and returns
// the names that none of them has. One that is named by itself and by
// cgroups/all, too, is taken once.
func Select(built []Isolator, names []string) (chain Chain, missing []string) {
	if len(names) == 0 {
		return nil, nil
	}
	wanted := map[string]bool{}
	for _, name := range names {
		for _, part := range parts(name) {
			wanted[part] = true
			if !slices.ContainsFunc(built, func(i Isolator) bool { return i.Name() == part }) {
				missing = append(missing, part)
			}
		}
	}
	for _, name := range order {
		for _, i := range built {
			if i.Name() == name && wanted[name] {
				chain = append(chain, i)
			}
		}
	}
	return chain, missing
}

// Prepare prepares in order until one fails. The caller then cleans up as for
// a container that was made.
func (c Chain) Prepare(ctx context.Context, of *Container) ([]plan.Edits, error) {
	var all []plan.Edits
	for _, i := range c {
		edits, err := i.Prepare(ctx, of)
		if err != nil {
			return nil, failed("prepare", i, err)
		}
		edits.Owner = i.Name()
		all = append(all, edits)
	}
	return all, nil
}

// Isolate isolates in order until one fails.
func (c Chain) Isolate(ctx context.Context, of *Container, pid int) error {
	for _, i := range c {
		if err := i.Isolate(ctx, of, pid); err != nil {
			return failed("isolate", i, err)
		}
	}
	return nil
}

// Update updates in order. If one fails, those before it go back.
func (c Chain) Update(ctx context.Context, was, now *Container) ([]plan.Edits, error) {
	var all []plan.Edits
	for n, i := range c {
		edits, err := i.Update(ctx, was, now)
		if err != nil {
			return nil, and(failed("update", i, err), c[:n].Revert(ctx, was, now))
		}
		edits.Owner = i.Name()
		all = append(all, edits)
	}
	return all, nil
}

// Revert takes an Update back, in reverse order. All are tried.
func (c Chain) Revert(ctx context.Context, was, now *Container) error {
	var all error
	for _, i := range slices.Backward(c) {
		if _, err := i.Update(ctx, now, was); err != nil {
			all = and(all, failed("take the update back of", i, err))
		}
	}
	return all
}

// Usage returns the figures of all. Those of one that fails are absent.
func (c Chain) Usage(ctx context.Context, of *Container) (Usage, error) {
	var u Usage
	var all error
	for _, i := range c {
		before := u
		if err := i.Usage(ctx, of, &u); err != nil {
			u = before
			all = and(all, failed("measure", i, err))
		}
	}
	return u, all
}

// Cleanup cleans up in reverse order. All are tried.
func (c Chain) Cleanup(ctx context.Context, of *Container) error {
	var all error
	for _, i := range slices.Backward(c) {
		if err := i.Cleanup(ctx, of); err != nil {
			all = and(all, failed("clean up", i, err))
		}
	}
	return all
}

func failed(verb string, i Isolator, err error) error {
	return fmt.Errorf("%s isolator %s: %w", verb, i.Name(), err)
}

// and joins two errors, if there are two, in one line.
func and(err, more error) error {
	if err == nil || more == nil {
		return cmp.Or(err, more)
	}
	return fmt.Errorf("%w; %w", err, more)
}
