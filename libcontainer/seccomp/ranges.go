package seccomp

import (
	"math"
	"slices"

	"golang.org/x/sys/unix"
)

// rule is what a conditional rule comes to on one architecture.
type rule struct {
	action uint32
	conds  []cond
}

// leaf is where the search for a syscall number ends: an action, or
// conditional rules with the action for when none of them applies.
type leaf struct {
	action uint32
	rules  []rule
	arch   *arch // of the rules
}

// span is a range of syscall numbers with one leaf; it ends where the next
// one starts.
type span struct {
	from uint32
	leaf int
}

// section is the part of the filter for one AUDIT_ARCH value.
type section struct {
	arch   arch
	spans  []span
	leaves []leaf
}

// entry is a call of the profile on one architecture.
type entry struct {
	*call
	multiplexed bool
	arch        *arch
}

// section makes the ranges for one AUDIT_ARCH value. Only x86_64 has a second
// architecture, x32, which numbers with a bit of its own.
func (p *profile) section(archs ...arch) (*section, Problems) {
	s := &section{arch: archs[0], leaves: []leaf{{action: p.def}}}
	var entries []entry
	var keys []uint64 // number, then sequence
	for i := range archs {
		a := &archs[i]
		for j := range p.calls {
			c := &p.calls[j]
			if c.via != 0 && a.multiplexed {
				keys = append(keys, uint64(c.via+a.base)<<32|uint64(len(entries)))
				entries = append(entries, entry{c, true, a})
			}
			if nr, ok := a.number(c.row); ok {
				keys = append(keys, uint64(nr)<<32|uint64(len(entries)))
				entries = append(entries, entry{c, false, a})
			}
		}
	}
	slices.Sort(keys)
	background := p.background(s, archs)
	var problems Problems
	var next uint64 // the first number that has no span yet
	for len(keys) > 0 {
		nr := uint32(keys[0] >> 32)
		n := 1
		for n < len(keys) && uint32(keys[n]>>32) == nr {
			n++
		}
		l, conflict := p.leaf(entries, keys[:n])
		if conflict != nil {
			problems = append(problems, *wrong(conflict.at.pointer(), syscallName(conflict.row),
				"on "+string(conflict.arch.name)+", an earlier rule with another action has the same conditions"))
		}
		keys = keys[n:]
		s.fill(background, next, uint64(nr))
		if b := at(background, nr); b != 0 {
			// The background is what libseccomp's users put before its filter.
			s.add(nr, b)
		} else {
			s.add(nr, s.intern(l))
		}
		next = uint64(nr) + 1
	}
	s.fill(background, next, math.MaxUint32+1)
	return s, problems
}

// leaf combines the rules for one syscall. An entry is the first one that
// contradicts those before it.
func (p *profile) leaf(entries []entry, keys []uint64) (leaf, *entry) {
	l := leaf{action: p.def}
	mixed := false
	for _, key := range keys {
		e := &entries[uint32(key)]
		l.arch = e.arch
		conds := e.localConds()
		if len(conds) == 0 {
			l.action = e.action
			break
		}
		mixed = mixed || len(l.rules) > 0 && l.rules[0].action != e.action
		l.rules = append(l.rules, rule{e.action, conds})
	}
	if mixed {
		var conflict int
		if l.rules, conflict = sortRules(l.rules, l.arch.is64); conflict >= 0 {
			return l, &entries[uint32(keys[conflict])]
		}
	}
	if l.action != p.def {
		l.rules = nil
	}
	return l, nil
}

const low = math.MaxUint32

// localConds are the conditions of a call as this architecture sees them,
// without those that always hold.
func (e *entry) localConds() []cond {
	plain := !e.multiplexed
	for i := range e.conds {
		plain = plain && e.arch.is64 && e.conds[i].mask != 0
	}
	if plain {
		return e.conds
	}
	conds := make([]cond, 0, len(e.conds)+1)
	if e.multiplexed {
		conds = append(conds, cond{op: opEQ, value: uint64(e.number), mask: math.MaxUint64})
	}
	for _, c := range e.conds {
		if e.multiplexed && c.arg == 0 {
			continue
		}
		if !e.arch.is64 {
			c.value, c.mask = c.value&low, c.mask&low
		}
		if c.mask != 0 {
			conds = append(conds, c)
		}
	}
	if e.arch.is64 || len(conds) == 0 {
		return conds
	}
	for i := range conds {
		conds[i].mask &= low
	}
	return conds
}

