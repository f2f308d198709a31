package main

import (
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mesoc/mesoc/libcontainer"
)

var stateCommand = command{
	name:        "state",
	usage:       "print the state of a container",
	arguments:   "ID",
	description: `Prints the container's state as JSON.`,
	minArgs:     1, maxArgs: 1, takesID: true, early: true,
	run: func(c *call) error {
		s, err := c.runtime().State(c.id())
		if err != nil {
			return err
		}
		_, err = c.stdout.Write(appendState(nil, s))
		return err
	},
}

// appendState appends s as encoding/json would indent it. Engines ask for the
// state more often than for anything else, and in a process that lives for a
// millisecond reflection over the type would cost a good part of it.
func appendState(b []byte, s *libcontainer.State) []byte {
	b = appendMember(append(b, '{'), "ociVersion", s.OCIVersion)
	b = appendMember(append(b, ','), "id", s.ID)
	b = append(b, ",\n  \"pid\": "...)
	b = strconv.AppendInt(b, int64(s.Pid), 10)
	b = appendMember(append(b, ','), "status", string(s.Status))
	b = appendMember(append(b, ','), "bundle", s.Bundle)
	b = appendMember(append(b, ','), "rootfs", s.Rootfs)
	b = appendMember(append(b, ','), "created", s.Created.Format(time.RFC3339Nano))
	b = appendAnnotations(b, s.Annotations)
	b = appendMember(append(b, ','), "owner", s.Owner)
	if s.Mesoc != nil {
		b = append(b, ",\n  \"mesoc\": "...)
		b = appendExtension(b, s.Mesoc)
	}
	return append(b, "\n}"...)
}

func appendMember(b []byte, name, value string) []byte {
	b = append(b, "\n  \""...)
	b = append(b, name...)
	b = append(b, "\": "...)
	return appendString(b, value)
}

func appendAnnotations(b []byte, annotations map[string]string) []byte {
	if len(annotations) == 0 {
		return b
	}
	keys := make([]string, 0, len(annotations))
	for key := range annotations {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	b = append(b, ",\n  \"annotations\": {"...)
	for i, key := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, "\n    "...)
		b = appendString(b, key)
		b = append(b, ": "...)
		b = appendString(b, annotations[key])
	}
	return append(b, "\n  }"...)
}

func appendExtension(b []byte, e *libcontainer.Extension) []byte {
	empty := len(b) + 1
	b = append(b, '{')
	if e.Parent != "" {
		b = appendString(append(b, "\n    \"parent\": "...), e.Parent)
	}
	if len(e.Children) > 0 {
		if len(b) > empty {
			b = append(b, ',')
		}
		b = appendList(append(b, "\n    \"children\": "...), e.Children)
	}
	if len(e.Isolation) > 0 {
		if len(b) > empty {
			b = append(b, ',')
		}
		b = appendList(append(b, "\n    \"isolation\": "...), e.Isolation)
	}
	if e.Cgroup != nil {
		if len(b) > empty {
			b = append(b, ',')
		}
		b = append(b, "\n    \"cgroup\": {\n      \"path\": "...)
		b = appendString(b, e.Cgroup.Path)
		b = append(b, ",\n      \"leaf\": "...)
		b = appendString(b, e.Cgroup.Leaf)
		b = append(b, "\n    }"...)
	}
	if e.Termination != nil {
		if len(b) > empty {
			b = append(b, ',')
		}
		b = append(b, "\n    \"termination\": {"...)
		b = appendTermination(b, e.Termination)
		b = append(b, "\n    }"...)
	}
	if len(b) > empty {
		b = append(b, "\n  "...)
	}
	return append(b, '}')
}

// appendList appends a list that is not empty.
func appendList(b []byte, values []string) []byte {
	separator := "[\n      "
	for _, value := range values {
		b = appendString(append(b, separator...), value)
		separator = ",\n      "
	}
	return append(b, "\n    ]"...)
}

func appendTermination(b []byte, e *libcontainer.Termination) []byte {
	separator := "\n      "
	member := func(name string) {
		b = append(append(append(b, separator...), name...), ": "...)
		separator = ",\n      "
	}
	if e.ExitCode != nil {
		member(`"exit_code"`)
		b = strconv.AppendInt(b, int64(*e.ExitCode), 10)
	}
	if e.Signal != 0 {
		member(`"signal"`)
		b = strconv.AppendInt(b, int64(e.Signal), 10)
	}
	if e.Reason != "" {
		member(`"reason"`)
		b = appendString(b, string(e.Reason))
	}
	if e.Message != "" {
		member(`"message"`)
		b = appendString(b, e.Message)
	}
	if e.Resources != nil {
		member(`"resources"`)
		b = appendResources(b, e.Resources)
	}
	if e.FinishedAt != nil {
		member(`"finished_at"`)
		b = appendString(b, e.FinishedAt.Format(time.RFC3339Nano))
	}
	return b
}

func appendResources(b []byte, r *libcontainer.Resources) []byte {
	separator := "{\n        "
	for _, v := range [...]struct {
		name  string
		value float64
	}{{`"mem"`, r.Mem}, {`"disk"`, r.Disk}} {
		if v.value != 0 {
			b = append(append(append(b, separator...), v.name...), ": "...)
			b = strconv.AppendFloat(b, v.value, 'f', -1, 64)
			separator = ",\n        "
		}
	}
	if separator[0] == '{' {
		return append(b, "{}"...)
	}
	return append(b, "\n      }"...)
}

// appendString appends a JSON string, escaped as encoding/json does it: what
// is not UTF-8 is replaced, and what HTML or JavaScript would read is hidden.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			switch {
			case r == utf8.RuneError && size == 1:
				b = append(b, `\ufffd`...)
			case r == '\u2028' || r == '\u2029':
				b = append(b, `\u202`...)
				b = append(b, hex[r&0xf])
			default:
				b = append(b, s[i:i+size]...)
			}
			i += size
			continue
		}
		i++
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c >= ' ' && c != '<' && c != '>' && c != '&':
			b = append(b, c)
		default:
			if at := strings.IndexByte("\b\f\n\r\t", c); at >= 0 {
				b = append(b, '\\', "bfnrt"[at])
			} else {
				b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
			}
		}
	}
	return append(b, '"')
}
