// Package program holds the list of operations that a container's init makes:
// the form it has while it is written (Builder), the form it has in memory
// when it is run (Encode), and the form that people read (Print).
//
// A program is built by package compile (and by launch, for the few calls
// between clone and exec), encoded by the parent into a sealed memfd, and run
// by package stage in the child. It is pure data: nothing here makes a system
// call, and nothing here knows what a container is.
package program

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"golang.org/x/sys/unix"
)

// The image, as the stage maps it. All numbers are in host byte order.
//
//	0x000  u64 magic
//	0x008  u64 number of operations
//	0x010  u64 offset of the first operation from the start of the image
//	0x018  u64 report descriptor: where a failure is written
//	0x020  u64 added to the index of a failing operation in its report
//	0x028  u64 room for the report
//	0x040  data area
//	...    operations, OpSize bytes each
const (
	// Magic says that a mapping holds an image that this stage understands.
	Magic = 0x31_67_72_70_63_73_65_6d // "mescprg1"

	// Base is where the stage maps an image, so that pointers in it are final
	// when it is written: far from a static executable, its heap, Go's arenas
	// and the stack on every architecture, and below 2^38 for arm64.
	Base = 0x10_0000_0000

	// MaxSize is the length that the stage maps: images are shorter.
	MaxSize = 8 << 20

	offMagic     = 0x00
	offOps       = 0x08
	offFirst     = 0x10
	offReport    = 0x18
	offIndexBase = 0x20
	offScratch   = 0x28
	offData      = 0x40

	// OpSize is the length of one encoded operation.
	OpSize = 128
	// MaxRules is how many errno rules one operation can carry.
	MaxRules = 6
	// MaxAgain bounds how often an Again rule repeats one operation.
	MaxAgain = 128
)

// Kind says what an operation does.
type Kind uint8

// The kinds of operations. The set is closed: what needs thinking is thought
// in the parent.
const (
	// Call makes system call Nr with Args.
	Call Kind = iota
	// Check compares eight bytes of memory: (*Args[0] & Args[1]) == Args[2],
	// else the operation ends with errno Args[3].
	Check
	// Store32 writes the low half of Args[1] to the address Args[0].
	Store32
	// Store64 writes Args[1] to the address Args[0].
	Store64
)

// Errno classes that rules may name beside real numbers.
const (
	// OK is the class of success.
	OK unix.Errno = 0
	// AnyErrno is the class of every failure.
	AnyErrno unix.Errno = 0xffff
)

// InputSync is the input that every program has: its end of the dialogue with
// the process that started it.
const InputSync = "sync"

// What goes over it from the child is eight bytes, two numbers. Mostly the first
// is the index of a step that failed and the second its errno, which the stage
// writes by itself; an index is below BeforeExec, or BeforeExec plus that of a
// step between clone and execve. These are the first numbers of other messages,
// which programs write. Back comes one byte: go on.
const (
	BeforeExec = 1 << 30
	Tell       = 0xffffffff // the second number is an event, which the program and its parent agree upon
	TellPid    = 0xfffffffe // the second number is the process that goes on with the program
)

// Addr is an address in the image, final as soon as it is handed out.
type Addr uint64

// Arg is an argument of an operation: a number, or what a cell holds when the
// operation runs.
type Arg struct {
	value  uint64
	isCell bool
}

// Const is the argument n.
func Const[T ~int | ~int32 | ~int64 | ~uint | ~uint32 | ~uint64 | ~uintptr | ~uint16](n T) Arg {
	return Arg{value: uint64(n)}
}

// Cell is eight bytes of the data area that operations keep results in and
// take arguments from.
type Cell Addr

// Arg is the argument "what the cell holds".
func (c Cell) Arg() Arg { return Arg{value: uint64(c), isCell: true} }

// Arg is the argument "this address".
func (a Addr) Arg() Arg { return Arg{value: uint64(a)} }

// rule is one answer to an outcome.
type rule struct {
	errno  uint16
	answer answer
	label  uint32 // of skip: which of the program's labels
}

type answer uint8

const (
	next answer = iota
	again
	skip
)

// Label is a place ahead in a program that rules skip to.
type Label struct {
	number uint32 // among the program's labels
	index  int    // -1 until placed
}

// maxArgs is how many arguments a system call has at most.
const maxArgs = 6

// Op is one operation. Its methods amend it and return it, for chaining. There
// are hundreds in a program, so it is kept small.
type Op struct {
	What string // "mount tmpfs on /dev": what failed, when it fails

	args    [maxArgs]uint64
	keep    Cell
	want    int64
	rules   []rule
	nr      uint32
	kind    Kind
	nargs   uint8
	cells   uint8 // one bit for each argument that is what a cell holds
	hasWant bool
}

