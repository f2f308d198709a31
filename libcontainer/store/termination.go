package store

import (
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/mailru/easyjson/jlexer"
)

// Termination is how a process ended.
type Termination struct {
	ExitCode int       // 0 to 255; of no meaning with a Signal
	Signal   int       // the signal that ended it; 0 if it exited
	Finished time.Time // when it was seen to end; zero if it had ended before
}

// Limitation is the limit for which a container was ended, or by which it ended
// itself. It stands beside the Termination, not in it: whoever enforces a limit
// and whoever sees the end are two, and either may be first.
type Limitation struct {
	Reason    Reason
	Message   string // for people: the figures
	Resources Resources
}

// Reason names a kind of limit as Mesos does (TaskStatus.Reason in mesos.proto).
type Reason string

// The reasons.
const (
	LimitationMemory Reason = "REASON_CONTAINER_LIMITATION_MEMORY"
	LimitationDisk   Reason = "REASON_CONTAINER_LIMITATION_DISK"
	LimitationOther  Reason = "REASON_CONTAINER_LIMITATION"
)

// Resources are the limits that were hit, in bytes; 0 for those that were not.
type Resources struct {
	Mem, Disk uint64
}

func (e *Termination) check() error {
	if e != nil && (e.ExitCode < 0 || e.ExitCode > 255 || e.Signal < 0 || e.Signal > 127) {
		return invalid("termination", "", "no process ends so")
	}
	return nil
}

func (l *Limitation) check() error {
	switch {
	case l == nil:
	case l.Reason != LimitationMemory && l.Reason != LimitationDisk && l.Reason != LimitationOther:
		return invalid("limitation", strconv.Quote(string(l.Reason)), "unknown")
	case !utf8.ValidString(l.Message):
		return invalid("limitation", strconv.Quote(l.Message), "not UTF-8")
	}
	return nil
}

func (w *object) termination(name string, e *Termination) {
	if e == nil {
		return
	}
	inner := object{}
	if e.Signal != 0 {
		inner.number(keySignal, uint64(e.Signal))
	} else {
		inner.key(keyExitCode)
		inner.buf = strconv.AppendUint(inner.buf, uint64(e.ExitCode), 10)
	}
	inner.time(keyFinishedAt, e.Finished)
	w.key(name)
	w.buf = append(append(w.buf, inner.buf...), '}')
}

func decodeTermination(in *jlexer.Lexer) *Termination {
	e := &Termination{}
	in.Delim('{')
	for in.Ok() && !in.IsDelim('}') {
		key := in.UnsafeFieldName(false)
		in.WantColon()
		switch key {
		case keyExitCode:
			e.ExitCode = in.Int()
		case keySignal:
			e.Signal = in.Int()
		case keyFinishedAt:
			in.AddError(e.Finished.UnmarshalText(in.UnsafeBytes()))
		default:
			in.SkipRecursive()
		}
		in.WantComma()
	}
	in.Delim('}')
	return e
}

func (w *object) limitation(name string, l *Limitation) {
	if l == nil {
		return
	}
	inner := object{}
	inner.string(keyReason, string(l.Reason))
	inner.string(keyMessage, l.Message)
	inner.number(keyMemBytes, l.Resources.Mem)
	inner.number(keyDiskBytes, l.Resources.Disk)
	w.key(name)
	w.buf = append(append(w.buf, inner.buf...), '}')
}

func decodeLimitation(in *jlexer.Lexer) *Limitation {
	l := &Limitation{}
	in.Delim('{')
	for in.Ok() && !in.IsDelim('}') {
		key := in.UnsafeFieldName(false)
		in.WantColon()
		switch key {
		case keyReason:
			l.Reason = Reason(in.String())
		case keyMessage:
			l.Message = in.String()
		case keyMemBytes:
			l.Resources.Mem = in.Uint64()
		case keyDiskBytes:
			l.Resources.Disk = in.Uint64()
		default:
			in.SkipRecursive()
		}
		in.WantComma()
	}
	in.Delim('}')
	return l
}
