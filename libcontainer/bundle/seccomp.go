package bundle

import (
	"slices"

	"github.com/mailru/easyjson/jlexer"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Known says whether a profile with that text, byte for byte, has been found
// good before by all that looks at profiles, and whoever asks has what it takes
// to do without it.
type Known func(profile []byte) bool

// profileText is linux.seccomp as it stands in config.json: engines give the
// same one to every container, and it takes longer to decode than all the rest.
// Of two that are there the second counts.
type profileText []byte

// UnmarshalEasyJSON takes the text and sets the lexer behind it. The lexer's own
// way to do so reads it twice, and a third time to see whether it is JSON; here
// who decodes it finds that.
func (t *profileText) UnmarshalEasyJSON(l *jlexer.Lexer) {
	*t = nil
	if l.IsNull() {
		l.Skip()
		return
	}
	if l.Ok() && l.IsDelim('{') {
		rest := l.Data[l.GetPos()-1:]
		if n := objectLength(rest); n > 0 {
			*t = rest[:n:n]
			*l = jlexer.Lexer{Data: rest[n:]}
			return
		}
	}
	*t = l.Raw() // something of a wrong type, or without an end
}

// objectLength is the length of the JSON object that a text begins with, 0 if
// it has no end.
func objectLength(text []byte) int {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{':
			depth++
		case c == '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

// decode reads the profile, unless there is none or it is known.
func (t profileText) decode(into **specs.LinuxSeccomp, known Known) error {
	if t == nil || known != nil && known(t) {
		return nil
	}
	var p profile
	lexer := jlexer.Lexer{Data: t}
	p.UnmarshalEasyJSON(&lexer)
	*into = (*specs.LinuxSeccomp)(&p)
	return lexer.Error()
}

// listener checks who is to be notified. The rest of a profile is checked by
// the compiler.
func (c *checker) listener(s *specs.LinuxSeccomp) {
	if s == nil {
		return
	}
	const pointer = "/linux/seccomp/listenerPath"
	if c.text(pointer, s.ListenerPath); s.ListenerPath != "" {
		return
	}
	if s.ListenerMetadata != "" {
		c.bad("/linux/seccomp/listenerMetadata", s.ListenerMetadata, "needs a listenerPath")
	}
	if s.DefaultAction == specs.ActNotify ||
		slices.ContainsFunc(s.Syscalls, func(r specs.LinuxSyscall) bool { return r.Action == specs.ActNotify }) {
		c.bad(pointer, nil, "is required for SCMP_ACT_NOTIFY")
	}
}
