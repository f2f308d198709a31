package cgroup2

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// write is one step of an update.
type write struct {
	leaf        bool // in the leaf, else in the container's cgroup
	file, value string
	before      string // what takes it back; empty where nothing can
}

// The files of which one decides what may be written to the other.
const (
	fileIdle   = "cpu.idle"
	fileWeight = "cpu.weight"
	fileCPU    = "cpu.max"
	fileBurst  = "cpu.max.burst"
	fileMemory = "memory.max"
	fileSwap   = "memory.swap.max"
)

// planUpdate decides what is written, in which order, to bring a container's
// cgroup and its leaf from what they hold to the settings. It is pure.
//
// Limits are raised outside first and lowered inside first, so that at no time
// the leaf promises more than there is. What is so already is not written.
// What cannot be taken back comes last.
func planUpdate(settings []Setting, outside, inside values) ([]write, error) {
	resolved, err := resolve(settings, outside)
	if err != nil {
		return nil, err
	}
	var writes, final []write
	changed := map[write]bool{}
	add := func(leaf bool, s Setting, v values) {
		w := write{leaf: leaf, file: s.File, value: s.inFull(v)}
		w.before = before(s.File, w.value, v)
		switch place := (write{leaf: leaf, file: s.File}); {
		case w.before == "":
			final = append(final, w)
		case w.before != w.value || changed[place]:
			changed[place] = true
			writes = append(writes, w)
		}
	}
	for _, s := range inOrder(resolved, outside) {
		lower := false
		if higher, known := raises(s.File, outside[s.File], s.inFull(outside)); known {
			lower = !higher
		}
		for _, leaf := range [...]bool{lower, !lower} {
			v := outside
			if leaf {
				if len(mirrored([]Setting{s})) == 0 {
					continue
				}
				v = inside
			}
			if s.File == fileIdle && s.Value == "1" && v[fileIdle] == "0" {
				// A cgroup that stops being idle has forgotten its weight, so
				// taking this back is taking two things back.
				writes = append(writes, write{leaf: leaf, file: fileWeight, value: v[fileWeight], before: v[fileWeight]})
			}
			add(leaf, s, v)
		}
	}
	return append(writes, final...), nil
}

// resolve chooses among alternatives by the files that are there, and drops
// what is so without them.
func resolve(settings []Setting, v values) ([]Setting, error) {
	var out []Setting
	idle := v[fileIdle]
	for _, s := range settings {
		if _, there := v[s.File]; !there && s.Else != nil {
			s = *s.Else
		}
		_, there := v[s.File]
		switch {
		case !there && s.Optional:
			continue
		case !there:
			return nil, fmt.Errorf("set %s to %s: %w", s.File, printable(s.Value), errNoFile)
		case s.File == fileIdle:
			idle = s.Value
		case s.File == fileWeight && idle == "1":
			return nil, fmt.Errorf("set %s to %s: an idle cgroup has no weight (cpu.idle is 1)", s.File, s.Value)
		}
		out = append(out, s)
	}
	return out, nil
}

// inOrder returns the settings in an order that the kernel accepts, and that
// does not do harm on the way: a burst must never be above the quota, and
// memory is given before swap is taken away.
func inOrder(settings []Setting, v values) []Setting {
	out := append([]Setting(nil), settings...)
	for i := 0; i+1 < len(out); i++ {
		first, second := out[i], out[i+1]
		up1, known1 := raises(first.File, v[first.File], first.inFull(v))
		up2, known2 := raises(second.File, v[second.File], second.inFull(v))
		if !known1 || !known2 {
			continue
		}
		if first.File == fileCPU && second.File == fileBurst && !up2 ||
			first.File == fileSwap && second.File == fileMemory && !up1 && up2 {
			out[i], out[i+1] = second, first
			i++
		}
	}
	return out
}

// inFull returns the value with what the file holds already, where it speaks
// of a part only.
func (s Setting) inFull(v values) string {
	if s.File != fileCPU {
		return s.Value
	}
	quota, period, _ := strings.Cut(v[s.File], " ")
	switch {
	case s.KeepFirst:
		return quota + " " + s.Value
	case !strings.Contains(s.Value, " ") && period != "":
		return s.Value + " " + period
	}
	return s.Value
}

// raises says whether a new value is a higher limit than the old one, if that
// is a question of numbers.
func raises(file, old, value string) (higher, known bool) {
	a, ok1 := amount(file, old)
	b, ok2 := amount(file, value)
	return b > a, ok1 && ok2
}

// amount is a limit as a number to compare: bandwidth as its share of time.
func amount(file, text string) (float64, bool) {
	first, second, pair := strings.Cut(text, " ")
	if first == noLimit {
		return math.Inf(1), true
	}
	n, err := strconv.ParseFloat(first, 64)
	if err != nil || pair != (file == fileCPU) {
		return 0, false
	}
	if pair {
		period, err := strconv.ParseFloat(second, 64)
		if err != nil || period <= 0 {
			return 0, false
		}
		n /= period
	}
	return n, true
}

// before returns what takes a write back: the file's one value, or in a file
// that is a table the line that the write is about. Nothing, where there is no
// going back: what is done when it is written, as memory.reclaim, and tables
// that nobody here knows.
func before(file, value string, v values) string {
	text := v[file]
	if strings.HasSuffix(file, ".pressure") {
		return ""
	}
	key, _, keyed := strings.Cut(strings.TrimSpace(value), " ")
	if !keyed {
		key = "default"
	}
	for line := range strings.SplitSeq(text, "\n") {
		if name, rest, ok := strings.Cut(line, " "); ok && name == key && rest != "" {
			return line
		}
	}
	switch file {
	case "io.max":
		return key + " rbps=max wbps=max riops=max wiops=max"
	case "io.weight", "io.bfq.weight":
		if keyed && key != "default" {
			return key + " default"
		}
	case "io.latency":
		return key + " target=0"
	case "rdma.max":
		return key + " hca_handle=max hca_object=max"
	case "cpuset.cpus", "cpuset.mems":
		if text == "" {
			return "\n"
		}
	case "cpuset.cpus.partition":
		text, _, _ = strings.Cut(text, " ") // root invalid (…)
	case fileWeight:
		if v[fileIdle] == "1" {
			return "" // it has none: its being idle comes back
		}
	}
	if strings.Contains(text, "\n") {
		return ""
	}
	return text
}
