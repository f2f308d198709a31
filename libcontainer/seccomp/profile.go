package seccomp

import (
	"errors"
	"fmt"
	"slices"

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

func parseProfile(s *specs.LinuxSeccomp) (*profile, error) {
	p := &profile{}
	var err error
	if p.def, err = parseAction(s.DefaultAction, s.DefaultErrnoRet); err != nil {
		return nil, fmt.Errorf("default action: %w", err)
	}
	p.notify = p.def == unix.SECCOMP_RET_USER_NOTIF
	for _, f := range s.Flags {
		switch f {
		case "SECCOMP_FILTER_FLAG_TSYNC":
		case specs.LinuxSeccompFlagLog:
			p.flags |= unix.SECCOMP_FILTER_FLAG_LOG
		case specs.LinuxSeccompFlagSpecAllow:
			p.flags |= unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW
		case specs.LinuxSeccompFlagWaitKillableRecv:
			p.flags |= unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
		default:
			return nil, fmt.Errorf("unknown flag %q", f)
		}
	}
	names := 0
	for i := range s.Syscalls {
		names += len(s.Syscalls[i].Names)
	}
	p.calls, p.named = make([]call, 0, names), make([]int, 0, names)
	for i := range s.Syscalls {
		if err := p.addRule(&s.Syscalls[i]); err != nil {
			return nil, fmt.Errorf("rule %d: %w", i, err)
		}
	}
	return p, nil
}

func (p *profile) addRule(r *specs.LinuxSyscall) error {
	if len(r.Names) == 0 {
		return errors.New("it names no syscall")
	}
	action, err := parseAction(r.Action, r.ErrnoRet)
	if err != nil {
		return err
	}
	alternatives, err := parseArgs(r.Args)
	if err != nil {
		return err
	}
	for _, name := range r.Names {
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
			p.calls = append(p.calls, call{row, action, conds, via, number})
		}
	}
	return nil
}

func parseAction(a specs.LinuxSeccompAction, errno *uint) (uint32, error) {
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
		return 0, fmt.Errorf("unknown action %q", a)
	}
	if action != unix.SECCOMP_RET_ERRNO && action != unix.SECCOMP_RET_TRACE {
		if errno != nil {
			return 0, fmt.Errorf("action %s takes no errno", a)
		}
		return action, nil
	}
	data := uint(unix.EPERM)
	if errno != nil {
		data = *errno
	}
	if data > unix.SECCOMP_RET_DATA {
		return 0, fmt.Errorf("errno %d does not fit into 16 bits", data)
	}
	return action | uint32(data), nil
}

// parseArgs returns the alternatives of a rule: conditions that must all hold.
// A rule without any has one alternative, which is empty.
func parseArgs(args []specs.LinuxSeccompArg) ([][]cond, error) {
	if len(args) == 0 {
		return [][]cond{nil}, nil
	}
	conds := make([]cond, 0, len(args))
	var seen [6]bool
	split := false
	for _, a := range args {
		if a.Index >= uint(len(seen)) {
			return nil, fmt.Errorf("argument %d: a syscall has six", a.Index)
		}
		split = split || seen[a.Index]
		seen[a.Index] = true
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
			return nil, fmt.Errorf("unknown operator %q", a.Op)
		}
		conds = append(conds, c)
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
