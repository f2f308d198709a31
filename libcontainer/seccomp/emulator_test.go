package seccomp

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// data is struct seccomp_data as a program sees it: words by offset.
type data [16]uint32

func newData(a *arch, nr uint32, args [6]uint64) data {
	d := data{0: nr, 1: a.audit}
	for i, v := range args {
		hi, lo := uint32(v>>32), uint32(v)
		if a.bigEndian {
			d[4+2*i], d[5+2*i] = hi, lo
		} else {
			d[4+2*i], d[5+2*i] = lo, hi
		}
	}
	return d
}

// run executes a program as the kernel would, and says how many instructions
// that took.
func run(program []unix.SockFilter, d *data) (verdict uint32, steps int) {
	var a uint32
	for pc := 0; ; pc++ {
		steps++
		in := program[pc]
		yes := false
		switch in.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			a = d[in.K/4]
			continue
		case unix.BPF_ALU | unix.BPF_AND | unix.BPF_K:
			a &= in.K
			continue
		case unix.BPF_RET | unix.BPF_K:
			return in.K, steps
		case unix.BPF_JMP | unix.BPF_JA:
			pc += int(in.K)
			continue
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			yes = a == in.K
		case unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K:
			yes = a > in.K
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
			yes = a >= in.K
		case unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K:
			yes = a&in.K != 0
		default:
			panic(fmt.Sprintf("instruction %d: code %#x", pc, in.Code))
		}
		if yes {
			pc += int(in.Jt)
		} else {
			pc += int(in.Jf)
		}
	}
}

// check finds what the kernel would refuse, and instructions never reached.
func check(program []unix.SockFilter) error {
	reached := make([]bool, len(program)+256)
	reached[0] = true
	for pc, in := range program {
		if !reached[pc] {
			return fmt.Errorf("instruction %d is never reached", pc)
		}
		switch {
		case in.Code == unix.BPF_RET|unix.BPF_K:
			continue
		case in.Code == unix.BPF_JMP|unix.BPF_JA:
			if pc+1+int(in.K) >= len(program) {
				return fmt.Errorf("instruction %d jumps past the end", pc)
			}
			reached[pc+1+int(in.K)] = true
		case in.Code&7 == unix.BPF_JMP:
			reached[pc+1+int(in.Jt)] = true
			reached[pc+1+int(in.Jf)] = true
		default:
			reached[pc+1] = true
		}
	}
	for _, r := range reached[len(program):] {
		if r {
			return fmt.Errorf("a jump goes past the end")
		}
	}
	return nil
}
