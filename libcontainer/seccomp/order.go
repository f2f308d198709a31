package seccomp

import (
	"cmp"
	"slices"
)

// The order in which conditional rules with different actions are tried for
// one syscall. The specification says nothing of it; profiles are written
// against libseccomp, which sorts, so its order is the only one that gives the
// same verdicts:
//
//   - Rules are compared condition by condition, lower arguments first.
//   - The condition on the higher argument goes first; on the same argument,
//     equalities (EQ, NE, MASKED_EQ), then LE and LT, then GE and GT.
//   - Then greater values go first, for LE and LT smaller ones.
//   - Equal so far: in the order of the profile.
//   - A rule that repeats the conditions of an earlier one and adds some is
//     lost. In the other sequence, and if all conditions are the same, the
//     actions must not differ.
//
// libseccomp compares halves of 64-bit arguments and lets rules share nodes
// and code. Where that makes it lose a part of a rule, give a verdict by which
// rule came first (NE and orderings with equal upper halves), or compare an
// argument it has not loaded (seen with 2.5.4 and 2.6.0), we keep to the rules.
// So a test (mixed_test.go) takes libseccomp for a judge only where its verdict is
// one that some rule gives.

// step is a comparison on the way through a rule.
type step struct {
	arg     uint8 // twice the argument, plus one for its upper half
	class   uint8
	op      op
	negated bool
	value   uint64
	mask    uint64
}

type node struct {
	step
	rule *rule // at the end of a rule
	next []*node
}

// sortRules brings the rules of one syscall into the order in which they are
// tried. One whose action must not differ from that of a rule before it, and
// does, is a conflict, of which the first is told; -1 if there is none.
func sortRules(rules []rule, is64 bool) (sorted []rule, conflict int) {
	var root []*node
	for i := range rules {
		if !insert(&root, steps(rules[i].conds, is64), &rules[i]) {
			return nil, i
		}
	}
	return collect(make([]rule, 0, len(rules)), root), -1
}

func steps(conds []cond, is64 bool) []step {
	var path []step
	for _, c := range conds {
		s := step{arg: c.arg * 2, value: c.value, mask: c.mask}
		switch c.op {
		case opEQ, opNE, opMasked:
			s.class = 3
			if c.op == opMasked {
				s.op = opMasked
			}
			if is64 {
				path = append(path, step{s.arg + 1, s.class, s.op, false, c.value >> 32, c.mask >> 32})
				s.value, s.mask = c.value&low, c.mask&low
			}
			s.negated = c.op == opNE
		case opLT:
			s.class, s.op, s.negated = 2, opGE, true
		case opLE:
			s.class, s.op, s.negated = 2, opGT, true
		default:
			s.class, s.op = 1, c.op
		}
		if s.class != 3 && is64 {
			s.arg++
		}
		path = append(path, s)
	}
	return path
}

// insert puts a rule in its place, and reports whether it may have one.
func insert(level *[]*node, path []step, r *rule) bool {
	first, rest := path[0], path[1:]
	for i, n := range *level {
		switch {
		case n.step == first && len(rest) == 0:
			if n.rule != nil && n.rule.action != r.action || !onlyAction(n.next, r.action) {
				return false
			}
			n.rule, n.next = r, nil
			return true
		case n.step == first:
			if n.rule != nil {
				return true
			}
			return insert(&n.next, rest, r)
		case before(first, n.step):
			*level = slices.Insert(*level, i, chainOf(path, r))
			return true
		}
	}
	*level = append(*level, chainOf(path, r))
	return true
}

func chainOf(path []step, r *rule) *node {
	n := &node{step: path[0]}
	if len(path) == 1 {
		n.rule = r
	} else {
		n.next = []*node{chainOf(path[1:], r)}
	}
	return n
}

func onlyAction(level []*node, action uint32) bool {
	for _, n := range level {
		if n.rule != nil && n.rule.action != action || !onlyAction(n.next, action) {
			return false
		}
	}
	return true
}

// before says whether a is tried before b although it comes later.
func before(a, b step) bool {
	if c := cmp.Or(cmp.Compare(a.arg, b.arg), cmp.Compare(a.class, b.class)); c != 0 {
		return c > 0
	}
	if a.class == 2 {
		return a.value < b.value
	}
	return a.value > b.value
}

func collect(rules []rule, level []*node) []rule {
	for _, n := range level {
		if n.rule != nil {
			rules = append(rules, *n.rule)
		}
		rules = collect(rules, n.next)
	}
	return rules
}
