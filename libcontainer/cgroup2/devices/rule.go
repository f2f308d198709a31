// Package devices turns the device rules of a container into the program that
// the kernel asks on every open and mknod of a device node in a cgroup
// (BPF_PROG_TYPE_CGROUP_DEVICE), and attaches it.
//
// Package cgroup2 and the commands that start or update a container call it.
// Compile is pure and decides everything; Attach and Replace make bpf(2) calls
// on a cgroup's descriptor. It must not know what an OCI document looks like.
//
// The program is cilium/ebpf's to assemble; why not to load is in assemble.go.
package devices

import "fmt"

// Access is a set of the three things that can be done to a device node. The
// values are the kernel's (BPF_DEVCG_ACC_*).
type Access uint8

// The kinds of access.
const (
	Mknod Access = 1 << iota
	Read
	Write

	All = Mknod | Read | Write
)

// Type says which device nodes a rule speaks of.
type Type uint8

// The types of device nodes. Block and Char are the kernel's (BPF_DEVCG_DEV_*).
const (
	AnyType Type = iota
	Block
	Char
)

// Any stands for every major or every minor number.
const Any = -1

// The kernel's dev_t has 12 bits of major and 20 bits of minor number: a rule
// beyond them is legal and matches nothing.
const (
	maxMajor = 1<<12 - 1
	maxMinor = 1<<20 - 1
)

// Rule allows or denies some access to some device nodes. Where several rules
// speak of the same access to the same node the last one counts; where none
// does the access is denied.
type Rule struct {
	Allow  bool
	Type   Type
	Major  int64 // or Any
	Minor  int64 // or Any
	Access Access
}

// ParseAccess reads a set of access letters, as "rwm".
func ParseAccess(s string) (Access, error) {
	var a Access
	for i := range len(s) {
		switch s[i] {
		case 'r':
			a |= Read
		case 'w':
			a |= Write
		case 'm':
			a |= Mknod
		default:
			return 0, fmt.Errorf("unknown device access %q in %q (known are r, w, m)", s[i], s)
		}
	}
	if a == 0 {
		return 0, fmt.Errorf("empty device access")
	}
	return a, nil
}

// ParseType reads a, b or c; nothing means a.
func ParseType(s string) (Type, error) {
	switch s {
	case "", "a":
		return AnyType, nil
	case "b":
		return Block, nil
	case "c", "u":
		return Char, nil
	}
	return 0, fmt.Errorf("unknown device type %q (known are a, b, c)", s)
}

// String gives the rule the form of the devices controller of cgroup v1.
func (r Rule) String() string {
	verb := "deny"
	if r.Allow {
		verb = "allow"
	}
	return fmt.Sprintf("%s %c %s:%s %s", verb, "abc"[min(r.Type, Char)], number(r.Major), number(r.Minor), r.Access)
}

// String returns the letters of a.
func (a Access) String() string {
	letters := make([]byte, 0, 3)
	for _, l := range [...]struct {
		bit  Access
		char byte
	}{{Read, 'r'}, {Write, 'w'}, {Mknod, 'm'}} {
		if a&l.bit != 0 {
			letters = append(letters, l.char)
		}
	}
	return string(letters)
}

func number(n int64) string {
	if n == Any {
		return "*"
	}
	return fmt.Sprint(n)
}

// Defaults are the rules that every container gets behind its own, as with
// runc, so that no container can be told to do without them: making any node
// (what can be made can not yet be opened), the nodes of the specification's
// default devices, and pseudo terminals. The rule of a default device that
// the container defines itself (its path is in own) is left out: then its own
// rules decide.
func Defaults(own ...string) []Rule {
	nodes := [...]struct {
		path         string
		major, minor int64
	}{
		{"/dev/null", 1, 3},
		{"/dev/random", 1, 8},
		{"/dev/full", 1, 7},
		{"/dev/tty", 5, 0},
		{"/dev/zero", 1, 5},
		{"/dev/urandom", 1, 9},
		{"", 136, Any}, // /dev/pts/*
		{"", 5, 2},     // /dev/ptmx
	}
	rules := make([]Rule, 0, len(nodes)+2)
	rules = append(rules,
		Rule{Allow: true, Type: Char, Major: Any, Minor: Any, Access: Mknod},
		Rule{Allow: true, Type: Block, Major: Any, Minor: Any, Access: Mknod})
next:
	for _, n := range nodes {
		for _, path := range own {
			if path == n.path && path != "" {
				continue next
			}
		}
		rules = append(rules, Rule{Allow: true, Type: Char, Major: n.major, Minor: n.minor, Access: All})
	}
	return rules
}

// covers says whether every node that o speaks of is one that r speaks of.
func (r Rule) covers(o Rule) bool {
	return (r.Type == AnyType || r.Type == o.Type) &&
		(r.Major == Any || r.Major == o.Major) &&
		(r.Minor == Any || r.Minor == o.Minor)
}

// meets says whether there is a node that both r and o speak of.
func (r Rule) meets(o Rule) bool {
	return (r.Type == AnyType || o.Type == AnyType || r.Type == o.Type) &&
		(r.Major == Any || o.Major == Any || r.Major == o.Major) &&
		(r.Minor == Any || o.Minor == Any || r.Minor == o.Minor)
}

// matchable says whether there is a node that r can speak of.
func (r Rule) matchable() bool {
	return r.Access != 0 && r.Major <= maxMajor && r.Minor <= maxMinor
}

// check refuses what is no rule at all.
func (r Rule) check() error {
	if r.Type > Char || r.Access&^All != 0 || r.Major < Any || r.Minor < Any {
		return fmt.Errorf("compile device rule %v: out of range", r)
	}
	return nil
}
