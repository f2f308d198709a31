package seccomp

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// shape is what random profiles may have. Those compared with libseccomp have
// one rule a syscall, of equalities: otherwise it (2.5.4, 2.6.0) at times
// compares an argument that it has not loaded, where rules share code. The
// rest, and how rules combine, is compared with holds.
type shape struct {
	name    string
	actions int
	conds   int
	ops     []specs.LinuxSeccompOperator
	small   bool // values of 32 bits
	once    bool // no syscall is named twice
}

func operators() []specs.LinuxSeccompOperator {
	return []specs.LinuxSeccompOperator{specs.OpEqualTo, specs.OpNotEqual, specs.OpMaskedEqual,
		specs.OpLessThan, specs.OpLessEqual, specs.OpGreaterEqual, specs.OpGreaterThan}
}

func randomProfile(rnd *rand.Rand, sh shape) *specs.LinuxSeccomp {
	errnos := []uint{11, 22, 33, 44}
	names := []string{"read", "write", "clone", "socket", "shmat", "ioctl", "mmap", "arch_prctl", "personality", "memfd_create", "openat2"}
	value := func() uint64 {
		v := uint64(rnd.IntN(4))
		if rnd.IntN(4) == 0 {
			v = uint64(1) << rnd.IntN(31)
		}
		if !sh.small && rnd.IntN(3) == 0 {
			v |= uint64(rnd.IntN(3)) << 32
		}
		return v
	}
	s := &specs.LinuxSeccomp{DefaultAction: specs.ActAllow}
	if rnd.IntN(2) == 0 {
		s.DefaultAction = specs.ActErrno
	}
	for range 2 + rnd.IntN(12) {
		rule := specs.LinuxSyscall{Action: specs.ActErrno, ErrnoRet: &errnos[rnd.IntN(sh.actions)]}
		for range 1 + rnd.IntN(3) {
			if len(names) == 0 {
				return s
			}
			i := rnd.IntN(len(names))
			rule.Names = append(rule.Names, names[i])
			if sh.once {
				names = slices.Delete(names, i, i+1)
			}
		}
		if rnd.IntN(12) > 0 {
			for _, arg := range rnd.Perm(3)[:1+rnd.IntN(sh.conds)] {
				a := specs.LinuxSeccompArg{Index: uint(arg), Value: value(), Op: sh.ops[rnd.IntN(len(sh.ops))]}
				if a.Op == specs.OpMaskedEqual {
					a.ValueTwo = a.Value & value()
				}
				rule.Args = append(rule.Args, a)
			}
		}
		s.Syscalls = append(s.Syscalls, rule)
	}
	return s
}

func TestVerdictsOfRandomProfiles(t *testing.T) {
	ref := newReference(t)
	for _, sh := range []shape{
		{"one equality", 4, 1, operators()[:3], false, true},
		{"two equalities of halves", 4, 2, operators()[:1], true, true},
	} {
		t.Run(sh.name, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(3, 4))
			choices, refused := sets(), 0
			const rounds = 120
			for round := range rounds {
				set := choices[rnd.IntN(len(choices))]
				archs := lookupArchs(t, set)
				s := randomProfile(rnd, sh)
				s.Architectures = set
				if !ref.knows(t, &archs[0], "read") {
					continue
				}
				theirs := ref.compile(t, s, archs)
				f, err := Compile(s, Options{Native: set[0]})
				if (err != nil) != (theirs == nil) {
					t.Fatalf("round %d: %v: Compile: %v; libseccomp refuses: %t\n%s", round, set, err, theirs == nil, text(s))
				}
				if err != nil {
					refused++
					continue
				}
				if err := check(f.Program); err != nil {
					t.Fatal(err)
				}
				if !compare(t, rnd, s, archs, f.Program, theirs, 6) {
					t.Fatal(text(s))
				}
			}
			if refused > rounds*9/10 {
				t.Errorf("%d of %d profiles are refused: the test says little", refused, rounds)
			}
		})
	}
}

func text(s *specs.LinuxSeccomp) string {
	var b strings.Builder
	for _, r := range s.Syscalls {
		fmt.Fprintf(&b, "%v %d %v\n", r.Names, *r.ErrnoRet, r.Args)
	}
	return b.String()
}

// holds evaluates a rule as the specification words it.
func holds(a *arch, args []specs.LinuxSeccompArg, values [6]uint64) bool {
	width := ^uint64(0)
	if !a.is64 {
		width = low
	}
	for _, c := range args {
		v, w, w2 := values[c.Index]&width, c.Value&width, c.ValueTwo&width
		ok := false
		switch c.Op {
		case specs.OpEqualTo:
			ok = v == w
		case specs.OpNotEqual:
			ok = v != w
		case specs.OpLessThan:
			ok = v < w
		case specs.OpLessEqual:
			ok = v <= w
		case specs.OpGreaterEqual:
			ok = v >= w
		case specs.OpGreaterThan:
			ok = v > w
		case specs.OpMaskedEqual:
			ok = v&w == w2&w
		}
		if !ok {
			return false
		}
	}
	return true
}

// TestRulesOfOneActionAreAlternatives needs no libseccomp and takes any shape.
func TestRulesOfOneActionAreAlternatives(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		name := []specs.Arch{specs.ArchX86_64, specs.ArchARM, specs.ArchPARISC64, specs.ArchMIPS64N32}[rnd.IntN(4)]
		a, _ := lookupArch(name)
		s := randomProfile(rnd, shape{"", 1, 3, operators(), false, false})
		f, err := Compile(s, Options{Native: name})
		if err != nil {
			t.Fatal(err)
		}
		if err := check(f.Program); err != nil {
			t.Fatal(err)
		}
		for range 400 {
			var values [6]uint64
			for i := range values {
				values[i] = uint64(rnd.IntN(4)) | uint64(rnd.IntN(3))<<32
				if rnd.IntN(4) == 0 {
					values[i] = uint64(1)<<rnd.IntN(33) - uint64(rnd.IntN(2))
				}
			}
			rule := s.Syscalls[rnd.IntN(len(s.Syscalls))]
			nr, ok := a.number(lookupSyscall(rule.Names[0]))
			if !ok {
				continue
			}
			want, _ := parseAction(s.DefaultAction, nil)
			for _, r := range s.Syscalls {
				for _, n := range r.Names {
					if n == rule.Names[0] && holds(&a, r.Args, values) {
						want = unix.SECCOMP_RET_ERRNO | 11
					}
				}
			}
			d := newData(&a, nr, values)
			if got, _ := run(f.Program, &d); got != want {
				t.Fatalf("%s %s %#x: verdict %#x, want %#x\n%+v", name, rule.Names[0], values, got, want, s.Syscalls)
			}
		}
	}
}
