package seccomp

import (
	"cmp"
	"math"
	"slices"

	"golang.org/x/sys/unix"
)

// badArch is the verdict on an architecture the filter has no section for. It
// kills the thread, not the process, as libseccomp does unless told otherwise.
const badArch = unix.SECCOMP_RET_KILL_THREAD

// Offsets in struct seccomp_data.
const (
	offsetNr   = 0
	offsetArch = 4
	offsetArgs = 16
)

// reach is the distance up to which a conditional jump goes by itself. The
// field has 8 bits; some room is left for what one jump may put in between.
const reach = 250

// emitter writes a program from its end to its start: BPF jumps only forward,
// so every target is known when a jump to it is written.
type emitter struct {
	code    []unix.SockFilter // the last instruction first
	returns []target          // the latest return instruction for an action
	leaves  []target          // of the section being written; at is 0 for none
}

// target is a place in the code, counted from the program's end, 1 for the
// last instruction, or, with at 0, an action still without an instruction.
type target struct {
	at     int
	action uint32
}

// assemble lays the sections out one after the other, the native one first,
// each behind a comparison of the architecture.
func assemble(sections []*section) []unix.SockFilter {
	e := &emitter{code: make([]unix.SockFilter, 0, 512)}
	next := e.near(target{action: badArch})
	for _, s := range slices.Backward(sections) {
		e.leaves = make([]target, len(s.leaves))
		body := e.tree(s, s.spans, math.MaxUint32+1)
		if len(s.spans) > 1 {
			body = e.load(offsetNr, body)
		}
		next = e.jump(unix.BPF_JEQ, s.arch.audit, body, next)
	}
	e.load(offsetArch, next)
	slices.Reverse(e.code)
	return e.code
}

// sections groups architectures by their AUDIT_ARCH value.
func (p *profile) sections(archs []arch) ([]*section, Problems) {
	var sections []*section
	var problems Problems
	for i, a := range archs {
		group := archs[i : i+1]
		if a.audit == auditX86_64 {
			if slices.ContainsFunc(archs[:i], func(b arch) bool { return b.audit == a.audit }) {
				continue
			}
			if j := slices.IndexFunc(archs[i+1:], func(b arch) bool { return b.audit == a.audit }); j >= 0 {
				group = []arch{a, archs[i+1+j]}
				slices.SortFunc(group, func(a, b arch) int { return cmp.Compare(a.base, b.base) })
			}
		}
		s, conflicts := p.section(group...)
		sections = append(sections, s)
		for _, c := range conflicts { // mostly the same on every architecture
			if !slices.ContainsFunc(problems, func(p Problem) bool { return p.Pointer == c.Pointer }) {
				problems = append(problems, c)
			}
		}
	}
	return sections, problems
}

func (e *emitter) emit(code uint16, k uint32) target {
	e.code = append(e.code, unix.SockFilter{Code: code, K: k})
	return target{at: len(e.code)}
}

// load writes a load into the accumulator, after which t comes.
func (e *emitter) load(offset uint32, t target) target {
	e.follow(t)
	return e.emit(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, offset)
}

// follow makes t the place that the next instruction written falls through to.
func (e *emitter) follow(t target) {
	switch {
	case t.at == 0:
		e.emit(unix.BPF_RET|unix.BPF_K, t.action)
	case t.at != len(e.code):
		e.emit(unix.BPF_JMP|unix.BPF_JA, uint32(len(e.code)-t.at))
	}
}

// near returns a target that the next instructions can reach.
func (e *emitter) near(t target) target {
	if t.at != 0 {
		if len(e.code)-t.at <= reach {
			return t
		}
		return e.emit(unix.BPF_JMP|unix.BPF_JA, uint32(len(e.code)-t.at))
	}
	for i, r := range e.returns {
		if r.action == t.action {
			if len(e.code)-r.at > reach {
				e.returns[i].at = e.emit(unix.BPF_RET|unix.BPF_K, t.action).at
			}
			return target{at: e.returns[i].at}
		}
	}
	r := e.emit(unix.BPF_RET|unix.BPF_K, t.action)
	e.returns = append(e.returns, target{r.at, t.action})
	return r
}

// jump compares the accumulator and goes to yes or no.
func (e *emitter) jump(op uint16, k uint32, yes, no target) target {
	if yes == no {
		return yes
	}
	no = e.near(no)
	yes = e.near(yes)
	t := e.emit(unix.BPF_JMP|op|unix.BPF_K, k)
	insn := &e.code[t.at-1]
	insn.Jt, insn.Jf = uint8(t.at-yes.at-1), uint8(t.at-no.at-1)
	return t
}

// tree writes the search for a syscall number below end, which the accumulator
// has. When a filter is loaded, the kernel runs it for every system call there
// is, to know those that are always allowed (seccomp_cache_prepare): on average
// a search should be short, whatever the longest one is.
func (e *emitter) tree(s *section, spans []span, end uint64) target {
	if len(spans) == 1 {
		return e.leaf(s, spans[0].leaf)
	}
	for _, around := range spans[:2] {
		if exceptions(spans, around.leaf, end) {
			next := e.leaf(s, around.leaf)
			for _, one := range slices.Backward(spans) {
				if one.leaf != around.leaf {
					next = e.jump(unix.BPF_JEQ, one.from, e.leaf(s, one.leaf), next)
				}
			}
			return next
		}
	}
	mid := middle(spans, end)
	above := e.tree(s, spans[mid:], end)
	below := e.tree(s, spans[:mid], uint64(spans[mid].from))
	return e.jump(unix.BPF_JGE, spans[mid].from, above, below)
}

