package cgroup2

import (
	"fmt"
	"strconv"
	"strings"
)

// parseFlat reads a file of keys and numbers, one pair a line (cpu.stat,
// memory.stat, *.events).
func parseFlat(text string) (map[string]uint64, error) {
	all := make(map[string]uint64, strings.Count(text, "\n"))
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		n, err := strconv.ParseUint(value, 10, 64)
		if !ok || key == "" || err != nil {
			return nil, unexpected(line)
		}
		all[key] = n
	}
	return all, nil
}

func unexpected(line string) error {
	return fmt.Errorf("unexpected line %q", strings.TrimSuffix(line, "\n"))
}

// parseLimit is parseMax with nil for no limit.
func parseLimit(text string) (*uint64, error) {
	limit, unlimited, err := parseMax(text)
	if err != nil {
		return nil, unexpected(text)
	}
	if unlimited {
		return nil, nil
	}
	return &limit, nil
}

// parseBandwidth reads cpu.max as the number of processors that may be used;
// 0 for no limit.
func parseBandwidth(text string) (float64, error) {
	first, second, ok := strings.Cut(strings.TrimSuffix(text, "\n"), " ")
	period, err := strconv.ParseUint(second, 10, 64)
	if !ok || err != nil || period == 0 {
		return 0, unexpected(text)
	}
	quota, unlimited, err := parseMax(first)
	switch {
	case err != nil:
		return 0, unexpected(text)
	case unlimited:
		return 0, nil
	}
	return float64(quota) / float64(period), nil
}

// parsePressure reads one of the files *.pressure. Those of processors have
// only some before Linux 5.13.
func parsePressure(text string) (*Pressure, error) {
	p := &Pressure{}
	some := false
	for line := range strings.Lines(text) {
		kind, values, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		s, ok := parseStall(values)
		switch {
		case !ok:
			return nil, unexpected(line)
		case kind == "some":
			p.Some, some = s, true
		case kind == "full":
			p.Full = &s
		default:
			return nil, unexpected(line)
		}
	}
	if !some {
		return nil, fmt.Errorf("no line some")
	}
	return p, nil
}

func parseStall(values string) (s Stall, ok bool) {
	seen := 0
	for pair := range strings.FieldsSeq(values) {
		key, value, _ := strings.Cut(pair, "=")
		var err error
		switch key {
		case "avg10":
			s.Avg10, err = parsePercent(value)
		case "avg60":
			s.Avg60, err = parsePercent(value)
		case "avg300":
			s.Avg300, err = parsePercent(value)
		case "total":
			s.Total, err = strconv.ParseUint(value, 10, 64)
		default:
			continue
		}
		if err != nil {
			return Stall{}, false
		}
		seen++
	}
	return s, seen == 4
}

// parsePercent reads digits, a point and digits: no infinities, no exponents.
func parsePercent(text string) (float64, error) {
	if strings.Trim(text, "0123456789.") != "" {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseFloat(text, 64)
}

// parseIOStat reads io.stat. A device without figures has a line without its
// end in some kernels, so that the next one
// follows in the same line: the figures are of the last device in it.
func parseIOStat(text string) ([]IOStats, error) {
	var all []IOStats
	for line := range strings.Lines(text) {
		var s *IOStats
		for word := range strings.FieldsSeq(line) {
			key, value, figure := strings.Cut(word, "=")
			if !figure {
				major, minor, ok := parseDevice(word)
				if !ok || s != nil && *s != (IOStats{Major: s.Major, Minor: s.Minor}) {
					return nil, unexpected(line)
				}
				s = &IOStats{Major: major, Minor: minor}
				continue
			}
			if s == nil || !s.set(key, value) {
				return nil, unexpected(line)
			}
		}
		if s != nil {
			all = append(all, *s)
		}
	}
	return all, nil
}

func parseDevice(word string) (major, minor uint64, ok bool) {
	first, second, ok := strings.Cut(word, ":")
	major, err1 := strconv.ParseUint(first, 10, 32)
	minor, err2 := strconv.ParseUint(second, 10, 32)
	return major, minor, ok && err1 == nil && err2 == nil
}

// set notes a figure. Those of a scheduler or a cost model are passed over.
func (s *IOStats) set(key, value string) bool {
	var into *uint64
	switch key {
	case "rbytes":
		into = &s.ReadBytes
	case "wbytes":
		into = &s.WrittenBytes
	case "rios":
		into = &s.Reads
	case "wios":
		into = &s.Writes
	case "dbytes":
		into = &s.DiscardedBytes
	case "dios":
		into = &s.Discards
	default:
		return true
	}
	n, err := strconv.ParseUint(value, 10, 64)
	*into = n
	return err == nil
}
