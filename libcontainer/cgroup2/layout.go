package cgroup2

import (
	"path"
	"strings"
)

// Layout is where the cgroups of containers are: below Root, which is relative
// to the mount,
//
//	<root>/<id>                       limits
//	<root>/<id>/<leaf>                processes
//	<root>/<id>/mesos/<id>            limits of a nested one
//	<root>/<id>/mesos/<id>/<leaf>     its processes
//
// and so on. It is a place that says which of the two a name is, never the
// name: there can be containers that are called mesos or like the leaf.
type Layout struct {
	Root string // as in settings: without a slash at either end
	Leaf string // not Nested
	// ValidID says whether a name can be a container's.
	ValidID func(string) bool
}

// Path is the cgroup with the limits of the last of ids, each of which is
// nested in the one before.
func (l Layout) Path(ids ...string) string {
	return path.Join(l.Root, strings.Join(ids, "/"+Nested+"/"))
}

// Parse is the way back: the ids of the container whose cgroup it is, from the
// outermost on, and whether it is the one with the processes. A path that no
// container's cgroup has is not ok: that of a directory for nested ones is
// none, nor is what a container has made in its leaf.
func (l Layout) Parse(cgroup string) (ids []string, leaf, ok bool) {
	rest, ok := strings.CutPrefix(cgroup, l.Root+"/")
	if !ok {
		return nil, false, false
	}
	names := strings.Split(rest, "/")
	for i, name := range names {
		switch {
		case i%2 == 0:
			if !l.ValidID(name) {
				return nil, false, false
			}
			ids = append(ids, name)
		case name == Nested && i+1 < len(names):
		case name == l.Leaf && i+1 == len(names):
			return ids, true, true
		default:
			return nil, false, false
		}
	}
	return ids, false, true
}
