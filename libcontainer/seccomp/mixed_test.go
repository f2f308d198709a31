package seccomp

import (
	"math/rand/v2"
	"slices"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Rules of several actions for one syscall. libseccomp (2.5.4, 2.6.0) gives
// such profiles a verdict now and then that no rule justifies, where rules
// share nodes or code (order.go); so it is judged too: a verdict must be that of a
// rule that holds, or the default where none does. Ours always is, and where
// both are, they are the same.

// sound says whether a verdict is justified.
func sound(a *arch, s *specs.LinuxSeccomp, nr uint32, args [6]uint64, verdict uint32) bool {
	none := true
	for _, r := range s.Syscalls {
		for _, name := range r.Names {
			if n, ok := a.number(lookupSyscall(name)); !ok || n != nr || !holds(a, r.Args, args) {
				continue
			}
			none = false
			if action, _ := parseAction(r.Action, r.ErrnoRet); action == verdict {
				return true
			}
		}
	}
	def, _ := parseAction(s.DefaultAction, nil)
	return none && verdict == def
}

func TestVerdictsOfMixedActions(t *testing.T) {
	ref := newReference(t)
	equalities := []specs.LinuxSeccompOperator{specs.OpEqualTo, specs.OpMaskedEqual}
	for _, c := range []struct {
		shape
		same bool // where libseccomp is sound, too
	}{
		{shape{"one equality", 4, 1, equalities, false, false}, true},
		{shape{"two equalities", 4, 2, equalities[:1], true, false}, true},
		// Orderings, and NE of halves of 64-bit arguments, make libseccomp's verdicts
		// depend on more than the order of rules; several conditions make it lose some.
		{shape{"any three conditions", 4, 3, operators(), false, false}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			rnd, choices := rand.New(rand.NewPCG(7, 8)), sets()
			const rounds = 120
			compared, unsound := 0, 0
			for range rounds {
				set := choices[rnd.IntN(len(choices))]
				archs := lookupArchs(t, set)
				s := randomProfile(rnd, c.shape)
				s.Architectures = set
				if !ref.knows(t, &archs[0], "read") {
					continue
				}
				theirs := ref.compile(t, s, archs)
				// It also refuses conflicts about calls that the architecture
				// lacks, and misses some of those that it has.
				f, err := Compile(s, Options{Native: set[0]})
				if err != nil || theirs == nil {
					continue
				}
				compared++
				if !judge(t, rnd, s, archs, f.Program, theirs, c.same) {
					unsound++
				}
				if t.Failed() {
					t.Fatal(text(s))
				}
			}
			t.Logf("%d of %d profiles compared; libseccomp is wrong about %d", compared, rounds, unsound)
			if compared < rounds/3 || c.same && unsound > compared/10 {
				t.Errorf("%d of %d profiles compared, libseccomp wrong about %d: the test says little", compared, rounds, unsound)
			}
		})
	}
}

// judge compares two programs for the calls of a profile, and says whether
// all verdicts of the second are sound; those of the first must be.
func judge(t *testing.T, rnd *rand.Rand, s *specs.LinuxSeccomp, archs []arch, ours, theirs []unix.SockFilter, same bool) bool {
	values := []uint64{0, 1, 1 << 31, 1 << 32, ^uint64(0)}
	for _, rule := range s.Syscalls {
		for _, a := range rule.Args {
			values = append(values, a.Value, a.ValueTwo, a.Value-1, a.Value+1, a.Value^1<<32, a.Value&low)
		}
	}
	good := true
	for i := range archs {
		a := &archs[i]
		for _, nr := range numbersOf(a, s) {
			for range 60 {
				var args [6]uint64
				for i := range args {
					args[i] = values[rnd.IntN(len(values))]
				}
				d := newData(a, nr, args)
				got, _ := run(ours, &d)
				want, _ := run(theirs, &d)
				switch {
				case !sound(a, s, nr, args, got):
					t.Errorf("%s, syscall %d, arguments %#x: no rule gives %#x", a.name, nr, args, got)
				case got == want:
				case !sound(a, s, nr, args, want):
					good = false
				case same:
					t.Errorf("%s, syscall %d, arguments %#x: verdict %#x, libseccomp's is %#x", a.name, nr, args, got, want)
				}
			}
		}
	}
	return good
}

// numbersOf are the calls that a profile names and an architecture has, and one
// that it does not name.
func numbersOf(a *arch, s *specs.LinuxSeccomp) []uint32 {
	numbers := []uint32{a.base + 999}
	for _, r := range s.Syscalls {
		for _, name := range r.Names {
			if nr, ok := a.number(lookupSyscall(name)); ok {
				numbers = append(numbers, nr)
			}
		}
	}
	slices.Sort(numbers)
	return slices.Compact(numbers)
}
