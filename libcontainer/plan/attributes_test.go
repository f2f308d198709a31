package plan

import (
	"reflect"
	"slices"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestParseIDs(t *testing.T) {
	for list, want := range map[string][]uint64{
		"":             nil,
		"0":            {1},
		"0-3,7":        {0x8f},
		"3,1-2,2":      {0xe},
		"63,64":        {1 << 63, 1},
		"128":          {0, 0, 1},
		"00-01":        {3},
		"1023":         append(make([]uint64, 15), 1<<63),
		"0-63,66-1023": append([]uint64{^uint64(0), ^uint64(3)}, slices.Repeat([]uint64{^uint64(0)}, 14)...),
	} {
		if got, err := ParseIDs(list, MaxNodes); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %x, %v, want %x", list, got, err, want)
		}
	}
	for _, list := range []string{",", "0,", ",0", "-", "-1", "1-", "0-1-2", "3-1", " 0", "0 ", "+1", "0x1", "1.5", "a", "1024",
		"0-1024", "18446744073709551616", "0-3:1/2", "٣", "0\n", "0\x00"} {
		if got, err := ParseIDs(list, MaxNodes); err == nil {
			t.Errorf("%q: %x, want an error", list, got)
		}
	}
}

// The numbers are the kernel's (linux/sched.h, linux/ioprio.h, linux/mempolicy.h).
func TestNewAttributes(t *testing.T) {
	policies := map[string]uint32{"SCHED_OTHER": 0, "SCHED_FIFO": 1, "SCHED_RR": 2, "SCHED_BATCH": 3, "SCHED_ISO": 4, "SCHED_IDLE": 5, "SCHED_DEADLINE": 6}
	if len(policies) != len(SchedulerPolicies()) {
		t.Errorf("policies: %q", SchedulerPolicies())
	}
	for name, n := range policies {
		a := NewAttributes(&specs.Process{Scheduler: &specs.Scheduler{Policy: specs.LinuxSchedulerPolicy(name), Nice: -5, Priority: 3, Runtime: 1, Deadline: 2, Period: 3,
			Flags: []specs.LinuxSchedulerFlag{specs.SchedFlagResetOnFork, specs.SchedFlagUtilClampMax}}}, nil)
		want := unix.SchedAttr{Size: 56, Policy: n, Flags: 0x41, Nice: -5, Priority: 3, Runtime: 1, Deadline: 2, Period: 3}
		if a.Scheduler.SchedAttr != want {
			t.Errorf("%s: %+v, want %+v", name, a.Scheduler, want)
		}
		if text := a.Scheduler.String(); text != name+", nice -5, priority 3, runtime 1, deadline 2, period 3, SCHED_FLAG_RESET_ON_FORK, SCHED_FLAG_UTIL_CLAMP_MAX" {
			t.Errorf("%s: %s", name, text)
		}
	}
	for class, n := range map[specs.IOPriorityClass]uint32{specs.IOPRIO_CLASS_RT: 1, specs.IOPRIO_CLASS_BE: 2, specs.IOPRIO_CLASS_IDLE: 3} {
		a := NewAttributes(&specs.Process{IOPriority: &specs.LinuxIOPriority{Class: class, Priority: 7}}, nil)
		if got := a.IOPriority.Value(); got != n<<13|7 {
			t.Errorf("%s: %#x", class, got)
		}
	}
	modes := map[string]uint32{"MPOL_DEFAULT": 0, "MPOL_PREFERRED": 1, "MPOL_BIND": 2, "MPOL_INTERLEAVE": 3, "MPOL_LOCAL": 4, "MPOL_PREFERRED_MANY": 5,
		"MPOL_WEIGHTED_INTERLEAVE": 6}
	if len(modes) != len(MemoryPolicyModes()) {
		t.Errorf("modes: %q", MemoryPolicyModes())
	}
	for name, n := range modes {
		for flag, bit := range map[specs.MemoryPolicyFlagType]uint32{specs.MpolFStaticNodes: 1 << 15, specs.MpolFRelativeNodes: 1 << 14, specs.MpolFNumaBalancing: 1 << 13} {
			a := NewAttributes(&specs.Process{}, &specs.Linux{MemoryPolicy: &specs.LinuxMemoryPolicy{
				Mode: specs.MemoryPolicyModeType(name), Nodes: "1,64", Flags: []specs.MemoryPolicyFlagType{flag}}})
			want := &MemoryPolicy{Mode: n, Flags: bit, Nodes: []uint64{2, 1}, NodeList: "1,64"}
			if !reflect.DeepEqual(a.MemoryPolicy, want) {
				t.Errorf("%s %s: %+v, want %+v", name, flag, a.MemoryPolicy, want)
			}
		}
	}
	if a := NewAttributes(&specs.Process{}, &specs.Linux{}); a != (Attributes{}) {
		t.Errorf("no wishes: %+v", a)
	}
}

func TestApplyLabel(t *testing.T) {
	const context = "u:object_r:t:s0:c1,c2"
	for _, c := range []struct {
		typ, data   string
		options     MountOptions
		want, label string
	}{
		{typ: "tmpfs", want: `context="u:object_r:t:s0:c1,c2"`},
		{typ: "tmpfs", data: "size=1m", want: `size=1m,context="u:object_r:t:s0:c1,c2"`},
		{typ: "devpts", data: "gid=5", want: `gid=5,context="u:object_r:t:s0:c1,c2"`},
		{typ: "tmpfs", data: `size=1m,context=other`, want: `size=1m,context=other`},
		{typ: "tmpfs", data: `fscontext=other`, want: `fscontext=other`},
		{typ: "mqueue", label: context},
		{typ: "proc"}, {typ: "sysfs"}, {typ: "cgroup"}, {typ: "cgroup2"},
		{typ: "tmpfs", data: "size=1m", options: MountOptions{Remount: true}, want: "size=1m"},
		{options: MountOptions{Bind: true}},
	} {
		m := Mount{Type: c.typ, MountOptions: c.options}
		m.Data = c.data
		m.applyLabel(context)
		if m.Data != c.want || m.Label != c.label {
			t.Errorf("%+v: data %s, label %q", c, m.Data, m.Label)
		}
		m.Data, m.Label = c.data, ""
		if m.applyLabel(""); m.Data != c.data || m.Label != "" {
			t.Errorf("%+v: no label gives data %s, label %q", c, m.Data, m.Label)
		}
	}
}
