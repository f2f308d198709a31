// Package conformance is the one test that every isolator has to pass: what
// isolator.Isolator promises to its caller, whatever the resource. Each
// isolator's own tests call it, with a container that asks for something; it is
// not part of the program.
package conformance

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"github.com/mesoc/mesoc/libcontainer/isolator"
)

// Test takes an isolator through the life of containers. c must ask for what
// the isolator gives, and must not be known to it.
func Test(t *testing.T, i isolator.Isolator, c *isolator.Container) {
	ctx := t.Context()
	nothing := &isolator.Container{ID: c.ID, Cgroup: c.Cgroup}
	cleanup := func(when string) {
		t.Helper()
		for range 2 {
			if err := i.Cleanup(ctx, c); err != nil {
				t.Fatalf("clean up %s: %v", when, err)
			}
		}
	}
	if names, err := isolator.Parse(i.Name()); err != nil || len(names) != 1 {
		t.Errorf("name %q: %v", i.Name(), err)
	}

	cleanup("what was never prepared")
	first, err := i.Prepare(ctx, c)
	if err != nil {
		t.Fatalf("prepare: %v", err)
	}
	if reflect.DeepEqual(first, mustPrepareNothing(t, i, nothing)) {
		t.Error("a container that asks for something gets what one gets that asks for nothing")
	}
	cleanup("what was prepared")
	again, err := i.Prepare(ctx, c)
	if err != nil || !reflect.DeepEqual(first, again) {
		t.Errorf("prepare again what was cleaned up: %+v, %v, want %+v", again, err, first)
	}

	testUpdate(t, i, c, nothing)
	testUsage(t, i, c)
	testWatch(t, i, c)
	testRecover(t, i, c)
	cleanup("what was in use")
}

func mustPrepareNothing(t *testing.T, i isolator.Isolator, c *isolator.Container) any {
	t.Helper()
	edits, err := i.Prepare(t.Context(), c)
	if err != nil {
		t.Fatalf("prepare a container that asks for nothing: %v", err)
	}
	if err := i.Cleanup(t.Context(), c); err != nil {
		t.Fatalf("clean up a container that asks for nothing: %v", err)
	}
	return edits
}

// testUpdate goes there and back. What is asked for is in the edits whether it
// has changed or not, and so is each field that is given up.
func testUpdate(t *testing.T, i isolator.Isolator, c, nothing *isolator.Container) {
	fields := func(was, now *isolator.Container) map[string]bool {
		edits, err := i.Update(t.Context(), was, now)
		if err != nil {
			t.Fatalf("update: %v", err)
		}
		set := map[string]bool{}
		for _, l := range edits.Limits {
			if l.Field == "" || l.Value == "" {
				t.Errorf("update: %+v does not say who wants it", l)
			}
			set[l.File] = true
		}
		return set
	}
	same := fields(c, c)
	for name, got := range map[string]map[string]bool{"gives up": fields(c, nothing), "asks for the first time": fields(nothing, c)} {
		for field := range same {
			if !got[field] {
				t.Errorf("a container that %s: %s is not set", name, field)
			}
		}
	}
	if set := fields(nothing, nothing); len(set) > 0 {
		t.Errorf("a container that asks for nothing: %v are set", set)
	}
}

func testUsage(t *testing.T, i isolator.Isolator, c *isolator.Container) {
	var first, second isolator.Usage
	for _, u := range []*isolator.Usage{&first, &second} {
		if err := i.Usage(t.Context(), c, u); err != nil {
			t.Fatalf("measure: %v", err)
		}
	}
	if first != second {
		t.Errorf("measuring has an effect: %+v, then %+v", first, second)
	}
}

func testWatch(t *testing.T, i isolator.Isolator, c *isolator.Container) {
	ended := errors.New("the test ends it")
	ctx, end := context.WithCancelCause(t.Context())
	end(ended)
	if limitation, err := i.Watch(ctx, c); limitation != nil || !errors.Is(err, ended) {
		t.Errorf("watch until the context ends: %+v, %v", limitation, err)
	}
}

func testRecover(t *testing.T, i isolator.Isolator, c *isolator.Container) {
	for range 2 {
		if orphans, err := i.Recover(t.Context(), []isolator.Container{*c}); len(orphans) > 0 || err != nil {
			t.Errorf("recover what is known: orphans %v, %v", orphans, err)
		}
	}
}
