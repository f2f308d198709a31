package bundle

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// SyntaxError is a file that is no JSON.
type SyntaxError struct {
	Path         string
	Line, Column int // from 1, the column in characters
	Problem      string
}

func (e *SyntaxError) Error() string {
	return "parse " + e.Path + ": line " + strconv.Itoa(e.Line) + ", column " + strconv.Itoa(e.Column) + ": " + e.Problem
}

// position is the line and column of an offset.
func position(raw []byte, offset int) (line, column int) {
	before := raw[:offset]
	start := bytes.LastIndexByte(before, '\n') + 1
	return 1 + bytes.Count(before, []byte{'\n'}), 1 + utf8.RuneCount(before[start:])
}

func syntaxError(path string, raw []byte, offset int, problem string) *SyntaxError {
	e := &SyntaxError{Path: path, Problem: problem}
	e.Line, e.Column = position(raw, offset)
	return e
}

// notUTF8 finds the first byte of a file that is not UTF-8.
func notUTF8(path string, raw []byte) *SyntaxError {
	for i := 0; i < len(raw); {
		r, size := utf8.DecodeRune(raw[i:])
		if r == utf8.RuneError && size == 1 {
			return syntaxError(path, raw, i, "expected UTF-8, found the byte 0x"+strconv.FormatUint(uint64(raw[i]), 16))
		}
		i += size
	}
	return nil
}

type nodeKind uint8

const (
	nodeNull nodeKind = iota
	nodeBool
	nodeNumber
	nodeString
	nodeArray
	nodeObject
)

// node is one value of a JSON text.
type node struct {
	kind  nodeKind
	text  string // of a string, unescaped; of a number, as it is
	names []string
	nodes []*node // elements, or members in the order of names

	start, end int // where it stands
}

// maxDepth bounds the nesting. No config is deeper than a dozen.
const maxDepth = 1000

// parser reads JSON strictly, and says where it fails and what it had
// expected there. It is the slow one: it runs when the generated decoder has
// failed, and builds a tree of the whole text.
type parser struct {
	raw    []byte
	pos    int
	depth  int
	at     int // where it failed
	failed string
}

// parseJSON is the tree of a JSON text, or what is wrong with it and where.
func parseJSON(raw []byte) (tree *node, offset int, problem string) {
	p := parser{raw: raw}
	if bytes.HasPrefix(raw, []byte("\ufeff")) {
		return nil, 0, "expected JSON, found a byte order mark"
	}
	tree = p.value("a value")
	if p.failed == "" && p.skip() < len(raw) {
		p.fail("the end of the file")
	}
	if p.failed != "" {
		return nil, p.at, p.failed
	}
	return tree, 0, ""
}

// treeOf is the tree of a text that the decoder has accepted; nil for one that
// is not quite JSON.
func treeOf(raw []byte) *node {
	tree, _, _ := parseJSON(raw)
	return tree
}

// skip goes past white space and returns the position.
func (p *parser) skip() int {
	for p.pos < len(p.raw) && strings.IndexByte(" \t\r\n", p.raw[p.pos]) >= 0 {
		p.pos++
	}
	return p.pos
}

// fail notes what was expected here, and what there is.
func (p *parser) fail(expected string) {
	if p.failed == "" {
		p.at = p.pos
		p.failed = "expected " + expected + ", found " + p.found()
	}
}

func (p *parser) found() string {
	rest := p.raw[p.pos:]
	if len(rest) == 0 {
		return "the end of the file"
	}
	if word := p.word(); word != "" {
		return strconv.Quote(word)
	}
	r, _ := utf8.DecodeRune(rest)
	return strconv.Quote(string(r))
}

// word is the bare word at the position, bounded.
func (p *parser) word() string {
	end := p.pos
	for end < len(p.raw) && end < p.pos+20 && (p.raw[end]|0x20 >= 'a' && p.raw[end]|0x20 <= 'z' || p.raw[end] >= '0' && p.raw[end] <= '9') {
		end++
	}
	return string(p.raw[p.pos:end])
}

