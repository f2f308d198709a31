// Package seccomp compiles the seccomp section of a container's configuration
// into the classic BPF program that seccomp(2) takes.
//
// libcontainer calls Compile in the parent, unless Lookup finds what it has made of
// the same text before; the program travels to the child as data. Verdicts
// equal those of libseccomp driven the way other runtimes drive it; the shape
// of the program does not: syscall numbers are merged into ranges and found by
// binary search, which makes the program short and quick to load. The package
// is pure, except for cache.go, and knows nothing of processes, listeners or
// of whether the running kernel has a flag.
package seccomp

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

//go:generate go run generate_table.go -csv $SYSCALLS_CSV -headers $KERNEL_HEADERS -o table.go

// Filter is a compiled profile.
type Filter struct {
	// Program is the BPF program, at most 4096 instructions (BPF_MAXINSNS).
	Program []unix.SockFilter
	// Flags is the flags argument of seccomp(2). It has NEW_LISTENER exactly
	// if Notify is set. TSYNC never gets in: the filter is loaded by a process
	// with one thread, and the kernel refuses TSYNC together with a listener.
	Flags uint32
	// Notify says that some rule asks for user notification, so that loading
	// the filter returns a listener.
	Notify bool
}

// Options is what a verdict depends on besides the profile.
type Options struct {
	// Native is the architecture of the kernel; its syscalls are always
	// filtered by the rules, listed in the profile or not.
	Native specs.Arch
	// Enosys makes syscalls with a number above the highest that the profile
	// names fail with ENOSYS rather than with the default action, so that a C
	// library newer than the profile can fall back. It has no effect if the
	// default action lets syscalls through (ALLOW, LOG, TRACE) or asks somebody
	// (NOTIFY). runc does so since 1.0.
	Enosys bool
}

// Native returns the architecture this program was built for, or "" if
// seccomp profiles have no name for it.
func Native() specs.Arch {
	switch runtime.GOARCH {
	case "386":
		return specs.ArchX86
	case "amd64":
		return specs.ArchX86_64
	case "arm":
		return specs.ArchARM
	case "arm64":
		return specs.ArchAARCH64
	case "loong64":
		return specs.ArchLOONGARCH64
	case "mips":
		return specs.ArchMIPS
	case "mips64":
		return specs.ArchMIPS64
	case "mips64le":
		return specs.ArchMIPSEL64
	case "mipsle":
		return specs.ArchMIPSEL
	case "ppc64":
		return specs.ArchPPC64
	case "ppc64le":
		return specs.ArchPPC64LE
	case "riscv64":
		return specs.ArchRISCV64
	case "s390x":
		return specs.ArchS390X
	}
	return ""
}

// pointer is where a profile stands.
const pointer = "/linux/seccomp"

// Compile turns a profile into a program. What it does in doubtful cases:
//
//   - The program of another architecture than the listed ones and the native
//     one is killed (its thread is, as by libseccomp). x32 system calls without
//     SCMP_ARCH_X32 count as another architecture.
//   - A rule whose action is the default action is left out, before anything
//     else is looked at.
//   - The first rule without conditions decides about its syscall, whatever
//     stands before or after it. Without one, conditional rules with one
//     action apply if any of them matches; with several actions, they are
//     tried in the order of package file order.go, which is libseccomp's.
//   - Two rules with the same conditions and different actions are an error.
//   - A rule with several conditions on one argument counts as one rule a
//     condition: any of them suffices.
//   - Arguments are compared in full on 64-bit architectures and by their
//     lower half elsewhere, x32 and n32 included.
//   - socket and ipc calls are also filtered where they are multiplexed
//     (socketcall, ipc); there a condition on argument 0 cannot be expressed
//     and gives way to the number of the call.
//
// What is wrong with a profile is returned as Problems, all of them.
func Compile(s *specs.LinuxSeccomp, o Options) (Filter, error) {
	native, ok := lookupArch(o.Native)
	if !ok {
		return Filter{}, fmt.Errorf("compile seccomp profile: unknown native architecture %q", o.Native)
	}
	p, problems := parseProfile(s)
	archs, unknown := profileArchs(s.Architectures, native)
	p.enosys = o.Enosys && !letsThrough(p.def)
	// The rules that are good may still contradict each other.
	sections, conflicts := p.sections(archs)
	if problems = slices.Concat(problems, unknown, conflicts); problems != nil {
		return Filter{}, problems.in(pointer)
	}
	program := assemble(sections)
	if n := len(program); n > unix.BPF_MAXINSNS {
		return Filter{}, Problems{{Pointer: pointer, Rule: fmt.Sprintf("makes a program of %d instructions, the kernel takes %d", n, unix.BPF_MAXINSNS)}}
	}
	f := Filter{Program: program, Flags: p.flags, Notify: p.notify}
	if f.Notify {
		f.Flags |= unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
	} else {
		// The kernel refuses it without a listener, where it has no meaning.
		f.Flags &^= unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
	}
	return f, nil
}

// profileArchs returns the architectures of a filter, the native one first.
func profileArchs(names []specs.Arch, native arch) ([]arch, Problems) {
	archs := make([]arch, 1, len(names)+1)
	archs[0] = native
	var problems Problems
	for i, name := range names {
		a, ok := lookupArch(name)
		if !ok {
			problems = append(problems, *wrong("/architectures/"+strconv.Itoa(i), string(name), "unknown architecture"))
			continue
		}
		if a.bigEndian != native.bigEndian {
			problems = append(problems, *wrong("/architectures/"+strconv.Itoa(i), string(name), "its byte order is not that of "+string(native.name)))
			continue
		}
		if !slices.ContainsFunc(archs, func(b arch) bool { return a.name == b.name }) {
			archs = append(archs, a)
		}
	}
	return archs, problems
}

// letsThrough says whether a default action is permissive. Who traces or is
// notified is expected to know new syscalls itself.
func letsThrough(action uint32) bool {
	switch action & unix.SECCOMP_RET_ACTION_FULL {
	case unix.SECCOMP_RET_ALLOW, unix.SECCOMP_RET_LOG, unix.SECCOMP_RET_TRACE, unix.SECCOMP_RET_USER_NOTIF:
		return true
	}
	return false
}
