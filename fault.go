package main

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/program"
)

// faultVariable orders a failure of one step of the container's init, for
// tests: MESOC_TEST_FAULT=12 or MESOC_TEST_FAULT=12:ENOSPC; with 12:SIGKILL
// that is what the process group gets then. It is no setting of the operator,
// and says nothing that --debug does not show. The other is that for the
// program of the supervisor.
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
	f := &program.Fault{Errno: unix.EIO}
	if named {
		f.Errno, f.Signal = errnoNamed(name), unix.SignalNum(name)
	}
	var err error
	f.Step, err = strconv.Atoi(step)
	if err != nil || f.Step < 0 || f.Errno == 0 && f.Signal == 0 {
		return nil, fmt.Errorf("read %s=%s: must be a step, or a step and an errno or a signal: 12:ENOSPC, 12:SIGKILL", variable, value)
	}
	return f, nil
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
