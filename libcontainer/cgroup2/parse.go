package cgroup2

import (
	"fmt"
	"strconv"
	"strings"
)

// parsePids appends the numbers of a cgroup.procs or cgroup.threads, one a
// line. A 0 stands for a process that our pid namespace does not show. A last
// line without its newline is not read: it is the half of one.
func parsePids(pids []int, text string) ([]int, error) {
	for line := range strings.Lines(text) {
		word, whole := strings.CutSuffix(line, "\n")
		if !whole {
			break
		}
		pid, err := strconv.Atoi(word)
		if err != nil || pid < 0 {
			return nil, fmt.Errorf("unexpected line %q", word)
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

// parseKey returns the number that stands behind key in a flat keyed file
// (cgroup.events, memory.events), one key and number a line.
func parseKey(text, key string) (uint64, bool) {
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if !ok || name != key {
			continue
		}
		n, err := strconv.ParseUint(value, 10, 64)
		return n, err == nil
	}
	return 0, false
}

// parseMax reads a limit: a number, or max.
func parseMax(text string) (limit uint64, unlimited bool, err error) {
	word := strings.TrimSuffix(text, "\n")
	if word == "max" {
		return 0, true, nil
	}
	limit, err = strconv.ParseUint(word, 10, 64)
	return limit, false, err
}
