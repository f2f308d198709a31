// Package guard decides which containers have to end because memory has run
// out: whose process was killed, whose limit was in the way, and what of that
// is news.
//
// libcontainer's Watch tells it which containers live and what the kernel has
// counted of them, and does what it answers. It is pure: it must not know
// where the figures come from, how a container is ended, or where it is put on
// record that one was.
package guard

import (
	"fmt"
	"time"
)

// Counts are how often memory has run out for a container, without the
// containers inside it that have limits of their own.
type Counts struct {
	OOM   uint64 // times that nothing could be reclaimed below a limit of its own
	Kills uint64 // of its processes, whoever's limit it was for
}

// Container is one that lives.
type Container struct {
	ID     string
	Parent string // the container that it is nested in; empty if in none
	// Shares says that it has no limits: its processes are its parent's.
	Shares bool
	// Seen is what was dealt with before.
	Seen Counts
	// Used says that the cgroup was there before the container, and that
	// nobody has looked since: its first counts are not the container's doing.
	Used bool
	// Limited says that it was to be ended already.
	Limited bool
}

// Reading is what was counted of one container.
type Reading struct {
	ID     string
	Counts Counts
}

// Kind is what is to be done.
type Kind uint8

// The kinds of actions.
const (
	// Tell that memory has run out.
	Tell Kind = iota
	// Remember that the counts have been dealt with.
	Remember
	// End the container with all that is in it: one of its own limits was hit.
	End
	// EndForOthers ends it, too: a process of it was killed because memory ran
	// out around it.
	EndForOthers
)

// Action is something to be done about a container.
type Action struct {
	Kind   Kind
	ID     string
	Counts Counts // to be remembered
}

func (a Action) String() string {
	switch a.Kind {
	case Tell:
		return "tell " + a.ID
	case Remember:
		return fmt.Sprintf("remember %s %d %d", a.ID, a.Counts.OOM, a.Counts.Kills)
	case End:
		return "end " + a.ID
	}
	return "end " + a.ID + " for others"
}

// hitLasts is how long a limit that was hit explains a kill. The kernel counts
// the one and then looks for a process to kill, which takes milliseconds; but a
// process that ends by itself meanwhile saves all others, and then there is none.
const hitLasts = 10 * time.Second

// Guard knows the containers that live.
type Guard struct {
	nodes map[string]*node
}

type node struct {
	Container
	hit time.Time // when one of its limits was hit that no kill has followed yet
}

// New returns a guard of nobody.
func New() *Guard { return &Guard{nodes: map[string]*node{}} }

// Add takes a container under guard, or says of one that is what has changed.
func (g *Guard) Add(c Container) { g.nodes[c.ID] = &node{Container: c} }

// Remove forgets a container that has ended.
func (g *Guard) Remove(id string) { delete(g.nodes, id) }

// Above are the containers around one, from the inside out: a limit of theirs
// may be what ends a process of it.
func (g *Guard) Above(id string) []string {
	var ids []string
	for n := g.nodes[id]; n != nil && n.Parent != "" && len(ids) < len(g.nodes); n = g.nodes[n.Parent] {
		if g.nodes[n.Parent] != nil {
			ids = append(ids, n.Parent)
		}
	}
	return ids
}

// Count takes what was counted of some containers, and of those around them,
// and says what is to be done about it, in that order. Kills have to be read
// before hits, and the readings of those around a container after its own:
// then whoever is to blame for a kill is known.
func (g *Guard) Count(now time.Time, readings []Reading) []Action {
	var actions []Action
	var killed []*node
	for _, r := range readings {
		n := g.nodes[r.ID]
		if n == nil || r.Counts == n.Seen && !n.Used {
			continue
		}
		before := n.Seen
		if n.Used || r.Counts.OOM < before.OOM || r.Counts.Kills < before.Kills {
			// Where counts are lost, because somebody takes the controller away
			// or removes a cgroup, nobody is to end for the rest.
			before, n.Used = r.Counts, false
		}
		n.Seen = r.Counts
		if r.Counts.OOM > before.OOM {
			n.hit = now
		}
		if r.Counts.Kills > before.Kills {
			killed = append(killed, n)
		}
		// One of its own limits counts first as OOM and then as a kill, one
		// around it as a kill alone: the greater of the two grows once.
		if max(r.Counts.OOM, r.Counts.Kills) > max(before.OOM, before.Kills) {
			actions = append(actions, Action{Kind: Tell, ID: n.ID})
		}
		actions = append(actions, Action{Kind: Remember, ID: n.ID, Counts: n.Seen})
	}
	for _, n := range killed {
		victim, kind := g.blame(n, now)
		if !victim.Limited {
			victim.Limited = true
			actions = append(actions, Action{Kind: kind, ID: victim.ID})
		}
	}
	return actions
}

// blame finds out who has to end because a process of n was killed: the one
// whose limit was hit, or n's own if it was nobody's that is known.
func (g *Guard) blame(n *node, now time.Time) (*node, Kind) {
	for range g.nodes { // so that no ring of parents has no end
		if !n.Shares || g.nodes[n.Parent] == nil {
			break
		}
		n = g.nodes[n.Parent]
	}
	for _, id := range append([]string{n.ID}, g.Above(n.ID)...) {
		if a := g.nodes[id]; !a.hit.IsZero() && now.Sub(a.hit) < hitLasts {
			return a, End
		}
	}
	return n, EndForOthers
}
