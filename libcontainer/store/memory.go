package store

import (
	"strconv"

	"github.com/mailru/easyjson/jlexer"
)

// MemorySeen are counts of a container's memory.events.
type MemorySeen struct {
	OOM   uint64 // times that memory could not be had
	Kills uint64 // processes that were killed for it
}

// The names of its fields.
const (
	keySeenOOM   = "oom"
	keySeenKills = "oom_kill"
)

// memorySeen writes zeros, too: that nothing has been seen is worth knowing.
func (w *object) memorySeen(name string, m *MemorySeen) {
	if m == nil {
		return
	}
	inner := object{}
	inner.key(keySeenOOM)
	inner.buf = strconv.AppendUint(inner.buf, m.OOM, 10)
	inner.key(keySeenKills)
	inner.buf = strconv.AppendUint(inner.buf, m.Kills, 10)
	w.key(name)
	w.buf = append(append(w.buf, inner.buf...), '}')
}

func decodeMemorySeen(in *jlexer.Lexer) *MemorySeen {
	m := &MemorySeen{}
	in.Delim('{')
	for in.Ok() && !in.IsDelim('}') {
		key := in.UnsafeFieldName(false)
		in.WantColon()
		switch key {
		case keySeenOOM:
			m.OOM = in.Uint64()
		case keySeenKills:
			m.Kills = in.Uint64()
		default:
			in.SkipRecursive()
		}
		in.WantComma()
	}
	in.Delim('}')
	return m
}
