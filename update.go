package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesoc/mesoc/libcontainer"
	"github.com/mesoc/mesoc/libcontainer/bundle"
)

var updateCommand = command{
	name:      "update",
	usage:     "change the limits of a container",
	arguments: "ID",
	description: `Changes limits of a container that is created, running or paused: all that are
given, or none if one of them is refused. What is not given stays as it is.
Device rules stay as they are. Sizes are in bytes, or end
in k, m, g or t; -1 is no limit.`,
	options: [][]option{{
		{name: "resources", alias: "r", meta: "FILE", usage: "file with what config.json has as linux.resources, - for stdin; flags of single limits do not count then"},
		{name: "memory", meta: "SIZE", usage: "limit of memory"},
		{name: "memory-reservation", meta: "SIZE", usage: "memory that is left to the container when the host runs short"},
		{name: "memory-swap", meta: "SIZE", usage: "limit of memory and swap together"},
		{name: "cpu-share", alias: "cpu-shares", meta: "N", usage: "weight against other containers, from 2 to 262144"},
		{name: "cpu-quota", meta: "USEC", usage: "time on processors within a period, in microseconds; -1 is no limit"},
		{name: "cpu-period", meta: "USEC", usage: "length of a period, in microseconds"},
		{name: "cpu-burst", meta: "USEC", usage: "time that may be saved up for later periods, in microseconds"},
		{name: "cpu-idle", meta: "0|1", usage: "1: run only when nobody else wants to"},
		{name: "cpu-rt-period", meta: "USEC", usage: "of cgroup v1: only 0 is accepted"},
		{name: "cpu-rt-runtime", meta: "USEC", usage: "of cgroup v1: only 0 is accepted"},
		{name: "cpuset-cpus", meta: "LIST", usage: "processors to run on, as 0-3,5"},
		{name: "cpuset-mems", meta: "LIST", usage: "memory nodes to use, as 0,1"},
		{name: "pids-limit", meta: "N", usage: "limit of processes and threads; -1 is no limit"},
		{name: "blkio-weight", meta: "N", usage: "weight of input and output, from 10 to 1000"},
		{name: "kernel-memory", meta: "SIZE", usage: "of cgroup v1: ignored, with a warning"},
		{name: "kernel-memory-tcp", meta: "SIZE", usage: "of cgroup v1: ignored, with a warning"},
		{name: "l3-cache-schema", meta: "LINES", usage: "share of the cache, as L3:0=7f0;1=1f, of the container's class of service (linux.intelRdt) with all that is in it; counts with --resources too"},
		{name: "mem-bw-schema", meta: "LINE", usage: "share of memory bandwidth, as MB:0=20;1=70, for the same class; counts with --resources too"},
		{name: "annotation", meta: "KEY=VALUE", repeats: true, usage: "change an annotation that can change: io.mesoc.resources (repeats)"},
	}},
	minArgs: 1, maxArgs: 1, takesID: true,
	run: updateLimits,
}

func updateLimits(c *call) error {
	if err := c.refuseUnbuilt(); err != nil {
		return err
	}
	var resources *specs.LinuxResources
	var err error
	name := c.flags.text("resources")
	if name != "" {
		resources, err = bundle.OpenResources(name, os.Stdin)
		if name == "-" {
			name = "the resources on stdin"
		}
	} else {
		name = "the flags"
		resources, err = c.flags.resources()
		// In a document they are refused; as flags they are relics of runc's.
		for _, relic := range [...]string{"kernel-memory", "kernel-memory-tcp"} {
			if c.flags.text(relic) != "" {
				c.journal.warn("--%s: ignored: cgroup2 counts kernel memory with the rest", relic)
			}
		}
	}
	if err != nil {
		return fmt.Errorf("update container %s: %w", c.id(), err)
	}
	annotations, err := c.annotations()
	if err != nil {
		return fmt.Errorf("update container %s: %w", c.id(), err)
	}
	return c.runtime().Update(context.Background(), c.id(), libcontainer.UpdateOptions{
		Resources: resources, ResourcesName: name, Annotations: annotations,
		L3CacheSchema: c.flags.text("l3-cache-schema"), MemBwSchema: c.flags.text("mem-bw-schema"),
	})
}

