package bundle

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// str reads a string in quotes.
func (p *parser) str() (string, bool) {
	start := p.pos
	p.pos++
	var out []byte
	for p.pos < len(p.raw) {
		switch ch := p.raw[p.pos]; {
		case ch == '"':
			p.pos++
			return string(out), true
		case ch == '\\':
			r, ok := p.escape()
			if !ok {
				return "", false
			}
			out = utf8.AppendRune(out, r)
		case ch < 0x20:
			if ch == '\n' || ch == '\r' {
				p.fail("the \" that ends the string")
			} else {
				p.fail("a character of a string")
			}
			return "", false
		default:
			out = append(out, ch)
			p.pos++
		}
	}
	line, column := position(p.raw, start)
	p.fail("the \" that ends the string of line " + strconv.Itoa(line) + ", column " + strconv.Itoa(column))
	return "", false
}

// escape reads one escaped character, or two that are a surrogate pair.
func (p *parser) escape() (rune, bool) {
	p.pos++
	if p.pos < len(p.raw) && p.raw[p.pos] == 'u' {
		r, ok := p.hex4()
		if !ok || !utf16.IsSurrogate(r) {
			return r, ok
		}
		if p.pos+1 < len(p.raw) && p.raw[p.pos] == '\\' && p.raw[p.pos+1] == 'u' {
			before := p.pos
			p.pos++
			low, ok := p.hex4()
			if !ok {
				return 0, false
			}
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, true
			}
			p.pos = before
		}
		return utf8.RuneError, true
	}
	if p.pos < len(p.raw) {
		for i, ch := range `"\/bfnrt` {
			if rune(p.raw[p.pos]) == ch {
				p.pos++
				return rune("\"\\/\b\f\n\r\t"[i]), true
			}
		}
	}
	p.fail(`one of "\/bfnrtu after \`)
	return 0, false
}

// hex4 reads the u and the four digits of an escape.
func (p *parser) hex4() (rune, bool) {
	p.pos++
	var r rune
	for range 4 {
		if p.pos == len(p.raw) {
			p.fail("a hexadecimal digit")
			return 0, false
		}
		d, err := strconv.ParseUint(string(p.raw[p.pos]), 16, 8)
		if err != nil {
			p.fail("a hexadecimal digit")
			return 0, false
		}
		r = r<<4 | rune(d)
		p.pos++
	}
	return r, true
}
