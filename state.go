package main

import (
	"encoding/json"
	"sort"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/mesoc/mesoc/libcontainer"
)

var stateCommand = command{
	name:        "state",
	usage:       "print the state of a container",
	arguments:   "ID",
	description: `Prints the container's state as JSON.`,
	minArgs:     1, maxArgs: 1, takesID: true,
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
	if e.Cgroup == nil {
		return append(b, "{}"...)
	}
	b = append(b, "{\n    \"cgroup\": {\n      \"path\": "...)
	b = appendString(b, e.Cgroup.Path)
	b = append(b, ",\n      \"leaf\": "...)
	b = appendString(b, e.Cgroup.Leaf)
	return append(b, "\n    }\n  }"...)
}

// appendString appends a JSON string. What needs escaping is rare enough to be
// left to encoding/json.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= utf8.RuneSelf || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, _ := json.Marshal(s)
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