// resources are what the flags of update ask for.
func (g given) resources() (*specs.LinuxResources, error) {
	m, cpu, pids, io := &specs.LinuxMemory{}, &specs.LinuxCPU{}, &specs.LinuxPids{}, &specs.LinuxBlockIO{}
	var first error
	note := func(name, value string, err error) {
		if err != nil && first == nil {
			first = fmt.Errorf("read --%s %q: %w", name, value, err)
		}
	}
	for _, f := range [...]struct {
		name  string
		into  **int64
		parse func(string) (int64, error)
	}{
		{"memory", &m.Limit, parseSize}, {"memory-reservation", &m.Reservation, parseSize}, {"memory-swap", &m.Swap, parseSize},
		{"kernel-memory", new(*int64), parseSize}, {"kernel-memory-tcp", new(*int64), parseSize},
		{"cpu-quota", &cpu.Quota, parseWhole}, {"cpu-rt-runtime", &cpu.RealtimeRuntime, parseWhole},
		{"cpu-idle", &cpu.Idle, parseWhole}, {"pids-limit", &pids.Limit, parseWhole},
	} {
		if value := g.text(f.name); value != "" {
			n, err := f.parse(value)
			note(f.name, value, err)
			*f.into = &n
		}
	}
	for _, f := range [...]struct {
		name string
		into **uint64
	}{
		{"cpu-share", &cpu.Shares}, {"cpu-period", &cpu.Period}, {"cpu-burst", &cpu.Burst}, {"cpu-rt-period", &cpu.RealtimePeriod},
	} {
		if value := g.text(f.name); value != "" {
			n, err := strconv.ParseUint(value, 10, 64)
			note(f.name, value, numberError(err))
			*f.into = &n
		}
	}
	if value := g.text("blkio-weight"); value != "" {
		n, err := strconv.ParseUint(value, 10, 16)
		note("blkio-weight", value, numberError(err))
		weight := uint16(n)
		io.Weight = &weight
	}
	cpu.Cpus, cpu.Mems = g.text("cpuset-cpus"), g.text("cpuset-mems")
	return &specs.LinuxResources{Memory: m, CPU: cpu, Pids: pids, BlockIO: io}, first
}

func parseWhole(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	return n, numberError(err)
}

// numberError says the same in fewer words.
func numberError(err error) error {
	var number *strconv.NumError
	switch {
	case errors.Is(err, strconv.ErrRange):
		return errors.New("out of range")
	case errors.As(err, &number):
		return errors.New("not a whole number")
	}
	return err
}

// parseSize reads a size as runc does: a number, with a fraction if need be, of
// bytes or of the powers of 1024 that k, m, g, t and p stand for, also written
// as kb or KiB; -1 is no limit.
func parseSize(text string) (int64, error) {
	if text == "-1" {
		return -1, nil
	}
	end := 0
	for end < len(text) && (text[end] >= '0' && text[end] <= '9' || text[end] == '.') {
		end++
	}
	number, unit := text[:end], strings.ToLower(strings.TrimPrefix(text[end:], " "))
	power := 0
	if unit != "" && unit != "b" {
		power = 1 + strings.IndexByte("kmgtp", unit[0])
		switch rest := unit[1:]; {
		case power == 0, rest != "" && rest != "b" && rest != "ib":
			return 0, errors.New("not a size such as 1048576, 1024k, 512m or 1.5g")
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0, errors.New("not a size such as 1048576, 1024k, 512m or 1.5g")
	}
	if power == 0 && !strings.Contains(number, ".") {
		return parseWhole(number) // to the byte
	}
	if n = math.Ldexp(n, 10*power); n >= math.MaxInt64 {
		return 0, errors.New("out of range")
	}
	return int64(n), nil
}
