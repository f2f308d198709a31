package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/mesoc/mesoc/libcontainer/isolator"
	"github.com/mesoc/mesoc/libcontainer/plan"
)

// The checks of single settings. Each says what the value should be; which
// setting it is, where it comes from and what it is, the caller adds.

func checkRoot(value string) error {
	if value == "" {
		return errors.New("must not be empty")
	}
	if filepath.Clean(value) == "/" {
		return errors.New("must not be the root of the file system")
	}
	return nil
}

func checkCgroupsRoot(value string) error {
	if strings.HasPrefix(value, "/") {
		return errors.New("must be relative to the cgroup2 mount")
	}
	for component := range strings.SplitSeq(value, "/") {
		if err := checkCgroupName(component); err != nil {
			return err
		}
	}
	return nil
}

func checkCgroupsLeaf(value string) error {
	if value == "mesos" {
		return errors.New("must not be mesos, which holds nested containers")
	}
	return checkCgroupName(value)
}

func checkCgroupName(name string) error {
	switch {
	case name == "":
		return errors.New("must not have an empty name")
	case name == "." || name == "..":
		return fmt.Errorf("must not have the name %s", name)
	case strings.ContainsAny(name, "/\n\x00"):
		return errors.New("must not have a slash or a line end in a name")
	case strings.HasPrefix(name, "cgroup."):
		return errors.New("must not have a name that begins with cgroup., which are the kernel's files")
	case len(name) > 255:
		return errors.New("must not have a name over 255 bytes")
	}
	return nil
}

func checkIsolation(value string) error {
	names, err := isolator.Parse(value)
	if err != nil {
		return err
	}
	if _, missing := isolator.Select(isolators(), names); len(missing) > 0 {
		return fmt.Errorf("isolator %s: not supported yet", missing[0])
	}
	return nil
}

// checkDuration takes Go's form, 15s, and Mesos' units, 15secs.
func checkDuration(value string) error {
	mesos := strings.NewReplacer("weeks", "w", "days", "d", "hrs", "h", "mins", "m", "secs", "s").Replace(value)
	d, err := time.ParseDuration(mesos)
	if amount, ok := strings.CutSuffix(mesos, "d"); ok {
		d, err = time.ParseDuration(amount + "h")
	} else if amount, ok := strings.CutSuffix(mesos, "w"); ok {
		d, err = time.ParseDuration(amount + "h")
	}
	if err != nil {
		return errors.New("must be a duration like 15s or 2mins")
	}
	if d <= 0 {
		return errors.New("must be more than nothing")
	}
	return nil
}

// checkSize takes Mesos' units, which are powers of 1024 (10MB), and the
// unambiguous spelling of them (10MiB).
func checkSize(value string) error {
	_, err := plan.ParseBytes(value)
	return err
}

// checkProjectRange takes Mesos' ranges: [5000-10000], [5-9,20-30].
func checkProjectRange(value string) error {
	inner, ok := strings.CutPrefix(value, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	if !ok || !closed {
		return errors.New("must be a range like [5000-10000]")
	}
	for part := range strings.SplitSeq(inner, ",") {
		low, high, ok := strings.Cut(strings.TrimSpace(part), "-")
		first, err1 := strconv.ParseUint(low, 10, 64)
		last, err2 := strconv.ParseUint(high, 10, 64)
		switch {
		case !ok || err1 != nil || err2 != nil:
			return errors.New("must be a range like [5000-10000]")
		case first == 0:
			return errors.New("must not contain project id 0, which is everybody's")
		case last > 1<<32-1:
			return errors.New("must not contain ids over 32 bits")
		case last < first:
			return fmt.Errorf("must not be empty, as %s-%s is", low, high)
		}
	}
	return nil
}

func parseHandle(value string) (uint64, error) {
	n, err := strconv.ParseUint(value, 0, 64)
	if err != nil {
		return 0, errors.New("must be a number like 0x0012")
	}
	if n > 0xffff {
		return 0, fmt.Errorf("must fit into 16 bits, which %s does not", value)
	}
	return n, nil
}

func checkHandle(value string) error {
	n, err := parseHandle(value)
	if err == nil && n == 0 {
		return errors.New("must not be 0")
	}
	return err
}

func checkHandleRange(value string) error {
	low, high, ok := strings.Cut(value, ",")
	if !ok || strings.Contains(high, ",") {
		return errors.New("must be two handles, the first and the last: 0x0001,0xffff")
	}
	first, err := parseHandle(low)
	if err != nil {
		return err
	}
	last, err := parseHandle(high)
	switch {
	case err != nil:
		return err
	case first == 0:
		return errors.New("must not begin with 0")
	case last < first:
		return errors.New("must not be empty")
	}
	return nil
}

func checkJSON(value string) error {
	if !json.Valid([]byte(value)) {
		return errors.New("must be JSON")
	}
	return nil
}

func checkCapabilities(value string) error {
	if strings.HasPrefix(value, "{") { // the agent's own form
		return checkJSON(value)
	}
	for name := range strings.SplitSeq(value, ",") {
		if name == "" || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") != "" {
			return errors.New("must be a comma list of capabilities like NET_RAW,SYS_ADMIN")
		}
	}
	return nil
}

// checkPrefixes takes an empty list for none.
func checkPrefixes(value string) error {
	if value == "" {
		return nil
	}
	for prefix := range strings.SplitSeq(value, ",") {
		if prefix == "" {
			return errors.New("must not have an empty prefix")
		}
	}
	return nil
}
