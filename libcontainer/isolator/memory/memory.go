// Package memory is the isolator cgroups/mem: it turns requests and limits of
// memory into memory.low and memory.max, as the Mesos Containerizer does. The
// runtime calls it; it decides, reads what a container that lives has, and
// leaves the writing to the caller. Of linux.resources in config.json, which
// may ask for the same, it knows nothing.
package memory

import (
	"context"
	"fmt"
	"strconv"

	"github.com/mesoc/mesoc/libcontainer/cgroup2"
	"github.com/mesoc/mesoc/libcontainer/isolator"
	"github.com/mesoc/mesoc/libcontainer/plan"
)

// Isolator is cgroups/mem.
type Isolator struct{ isolator.Nop }

// Name is cgroups/mem.
func (Isolator) Name() string { return isolator.CgroupsMem }

// Prepare sets what the container asks for.
func (Isolator) Prepare(_ context.Context, c *isolator.Container) (plan.Edits, error) {
	return plan.Edits{Limits: limits(c.Resources)}, nil
}

// Update sets what the container asks for, and where it has stopped asking what
// a cgroup has by default. It never lowers memory.max: that would end
// processes for what somebody asks for elsewhere.
func (Isolator) Update(_ context.Context, was, now *isolator.Container) (plan.Edits, error) {
	edits := plan.Edits{Limits: limits(now.Resources)}
	edits.Reset(limits(was.Resources), byDefault)
	if len(edits.Limits) == 0 {
		return edits, nil
	}
	current, err := currentMax(now.Cgroup)
	if err != nil {
		return edits, err
	}
	keepMax(&edits, current)
	return edits, nil
}

// byDefault is what a new cgroup has.
func byDefault(file string) string {
	if file == fileLow {
		return "0"
	}
	return noLimit
}

const (
	fileLow = "memory.low"
	fileMax = "memory.max"
	noLimit = "max"
)

// least is what a container gets that asks for less: Mesos' MIN_MEMORY
// (src/slave/containerizer/mesos/isolators/cgroups2/constants.hpp).
const least = 32 * plan.MiB

// limits are the values for what a container asks for; none if for nothing. A
// request alone is the limit, too; a limit alone protects nothing.
func limits(r plan.Resources) []plan.Limit {
	request, hard := r.Requests.Memory, r.Limits.Memory
	var list []plan.Limit
	if request != 0 {
		list = append(list, limit(fileLow, inBytes(max(request, least))))
	}
	if hard == 0 {
		hard = request
	}
	if hard != 0 {
		list = append(list, limit(fileMax, inBytes(max(hard, least))))
	}
	return list
}

func limit(file, value string) plan.Limit {
	return plan.Limit{File: file, Value: value, Field: plan.ResourcesAnnotation}
}

func inBytes(b plan.Bytes) string {
	if b == plan.UnlimitedBytes {
		return noLimit
	}
	return strconv.FormatInt(int64(b), 10)
}

// keepMax replaces a memory.max that is lower than the one in use by that.
func keepMax(edits *plan.Edits, current plan.Bytes) {
	for i := range edits.Limits {
		l := &edits.Limits[i]
		if l.File != fileMax || l.Value == noLimit {
			continue
		}
		if n, err := strconv.ParseInt(l.Value, 10, 64); err == nil && plan.Bytes(n) < current {
			edits.Notes = append(edits.Notes, fmt.Sprintf("%s stays %s and does not become %s: a container that runs is not given less", fileMax, inBytes(current), l.Value))
			l.Value = inBytes(current)
		}
	}
}

// currentMax reads memory.max; no limit is also what a cgroup without the
// controller has.
func currentMax(at plan.Cgroup) (plan.Bytes, error) {
	cg, err := cgroup2.Open(cgroup2.Mount{Path: at.Mount}, at.Path)
	if err != nil {
		return 0, err
	}
	defer cg.Close()
	n, err := cg.MemoryLimit()
	if err != nil || n == nil || *n > uint64(plan.UnlimitedBytes) {
		return plan.UnlimitedBytes, err
	}
	return plan.Bytes(*n), nil
}
