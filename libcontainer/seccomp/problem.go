package seccomp

import (
	"fmt"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Problem is something wrong with a profile.
type Problem struct {
	Pointer string // JSON pointer, in a config.json
	Value   string // what is there, if that helps: strings in quotes
	Rule    string // what is wrong with it
}

func (p Problem) String() string {
	s := p.Pointer + ": "
	if p.Value != "" {
		s += p.Value + ": "
	}
	return s + p.Rule
}

// Problems are all that is wrong with a profile.
type Problems []Problem

func (p Problems) Error() string {
	all := make([]string, len(p))
	for i := range p {
		all[i] = p[i].String()
	}
	return strings.Join(all, "; ")
}

// wrong makes a problem whose pointer is still to be completed by in.
func wrong(pointer string, value any, rule string) *Problem {
	p := &Problem{Pointer: pointer, Rule: rule}
	switch v := value.(type) {
	case nil:
	case string:
		p.Value = strconv.Quote(v)
	default:
		p.Value = fmt.Sprint(v)
	}
	return p
}

// in puts the pointer of what the problems lie in before their own.
func (p Problems) in(pointer string) Problems {
	for i := range p {
		p[i].Pointer = pointer + p[i].Pointer
	}
	return p
}

// Unknown are the syscall names in a profile that no architecture has. Compile
// leaves their rules out, and does not call it a problem.
func Unknown(s *specs.LinuxSeccomp) Problems {
	var unknown Problems
	for i := range s.Syscalls {
		for j, name := range s.Syscalls[i].Names {
			if lookupSyscall(name) < 0 {
				unknown = append(unknown, *wrong(place{i, j}.pointer(), name, "unknown system call: its rule is left out"))
			}
		}
	}
	return unknown.in(pointer)
}