func (p *parser) value(expected string) *node {
	start := p.skip()
	n := p.anyValue(expected)
	if n != nil {
		n.start, n.end = start, p.pos
	}
	return n
}

func (p *parser) anyValue(expected string) *node {
	if p.skip() == len(p.raw) {
		p.fail(expected)
		return nil
	}
	switch ch := p.raw[p.pos]; {
	case ch == '{' || ch == '[':
		if p.depth++; p.depth > maxDepth {
			p.fail("at most " + strconv.Itoa(maxDepth) + " levels")
			return nil
		}
		defer func() { p.depth-- }()
		if ch == '{' {
			return p.object()
		}
		return p.array()
	case ch == '"':
		s, ok := p.str()
		if !ok {
			return nil
		}
		return &node{kind: nodeString, text: s}
	case ch == '-' || ch >= '0' && ch <= '9':
		return p.number()
	}
	kind := nodeNull
	switch word := p.word(); word {
	case "true", "false":
		kind = nodeBool
		p.pos += len(word)
	case "null":
		p.pos += len(word)
	default:
		p.fail(expected)
		return nil
	}
	return &node{kind: kind}
}

func (p *parser) object() *node {
	n := &node{kind: nodeObject}
	p.pos++
	if p.next('}') {
		return n
	}
	expected := "a property name in double quotes or }"
	for {
		if p.skip() == len(p.raw) || p.raw[p.pos] != '"' {
			p.fail(expected)
			return nil
		}
		name, ok := p.str()
		if !ok {
			return nil
		}
		if !p.next(':') {
			p.fail(": after the property name")
			return nil
		}
		v := p.value("a value")
		if v == nil {
			return nil
		}
		n.names, n.nodes = append(n.names, name), append(n.nodes, v)
		if p.next('}') {
			return n
		}
		if !p.next(',') {
			p.fail(", or }")
			return nil
		}
		expected = "a property name in double quotes"
	}
}

func (p *parser) array() *node {
	n := &node{kind: nodeArray}
	p.pos++
	if p.next(']') {
		return n
	}
	expected := "a value or ]"
	for {
		v := p.value(expected)
		if v == nil {
			return nil
		}
		n.nodes = append(n.nodes, v)
		if p.next(']') {
			return n
		}
		if !p.next(',') {
			p.fail(", or ]")
			return nil
		}
		expected = "a value"
	}
}

// next goes past a character if it is there.
func (p *parser) next(ch byte) bool {
	if p.skip() < len(p.raw) && p.raw[p.pos] == ch {
		p.pos++
		return true
	}
	return false
}

func (p *parser) number() *node {
	start := p.pos
	p.next('-')
	digits := func() bool {
		from := p.pos
		for p.pos < len(p.raw) && p.raw[p.pos] >= '0' && p.raw[p.pos] <= '9' {
			p.pos++
		}
		return p.pos > from
	}
	zero := p.pos < len(p.raw) && p.raw[p.pos] == '0'
	from := p.pos
	if !digits() {
		p.fail("a digit")
		return nil
	}
	if zero && p.pos > from+1 {
		p.pos = from
		p.fail("a number without leading zeros")
		return nil
	}
	if p.pos < len(p.raw) && p.raw[p.pos] == '.' {
		p.pos++
		if !digits() {
			p.fail("a digit")
			return nil
		}
	}
	if p.pos < len(p.raw) && p.raw[p.pos]|0x20 == 'e' {
		p.pos++
		if p.pos < len(p.raw) && (p.raw[p.pos] == '+' || p.raw[p.pos] == '-') {
			p.pos++
		}
		if !digits() {
			p.fail("a digit")
			return nil
		}
	}
	return &node{kind: nodeNumber, text: string(p.raw[start:p.pos])}
}
