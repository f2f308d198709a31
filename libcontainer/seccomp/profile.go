package seccomp

import (
	"slices"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// profile is a seccomp section with its names replaced by numbers, still the
// same for all architectures.
type profile struct {
	def    uint32
	flags  uint32
	notify bool
	enosys bool
	calls  []call
	// named has the rows of all syscalls that are named, those of rules that
	// were left out too: ENOSYS begins above the highest.
	named []int
}

// call is a rule for one syscall. Without conditions it always applies.
type call struct {
	row    int
	action uint32
	conds  []cond
	// via and number are the multiplexing syscall and the number in it, zero
	// for most.
	via, number uint32
	at          place
}

// place is where a syscall's name stands in a profile.
type place struct{ rule, name int }

func (p place) pointer() string {
	return "/syscalls/" + strconv.Itoa(p.rule) + "/names/" + strconv.Itoa(p.name)
}

type op uint8

const (
	opEQ op = iota
	opNE
	opLT
	opLE
	opGE
	opGT
	opMasked
)

// cond is a condition on one argument. mask is all ones except for opMasked,
// where value has no bits outside of mask.
type cond struct {
	arg   uint8
	op    op
	value uint64
	mask  uint64
}

func parseProfile(s *specs.LinuxSeccomp) (*profile, Problems) {
	p := &profile{}
	var problems Problems
	var bad *Problem
	if p.def, bad = parseAction(s.DefaultAction, s.DefaultErrnoRet); bad != nil {
		bad.Pointer = map[string]string{"/action": "/defaultAction", "/errnoRet": "/defaultErrnoRet"}[bad.Pointer]
		problems = append(problems, *bad)
	}
	p.notify = p.def == unix.SECCOMP_RET_USER_NOTIF
	for i, f := range s.Flags {
		switch f {
		case "SECCOMP_FILTER_FLAG_TSYNC":
		case specs.LinuxSeccompFlagLog:
			p.flags |= unix.SECCOMP_FILTER_FLAG_LOG
		case specs.LinuxSeccompFlagSpecAllow:
			p.flags |= unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW
		case specs.LinuxSeccompFlagWaitKillableRecv:
			p.flags |= unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
		default:
			problems = append(problems, *wrong("/flags/"+strconv.Itoa(i), string(f), "unknown flag"))
		}
	}
	names := 0
	for i := range s.Syscalls {
		names += len(s.Syscalls[i].Names)
	}
	p.calls, p.named = make([]call, 0, names), make([]int, 0, names)
	for i := range s.Syscalls {
		if found := p.addRule(&s.Syscalls[i], i); found != nil {
			problems = append(problems, found.in("/syscalls/"+strconv.Itoa(i))...)
		}
	}
	return p, problems
}

// addRule adds the calls of the rule with that index, unless something is wrong
// with it.
func (p *profile) addRule(r *specs.LinuxSyscall, index int) Problems {
	var problems Problems
	if len(r.Names) == 0 {
		problems = append(problems, *wrong("/names", nil, "must not be empty"))
	}
	action, bad := parseAction(r.Action, r.ErrnoRet)
	if bad != nil {
		problems = append(problems, *bad)
	}
	alternatives, found := parseArgs(r.Args)
	if problems = append(problems, found...); problems != nil {
		return problems
	}
	for i, name := range r.Names {
		row := lookupSyscall(name)
		if row < 0 {
			continue // it is of another kernel; see Unknown
		}
		p.named = append(p.named, row)
		if action == p.def {
			continue
		}
		p.notify = p.notify || action == unix.SECCOMP_RET_USER_NOTIF
		via, number := multiplexedCall(name)
		for _, conds := range alternatives {
			p.calls = append(p.calls, call{row: row, action: action, conds: conds, via: via, number: number, at: place{index, i}})
		}
	}
	return nil
}

// parseAction makes one number of a rule's action and its errno.
func parseAction(a specs.LinuxSeccompAction, errno *uint) (uint32, *Problem) {
	var action uint32
	switch a {
	case specs.ActKill, specs.ActKillThread:
		action = unix.SECCOMP_RET_KILL_THREAD
	case specs.ActKillProcess:
		action = unix.SECCOMP_RET_KILL_PROCESS
	case specs.ActTrap:
		action = unix.SECCOMP_RET_TRAP
	case specs.ActErrno:
		action = unix.SECCOMP_RET_ERRNO
	case specs.ActTrace:
		action = unix.SECCOMP_RET_TRACE
	case specs.ActAllow:
		action = unix.SECCOMP_RET_ALLOW
	case specs.ActLog:
		action = unix.SECCOMP_RET_LOG
	case specs.ActNotify:
		action = unix.SECCOMP_RET_USER_NOTIF
	default:
		return 0, wrong("/action", string(a), "unknown action")
	}
	if action != unix.SECCOMP_RET_ERRNO && action != unix.SECCOMP_RET_TRACE {
		if errno != nil {
			return 0, wrong("/errnoRet", *errno, "action "+string(a)+" takes no errno")
		}
		return action, nil
	}
	data := uint(unix.EPERM)
	if errno != nil {
		data = *errno
	}
	if data > unix.SECCOMP_RET_DATA {
		return 0, wrong("/errnoRet", data, "must be from 0 to 65535")
	}
	return action | uint32(data), nil
}

// parseArgs returns the alternatives of a rule: conditions that must all hold.
// A rule without any has one alternative, which is empty.
func parseArgs(args []specs.LinuxSeccompArg) ([][]cond, Problems) {
	if len(args) == 0 {
		return [][]cond{nil}, nil
	}
	conds := make([]cond, 0, len(args))
	var seen [6]bool
	split := false
	var problems Problems
	for i, a := range args {
		if a.Index >= uint(len(seen)) {
			problems = append(problems, *wrong("/args/"+strconv.Itoa(i)+"/index", a.Index, "must be from 0 to 5: a system call has six arguments"))
		} else {
			split = split || seen[a.Index]
			seen[a.Index] = true
		}
		c := cond{arg: uint8(a.Index), value: a.Value, mask: ^uint64(0)}
		switch a.Op {
		case specs.OpEqualTo:
			c.op = opEQ
		case specs.OpNotEqual:
			c.op = opNE
		case specs.OpLessThan:
			c.op = opLT
		case specs.OpLessEqual:
			c.op = opLE
		case specs.OpGreaterEqual:
			c.op = opGE
		case specs.OpGreaterThan:
			c.op = opGT
		case specs.OpMaskedEqual:
			c.op, c.mask, c.value = opMasked, a.Value, a.ValueTwo&a.Value
		default:
			problems = append(problems, *wrong("/args/"+strconv.Itoa(i)+"/op", string(a.Op), "unknown operator"))
		}
		conds = append(conds, c)
	}
	if problems != nil {
		return nil, problems
	}
	if split {
		alternatives := make([][]cond, len(conds))
		for i := range conds {
			alternatives[i] = conds[i : i+1 : i+1]
		}
		return alternatives, nil
	}
	slices.SortFunc(conds, func(a, b cond) int { return int(a.arg) - int(b.arg) })
	return [][]cond{conds}, nil
}
