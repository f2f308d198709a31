package bundle

import (
	"fmt"
	"strconv"
	"strings"
)

// Problem is one thing that is wrong with a config.
type Problem struct {
	Pointer string `json:"pointer"`         // JSON pointer: "/process/args/0"
	Value   string `json:"value,omitempty"` // what is there, if that helps: strings in quotes
	Rule    string `json:"rule"`            // what is wrong with it
	// Err is the host's word, where the problem is one of the host.
	Err error `json:"-"`
}

func (p Problem) String() string {
	s := p.Pointer + ": "
	if p.Value != "" {
		s += p.Value + ": "
	}
	return s + p.Rule
}

// ValidationError is a config with problems.
type ValidationError struct {
	Path     string
	Problems []Problem
}

// Error is one sentence: it names the first problem and counts the others.
func (e *ValidationError) Error() string {
	if len(e.Problems) == 0 {
		return "validate " + e.Path
	}
	s := "validate " + e.Path + ": " + e.Problems[0].String()
	switch more := len(e.Problems) - 1; more {
	case 0:
		return s
	case 1:
		return s + ", and 1 more problem (the command validate lists them)"
	default:
		return s + ", and " + strconv.Itoa(more) + " more problems (the command validate lists them)"
	}
}

// Unwrap gives the host's errors, so that errors.Is(err, fs.ErrNotExist) holds
// for a bundle without a root.
func (e *ValidationError) Unwrap() []error {
	var all []error
	for i := range e.Problems {
		if err := e.Problems[i].Err; err != nil {
			all = append(all, err)
		}
	}
	return all
}

// checker collects problems and warnings.
type checker struct {
	problems []Problem
	warnings []Problem
}

// bad notes a problem. A value is shown as it is in the JSON.
func (c *checker) bad(pointer string, value any, rule string) {
	c.problems = append(c.problems, Problem{Pointer: pointer, Value: show(value), Rule: rule})
}

func (c *checker) failed(pointer, value string, err error) {
	c.problems = append(c.problems, Problem{Pointer: pointer, Value: show(value), Rule: err.Error(), Err: err})
}

func (c *checker) warn(pointer string, value any, rule string) {
	c.warnings = append(c.warnings, Problem{Pointer: pointer, Value: show(value), Rule: rule})
}

// maxShown is how much of a value is shown.
const maxShown = 120

func show(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		if len(v) > maxShown {
			return strconv.Quote(strings.ToValidUTF8(v[:maxShown], "")) + "…"
		}
		return strconv.Quote(v)
	default:
		return fmt.Sprint(v)
	}
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// at appends members and indices to a JSON pointer. It is called for problems
// only: the good path builds no strings.
func at(pointer string, parts ...any) string {
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			pointer += "/" + strconv.Itoa(p)
		case string:
			pointer += "/" + pointerEscapes.Replace(p)
		}
	}
	return pointer
}

const (
	ruleNUL      = "must not contain a NUL byte"
	ruleAbsolute = "must be an absolute path"
	ruleRequired = "is required"
	ruleEmpty    = "must not be empty"
)

// hasNUL reports whether a string cannot be given to the kernel, which ends
// strings at the first NUL.
func hasNUL(s string) bool { return strings.IndexByte(s, 0) >= 0 }

// texts checks a list of strings that go to the kernel.
func (c *checker) texts(pointer string, list []string) {
	for i, s := range list {
		if hasNUL(s) {
			c.bad(at(pointer, i), s, ruleNUL)
		}
	}
}

// text checks a string that goes to the kernel, and reports whether it is good.
func (c *checker) text(pointer, s string) bool {
	if hasNUL(s) {
		c.bad(pointer, s, ruleNUL)
		return false
	}
	return true
}

func isAbs(path string) bool { return len(path) > 0 && path[0] == '/' }