// background says what holds for numbers that no rule is about. Leaf 0 is the
// default action; anything else takes precedence over rules.
func (p *profile) background(s *section, archs []arch) []span {
	bg := []span{{0, 0}}
	enosys := 0
	if p.enosys {
		enosys = s.intern(leaf{action: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)})
	}
	last := make([]uint32, len(archs))
	for i := range archs {
		last[i] = p.last(&archs[i])
	}
	if archs[0].audit != auditX86_64 {
		if p.enosys && last[0] != 0 {
			if archs[0].audit&^audit64 == emS390 {
				// Syscall 0 is how the kernel presents numbers above 255 that
				// it does not know.
				bg = []span{{0, enosys}, {1, 0}}
			}
			if last[0] != math.MaxUint32 {
				bg = append(bg, span{last[0] + 1, enosys})
			}
		}
		return bg
	}
	// x86_64 and x32 lie in turn, by bit 30.
	if archs[0].base == x32Bit {
		bg = []span{{0, s.intern(leaf{action: badArch})}, {x32Bit, 0}}
		if p.enosys && last[0] != 0 {
			bg = append(bg, span{last[0] + 1, enosys}, span{2 * x32Bit, 0}, span{3 * x32Bit, enosys})
		}
		return bg
	}
	if p.enosys && last[0] != 0 {
		bg = append(bg, span{last[0] + 1, enosys})
	}
	switch {
	case len(archs) == 1:
		bad := s.intern(leaf{action: badArch})
		bg = append(bg, span{x32Bit, bad})
		if p.enosys && last[0] != 0 {
			bg = append(bg, span{2 * x32Bit, enosys}, span{3 * x32Bit, bad})
		}
		// A tracer skips a syscall by the number -1, which is not one of x32.
		return append(bg, span{math.MaxUint32, 0})
	case p.enosys && last[1] != 0:
		bg = append(bg, span{x32Bit, 0}, span{last[1] + 1, enosys})
		if last[0] == 0 {
			bg = append(bg, span{2 * x32Bit, 0}, span{3 * x32Bit, enosys})
		}
	case p.enosys && last[0] != 0:
		bg = append(bg, span{x32Bit, 0}, span{2 * x32Bit, enosys}, span{3 * x32Bit, 0})
	}
	return bg
}

// last is the highest number on an architecture of the syscalls that the
// profile names, 0 if there is none. Syscalls that can be multiplexed do not
// count where they are.
func (p *profile) last(a *arch) uint32 {
	var last uint32
	for _, row := range p.named {
		nr, ok := a.number(row)
		if !ok || nr <= last {
			continue
		}
		if a.multiplexed {
			if via, _ := multiplexedCall(syscallName(row)); via != 0 {
				continue
			}
		}
		last = nr
	}
	return last
}

func at(background []span, nr uint32) int {
	l := 0
	for _, b := range background {
		if b.from > nr {
			break
		}
		l = b.leaf
	}
	return l
}

// fill puts the background into a range.
func (s *section) fill(background []span, from, to uint64) {
	if from >= to {
		return
	}
	s.add(uint32(from), at(background, uint32(from)))
	for _, b := range background {
		if uint64(b.from) > from && uint64(b.from) < to {
			s.add(b.from, b.leaf)
		}
	}
}

func (s *section) add(from uint32, leaf int) {
	if n := len(s.spans); n == 0 || s.spans[n-1].leaf != leaf {
		s.spans = append(s.spans, span{from, leaf})
	}
}

// intern returns the index of a leaf. Only leaves without rules are shared.
func (s *section) intern(l leaf) int {
	if l.rules == nil {
		for i := range s.leaves {
			if s.leaves[i].rules == nil && s.leaves[i].action == l.action {
				return i
			}
		}
	}
	s.leaves = append(s.leaves, l)
	return len(s.leaves) - 1
}
