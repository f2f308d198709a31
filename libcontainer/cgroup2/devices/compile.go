package devices

import (
	"cmp"
	"slices"

	"github.com/cilium/ebpf/asm"
)

// Program is a compiled list of rules.
type Program struct {
	insns asm.Instructions
	all   bool
}

// AllowsAll says that the program denies nothing, so that a cgroup that has no
// program needs none.
func (p Program) AllowsAll() bool { return p.all }

// Compile makes the program that decides as rules do, in as few instructions
// as it can: loading it is on the way of every container's start.
//
// The program keeps the kinds of access that are asked for and not yet decided
// in a register. Rules are asked last first: an allowance takes its kinds out
// of the register, and when none is left the access is granted; a denial ends
// in refusal if any of its kinds is still in there.
func Compile(rules []Rule) (Program, error) {
	for _, r := range rules {
		if err := r.check(); err != nil {
			return Program{}, err
		}
	}
	list := simplify(rules)
	// As many as the rules of an engine make.
	c := compiler{assembler: assembler{insns: make(asm.Instructions, 0, 128), jumps: make([]jump, 0, 64)}}
	c.prologue(list)
	all := len(list) == 1 && list[0] == Rule{Allow: true, Type: AnyType, Major: Any, Minor: Any, Access: All}
	for len(list) > 0 {
		n := 1
		for n < len(list) && list[n].Allow == list[0].Allow {
			n++
		}
		c.run(list[:n])
		list = list[n:]
	}
	c.to(refuse)
	insns, err := c.finish()
	return Program{insns: insns, all: all}, err
}

// The registers.
const (
	regResult = asm.R0 // what the program returns: 1 grants, 0 refuses
	regCtx    = asm.R1 // the question, struct bpf_cgroup_dev_ctx
	regType   = asm.R2
	regAccess = asm.R3 // kinds of access asked for and not yet decided
	regMajor  = asm.R4
	regMinor  = asm.R5
)

// struct bpf_cgroup_dev_ctx: access_type holds the access in its upper and
// the type in its lower half.
const (
	ctxAccessType = 0
	ctxMajor      = 4
	ctxMinor      = 8
)

// compiler is an assembler and what is known at the place where it writes.
type compiler struct {
	assembler
	// decided are the kinds of access that cannot be in regAccess any more.
	decided Access
}

// prologue loads those parts of the question that the rules look at.
func (c *compiler) prologue(list []Rule) {
	var typed, major, minor bool
	for _, r := range list {
		typed = typed || r.Type != AnyType
		major = major || r.Major != Any
		minor = minor || r.Minor != Any
	}
	if len(list) == 0 || (len(list) == 1 && list[0].Access == All && !typed && !major && !minor) {
		return // the answer is always the same
	}
	if typed {
		c.load(regType, ctxAccessType)
		c.move(regAccess, regType)
		c.and(regType, 0xffff)
	} else {
		c.load(regAccess, ctxAccessType)
	}
	c.shiftRight(regAccess, 16)
	if major {
		c.load(regMajor, ctxMajor)
	}
	if minor {
		c.load(regMinor, ctxMinor)
	}
}

// run writes rules that all allow or all deny: those for any type first, then
// those for one type, each group behind one test of the type.
func (c *compiler) run(rules []Rule) {
	end := c.label()
	for _, t := range [...]Type{AnyType, Char, Block} {
		group := make([]Rule, 0, len(rules))
		for _, r := range rules {
			if r.Type == t {
				group = append(group, r)
			}
		}
		switch {
		case len(group) == 0:
		case t == AnyType:
			c.group(group, c.next)
		case len(group) == 1 && group[0].Major == Any && group[0].Minor == Any && c.whole(group[0]):
			c.jumpIfEqual(regType, int32(t), verdict(group[0]))
		default:
			other := c.label()
			c.jumpIfNot(regType, int32(t), other)
			// What the group decides is decided for its type alone. A node
			// has one type: behind its group there is nothing for it here.
			before := c.decided
			c.group(group, func() { c.to(end) })
			c.decided = before
			c.place(other)
		}
	}
	c.place(end)
}

// group writes the rules of one type, the widest first, and calls done where
// a major number has matched and nothing further can.
func (c *compiler) group(rules []Rule, done func()) {
	slices.SortStableFunc(rules, func(a, b Rule) int {
		return cmp.Or(
			cmp.Compare(width(b), width(a)),
			cmp.Compare(a.Major, b.Major),
			cmp.Compare(a.Minor, b.Minor))
	})
	for len(rules) > 0 && rules[0].Major == Any {
		r := rules[0]
		rules = rules[1:]
		if r.Minor == Any {
			c.decide(r)
			c.decided |= r.Access
			continue
		}
		c.minor(r)
	}
	for len(rules) > 0 {
		n := 1
		for n < len(rules) && rules[n].Major == rules[0].Major {
			n++
		}
		c.major(rules[:n], done)
		rules = rules[n:]
	}
	done()
}

// width orders rules within a group: every node, one minor of every major,
// and then the majors, one after the other.
func width(r Rule) int {
	switch {
	case r.Major == Any && r.Minor == Any:
		return 2
	case r.Major == Any:
		return 1
	}
	return 0
}

// major writes the rules for one major number. Any, being -1, sorts the rule
// for all its minor numbers first.
func (c *compiler) major(rules []Rule, done func()) {
	if len(rules) == 1 && rules[0].Minor == Any && c.whole(rules[0]) {
		c.jumpIfEqual(regMajor, int32(rules[0].Major), verdict(rules[0]))
		return
	}
	other := c.label()
	c.jumpIfNot(regMajor, int32(rules[0].Major), other)
	before := c.decided
	for _, r := range rules {
		if r.Minor == Any {
			c.decide(r)
			c.decided |= r.Access
			continue
		}
		c.minor(r)
	}
	c.decided = before
	done()
	c.place(other)
}

// minor writes a rule for one minor number of what has matched so far.
func (c *compiler) minor(r Rule) {
	if c.whole(r) {
		c.jumpIfEqual(regMinor, int32(r.Minor), verdict(r))
		return
	}
	other := c.label()
	c.jumpIfNot(regMinor, int32(r.Minor), other)
	c.decide(r)
	c.place(other)
}

// decide writes what r says of a node that has matched.
func (c *compiler) decide(r Rule) {
	switch {
	case c.whole(r):
		c.to(verdict(r))
	case r.Allow:
		c.and(regAccess, ^int32(r.Access))
		c.jumpIfEqual(regAccess, 0, grant)
	default:
		c.jumpIfAny(regAccess, int32(r.Access), refuse)
	}
}

// whole says whether r decides everything that can still be undecided here.
func (c *compiler) whole(r Rule) bool {
	return r.Access|c.decided == All
}

func verdict(r Rule) label {
	if r.Allow {
		return grant
	}
	return refuse
}
