package devices

// Instructions are cilium/ebpf's, and its assembler encodes them. It stays at
// v0.16, the last whose assembler comes alone: later ones bring an ELF reader,
// DWARF, XML and cryptography, 29 packages that are initialised before ours,
// whatever the command, at the cost of a tenth of the page faults of state. Its
// loader is not used: as it is it costs a tenth of a run, since it reads all
// mounts, makes two maps and loads a program of its own to find out what the
// kernel can do. In the tests it loads every program made here.

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/cilium/ebpf/asm"
)

// label is a place in a program that is jumped to.
type label int

// The two ends of every program.
const (
	grant label = iota
	refuse
	ownLabels
)

// assembler collects instructions. Where jumps lead is written by finish.
type assembler struct {
	insns  asm.Instructions
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

func (a *assembler) emit(i asm.Instruction) {
	if !a.dead {
		a.insns = append(a.insns, i)
	}
}

func (a *assembler) load(dst asm.Register, off int16) {
	a.emit(asm.LoadMem(dst, regCtx, off, asm.Word))
}

func (a *assembler) move(dst, src asm.Register)                      { a.emit(asm.Mov.Reg(dst, src)) }
func (a *assembler) and(dst asm.Register, imm int32)                 { a.emit(asm.And.Imm(dst, imm)) }
func (a *assembler) shiftRight(dst asm.Register, imm int32)          { a.emit(asm.RSh.Imm(dst, imm)) }
func (a *assembler) jumpIfEqual(r asm.Register, imm int32, to label) { a.jump(asm.JEq, r, imm, to) }
func (a *assembler) jumpIfNot(r asm.Register, imm int32, to label)   { a.jump(asm.JNE, r, imm, to) }
func (a *assembler) jumpIfAny(r asm.Register, imm int32, to label)   { a.jump(asm.JSet, r, imm, to) }
func (a *assembler) to(l label)                                      { a.jump(asm.Ja, 0, 0, l) }

// next is the end of a group behind which the program simply goes on.
func (a *assembler) next() {}

func (a *assembler) jump(op asm.JumpOp, reg asm.Register, imm int32, to label) {
	if a.dead {
		return
	}
	a.jumps = append(a.jumps, jump{at: len(a.insns), to: to})
	a.emit(asm.Instruction{OpCode: op.Op(asm.ImmSource), Dst: reg, Constant: int64(imm)})
	a.dead = op == asm.Ja
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
	if n == 0 || a.insns[n-1].OpCode.JumpOp() != asm.Ja {
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
func (a *assembler) finish() (asm.Instructions, error) {
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
		a.insns[j.at].Offset = int16(off)
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
	a.emit(asm.Mov.Imm(regResult, result))
	a.emit(asm.Return())
	return at
}

// encode returns the program as the kernel takes it.
func (p Program) encode() ([]byte, error) {
	var out bytes.Buffer
	out.Grow(len(p.insns) * asm.InstructionSize)
	order := hostOrder()
	for _, i := range p.insns {
		if _, err := i.Marshal(&out, order); err != nil {
			return nil, fmt.Errorf("encode device program: %w", err)
		}
	}
	return out.Bytes(), nil
}

// hostOrder is binary.NativeEndian by the name that cilium/ebpf knows it by.
func hostOrder() binary.ByteOrder {
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		return binary.BigEndian
	}
	return binary.LittleEndian
}
