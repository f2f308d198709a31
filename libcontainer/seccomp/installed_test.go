package seccomp

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// The profiles that other programs bring, as they are on this machine. Those
// in testdata are the same at one time: docker's is in no package as a file.

// engineProfile is the form that engines keep profiles in: rules for some
// architectures, capabilities and kernels.
type engineProfile struct {
	specs.LinuxSeccomp
	Syscalls []struct {
		specs.LinuxSyscall
		Includes, Excludes struct{ Caps, Arches []string }
	} `json:"syscalls"`
}

// profile is what an engine makes of it for amd64 and a container with some
// capabilities, on a new kernel.
func (p *engineProfile) profile(caps ...string) *specs.LinuxSeccomp {
	has := func(in []string) func(string) bool { return func(s string) bool { return slices.Contains(in, s) } }
	arch := has([]string{"amd64", "x86", "x32"})
	s := &specs.LinuxSeccomp{DefaultAction: p.DefaultAction, DefaultErrnoRet: p.DefaultErrnoRet}
	for _, r := range p.Syscalls {
		if len(r.Includes.Arches) > 0 && !slices.ContainsFunc(r.Includes.Arches, arch) || slices.ContainsFunc(r.Excludes.Arches, arch) ||
			len(r.Includes.Caps) > 0 && !slices.ContainsFunc(r.Includes.Caps, has(caps)) || slices.ContainsFunc(r.Excludes.Caps, has(caps)) {
			continue
		}
		s.Syscalls = append(s.Syscalls, r.LinuxSyscall)
	}
	return s
}

func TestVerdictsOfPodmansProfile(t *testing.T) {
	const file = "usr/share/containers/seccomp.json" // golang-github-containers-common
	b, err := os.ReadFile("/" + file)
	if err != nil {
		b, err = os.ReadFile("../../.cache/profiles/" + file) // tests/setup/debian unpack sid .cache/profiles …
	}
	if err != nil {
		lacks(t, "containers-common", err)
	}
	p := &engineProfile{}
	if err := json.Unmarshal(b, p); err != nil {
		t.Fatal(err)
	}
	ref := newReference(t)
	for name, caps := range map[string][]string{"none": nil, "admin": {"CAP_SYS_ADMIN", "CAP_BPF", "CAP_SYS_PTRACE", "CAP_SYS_CHROOT", "CAP_AUDIT_WRITE"}} {
		t.Run(name, func(t *testing.T) { judgeKnown(t, ref, p.profile(caps...), 300) })
	}
}

// TestVerdictsOfSystemdsGroups makes a filter of each group that systemd has,
// as SystemCallFilter= would, allowing and forbidding it.
func TestVerdictsOfSystemdsGroups(t *testing.T) {
	out, err := exec.Command("systemd-analyze", "syscall-filter").Output()
	if err != nil {
		lacks(t, "systemd", err)
	}
	ref := newReference(t)
	groups := map[string][]string{}
	group := ""
	for line := range strings.Lines(string(out)) {
		name := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "@"):
			group = name
		case strings.HasPrefix(line, "    ") && !strings.HasPrefix(name, "#") && !strings.HasPrefix(name, "@") && group != "":
			groups[group] = append(groups[group], name)
		}
	}
	if len(groups) < 20 {
		t.Fatalf("%d groups", len(groups))
	}
	for name, calls := range groups {
		t.Run(name, func(t *testing.T) {
			errno := uint(1)
			judgeKnown(t, ref, &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, DefaultErrnoRet: &errno,
				Syscalls: []specs.LinuxSyscall{{Names: calls, Action: specs.ActAllow}}}, 1)
			judgeKnown(t, ref, &specs.LinuxSeccomp{DefaultAction: specs.ActAllow,
				Syscalls: []specs.LinuxSyscall{{Names: calls, Action: specs.ActErrno, ErrnoRet: &errno}}}, 1)
		})
	}
}

// judgeKnown compares a filter with libseccomp's, for the architectures of amd64.
func judgeKnown(t *testing.T, ref *reference, s *specs.LinuxSeccomp, least int) {
	t.Helper()
	s.Architectures = []specs.Arch{specs.ArchX86_64, specs.ArchX86, specs.ArchX32}
	archs := lookupArchs(t, s.Architectures)
	var unknown []string
	for _, left := range Unknown(s) {
		unknown = append(unknown, strings.Trim(left.Value, `"`))
	}
	for i := range s.Syscalls { // a copy, for what is taken out is taken out in place
		s.Syscalls[i].Names = slices.DeleteFunc(slices.Clone(s.Syscalls[i].Names), func(n string) bool { return slices.Contains(unknown, n) })
	}
	t.Logf("unknown here: %q", unknown)
	ref.known(t, s, archs)
	names := 0
	for _, r := range s.Syscalls {
		names += len(r.Names)
	}
	if names < least {
		t.Fatalf("%d calls, want %d", names, least)
	}
	theirs := ref.compile(t, s, archs)
	f, err := Compile(s, Options{Native: specs.ArchX86_64})
	if err != nil || theirs == nil {
		t.Fatalf("Compile: %v; libseccomp refuses: %t", err, theirs == nil)
	}
	compare(t, rand.New(rand.NewPCG(9, 10)), s, archs, f.Program, theirs, 4)
}

// lacks skips, or fails where REQUIRE has the name.
func lacks(t testing.TB, name string, err error) {
	t.Helper()
	message := fmt.Sprintf("needs %s: %v", name, err)
	if r := "," + os.Getenv("REQUIRE") + ","; strings.Contains(r, ","+name+",") || strings.Contains(r, ",all,") {
		t.Fatal(message)
	}
	t.Skip(message)
}
