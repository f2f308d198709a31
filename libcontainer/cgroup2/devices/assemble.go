package devices

// Why not cilium/ebpf: it was tried (v0.22), and stays the judge. Linking it
// brings an ELF reader, DWARF, XML, go/format and cryptography, 35 packages that
// are initialised before ours, whatever the command: 33 page faults more of 211,
// which is 6 to 20 % more processor time for state and 2 to 12 % for run, as dear
// as page faults are on the machine. Its loader, used as it is, costs another
// tenth of a run: it reads all mounts, makes two maps and loads a program of its
// own to find out what the kernel can do. Its assembler alone, last separable in
// v0.16, costs 9 faults and 4 %. So its assembler, disassembler and loader hold
// every instruction and every program made here to account in the tests.

import (
	"encoding/binary"
	"fmt"
	"math"
)

// instruction is struct bpf_insn: eight bytes in host order.
type instruction struct {
	code     uint8
	dst, src uint8
	off      int16
	imm      int32
}

// The operations that a device program needs, as code bytes of BPF.
const (
	opLoad     = 0x61 // dst = *(u32 *)(src + off)
	opMove     = 0xbf // dst = src
	opMoveImm  = 0xb7 // dst = imm
	opAnd      = 0x57 // dst &= imm, sign extended
	opShift    = 0x77 // dst >>= imm
	opJump     = 0x05 // goto off
	opIfEqual  = 0x15 // if dst == imm goto off
	opIfNot    = 0x55 // if dst != imm goto off
	opIfAnyBit = 0x45 // if dst & imm goto off
	opExit     = 0x95 // return r0
)

// insnSize is the length of one encoded instruction.
const insnSize = 8

// label is a place in a program that is jumped to.
type label int

// The two ends of every program.
const (
	grant label = iota
	refuse
	ownLabels
)

// assembler collects instructions. Jumps are written with the label in imm's
// stead and resolved by finish.
type assembler struct {
	insns  []instruction
	jumps  []jump
	places []int // of labels from ownLabels on; -1 until placed
	// dead says that nothing leads here: the last instruction was a jump and
	// no label that is jumped to stands behind it. What is emitted here is
	// dropped, for the verifier refuses unreachable instructions.
	dead bool
}

type jump struct {
	at int
	to label
}

func (a *assembler) emit(i instruction) {
	if !a.dead {
		a.insns = append(a.insns, i)
	}
}

func (a *assembler) load(dst uint8, off int16) {
	a.emit(instruction{code: opLoad, dst: dst, src: regCtx, off: off})
}

func (a *assembler) move(dst, src uint8) { a.emit(instruction{code: opMove, dst: dst, src: src}) }

func (a *assembler) and(dst uint8, imm int32) { a.emit(instruction{code: opAnd, dst: dst, imm: imm}) }

func (a *assembler) shiftRight(dst uint8, imm int32) {
	a.emit(instruction{code: opShift, dst: dst, imm: imm})
}

func (a *assembler) jumpIfEqual(reg uint8, imm int32, to label) { a.jump(opIfEqual, reg, imm, to) }
func (a *assembler) jumpIfNot(reg uint8, imm int32, to label)   { a.jump(opIfNot, reg, imm, to) }
func (a *assembler) jumpIfAny(reg uint8, imm int32, to label)   { a.jump(opIfAnyBit, reg, imm, to) }
func (a *assembler) to(l label)                                 { a.jump(opJump, 0, 0, l) }

// next is the end of a group behind which the program simply goes on.
func (a *assembler) next() {}

func (a *assembler) jump(code, reg uint8, imm int32, to label) {
	if a.dead {
		return
	}
	a.jumps = append(a.jumps, jump{at: len(a.insns), to: to})
	a.emit(instruction{code: code, dst: reg, imm: imm})
	a.dead = code == opJump
}

// label returns a new label, to be placed later.
func (a *assembler) label() label {
	a.places = append(a.places, -1)
	return ownLabels + label(len(a.places)-1)
}

// place puts l here. A jump to here that stands directly before is taken out:
// the program goes on here anyway.
func (a *assembler) place(l label) {
	for a.lastJump() == l {
		a.dropLast()
	}
	a.places[l-ownLabels] = len(a.insns)
	for _, j := range a.jumps {
		if j.to == l {
			a.dead = false
		}
	}
}

// lastJump returns where the last instruction jumps without condition, -1 if
// it does not.
func (a *assembler) lastJump() label {
	n := len(a.insns)
	if n == 0 || a.insns[n-1].code != opJump {
		return -1
	}
	return a.jumps[len(a.jumps)-1].to
}

// dropLast takes the last instruction out, a jump. Labels behind it move to
// where it stood.
func (a *assembler) dropLast() {
	n := len(a.insns)
	for i, at := range a.places {
		if at == n {
			a.places[i] = n - 1
		}
	}
	a.insns = a.insns[:n-1]
	a.jumps = a.jumps[:len(a.jumps)-1]
	a.dead = false
}

// finish puts the two ends behind the program, whose last instruction is a
// jump to one of them, and resolves the jumps. An end that nothing leads to is
// left out.
func (a *assembler) finish() ([]instruction, error) {
	first, second := grant, refuse
	if a.lastJump() == refuse {
		first, second = refuse, grant
	}
	a.dropLast() // the end itself takes its place
	var ends [ownLabels]int
	ends[first] = a.end(first)
	for _, j := range a.jumps {
		if j.to == second {
			ends[second] = a.end(second)
			break
		}
	}
	for _, j := range a.jumps {
		target := 0
		if j.to < ownLabels {
			target = ends[j.to]
		} else {
			target = a.places[j.to-ownLabels]
		}
		off := target - j.at - 1
		if off > math.MaxInt16 {
			return nil, fmt.Errorf("compile device rules: too many rules: %d instructions", len(a.insns))
		}
		a.insns[j.at].off = int16(off)
	}
	return a.insns, nil
}

// end writes the end of a program and returns where it stands.
func (a *assembler) end(l label) int {
	at := len(a.insns)
	result := int32(0)
	if l == grant {
		result = 1
	}
	a.emit(instruction{code: opMoveImm, dst: regResult, imm: result})
	a.emit(instruction{code: opExit})
	return at
}

// encode returns the program as the kernel takes it.
func (p Program) encode() []byte {
	out := make([]byte, 0, len(p.insns)*insnSize)
	for _, i := range p.insns {
		regs := i.src<<4 | i.dst
		if bigEndian() {
			regs = i.dst<<4 | i.src
		}
		out = append(out, i.code, regs)
		out = binary.NativeEndian.AppendUint16(out, uint16(i.off))
		out = binary.NativeEndian.AppendUint32(out, uint32(i.imm))
	}
	return out
}

// bigEndian says in which half of a byte the host has a bit field's first member.
func bigEndian() bool {
	return binary.NativeEndian.Uint16([]byte{0, 1}) == 1
}