// maxExceptions is how many are tried one after the other. More are faster
// found by halves, although that takes two comparisons each.
const maxExceptions = 4

// exceptions says whether all spans have one leaf but for a few numbers.
func exceptions(spans []span, around int, end uint64) bool {
	few := 0
	for i := range spans {
		if spans[i].leaf == around {
			continue
		}
		if few++; few > maxExceptions || width(spans, i, end) != 1 {
			return false
		}
	}
	return true
}

// middle is where about as many numbers lie on either side. Ranges that are
// wider than all of an architecture's system calls have none.
func middle(spans []span, end uint64) int {
	weight := func(i int) int {
		if w := width(spans, i, end); w <= 512 {
			return int(w)
		}
		return 1
	}
	total := 0
	for i := range spans {
		total += weight(i)
	}
	mid, nearest, below := 1, math.MaxInt, 0
	for i := range spans[1:] {
		below += weight(i)
		if distance := max(2*below-total, total-2*below); distance < nearest {
			mid, nearest = i+1, distance
		}
	}
	return mid
}

func width(spans []span, i int, end uint64) uint64 {
	if i+1 < len(spans) {
		end = uint64(spans[i+1].from)
	}
	return end - uint64(spans[i].from)
}

func (e *emitter) leaf(s *section, i int) target {
	l := &s.leaves[i]
	if l.rules == nil {
		return target{action: l.action}
	}
	if e.leaves[i].at == 0 {
		e.leaves[i] = e.rules(l.arch, l.rules, target{action: l.action})
	}
	return e.leaves[i]
}

// rules writes conditional rules, tried one after the other.
func (e *emitter) rules(a *arch, rules []rule, otherwise target) target {
	for i := len(rules); i > 0; {
		group := equalities(rules[:i], a.is64)
		i -= max(1, len(group))
		if len(group) > 1 {
			otherwise = e.oneOf(a, group, otherwise)
			continue
		}
		then := target{action: rules[i].action}
		for _, c := range slices.Backward(rules[i].conds) {
			then = e.cond(a, c, then, otherwise)
		}
		otherwise = then
	}
	return otherwise
}

// equalities returns the rules at the end that compare one argument for
// equality with values of the same upper half, and nothing else.
func equalities(rules []rule, is64 bool) []rule {
	end := len(rules)
	first := end
	for first > 0 {
		r := &rules[first-1]
		if len(r.conds) != 1 || r.conds[0].op != opEQ {
			break
		}
		c, last := r.conds[0], rules[end-1].conds[0]
		if c.arg != last.arg || is64 && c.value>>32 != last.value>>32 {
			break
		}
		first--
	}
	return rules[first:]
}

// oneOf writes such equalities: one look at the upper half does for all.
func (e *emitter) oneOf(a *arch, group []rule, otherwise target) target {
	c := group[0].conds[0]
	next := otherwise
	for i := range slices.Backward(group) {
		next = e.jump(unix.BPF_JEQ, uint32(group[i].conds[0].value), target{action: group[i].action}, next)
	}
	next = e.loadArg(a, c.arg, false, next)
	if !a.is64 {
		return next
	}
	return e.loadArg(a, c.arg, true, e.jump(unix.BPF_JEQ, uint32(c.value>>32), next, otherwise))
}

// loadArg writes the load of a half of an argument, after which t comes.
func (e *emitter) loadArg(a *arch, arg uint8, upper bool, t target) target {
	offset := offsetArgs + 8*uint32(arg)
	if upper != a.bigEndian {
		offset += 4
	}
	return e.load(offset, t)
}

// cond writes one condition.
func (e *emitter) cond(a *arch, c cond, yes, no target) target {
	switch c.op {
	case opNE:
		c.op, yes, no = opEQ, no, yes
	case opLT:
		c.op, yes, no = opGE, no, yes
	case opLE:
		c.op, yes, no = opGT, no, yes
	}
	if c.op == opEQ || c.op == opMasked {
		yes = e.half(a, c, false, yes, no)
		if a.is64 {
			yes = e.half(a, c, true, yes, no)
		}
		return yes
	}
	compare := uint16(unix.BPF_JGT)
	if c.op == opGE {
		compare = unix.BPF_JGE
	}
	lower := e.loadArg(a, c.arg, false, e.jump(compare, uint32(c.value), yes, no))
	if !a.is64 {
		return lower
	}
	upper := uint32(c.value >> 32)
	if upper == 0 {
		return e.loadArg(a, c.arg, true, e.jump(unix.BPF_JEQ, 0, lower, yes))
	}
	equal := e.jump(unix.BPF_JEQ, upper, lower, no)
	return e.loadArg(a, c.arg, true, e.jump(unix.BPF_JGT, upper, yes, equal))
}

// half compares one half of an argument for equality, masked or not.
func (e *emitter) half(a *arch, c cond, upper bool, yes, no target) target {
	value, mask := uint32(c.value), uint32(c.mask)
	if upper {
		value, mask = uint32(c.value>>32), uint32(c.mask>>32)
	}
	if mask == 0 {
		return yes
	}
	t := e.jump(unix.BPF_JEQ, value, yes, no)
	if mask != low {
		e.follow(t)
		t = e.emit(unix.BPF_ALU|unix.BPF_AND|unix.BPF_K, mask)
	}
	return e.loadArg(a, c.arg, upper, t)
}