// arg is argument i.
func (o *Op) arg(i int) Arg { return Arg{value: o.args[i], isCell: o.cells>>i&1 != 0} }

// set sets the arguments; of too many it notes down only how many.
func (o *Op) set(args ...Arg) {
	o.nargs = uint8(min(len(args), math.MaxUint8))
	for i, a := range args[:min(len(args), maxArgs)] {
		o.args[i] = a.value
		if a.isCell {
			o.cells |= 1 << i
		}
	}
}

// Keep puts the result of a successful call into the cell.
func (o *Op) Keep(c Cell) *Op { o.keep = c; return o }

// Want makes any other result than n a failure with EPROTO: a short write, a
// peer that has gone.
func (o *Op) Want(n int64) *Op { o.want, o.hasWant = n, true; return o }

// Ignore goes on after the errnos given.
func (o *Op) Ignore(errnos ...unix.Errno) *Op { return o.add(rule{answer: next}, errnos) }

// Again repeats the operation after the errnos given, MaxAgain times at most.
func (o *Op) Again(errnos ...unix.Errno) *Op { return o.add(rule{answer: again}, errnos) }

// Skip goes to the label after the errnos given; OK stands for success.
func (o *Op) Skip(l *Label, errnos ...unix.Errno) *Op {
	return o.add(rule{answer: skip, label: l.number}, errnos)
}

func (o *Op) add(r rule, errnos []unix.Errno) *Op {
	o.rules = slices.Grow(o.rules, len(errnos))
	for _, e := range errnos {
		r.errno = uint16(e)
		o.rules = append(o.rules, r)
	}
	return o
}

// Program is a finished list of operations and their data. It is immutable
// but for the inputs, which Encode fills in.
type Program struct {
	base    uint64
	ops     []*Op
	data    []byte
	inputs  map[string]Cell
	strings map[string]Addr
	names   []name // for readers
	labels  []*Label
	goesOn  bool
}

// name is what readers call an address.
type name struct {
	at   Addr
	name string
}

// Len is the number of operations.
func (p *Program) Len() int { return len(p.ops) }

// What describes operation i, or is empty if there is none.
func (p *Program) What(i int) string {
	if i < 0 || i >= len(p.ops) {
		return ""
	}
	return p.ops[i].What
}

// CallName is the system call that operation i makes, or is empty if it makes
// none.
func (p *Program) CallName(i int) string {
	if i < 0 || i >= len(p.ops) || p.ops[i].kind != Call {
		return ""
	}
	return syscallName(p.ops[i].nr)
}

// GoesOn says whether another process goes on with the program, see Builder.GoesOn.
func (p *Program) GoesOn() bool { return p.goesOn }

// Inputs are the names of the cells that Encode fills in.
func (p *Program) Inputs() map[string]Cell { return p.inputs }

// Image is a program ready to run.
type Image struct {
	// Report is the descriptor that a failing stage writes {index, errno} to.
	Report int
	// IndexBase is added to the index, to tell one program's reports from another's.
	IndexBase uint32
	// Inputs are the values of the input cells, descriptors as a rule. Every
	// input of the program must be there.
	Inputs map[string]uint64
	// Fault, if set, makes one step fail without being run; for tests.
	Fault *Fault
}

// Fault is a failure to order: of a step with an errno, or of everybody at
// that step.
type Fault struct {
	Step  int
	Errno unix.Errno // 1 to 4095; 0 with a Signal
	// Signal, if set, is sent to the stage's process group, and then the step
	// fails. The runtime is in that group until the stage has a session of its
	// own, so it dies at that very step; the stage may be the init of a pid
	// namespace, which no signal of its own ends.
	Signal unix.Signal
}

// window is how much of an image EncodeTo has in memory at a time: a page, for
// memory that was not touched before costs more than a few system calls.
const window = 4096

// Encode returns the image. It returns an error if an input has no value, a
// rule list is too long, a label was never placed, or the image would exceed MaxSize.
func (p *Program) Encode(in Image) ([]byte, error) {
	head, err := p.head(in)
	if err != nil {
		return nil, err
	}
	img := make([]byte, len(head)+len(p.ops)*OpSize)
	return img, p.encode(img[copy(img, head):], 0, in.Fault)
}

