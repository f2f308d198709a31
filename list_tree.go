package main

import "github.com/mesoc/mesoc/libcontainer"

// node is a container as list --tree prints it in JSON: with those that are
// nested in it.
type node struct {
	*libcontainer.State
	Children []*node `json:"children,omitempty"`
}

// plainly are the containers side by side. Of none the JSON is null, as runc
// has it.
func plainly(containers []libcontainer.State) []*node {
	var nodes []*node
	for i := range containers {
		nodes = append(nodes, &node{State: &containers[i]})
	}
	return nodes
}

// forest are the containers that are nested in none, or in one that is not in
// the list, with the others below them, in the order of the list.
func forest(containers []libcontainer.State) []*node {
	nodes := plainly(containers)
	byID := make(map[string]*node, len(nodes))
	for _, n := range nodes {
		byID[n.ID] = n
	}
	var roots []*node
	for _, n := range nodes {
		above := byID[n.parent()]
		if above == nil || n.isAbove(above, byID) {
			roots = append(roots, n)
			continue
		}
		above.Children = append(above.Children, n)
	}
	return roots
}

func (n *node) parent() string {
	if n.Mesoc == nil {
		return ""
	}
	return n.Mesoc.Parent
}

// isAbove says whether other is nested in n, or is n: records that somebody
// has edited may go round in circles, and then one of them has to be a root.
func (n *node) isAbove(other *node, byID map[string]*node) bool {
	for range byID {
		if other == n {
			return true
		}
		if other = byID[other.parent()]; other == nil {
			return false
		}
	}
	return false
}

// line is a container in its line, behind the branches that lead to it.
type line struct {
	*libcontainer.State
	branch string
}

// drawn are the lines of a forest.
func drawn(roots []*node) []line {
	var lines []line
	var below func(n *node, indent string)
	below = func(n *node, indent string) {
		for i, child := range n.Children {
			branch, further := "├─", "│ "
			if i == len(n.Children)-1 {
				branch, further = "└─", "  "
			}
			lines = append(lines, line{child.State, indent + branch})
			below(child, indent+further)
		}
	}
	for _, n := range roots {
		lines = append(lines, line{n.State, ""})
		below(n, "")
	}
	return lines
}
