package seccomp

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// reference is a process that makes filters with libseccomp.
type reference struct {
	in  io.Writer
	out *bufio.Reader
}

// newReference needs libseccomp's header and library, and a C compiler. CFLAGS
// and LDFLAGS may say where they are.
func newReference(t testing.TB) *reference {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "reference")
	args := append(strings.Fields(os.Getenv("CFLAGS")), "-o", bin, "testdata/reference.c")
	args = append(append(args, strings.Fields(os.Getenv("LDFLAGS"))...), "-lseccomp")
	if out, err := exec.Command("cc", args...).CombinedOutput(); err != nil {
		lacks(t, "libseccomp", fmt.Errorf("cc: %w\n%s", err, out))
	}
	cmd := exec.Command(bin)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("reference: %v", err)
		}
	})
	return &reference{in, bufio.NewReader(out)}
}

// token is libseccomp's name of an architecture.
func token(a *arch) uint32 {
	if a.name == specs.ArchX32 {
		return emX86_64 | auditLE
	}
	return a.audit
}

// knows says whether libseccomp has our number for a syscall. An older one may
// lack it.
func (r *reference) knows(t testing.TB, a *arch, name string) bool {
	t.Helper()
	theirs := r.number(t, a, name)
	ours, ok := a.number(lookupSyscall(name))
	if via, number := multiplexedCall(name); via != 0 && a.multiplexed {
		if via == ipcNr {
			number += 100
		}
		return theirs == -100-int(number)
	}
	return ok && theirs == int(ours) || !ok && theirs < -1
}

// number is libseccomp's: negative for a syscall that the architecture lacks
// or multiplexes, -1 for one that it does not know.
func (r *reference) number(t testing.TB, a *arch, name string) int {
	t.Helper()
	if _, err := fmt.Fprintf(r.in, "number %d %s\n", token(a), name); err != nil {
		t.Fatal(err)
	}
	var theirs int
	if _, err := fmt.Fscanln(r.out, &theirs); err != nil {
		t.Fatal(err)
	}
	return theirs
}

// known takes the names out of a profile that libseccomp does not know.
func (r *reference) known(t testing.TB, s *specs.LinuxSeccomp, archs []arch) {
	t.Helper()
	for i := range s.Syscalls {
		s.Syscalls[i].Names = slices.DeleteFunc(s.Syscalls[i].Names, func(name string) bool {
			for i := range archs {
				if !r.knows(t, &archs[i], name) {
					return true
				}
			}
			return false
		})
	}
	s.Syscalls = slices.DeleteFunc(s.Syscalls, func(r specs.LinuxSyscall) bool { return len(r.Names) == 0 })
}

