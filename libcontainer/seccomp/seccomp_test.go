package seccomp

import (
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestDockerIsShort(t *testing.T) {
	f, err := Compile(readProfile(t, "docker"), Options{Native: specs.ArchX86_64, Enosys: true})
	if err != nil {
		t.Fatal(err)
	}
	a, _ := lookupArch(specs.ArchX86_64)
	total := 0
	for nr := range uint32(460) {
		d := newData(&a, nr, [6]uint64{})
		_, steps := run(f.Program, &d)
		total += steps
	}
	t.Logf("%d instructions, %d steps for 460 syscalls", len(f.Program), total)
	if len(f.Program) > 290 || total > 460*11 {
		t.Errorf("%d instructions, %d steps", len(f.Program), total)
	}
}

func TestEnosysAboveTheHighestNamed(t *testing.T) {
	s := readProfile(t, "docker")
	s.Syscalls = []specs.LinuxSyscall{{Names: []string{"read", "openat2"}, Action: specs.ActAllow}}
	f, err := Compile(s, Options{Native: specs.ArchX86_64, Enosys: true})
	if err != nil {
		t.Fatal(err)
	}
	a, _ := lookupArch(specs.ArchX86_64)
	const eperm, enosys = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM), unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	for nr, want := range map[uint32]uint32{0: unix.SECCOMP_RET_ALLOW, 1: eperm, 437: unix.SECCOMP_RET_ALLOW, 438: enosys, x32Bit: unix.SECCOMP_RET_ALLOW,
		x32Bit + 1: eperm, x32Bit + 437: unix.SECCOMP_RET_ALLOW, x32Bit + 438: enosys, 1<<32 - 1: enosys} {
		d := newData(&a, nr, [6]uint64{})
		if got, _ := run(f.Program, &d); got != want {
			t.Errorf("syscall %#x: verdict %#x, want %#x", nr, got, want)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	errno, large := uint(1), uint(1<<16)
	is1 := specs.LinuxSeccompArg{Value: 1, Op: specs.OpEqualTo}
	rule := func(r specs.LinuxSyscall) *specs.LinuxSeccomp {
		return &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{r}}
	}
	for want, s := range map[string]*specs.LinuxSeccomp{
		`/linux/seccomp/defaultErrnoRet: 1: action SCMP_ACT_KILL takes no errno`:                            {DefaultAction: specs.ActKill, DefaultErrnoRet: &errno},
		`/linux/seccomp/syscalls/0/errnoRet: 1: action SCMP_ACT_LOG takes no errno`:                         rule(specs.LinuxSyscall{Names: []string{"read"}, Action: specs.ActLog, ErrnoRet: &errno}),
		`/linux/seccomp/syscalls/0/errnoRet: 65536: must be from 0 to 65535`:                                rule(specs.LinuxSyscall{Names: []string{"read"}, Action: specs.ActErrno, ErrnoRet: &large}),
		`/linux/seccomp/syscalls/0/names: must not be empty`:                                                rule(specs.LinuxSyscall{Action: specs.ActLog}),
		`/linux/seccomp/defaultAction: "x": unknown action`:                                                 {DefaultAction: "x"},
		`/linux/seccomp/syscalls/0/action: "x": unknown action`:                                             rule(specs.LinuxSyscall{Names: []string{"read"}, Action: "x"}),
		`/linux/seccomp/flags/0: "x": unknown flag`:                                                         {DefaultAction: specs.ActAllow, Flags: []specs.LinuxSeccompFlag{"x"}},
		`/linux/seccomp/architectures/1: "x": unknown architecture`:                                         {DefaultAction: specs.ActAllow, Architectures: []specs.Arch{specs.ArchX86, "x"}},
		`/linux/seccomp/architectures/0: "SCMP_ARCH_S390X": its byte order is not that of SCMP_ARCH_X86_64`: {DefaultAction: specs.ActAllow, Architectures: []specs.Arch{specs.ArchS390X}},
		`/linux/seccomp/syscalls/0/args/1/index: 6: must be from 0 to 5: a system call has six arguments`:   rule(specs.LinuxSyscall{Names: []string{"read"}, Action: specs.ActLog, Args: []specs.LinuxSeccompArg{is1, {Index: 6, Op: specs.OpEqualTo}}}),
		`/linux/seccomp/syscalls/0/args/0/op: "": unknown operator`:                                         rule(specs.LinuxSyscall{Names: []string{"read"}, Action: specs.ActLog, Args: []specs.LinuxSeccompArg{{}}}),
		`/linux/seccomp/syscalls/1/names/1: "read": on SCMP_ARCH_X86_64, an earlier rule with another action has the same conditions`: {DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{
			{Names: []string{"read"}, Action: specs.ActLog, Args: []specs.LinuxSeccompArg{is1}}, {Names: []string{"write", "read"}, Action: specs.ActTrap, Args: []specs.LinuxSeccompArg{is1}}}},
	} {
		if _, err := Compile(s, Options{Native: specs.ArchX86_64}); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// Everything that is wrong is told at once, and once.
func TestCompileFindsEveryProblem(t *testing.T) {
	large := uint(1 << 16)
	arg := func(index uint, value uint64, op specs.LinuxSeccompOperator) []specs.LinuxSeccompArg {
		return []specs.LinuxSeccompArg{{Index: index, Value: value, Op: op}}
	}
	s := &specs.LinuxSeccomp{
		DefaultAction: "x", Flags: []specs.LinuxSeccompFlag{"f", specs.LinuxSeccompFlagLog, "g"},
		Architectures: []specs.Arch{"a", specs.ArchX86, specs.ArchS390X},
		Syscalls: []specs.LinuxSyscall{
			{Action: "y", Args: append(arg(6, 0, "z"), arg(7, 0, specs.OpEqualTo)...)},
			{Names: []string{"no_such_call"}, Action: specs.ActErrno, ErrnoRet: &large, Args: arg(1, 0, "")},
			{Names: []string{"read", "write"}, Action: specs.ActLog, Args: arg(1, 1, specs.OpEqualTo)},
			{Names: []string{"write", "open", "read"}, Action: specs.ActTrap, Args: arg(1, 1, specs.OpEqualTo)},
			// The same for a kernel that compares the lower halves alone.
			{Names: []string{"open"}, Action: specs.ActLog, Args: arg(1, 1<<32|1, specs.OpEqualTo)},
		},
	}
	_, err := Compile(s, Options{Native: specs.ArchX86_64})
	problems, _ := err.(Problems)
	var got []string
	for _, p := range problems {
		got = append(got, p.String())
	}
	const same = ", an earlier rule with another action has the same conditions"
	want := []string{
		`/linux/seccomp/defaultAction: "x": unknown action`,
		`/linux/seccomp/flags/0: "f": unknown flag`,
		`/linux/seccomp/flags/2: "g": unknown flag`,
		`/linux/seccomp/syscalls/0/names: must not be empty`,
		`/linux/seccomp/syscalls/0/action: "y": unknown action`,
		`/linux/seccomp/syscalls/0/args/0/index: 6: must be from 0 to 5: a system call has six arguments`,
		`/linux/seccomp/syscalls/0/args/0/op: "z": unknown operator`,
		`/linux/seccomp/syscalls/0/args/1/index: 7: must be from 0 to 5: a system call has six arguments`,
		`/linux/seccomp/syscalls/1/errnoRet: 65536: must be from 0 to 65535`,
		`/linux/seccomp/syscalls/1/args/0/op: "": unknown operator`,
		`/linux/seccomp/architectures/0: "a": unknown architecture`,
		`/linux/seccomp/architectures/2: "SCMP_ARCH_S390X": its byte order is not that of SCMP_ARCH_X86_64`,
		`/linux/seccomp/syscalls/3/names/2: "read": on SCMP_ARCH_X86_64` + same,
		`/linux/seccomp/syscalls/3/names/0: "write": on SCMP_ARCH_X86_64` + same,
		`/linux/seccomp/syscalls/4/names/0: "open": on SCMP_ARCH_X86` + same,
	}
	if !slices.Equal(got, want) {
		t.Errorf("found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if want := strings.Join(want, "; "); err.Error() != want {
		t.Errorf("as an error: %s", err)
	}
}

func FuzzCompile(f *testing.F) {
	f.Add("read", "clone", uint64(5), uint64(1)<<33, uint8(0), uint8(1), uint8(2))
	f.Fuzz(func(t *testing.T, n1, n2 string, v1, v2 uint64, arg, op, set uint8) {
		names := sets()[int(set)%len(sets())]
		s := &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Architectures: names, Syscalls: []specs.LinuxSyscall{
			{Names: []string{n1, n2}, Action: specs.ActAllow, Args: []specs.LinuxSeccompArg{{Index: uint(arg), Value: v1, ValueTwo: v2, Op: operators()[int(op)%7]}}},
			{Names: []string{n2}, Action: specs.ActLog, Args: []specs.LinuxSeccompArg{{Index: 1, Value: v2, Op: operators()[int(op/7)%7]}}}}}
		filter, err := Compile(s, Options{Native: names[0], Enosys: op&1 == 0})
		if err != nil {
			return
		}
		if err := check(filter.Program); err != nil {
			t.Error(err)
		}
	})
}

func TestUnknownNamesAreLeftOutAndTold(t *testing.T) {
	s := &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{
		{Names: []string{"no_such_call", "read"}, Action: specs.ActLog}, {Names: []string{"nor_this"}, Action: specs.ActNotify}}}
	const rule = "unknown system call: its rule is left out"
	if got, want := Unknown(s), (Problems{{"/linux/seccomp/syscalls/0/names/0", `"no_such_call"`, rule},
		{"/linux/seccomp/syscalls/1/names/0", `"nor_this"`, rule}}); !slices.Equal(got, want) {
		t.Errorf("unknown: %q", got)
	}
	f, err := Compile(s, Options{Native: specs.ArchX86_64})
	if err != nil {
		t.Fatal(err)
	}
	if f.Notify || f.Flags != 0 {
		t.Errorf("notify %t, flags %#x: a rule without a known call makes no listener", f.Notify, f.Flags)
	}
	a, _ := lookupArch(specs.ArchX86_64)
	if d := newData(&a, 0, [6]uint64{}); verdict(f, &d) != unix.SECCOMP_RET_LOG {
		t.Errorf("read: %#x", verdict(f, &d))
	}
}

func verdict(f Filter, d *data) uint32 { v, _ := run(f.Program, d); return v }

// WAIT_KILLABLE_RECV is about listeners: the kernel refuses it without one.
// TSYNC is about other threads, which there are none of.
func TestFlags(t *testing.T) {
	all := []specs.LinuxSeccompFlag{"SECCOMP_FILTER_FLAG_TSYNC", specs.LinuxSeccompFlagLog, specs.LinuxSeccompFlagSpecAllow,
		specs.LinuxSeccompFlagWaitKillableRecv}
	const always = unix.SECCOMP_FILTER_FLAG_LOG | unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW
	for action, want := range map[specs.LinuxSeccompAction]uint32{
		specs.ActLog:    always,
		specs.ActNotify: always | unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
	} {
		s := &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Flags: all,
			Syscalls: []specs.LinuxSyscall{{Names: []string{"mount"}, Action: action}}}
		f, err := Compile(s, Options{Native: specs.ArchX86_64})
		if err != nil || f.Flags != want {
			t.Errorf("%s: flags %#x, %v; want %#x", action, f.Flags, err, want)
		}
	}
}

// Who is notified of everything is notified of calls newer than the profile too.
func TestNotifyAsDefaultSeesEverything(t *testing.T) {
	s := &specs.LinuxSeccomp{DefaultAction: specs.ActNotify, Syscalls: []specs.LinuxSyscall{{Names: []string{"read"}, Action: specs.ActAllow}}}
	f, err := Compile(s, Options{Native: specs.ArchX86_64, Enosys: true})
	if err != nil {
		t.Fatal(err)
	}
	a, _ := lookupArch(specs.ArchX86_64)
	for nr, want := range map[uint32]uint32{0: unix.SECCOMP_RET_ALLOW, 1: unix.SECCOMP_RET_USER_NOTIF, 100000: unix.SECCOMP_RET_USER_NOTIF} {
		if d := newData(&a, nr, [6]uint64{}); verdict(f, &d) != want {
			t.Errorf("syscall %d: %#x, want %#x", nr, verdict(f, &d), want)
		}
	}
}

// Numbers of calls that are newer than libseccomp, from arch/x86/entry/syscalls
// and scripts/syscall.tbl of the kernel.
func TestNewCalls(t *testing.T) {
	for name, want := range map[string]uint32{"mseal": 462, "statmount": 457, "setxattrat": 463, "removexattrat": 466, "open_tree_attr": 467,
		"file_getattr": 468, "file_setattr": 469, "listns": 470} {
		for _, arch := range allArchs() {
			if arch == specs.ArchS390 {
				continue // it is gone from the kernel
			}
			a, _ := lookupArch(arch)
			if got, ok := a.number(lookupSyscall(name)); !ok || got != a.base+want {
				t.Errorf("%s of %s: %d, %t; want %d", name, arch, got, ok, a.base+want)
			}
		}
	}
	a, _ := lookupArch(specs.ArchX86_64)
	for name, want := range map[string]uint32{"uretprobe": 335, "uprobe": 336} {
		if got, ok := a.number(lookupSyscall(name)); !ok || got != want {
			t.Errorf("%s: %d, %t; want %d", name, got, ok, want)
		}
	}
}
