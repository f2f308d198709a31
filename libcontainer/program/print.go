package program

import (
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
)

// Print writes the program for people, one line a step:
//
//	step 12: mkdirat($dev, "shm", 0755) = $shm    # make /dev/shm; EEXIST: go on
func (p *Program) Print(w io.Writer) error {
	var sb strings.Builder
	for line := range p.Lines() {
		sb.WriteString(line)
		sb.WriteByte('\n')
	}
	_, err := io.WriteString(w, sb.String())
	return err
}

// Lines are what Print writes, without the newlines.
func (p *Program) Lines() iter.Seq[string] {
	return func(yield func(string) bool) {
		r := printer{p, map[Addr]string{}}
		for s, at := range p.strings {
			r.names[at] = quote(s)
		}
		for _, n := range p.names {
			r.names[n.at] = n.name
		}
		for i := range p.ops {
			if !yield(r.line(i)) {
				return
			}
		}
	}
}

// printer knows by which names people know addresses.
type printer struct {
	*Program
	names map[Addr]string
}

func (p *printer) line(i int) string {
	op := p.ops[i]
	var sb strings.Builder
	fmt.Fprintf(&sb, "step %d: ", i)
	switch op.kind {
	case Call:
		name := syscallName(op.nr)
		sb.WriteString(name)
		sb.WriteByte('(')
		for j := range min(int(op.nargs), maxArgs) {
			if j > 0 {
				sb.WriteString(", ")
			}
			if j == modeArg(name) {
				fmt.Fprintf(&sb, "%#o", op.args[j])
				continue
			}
			sb.WriteString(p.arg(op.arg(j), name))
		}
		sb.WriteByte(')')
	case Check:
		fmt.Fprintf(&sb, "check *%s & %#x == %#x else %s", p.arg(op.arg(0), ""),
			op.args[1], op.args[2], errnoName(int64(op.args[3])))
	case Store32, Store64:
		fmt.Fprintf(&sb, "*%s := %s", p.arg(op.arg(0), ""), p.arg(op.arg(1), ""))
	}
	if op.keep != 0 {
		sb.WriteString(" = " + p.cell(op.keep))
	}
	if op.hasWant {
		fmt.Fprintf(&sb, " want %d", op.want)
	}
	sb.WriteString("  # " + op.What)
	for _, r := range op.rules {
		sb.WriteString("; " + errnoName(int64(r.errno)))
		switch r.answer {
		case again:
			sb.WriteString(": again")
		case skip:
			fmt.Fprintf(&sb, ": to step %d", p.labels[r.label].index)
		default:
			sb.WriteString(": go on")
		}
	}
	return sb.String()
}

// modeArg is the index of the argument of a call that is a mode, or -1.
func modeArg(call string) int {
	switch call {
	case "mkdirat", "mknodat":
		return 2
	case "umask":
		return 0
	}
	return -1
}

func (p *printer) cell(c Cell) string {
	if uint64(c) == p.base+offReport {
		return "$report"
	}
	if n, ok := p.names[Addr(c)]; ok {
		return "$" + n
	}
	return fmt.Sprintf("$%#x", uint64(c)-p.base)
}

// arg prints one argument. Numbers that stand for no name of ours are printed
// as the kernel's documents would write them: small ones in decimal, flags in hex.
func (p *printer) arg(a Arg, call string) string {
	if a.isCell {
		return p.cell(Cell(a.value))
	}
	if n, ok := p.names[Addr(a.value)]; ok {
		if _, isInput := p.inputs[n]; isInput || !strings.HasPrefix(n, `"`) {
			return "&" + n
		}
		return n
	}
	switch {
	case a.value == p.base+offReport:
		return "&report"
	case a.value == p.base+offIndexBase:
		return "&index_base"
	case a.value >= p.base+offData && a.value < p.base+offData+uint64(len(p.data)):
		return fmt.Sprintf("&data[%#x]", a.value-p.base-offData)
	case int64(a.value) == atFDCWD:
		return "AT_FDCWD"
	case int64(a.value) < 0 && int64(a.value) > -4096, a.value < 4096 && (call != "mount" || a.value == 0):
		return strconv.FormatInt(int64(a.value), 10)
	}
	return fmt.Sprintf("%#x", a.value)
}

const atFDCWD = -100

// quote quotes a string of the program, cut where it would fill the screen.
func quote(s string) string {
	const most = 120
	if len(s) > most {
		return strconv.Quote(s[:most]) + "..."
	}
	return strconv.Quote(s)
}