// compile makes the filter that runc would, with rules that equal the default
// left out and conditions on one argument split, as it does. A nil program
// means that libseccomp refused.
func (r *reference) compile(t testing.TB, s *specs.LinuxSeccomp, archs []arch) []unix.SockFilter {
	t.Helper()
	var b strings.Builder
	def, bad := parseAction(s.DefaultAction, s.DefaultErrnoRet)
	if bad != nil {
		t.Fatal(bad)
	}
	fmt.Fprintf(&b, "profile %d %d", def, len(archs))
	for i := range archs {
		fmt.Fprintf(&b, " %d", token(&archs[i]))
	}
	var rules []string
	actions := []uint32{def}
	for _, rule := range s.Syscalls {
		action, bad := parseAction(rule.Action, rule.ErrnoRet)
		if bad != nil {
			t.Fatal(bad)
		}
		if action == def {
			continue
		}
		actions = append(actions, action)
		var alternatives []string
		seen := map[uint]bool{}
		split := false
		for _, a := range rule.Args {
			split = split || seen[a.Index]
			seen[a.Index] = true
			op := slices.Index([]specs.LinuxSeccompOperator{"", specs.OpNotEqual, specs.OpLessThan, specs.OpLessEqual,
				specs.OpEqualTo, specs.OpGreaterEqual, specs.OpGreaterThan, specs.OpMaskedEqual}, a.Op)
			alternatives = append(alternatives, fmt.Sprintf(" %d %d 0x%x 0x%x", a.Index, op, a.Value, a.ValueTwo))
		}
		if !split {
			alternatives = []string{strings.Join(alternatives, "")}
		}
		for _, name := range rule.Names {
			for _, a := range alternatives {
				rules = append(rules, fmt.Sprintf(" %d %s %d%s", action, name, len(strings.Fields(a))/4, a))
			}
		}
	}
	fmt.Fprintf(&b, " %d%s\n", len(rules), strings.Join(rules, ""))
	if _, err := io.WriteString(r.in, b.String()); err != nil {
		t.Fatal(err)
	}
	line, err := r.out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	word, value, _ := strings.Cut(strings.TrimSpace(line), " ")
	if word != "ok" {
		return nil
	}
	raw, err := hex.DecodeString(value)
	if err != nil {
		t.Fatal(err)
	}
	var order binary.ByteOrder = binary.LittleEndian
	if archs[0].bigEndian {
		order = binary.BigEndian
	}
	var program []unix.SockFilter
	for ; len(raw) > 0; raw = raw[8:] {
		in := unix.SockFilter{Code: order.Uint16(raw), Jt: raw[2], Jf: raw[3], K: order.Uint32(raw[4:])}
		if in.Code == unix.BPF_RET|unix.BPF_K {
			// libseccomp leaves some of these in the order of the host that
			// it runs on; no action reads as one in both.
			if k := binary.NativeEndian.Uint32(raw[4:]); slices.Contains(actions, k) {
				in.K = k
			}
		}
		program = append(program, in)
	}
	return program
}

// allArchs are the names the specification has.
func allArchs() []specs.Arch {
	return []specs.Arch{specs.ArchX86, specs.ArchX86_64, specs.ArchX32, specs.ArchARM, specs.ArchAARCH64, specs.ArchMIPS,
		specs.ArchMIPS64, specs.ArchMIPS64N32, specs.ArchMIPSEL, specs.ArchMIPSEL64, specs.ArchMIPSEL64N32, specs.ArchPPC,
		specs.ArchPPC64, specs.ArchPPC64LE, specs.ArchS390, specs.ArchS390X, specs.ArchPARISC, specs.ArchPARISC64,
		specs.ArchRISCV64, specs.ArchLOONGARCH64, specs.ArchM68K, specs.ArchSH, specs.ArchSHEB}
}

// sets are the combinations filters are made for.
func sets() [][]specs.Arch {
	sets := [][]specs.Arch{
		{specs.ArchX86_64, specs.ArchX86, specs.ArchX32},
		{specs.ArchX86_64, specs.ArchX32},
		{specs.ArchX86, specs.ArchX32, specs.ArchX86_64},
		{specs.ArchAARCH64, specs.ArchARM},
		{specs.ArchMIPS64, specs.ArchMIPS, specs.ArchMIPS64N32},
		{specs.ArchMIPSEL64N32, specs.ArchMIPSEL, specs.ArchMIPSEL64},
		{specs.ArchS390X, specs.ArchS390},
		{specs.ArchPPC64, specs.ArchPPC},
		{specs.ArchPARISC64, specs.ArchPARISC},
	}
	for _, a := range allArchs() {
		sets = append(sets, []specs.Arch{a})
	}
	return sets
}

func readProfile(t testing.TB, name string) *specs.LinuxSeccomp {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	s := new(specs.LinuxSeccomp)
	if err := json.Unmarshal(b, s); err != nil {
		t.Fatal(err)
	}
	return s
}

