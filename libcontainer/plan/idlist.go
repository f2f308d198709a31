package plan

import (
	"errors"
	"strconv"
	"strings"
)

// How many memory nodes and processors a kernel can be built for
// (CONFIG_NODES_SHIFT, CONFIG_NR_CPUS).
const (
	MaxNodes = 1 << 10
	MaxCPUs  = 1 << 13
)

// ParseIDs reads a list of numbers and ranges below limit ("0-3,7") into a
// set with a bit for each; the empty list is nil.
func ParseIDs(list string, limit int) ([]uint64, error) {
	if list == "" {
		return nil, nil
	}
	var set []uint64
	for part := range strings.SplitSeq(list, ",") {
		low, high, isRange := strings.Cut(part, "-")
		first, err := parseID(low, limit)
		last := first
		if err == nil && isRange {
			last, err = parseID(high, limit)
		}
		switch {
		case err != nil:
			return nil, err
		case last < first:
			return nil, errors.New("has the range " + part + ", which ends before it begins")
		}
		for len(set) <= last/64 {
			set = append(set, 0)
		}
		for id := first; id <= last; id++ {
			set[id/64] |= 1 << (id % 64)
		}
	}
	return set, nil
}

func parseID(text string, limit int) (int, error) {
	for _, digit := range []byte(text) {
		if digit < '0' || digit > '9' {
			text = ""
			break
		}
	}
	id, err := strconv.Atoi(text)
	switch {
	case text == "":
		return 0, errors.New("must be a list of numbers and ranges, such as 0-3,5")
	case err != nil || id >= limit:
		return 0, errors.New("must have no number above " + strconv.Itoa(limit-1))
	}
	return id, nil
}
