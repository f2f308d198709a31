package cgroup2

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// Apply writes the limits to the container's cgroup and once more to the leaf:
// engines and language runtimes read the limits of the cgroup that a process
// is in. The device rules are not among them, see Filter.
func (p *Pair) Apply(l Limits) error {
	if err := l.belowUsage.checkUsage(p.Container); err != nil {
		return err
	}
	if err := p.Container.apply(l.Settings); err != nil {
		return err
	}
	return p.Leaf.apply(mirrored(l.Settings))
}

// mirrored returns the settings that the leaf gets too: all but those that do
// something to the tree instead of limiting what is in it.
func mirrored(settings []Setting) []Setting {
	skip := func(s Setting) bool {
		return s.File == "cpuset.cpus.partition" || s.File == "memory.reclaim"
	}
	for i, s := range settings {
		if !skip(s) {
			continue
		}
		rest := append([]Setting(nil), settings[:i]...)
		for _, s := range settings[i:] {
			if !skip(s) {
				rest = append(rest, s)
			}
		}
		return rest
	}
	return settings
}

// apply writes settings in order.
func (c *Cgroup) apply(settings []Setting) error {
	for i := 0; i < len(settings); i++ {
		s := settings[i]
		err := c.set(s)
		if s.WithNext && i+1 < len(settings) && errors.Is(err, unix.EINVAL) {
			if err := c.set(settings[i+1]); err != nil {
				return err
			}
			err = c.set(s)
			i++
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// set writes one setting, or its alternative.
func (c *Cgroup) set(s Setting) error {
	value := s.Value
	if s.KeepFirst {
		text, err := c.read(s.File)
		if err != nil {
			return err
		}
		first, _, _ := strings.Cut(strings.TrimSuffix(text, "\n"), " ")
		value = first + " " + value
	}
	err := c.writeFile(s.File, value)
	switch {
	case err == nil:
		return nil
	case err == unix.ENOENT && s.Else != nil:
		return c.set(*s.Else)
	case err == unix.ENOENT && s.Optional:
		return nil
	case err == unix.ENOENT && c.lacks(s.Controller):
		return fmt.Errorf("set %s to %s in %s: the %s controller is not enabled there", s.File, value, c.path, s.Controller)
	}
	return fmt.Errorf("set %s to %s in %s: %w", s.File, printable(value), c.path, err)
}

// lacks says that the cgroup does not have the controller, if that can be told.
func (c *Cgroup) lacks(controller string) bool {
	text, err := c.read("cgroup.controllers")
	return err == nil && controller != "" && len(Controllers{{Controller: controller}}.missing(text)) > 0
}

// printable keeps an error on one line.
func printable(value string) string {
	if value = strings.TrimSpace(value); value == "" {
		return "nothing"
	}
	return value
}
