package main

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/program"
)

// faultVariable orders a failure of one step of the container's init, for
// tests: MESOC_TEST_FAULT=12 or MESOC_TEST_FAULT=12:ENOSPC. It is no setting
// of the operator, and says nothing that --debug does not show. The other is
// that for the program of the supervisor.
const (
	faultVariable           = "MESOC_TEST_FAULT"
	supervisorFaultVariable = "MESOC_TEST_SUPERVISOR_FAULT"
)

// fault is the failure that the environment orders, nil for none.
func fault(environ []string, variable string) (*program.Fault, error) {
	value, ok := lookup(environ, variable)
	if !ok {
		return nil, nil
	}
	step, name, named := strings.Cut(value, ":")
	errno := unix.EIO
	if named {
		errno = errnoNamed(name)
	}
	n, err := strconv.Atoi(step)
	if err != nil || n < 0 || errno == 0 {
		return nil, fmt.Errorf("read %s=%s: must be a step, or a step and an errno: 12:ENOSPC", variable, value)
	}
	return &program.Fault{Step: n, Errno: errno}, nil
}

// errnoNamed is 0 for a name that no errno has.
func errnoNamed(name string) unix.Errno {
	if name == "" {
		return 0 // what ErrnoName says of numbers without a name
	}
	for e := unix.Errno(1); e < 4096; e++ {
		if unix.ErrnoName(e) == name {
			return e
		}
	}
	return 0
}
