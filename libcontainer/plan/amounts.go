package plan

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// CPUs is an amount of processors in thousandths of one, as exactly as Mesos
// counts them. 0 is nothing that anybody has asked for.
type CPUs int64

// Bytes is an amount of memory or storage. 0 is nothing that anybody has asked for.
type Bytes int64

// The amounts that are no limit. All others are less.
const (
	UnlimitedCPUs  CPUs  = math.MaxInt64
	UnlimitedBytes Bytes = math.MaxInt64
)

const (
	// OneCPU is a whole processor.
	OneCPU CPUs = 1000
	// MiB is what Mesos writes as MB.
	MiB Bytes = 1 << 20
)

// Amounts are how much of each resource.
type Amounts struct {
	CPUs   CPUs
	Memory Bytes
}

// ResourcesAnnotation is the annotation that has Resources.
const ResourcesAnnotation = "io.mesoc.resources"

// Resources are what a container asks for, as Mesos has it: requests are what
// it gets when all want something at once, limits what it may have when nobody
// else wants it.
type Resources struct {
	Requests, Limits Amounts
}

// Plus returns what a container asks for together with one that shares its
// cgroups, by Mesos' rule: who has no limit counts with his request as soon as
// the other has one, and unlimited stays unlimited.
func (r Resources) Plus(o Resources) Resources {
	return Resources{
		Requests: Amounts{
			CPUs:   plus(r.Requests.CPUs, o.Requests.CPUs),
			Memory: plus(r.Requests.Memory, o.Requests.Memory),
		},
		Limits: Amounts{
			CPUs:   limitOf(r.Requests.CPUs, r.Limits.CPUs, o.Requests.CPUs, o.Limits.CPUs),
			Memory: limitOf(r.Requests.Memory, r.Limits.Memory, o.Requests.Memory, o.Limits.Memory),
		},
	}
}

func limitOf[T CPUs | Bytes](request1, limit1, request2, limit2 T) T {
	if limit1 == 0 && limit2 == 0 {
		return 0
	}
	if limit1 == 0 {
		limit1 = request1
	}
	if limit2 == 0 {
		limit2 = request2
	}
	return plus(limit1, limit2)
}

// plus adds amounts. A sum that is too large is the largest that is a limit.
func plus[T CPUs | Bytes](a, b T) T {
	const unlimited = math.MaxInt64
	switch {
	case a == unlimited || b == unlimited:
		return unlimited
	case a >= unlimited-b:
		return unlimited - 1
	}
	return a + b
}

// ParseCPUs reads a number of processors as JSON has numbers. It is rounded to
// a thousandth, and more than can be counted is the most that can.
func ParseCPUs(text string) (CPUs, error) {
	f, err := strconv.ParseFloat(text, 64)
	f = math.Round(f * float64(OneCPU))
	switch {
	case errors.Is(err, strconv.ErrSyntax), math.IsNaN(f):
		return 0, errors.New("must be a number of processors")
	case f < 0:
		return 0, errors.New("must not be negative")
	case f == 0:
		return 0, errors.New("must be at least 0.001")
	case f >= float64(UnlimitedCPUs):
		return UnlimitedCPUs - 1, nil
	}
	return CPUs(f), nil
}

// The powers of 1024 that units stand for, in both spellings: Mesos' own, and
// the one that cannot be taken for powers of 1000.
var byteUnits = [...]struct {
	name  string
	power uint
}{
	{"KB", 1}, {"MB", 2}, {"GB", 3}, {"TB", 4}, {"KiB", 1}, {"MiB", 2}, {"GiB", 3}, {"TiB", 4}, {"B", 0},
}

// ParseBytes reads a size: a number, with a fraction if need be, and a unit.
func ParseBytes(text string) (Bytes, error) {
	number, shift, found := text, uint(0), false
	for _, u := range byteUnits {
		if number, found = strings.CutSuffix(text, u.name); found {
			shift = 10 * u.power
			break
		}
	}
	if !found || number == "" || strings.Trim(number, "0123456789.") != "" {
		return 0, errors.New("must be a size like 512MB or 10GiB")
	}
	whole, err := strconv.ParseUint(number, 10, 64)
	if err == nil && whole <= uint64(UnlimitedBytes-1)>>shift {
		return notNothing(Bytes(whole << shift))
	}
	f, err := strconv.ParseFloat(number, 64)
	switch f = math.Ldexp(f, int(shift)); {
	case errors.Is(err, strconv.ErrSyntax):
		return 0, errors.New("must be a size like 512MB or 10GiB")
	case f >= float64(UnlimitedBytes):
		return 0, errors.New("must be less than 8388608TiB")
	}
	return notNothing(Bytes(f))
}

func notNothing(b Bytes) (Bytes, error) {
	if b == 0 {
		return 0, errors.New("must be more than nothing")
	}
	return b, nil
}