// EncodeTo is Encode for an image that is only wanted somewhere else: write is
// called with one piece of it after the other.
func (p *Program) EncodeTo(write func([]byte) error, in Image) error {
	piece, err := p.head(in)
	if err != nil {
		return err
	}
	if err := write(piece); err != nil {
		return err
	}
	piece = make([]byte, window)
	for first := 0; first < len(p.ops); first += window / OpSize {
		piece = piece[:min(window, (len(p.ops)-first)*OpSize)]
		clear(piece)
		if err := p.encode(piece, first, in.Fault); err != nil {
			return err
		}
		if err := write(piece); err != nil {
			return err
		}
	}
	return nil
}

// head is what comes before the operations.
func (p *Program) head(in Image) ([]byte, error) {
	first := (offData + len(p.data) + 15) &^ 15
	size := first + len(p.ops)*OpSize
	if size > MaxSize {
		return nil, fmt.Errorf("encode program of %d bytes: more than %d", size, MaxSize)
	}
	if f := in.Fault; f != nil && (f.Step < 0 || f.Step >= len(p.ops) || (f.Errno == 0) == (f.Signal == 0)) {
		return nil, fmt.Errorf("encode program: no fault %d, %d can be made at step %d of %d", f.Errno, f.Signal, f.Step, len(p.ops))
	}
	head := make([]byte, first)
	le := binary.NativeEndian
	le.PutUint64(head[offMagic:], Magic)
	le.PutUint64(head[offOps:], uint64(len(p.ops)))
	le.PutUint64(head[offFirst:], uint64(first))
	le.PutUint64(head[offReport:], uint64(in.Report))
	le.PutUint64(head[offIndexBase:], uint64(in.IndexBase))
	copy(head[offData:], p.data)
	for name, cell := range p.inputs {
		v, ok := in.Inputs[name]
		if !ok {
			return nil, fmt.Errorf("encode program: input %s has no value", name)
		}
		le.PutUint64(head[uint64(cell)-p.base:], v)
	}
	return head, nil
}

// encode fills b, all zeros, with the operations from the first on, as many as
// it has room for.
func (p *Program) encode(b []byte, first int, fault *Fault) error {
	for i := first; len(b) > 0; i, b = i+1, b[OpSize:] {
		op := p.ops[i]
		if fault != nil && fault.Step == i {
			op = fault.op(p)
		}
		if err := op.encode(b[:OpSize], i, p.labels); err != nil {
			return err
		}
	}
	return nil
}

// op is an operation that always fails: a comparison of the magic number with
// nothing, or a kill that does not return what it should.
func (f *Fault) op(p *Program) *Op {
	if f.Signal != 0 {
		kill := &Op{kind: Call, nr: unix.SYS_KILL}
		kill.set(Const(0), Const(f.Signal))
		return kill.Want(1)
	}
	check := &Op{kind: Check}
	check.set(Addr(p.base+offMagic).Arg(), Const(0), Const(1), Const(f.Errno))
	return check
}

// The flags of an encoded operation; the number of rules stands above them.
const (
	flagWant    = 1 << 0
	rulesShift  = 8
	jumpAgain   = -1
	errnoAnyRaw = -1
)

// encode fills b, which is all zeros.
func (o *Op) encode(b []byte, index int, labels []*Label) error {
	if o.nargs > maxArgs {
		return fmt.Errorf("encode step %d (%s): %d arguments, more than %d", index, o.What, o.nargs, maxArgs)
	}
	if len(o.rules) > MaxRules {
		return fmt.Errorf("encode step %d (%s): %d rules, more than %d", index, o.What, len(o.rules), MaxRules)
	}
	flags := uint32(len(o.rules)) << rulesShift
	if o.hasWant {
		flags |= flagWant
	}
	le := binary.NativeEndian
	le.PutUint32(b[0:], uint32(o.kind))
	le.PutUint32(b[4:], o.nr)
	le.PutUint32(b[8:], uint32(o.cells))
	le.PutUint32(b[12:], flags)
	for i, a := range o.args {
		le.PutUint64(b[16+8*i:], a)
	}
	le.PutUint64(b[64:], uint64(o.keep))
	le.PutUint64(b[72:], uint64(o.want))
	for i, r := range o.rules {
		errno, jump := int32(r.errno), int32(0)
		if r.errno == uint16(AnyErrno) {
			errno = errnoAnyRaw
		}
		switch r.answer {
		case again:
			jump = jumpAgain
		case skip:
			to := labels[r.label].index
			if to < 0 {
				return fmt.Errorf("encode step %d (%s): it skips to a label that is nowhere", index, o.What)
			}
			if to <= index {
				return fmt.Errorf("encode step %d (%s): it skips back", index, o.What)
			}
			jump = int32(to - index - 1)
		}
		le.PutUint32(b[80+8*i:], uint32(errno))
		le.PutUint32(b[84+8*i:], uint32(jump))
	}
	return nil
}
