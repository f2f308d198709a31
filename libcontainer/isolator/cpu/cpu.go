// Package cpu is the isolator cgroups/cpu: it turns requests and limits of
// processors into cpu.weight and cpu.max, as the Mesos Containerizer does. The
// runtime calls it; it decides and leaves the writing to the caller. Of
// linux.resources in config.json, which may ask for the same, it knows nothing.
package cpu

import (
	"context"
	"fmt"
	"strconv"

	"github.com/mesoc/mesoc/libcontainer/isolator"
	"github.com/mesoc/mesoc/libcontainer/plan"
)

// Isolator is cgroups/cpu.
type Isolator struct{ isolator.Nop }

// Name is cgroups/cpu.
func (Isolator) Name() string { return isolator.CgroupsCPU }

// Prepare sets what the container asks for.
func (Isolator) Prepare(_ context.Context, c *isolator.Container) (plan.Edits, error) {
	return plan.Edits{Limits: limits(c.Resources)}, nil
}

// Update sets what the container asks for, and where it has stopped asking what
// a cgroup has by default.
func (Isolator) Update(_ context.Context, was, now *isolator.Container) (plan.Edits, error) {
	edits := plan.Edits{Limits: limits(now.Resources)}
	edits.Reset(limits(was.Resources), byDefault)
	return edits, nil
}

// byDefault is what a new cgroup has.
func byDefault(file string) string {
	if file == fileWeight {
		return strconv.Itoa(weightDefault)
	}
	return noLimit
}

// Usage knows the request.
func (Isolator) Usage(_ context.Context, c *isolator.Container, u *isolator.Usage) error {
	u.CPUsSoftLimit = c.Resources.Requests.CPUs
	return nil
}

const (
	fileWeight = "cpu.weight"
	fileMax    = "cpu.max"
	noLimit    = "max"
)

// Mesos' figures (src/slave/containerizer/mesos/isolators/cgroups2/constants.hpp),
// and where the kernel ends.
const (
	weightPerCPU  = 100
	weightMin     = 1
	weightMax     = 10000         // the kernel's CGROUP_WEIGHT_MAX
	weightDefault = 100           // the kernel's CGROUP_WEIGHT_DFL
	period        = 100000        // µs
	quotaMin      = 1000          // µs
	quotaMax      = 1<<44 - 1     // µs; the kernel's MAX_BW
	perThousandth = period / 1000 // µs of quota for a thousandth of a processor
)

// limits are the values for what a container asks for; none if for nothing. A
// request alone leaves the container unlimited, a limit alone leaves its
// weight at the kernel's default.
func limits(r plan.Resources) []plan.Limit {
	var list []plan.Limit
	if r.Requests.CPUs != 0 {
		list = append(list, limit(fileWeight, strconv.FormatInt(weight(r.Requests.CPUs), 10)))
	}
	switch {
	case r.Limits.CPUs == plan.UnlimitedCPUs, r.Limits.CPUs == 0 && r.Requests.CPUs != 0:
		list = append(list, limit(fileMax, noLimit))
	case r.Limits.CPUs != 0:
		list = append(list, limit(fileMax, fmt.Sprintf("%d %d", quota(r.Limits.CPUs), period)))
	}
	return list
}

func limit(file, value string) plan.Limit {
	return plan.Limit{File: file, Value: value, Field: plan.ResourcesAnnotation}
}

// weight is cpu.weight for a request.
func weight(c plan.CPUs) int64 {
	if c >= weightMax/weightPerCPU*plan.OneCPU {
		return weightMax // Mesos would ask for more, and be refused
	}
	return max(weightMin, int64(c)*weightPerCPU/int64(plan.OneCPU))
}

// quota is the first figure of cpu.max for a finite limit.
func quota(c plan.CPUs) int64 {
	if c > quotaMax/perThousandth {
		return quotaMax
	}
	return max(quotaMin, int64(c)*perThousandth)
}