// compare runs both programs for all syscall numbers, with n sets of
// arguments near the values of the profile.
func compare(t testing.TB, rnd *rand.Rand, s *specs.LinuxSeccomp, archs []arch, ours, theirs []unix.SockFilter, n int) bool {
	t.Helper()
	interesting := []uint64{0, 1, 1 << 31, 1 << 32, ^uint64(0)}
	for _, rule := range s.Syscalls {
		for _, a := range rule.Args {
			interesting = append(interesting, a.Value, a.ValueTwo, a.Value-1, a.Value+1, a.Value^1<<32, a.Value&low, ^a.Value)
		}
	}
	for number := uint64(1); number <= 24; number++ {
		interesting = append(interesting, number)
	}
	numbers := []uint32{x32Bit - 1, 0x7fffffff, 0x80000000, 0xbfffffff, 0xc0000000, 0xfffffffe, 0xffffffff, 983040, 983042, 983045, 983046, 983047}
	for _, base := range []uint32{0, 4000, 5000, 6000, x32Bit} {
		for i := range uint32(600) {
			numbers = append(numbers, base+i)
		}
	}
	same := true
	for i := range archs {
		a := &archs[i]
		for _, nr := range numbers {
			for range n {
				var args [6]uint64
				for i := range args {
					args[i] = interesting[rnd.IntN(len(interesting))]
					if rnd.IntN(8) == 0 {
						args[i] = rnd.Uint64()
					}
				}
				d := newData(a, nr, args)
				got, _ := run(ours, &d)
				want, _ := run(theirs, &d)
				if got != want {
					if same {
						t.Errorf("%s, syscall %d, arguments %#x: verdict %#x, libseccomp's is %#x", a.name, nr, args, got, want)
					}
					same = false
				}
			}
		}
	}
	d := newData(&arch{audit: 0x1234}, 1, [6]uint64{})
	if got, _ := run(ours, &d); got != badArch {
		t.Errorf("unknown architecture: verdict %#x", got)
	}
	return same
}

func lookupArchs(t testing.TB, names []specs.Arch) []arch {
	t.Helper()
	var archs []arch
	for _, name := range names {
		a, ok := lookupArch(name)
		if !ok {
			t.Fatalf("unknown architecture %s", name)
		}
		archs = append(archs, a)
	}
	return archs
}

// TestTable compares our numbers with those of libseccomp, of whatever version.
func TestTable(t *testing.T) {
	ref := newReference(t)
	for _, name := range allArchs() {
		a, _ := lookupArch(name)
		if !ref.knows(t, &a, "read") {
			t.Logf("libseccomp has no %s", name)
			continue
		}
		for row := range len(syscallOffsets)/2 - 1 {
			name := syscallName(row)
			if theirs := ref.number(t, &a, name); theirs >= 0 && !ref.knows(t, &a, name) {
				t.Errorf("%s: %s is %d", a.name, name, theirs)
			}
		}
	}
}

func TestVerdictsOfKnownProfiles(t *testing.T) {
	ref := newReference(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, name := range []string{"docker", "podman", "systemd", "systemd-sandbox"} {
		for _, set := range sets() {
			t.Run(name+"/"+string(set[0])+fmt.Sprint(len(set)), func(t *testing.T) {
				s := readProfile(t, name)
				s.Architectures = set
				archs := lookupArchs(t, set)
				for i := range archs {
					if !ref.knows(t, &archs[i], "read") {
						t.Skipf("needs libseccomp 2.6: no %s", archs[i].name)
					}
				}
				ref.known(t, s, archs)
				theirs := ref.compile(t, s, archs)
				f, err := Compile(s, Options{Native: set[0]})
				if err != nil || theirs == nil {
					if theirs != nil || err == nil {
						t.Errorf("Compile: %v; libseccomp refuses: %t", err, theirs == nil)
					}
					return
				}
				if err := check(f.Program); err != nil {
					t.Error(err)
				}
				compare(t, rnd, s, archs, f.Program, theirs, 6)
			})
		}
	}
}
