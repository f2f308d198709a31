package program

import "encoding/binary"

// Builder writes a program, operation by operation.
type Builder struct {
	p Program
}

// NewBuilder starts a program whose image will stand at base: Base for the
// stage, another address for a program that runs in shared memory.
func NewBuilder(base uint64) *Builder {
	// Room for what a container's init usually is: what grows has been copied to
	// memory not touched before, while room that is not used costs nothing.
	return &Builder{p: Program{
		base:    base,
		data:    make([]byte, 0, 16<<10),
		ops:     make([]*Op, 0, 512),
		names:   make([]name, 0, 128),
		inputs:  map[string]Cell{},
		strings: map[string]Addr{},
	}}
}

// Call appends a system call. what says what it does to which object, as an
// error message would: "mount tmpfs on /dev".
func (b *Builder) Call(what string, nr uintptr, args ...Arg) *Op {
	return b.append(&Op{What: what, kind: Call, nr: uint32(nr)}, args...)
}

// Check appends a comparison of eight bytes: unless (*at & mask) == want, the
// operation ends with the errno.
func (b *Builder) Check(what string, at Addr, mask, want uint64, errno uintptr) *Op {
	return b.append(&Op{What: what, kind: Check}, at.Arg(), Const(mask), Const(want), Const(errno))
}

// Store32 appends a write of the low half of v to at.
func (b *Builder) Store32(what string, at Addr, v Arg) *Op {
	return b.append(&Op{What: what, kind: Store32}, at.Arg(), v)
}

// Store64 appends a write of v to at.
func (b *Builder) Store64(what string, at Addr, v Arg) *Op {
	return b.append(&Op{What: what, kind: Store64}, at.Arg(), v)
}

func (b *Builder) append(op *Op, args ...Arg) *Op {
	op.set(args...)
	b.p.ops = append(b.p.ops, op)
	return op
}

// GoesOn notes down that the rest of the program is another process's, whose id
// the first one tells (TellPid).
func (b *Builder) GoesOn() { b.p.goesOn = true }

// Label makes a label that is nowhere yet.
func (b *Builder) Label() *Label {
	l := &Label{number: uint32(len(b.p.labels)), index: -1}
	b.p.labels = append(b.p.labels, l)
	return l
}

// Here places the label before the operation that comes next.
func (b *Builder) Here(l *Label) { l.index = len(b.p.ops) }

// Report is the place of the report descriptor: a store to it changes where a
// failure is told.
func (b *Builder) Report() Cell { return Cell(b.p.base + offReport) }

// IndexBase is the place of what is added to the index of a failing operation.
func (b *Builder) IndexBase() Cell { return Cell(b.p.base + offIndexBase) }

// Cell makes a cell with a name for readers, holding v.
func (b *Builder) Cell(name string, v uint64) Cell {
	a := b.Space(8)
	binary.NativeEndian.PutUint64(b.p.data[b.offset(a):], v)
	b.Name(a, name)
	return Cell(a)
}

// Input is the cell with that name that Encode fills in; the same name is the
// same cell.
func (b *Builder) Input(name string) Cell {
	if c, ok := b.p.inputs[name]; ok {
		return c
	}
	c := b.Cell(name, 0)
	b.p.inputs[name] = c
	return c
}

// Space is n zero bytes, aligned to eight.
func (b *Builder) Space(n int) Addr {
	for len(b.p.data)%8 != 0 {
		b.p.data = append(b.p.data, 0)
	}
	a := Addr(b.p.base + offData + uint64(len(b.p.data)))
	b.p.data = append(b.p.data, make([]byte, n)...)
	return a
}

// Bytes is a copy of data, aligned to eight.
func (b *Builder) Bytes(data []byte) Addr {
	a := b.Space(len(data))
	copy(b.p.data[b.offset(a):], data)
	return a
}

// String is s with a zero byte behind it; equal strings are one.
func (b *Builder) String(s string) Addr {
	if a, ok := b.p.strings[s]; ok {
		return a
	}
	a := Addr(b.p.base + offData + uint64(len(b.p.data)))
	b.p.data = append(append(b.p.data, s...), 0)
	b.p.strings[s] = a
	return a
}

// Vector is a zero-terminated array of the addresses of strings, as execve takes it.
func (b *Builder) Vector(list []string) Addr {
	addrs := make([]Addr, len(list))
	for i, s := range list {
		addrs[i] = b.String(s)
	}
	v := b.Space(8 * (len(list) + 1))
	for i, a := range addrs {
		b.PutAddr(v+Addr(8*i), a)
	}
	return v
}

// PutAddr writes an address into the data area, for structures that hold pointers.
func (b *Builder) PutAddr(at, a Addr) {
	binary.NativeEndian.PutUint64(b.p.data[b.offset(at):], uint64(a))
}

// Name gives data a name for readers of the program.
func (b *Builder) Name(a Addr, s string) { b.p.names = append(b.p.names, name{a, s}) }

// Len is the number of operations so far: the index of the next one.
func (b *Builder) Len() int { return len(b.p.ops) }

// Program is what was built. The builder must not be used any more.
func (b *Builder) Program() *Program { return &b.p }

func (b *Builder) offset(a Addr) int { return int(uint64(a) - b.p.base - offData) }

// PutUint32 writes a number into the data area.
func (b *Builder) PutUint32(at Addr, v uint32) {
	binary.NativeEndian.PutUint32(b.p.data[b.offset(at):], v)
}

// PutUint64 writes a number into the data area.
func (b *Builder) PutUint64(at Addr, v uint64) {
	binary.NativeEndian.PutUint64(b.p.data[b.offset(at):], v)
}
