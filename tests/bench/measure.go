package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// sample is what one runtime took in one round, by case.
type sample map[string]cost

// cost is what a command takes, from before the clone of its process until it
// has been waited for.
type cost struct {
	time time.Duration
	cpu  time.Duration // of the process and of what it has waited for
}

// group is a sequence that gives the times of one case or of several: the
// steps of a container's life are measured on one container.
type group struct {
	cases []string
	do    func(s *session, r runtime, out sample) error
}

func groups() []group {
	return []group{
		{[]string{"version"}, func(s *session, r runtime, out sample) error {
			return record(out, "version", func() (cost, error) { return s.spawn([]string{r.path, "--version"}) })
		}},
		run("run minimal", func(b bundles) string { return b.minimal }),
		run("run default", func(b bundles) string { return b.standard }),
		run("run docker", func(b bundles) string { return b.docker }),
		run("run filtered", func(b bundles) string { return b.filtered }),
		{[]string{"create", "state", "start", "exec", "exec -d", "kill", "delete"}, steps},
		{[]string{"lifecycle"}, lifecycle},
	}
}

func caseNames() []string {
	var names []string
	for _, g := range groups() {
		names = append(names, g.cases...)
	}
	return names
}

// chooseCases keeps the groups that have one of the cases named.
func chooseCases(list string) ([]group, error) {
	if list == "" {
		return groups(), nil
	}
	var chosen []group
	wanted := strings.Split(list, ",")
	for _, name := range wanted {
		if !slices.Contains(caseNames(), name) {
			return nil, fmt.Errorf("unknown case %q, there are %s", name, strings.Join(caseNames(), ", "))
		}
	}
	for _, g := range groups() {
		if slices.ContainsFunc(g.cases, func(name string) bool { return slices.Contains(wanted, name) }) {
			chosen = append(chosen, g)
		}
	}
	return chosen, nil
}

func record(out sample, name string, do func() (cost, error)) error {
	taken, err := do()
	if err == nil {
		out[name] = taken
	}
	return err
}

func run(name string, bundle func(bundles) string) group {
	return group{[]string{name}, func(s *session, r runtime, out sample) error {
		c := s.container(r, bundle(s.bundles))
		if err := record(out, name, c.run); err != nil {
			c.destroy()
			return err
		}
		return nil
	}}
}

// steps measures each command on a container that sleeps.
func steps(s *session, r runtime, out sample) error {
	c := s.container(r, s.bundles.sleep)
	err := func() error {
		if err := record(out, "create", c.create); err != nil {
			return err
		}
		if err := record(out, "state", func() (cost, error) { return c.command("state", c.id) }); err != nil {
			return err
		}
		if err := record(out, "start", func() (cost, error) { return c.command("start", c.id) }); err != nil {
			return err
		}
		if err := record(out, "exec", func() (cost, error) { return c.command("exec", c.id, "/bin/true") }); err != nil {
			return err
		}
		detached := *c
		detached.pidFile += ".exec"
		if err := record(out, "exec -d", func() (cost, error) {
			return c.command("exec", "--detach", "--pid-file", detached.pidFile, c.id, "/bin/true")
		}); err != nil {
			return err
		}
		// As long as nobody has collected it, its pid namespace cannot end.
		if err := detached.ended(); err != nil {
			return err
		}
		if err := record(out, "kill", func() (cost, error) { return c.command("kill", c.id, "KILL") }); err != nil {
			return err
		}
		if err := c.ended(); err != nil {
			return err
		}
		return record(out, "delete", func() (cost, error) { return c.command("delete", c.id) })
	}()
	if err != nil {
		c.destroy()
	}
	return err
}

// lifecycle is what an engine does for a short program: create, start, wait,
// delete, with the program's own time in it.
func lifecycle(s *session, r runtime, out sample) error {
	c := s.container(r, s.bundles.standard)
	began := time.Now()
	cpu, err := func() (time.Duration, error) {
		create, err := c.create()
		if err != nil {
			return 0, err
		}
		start, err := c.command("start", c.id)
		if err != nil {
			return 0, err
		}
		if err := c.ended(); err != nil {
			return 0, err
		}
		remove, err := c.command("delete", c.id)
		return create.cpu + start.cpu + remove.cpu, err
	}()
	if err != nil {
		c.destroy()
		return err
	}
	out["lifecycle"] = cost{time.Since(began), cpu}
	return nil
}

// measure does the rounds. A runtime that fails a case is out of that case,
// and the reason is kept; if it is the first one, that is an error.
func (s *session) measure(o options, chosen []group) (*results, error) {
	res := newResults(o, chosen)
	failed := map[string]bool{}
	for round := -o.warmup; round < o.rounds; round++ {
		for n, g := range chosen {
			for _, i := range rand.Perm(len(o.runtimes)) {
				r := o.runtimes[i]
				key := fmt.Sprint(n, " ", i)
				if failed[key] {
					continue
				}
				out := sample{}
				err := g.do(s, r, out)
				reap()
				if err != nil {
					if i == 0 {
						return nil, err
					}
					failed[key] = true
					res.fail(r, g, err)
					continue
				}
				if round >= 0 {
					res.add(r, out)
				}
			}
		}
	}
	return res, nil
}
