package cgroup2

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/mesoc/mesoc/libcontainer/cgroup2/devices"
	"github.com/mesoc/mesoc/libcontainer/internal/testutil"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestMain(m *testing.M) {
	os.Exit(testutil.Main(m))
}

// translate reads resources from JSON, as a document has them.
func translate(t testing.TB, text string) (Limits, error) {
	t.Helper()
	var r specs.LinuxResources
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return Translate(&r)
}

// tryTranslate is translate for texts that may be anything.
func tryTranslate(text string) (Limits, error) {
	var r specs.LinuxResources
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return Limits{}, err
	}
	return Translate(&r)
}

// show writes a setting as the tables below have it: file=value, and what
// else there is about it.
func show(s Setting) string {
	text := s.File + "=" + strings.TrimSuffix(s.Value, "\n")
	if s.Optional {
		text += " (optional)"
	}
	if s.KeepFirst {
		text += " (keep first)"
	}
	if s.WithNext {
		text += " (with next)"
	}
	if s.Else != nil {
		text += " else " + show(*s.Else)
	}
	return text
}

// translations are what resources become.
var translations = []struct {
	json string
	want []string
}{
	{`{}`, nil},

	{`{"memory":{"limit":1048576}}`, []string{"memory.max=1048576"}},
	{`{"memory":{"limit":0,"swap":0,"reservation":0}}`, nil},
	{`{"memory":{"limit":-1}}`, []string{"memory.swap.max=max (optional)", "memory.max=max (optional)"}},
	{`{"memory":{"limit":-1,"swap":-1}}`, []string{"memory.swap.max=max (optional)", "memory.max=max (optional)"}},
	{`{"memory":{"limit":-1,"swap":4096}}`, []string{"memory.swap.max=4096", "memory.max=max (optional)"}},
	{`{"memory":{"limit":1000,"swap":-1}}`, []string{"memory.swap.max=max (optional)", "memory.max=1000"}},
	{`{"memory":{"limit":1000,"swap":3000}}`, []string{"memory.swap.max=2000", "memory.max=1000"}},
	{`{"memory":{"limit":1000,"swap":1000}}`, []string{"memory.swap.max=0 (optional)", "memory.max=1000"}},
	{`{"memory":{"swap":-1}}`, []string{"memory.swap.max=max (optional)"}},
	{`{"memory":{"reservation":500}}`, []string{"memory.low=500"}},
	{`{"memory":{"reservation":-1}}`, []string{"memory.low=max"}},
	{`{"memory":{"limit":9223372036854775807}}`, []string{"memory.max=9223372036854775807"}},
	{`{"memory":{"kernel":0,"kernelTCP":-1,"useHierarchy":true,"swappiness":0,"disableOOMKiller":false}}`, nil},
	{`{"memory":{"kernel":-1,"kernelTCP":0,"swappiness":18446744073709551615}}`, nil},

	{`{"cpu":{"shares":0}}`, nil},
	{`{"cpu":{"shares":1024}}`, []string{"cpu.weight=100"}},
	{`{"cpu":{"quota":50000}}`, []string{"cpu.max=50000"}},
	{`{"cpu":{"quota":50000,"period":200000}}`, []string{"cpu.max=50000 200000"}},
	{`{"cpu":{"period":200000}}`, []string{"cpu.max=200000 (keep first)"}},
	{`{"cpu":{"quota":-1}}`, []string{"cpu.max=max (optional)"}},
	{`{"cpu":{"quota":-1,"period":1000}}`, []string{"cpu.max=max 1000 (optional)"}},
	{`{"cpu":{"quota":0,"period":0}}`, nil},
	{`{"cpu":{"burst":0}}`, []string{"cpu.max.burst=0 (optional)"}},
	{`{"cpu":{"quota":5000,"burst":100}}`, []string{"cpu.max=5000 (with next)", "cpu.max.burst=100"}},
	{`{"cpu":{"idle":1}}`, []string{"cpu.idle=1"}},
	{`{"cpu":{"idle":1,"shares":2}}`, []string{"cpu.idle=1"}},
	{`{"cpu":{"idle":0,"shares":2}}`, []string{"cpu.idle=0 (optional)", "cpu.weight=1"}},
	{`{"cpu":{"cpus":"0-3,5","mems":"0"}}`, []string{"cpuset.cpus=0-3,5", "cpuset.mems=0"}},
	{`{"cpu":{"realtimeRuntime":0,"realtimePeriod":0}}`, nil},

	{`{"pids":{}}`, nil},
	{`{"pids":{"limit":0}}`, []string{"pids.max=0"}},
	{`{"pids":{"limit":-1}}`, []string{"pids.max=max (optional)"}},
	{`{"pids":{"limit":42}}`, []string{"pids.max=42"}},

	{`{"blockIO":{"weight":10}}`, []string{"io.bfq.weight=10 else io.weight=1"}},
	{`{"blockIO":{"weight":100}}`, []string{"io.bfq.weight=100 else io.weight=910"}},
	{`{"blockIO":{"weight":1000}}`, []string{"io.bfq.weight=1000 else io.weight=10000"}},
	{`{"blockIO":{"weight":0,"leafWeight":0}}`, nil},
	{`{"blockIO":{"weightDevice":[{"major":8,"minor":16,"weight":500}]}}`, []string{"io.bfq.weight=8:16 500 else io.weight=8:16 4950"}},
	{`{"blockIO":{
		"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":1},{"major":8,"minor":16,"rate":0}],
		"throttleWriteBpsDevice":[{"major":8,"minor":0,"rate":2}],
		"throttleReadIOPSDevice":[{"major":8,"minor":16,"rate":3}],
		"throttleWriteIOPSDevice":[{"major":8,"minor":0,"rate":18446744073709551615}]}}`,
		[]string{"io.max=8:0 rbps=1 wbps=2 wiops=18446744073709551615", "io.max=8:16 rbps=max riops=3"}},

	{`{"hugepageLimits":[{"pageSize":"2MB","limit":4194304},{"pageSize":"1GB","limit":0}]}`, []string{
		"hugetlb.2MB.max=4194304", "hugetlb.2MB.rsvd.max=4194304 (optional)",
		"hugetlb.1GB.max=0", "hugetlb.1GB.rsvd.max=0 (optional)"}},

	{`{"rdma":{"mlx5_1":{"hcaHandles":3},"mlx5_0":{"hcaHandles":1,"hcaObjects":2},"x":{"hcaObjects":0}}}`, []string{
		"rdma.max=mlx5_0 hca_handle=1 hca_object=2", "rdma.max=mlx5_1 hca_handle=3", "rdma.max=x hca_object=0"}},

	{`{"memory":{"limit":1},"unified":{"memory.max":"2","memory.high":"max","cgroup.max.depth":"3"}}`, []string{
		"memory.max=1", "cgroup.max.depth=3", "memory.high=max", "memory.max=2"}},
	{`{"unified":{"io.max":"8:0 rbps=1\n8:16 rbps=2\n"}}`, []string{"io.max=8:0 rbps=1", "io.max=8:16 rbps=2"}},
	{`{"unified":{"cpuset.cpus":""}}`, []string{"cpuset.cpus="}},
	{`{"network":{}}`, nil},
	{`{"network":{"classID":0,"priorities":[]}}`, nil},
}

func TestTranslate(t *testing.T) {
	for _, c := range translations {
		l, err := translate(t, c.json)
		if err != nil {
			t.Errorf("%s: %v", c.json, err)
			continue
		}
		var got []string
		for _, s := range l.Settings {
			got = append(got, show(s))
			if !strings.HasPrefix(s.Field, "/linux/resources/") {
				t.Errorf("%s: %s comes from %q", c.json, s.File, s.Field)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s:\n got %q\nwant %q", c.json, got, c.want)
		}
	}
	if l, err := Translate(nil); err != nil || len(l.Settings) != 0 {
		t.Errorf("no resources: %v, %v", l, err)
	}
}

func TestTranslateRefuses(t *testing.T) {
	for _, c := range []struct{ json, want string }{
		{`{"memory":{"limit":-2}}`, "/linux/resources/memory/limit: -2 is neither"},
		{`{"memory":{"swap":1000}}`, "/linux/resources/memory/swap: needs memory/limit"},
		{`{"memory":{"limit":1000,"swap":999}}`, "/linux/resources/memory/swap: 999 is less than"},
		{`{"memory":{"limit":1000,"swap":-3}}`, "/linux/resources/memory/swap: -3 is neither"},
		{`{"memory":{"reservation":-7}}`, "/linux/resources/memory/reservation: -7"},
		{`{"memory":{"disableOOMKiller":true}}`, "/linux/resources/memory/disableOOMKiller: not supported"},
		{`{"cpu":{"realtimeRuntime":1}}`, "/linux/resources/cpu/realtimeRuntime: not supported"},
		{`{"cpu":{"realtimePeriod":1}}`, "/linux/resources/cpu/realtimePeriod: not supported"},
		{`{"cpu":{"idle":2}}`, "/linux/resources/cpu/idle: 2"},
		{`{"pids":{"limit":-5}}`, "/linux/resources/pids/limit: -5"},
		{`{"blockIO":{"weight":9}}`, "/linux/resources/blockIO/weight: 9 is not within 10 and 1000"},
		{`{"blockIO":{"weight":1001}}`, "/linux/resources/blockIO/weight: 1001"},
		{`{"memory":{"kernel":1}}`, "/linux/resources/memory/kernel: not supported"},
		{`{"memory":{"kernelTCP":1}}`, "/linux/resources/memory/kernelTCP: not supported"},
		{`{"memory":{"useHierarchy":false}}`, "/linux/resources/memory/useHierarchy: not supported"},
		{`{"memory":{"swappiness":60}}`, "/linux/resources/memory/swappiness: not supported"},
		{`{"blockIO":{"leafWeight":10}}`, "/linux/resources/blockIO/leafWeight: not supported"},
		{`{"blockIO":{"weightDevice":[{"major":8,"minor":0}]}}`, "/linux/resources/blockIO/weightDevice/0: needs weight or leafWeight"},
		{`{"blockIO":{"weightDevice":[{"major":8,"minor":0,"leafWeight":10}]}}`, "/linux/resources/blockIO/weightDevice/0/leafWeight: not supported"},
		{`{"blockIO":{"throttleReadBpsDevice":[{"major":-1,"minor":0,"rate":1}]}}`, "/linux/resources/blockIO/throttleReadBpsDevice/0: -1:0 is not"},
		{`{"hugepageLimits":[{"pageSize":"../../x","limit":1}]}`, `/linux/resources/hugepageLimits/0/pageSize: "../../x"`},
		{`{"hugepageLimits":[{"pageSize":"2MB/../../x","limit":1}]}`, "/linux/resources/hugepageLimits/0/pageSize"},
		{`{"hugepageLimits":[{"pageSize":"2M","limit":1}]}`, "/linux/resources/hugepageLimits/0/pageSize"},
		{`{"hugepageLimits":[{"pageSize":"MB","limit":1}]}`, "/linux/resources/hugepageLimits/0/pageSize"},
		{`{"hugepageLimits":[{"pageSize":"","limit":1}]}`, "/linux/resources/hugepageLimits/0/pageSize"},
		{`{"rdma":{"mlx5_0":{}}}`, "/linux/resources/rdma/mlx5_0: needs"},
		{`{"rdma":{"a b":{"hcaHandles":1}}}`, "/linux/resources/rdma/a b: "},
		{`{"network":{"classID":1}}`, "/linux/resources/network/classID: not supported"},
		{`{"network":{"priorities":[{"name":"eth0","priority":1}]}}`, "/linux/resources/network/priorities: not supported"},
		{`{"unified":{"memory/max":"1"}}`, "/linux/resources/unified/memory~1max: "},
		{`{"unified":{"../cgroup.kill":"1"}}`, "/linux/resources/unified/..~1cgroup.kill: "},
		{`{"unified":{"..":"1"}}`, "/linux/resources/unified/..: "},
		{`{"unified":{"memory":"1"}}`, "/linux/resources/unified/memory: "},
		{`{"unified":{"":"1"}}`, "/linux/resources/unified/: "},
		{`{"unified":{"memory. +cpu\nx":"1"}}`, "is not the name of a file"},
		{`{"unified":{"memory +cpu.max":"1"}}`, "is not the name of a controller"},
		{`{"unified":{"cgroup.procs":"1"}}`, "/linux/resources/unified/cgroup.procs: cgroup.procs is not a limit"},
		{`{"unified":{"cgroup.kill":"1"}}`, "cgroup.kill is not a limit"},
		{`{"unified":{"cgroup.freeze":"1"}}`, "cgroup.freeze is not a limit"},
		{`{"devices":[{"allow":true,"access":""}]}`, "/linux/resources/devices/0/access: empty"},
		{`{"devices":[{"allow":true,"access":"rwx"}]}`, "/linux/resources/devices/0/access: unknown"},
		{`{"devices":[{"allow":true,"type":"p","access":"r"}]}`, "/linux/resources/devices/0/type: unknown"},
		{`{"devices":[{"allow":true,"access":"r"},{"major":-2,"access":"r"}]}`, "/linux/resources/devices/1/major: -2"},
		{`{"devices":[{"minor":4294967296,"access":"r"}]}`, "/linux/resources/devices/0/minor: 4294967296"},
	} {
		l, err := translate(t, c.json)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.json, err, c.want)
		}
		var field *FieldError
		if !errors.As(err, &field) {
			t.Errorf("%s: not a FieldError: %v", c.json, err)
		}
		if len(l.Settings) != 0 {
			t.Errorf("%s: settings beside an error: %v", c.json, l.Settings)
		}
	}
	_, err := translate(t, `{"memory":{"limit":-2},"pids":{"limit":-2}}`)
	if err == nil || strings.Count(err.Error(), "neither") != 2 {
		t.Errorf("two faults: %v", err)
	}
}

func TestIgnored(t *testing.T) {
	l, err := translate(t, `{"cpu":{"idle":1,"shares":1024}}`)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, i := range l.Ignored {
		got = append(got, strings.TrimPrefix(i.Field, "/linux/resources/"))
		if i.Why == "" {
			t.Errorf("%s: no reason", i.Field)
		}
	}
	if want := "[cpu/shares]"; fmt.Sprint(got) != want {
		t.Errorf("ignored %v, want %v", got, want)
	}
}

func TestTranslateDevices(t *testing.T) {
	l, err := translate(t, `{"devices":[
		{"allow":false,"access":"rwm"},
		{"allow":true,"type":"c","major":10,"minor":229,"access":"rw"},
		{"allow":true,"type":"b","major":8,"minor":-1,"access":"r"},
		{"allow":true,"type":"a","access":"m"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	want := "[deny a *:* rwm allow c 10:229 rw allow b 8:* r allow a *:* m]"
	if got := fmt.Sprint(l.Devices); got != want {
		t.Errorf("rules %s, want %s", got, want)
	}
	if _, err := devices.Compile(append(l.Devices, devices.Defaults()...)); err != nil {
		t.Error(err)
	}
}

func TestControllers(t *testing.T) {
	l, err := translate(t, `{"memory":{"limit":1000,"swap":2000},"cpu":{"shares":2,"cpus":"0"},"pids":{"limit":1},
		"blockIO":{"weight":10},"hugepageLimits":[{"pageSize":"2MB","limit":0}],"rdma":{"a":{"hcaHandles":1}},
		"unified":{"misc.max":"res 1","cgroup.max.depth":"1","memory.pressure":"some 150000 1000000"}}`)
	if err != nil {
		t.Fatal(err)
	}
	need := l.Controllers()
	if got, want := need.String(), "+pids +memory +io +cpu +cpuset +hugetlb +rdma +misc"; got != want {
		t.Errorf("controllers %q, want %q", got, want)
	}
	if got, want := need[1].For, "memory.swap.max"; got != want {
		t.Errorf("memory is for %q, want %q", got, want)
	}
	none, err := translate(t, `{"memory":{"limit":-1,"swap":-1},"cpu":{"quota":-1,"burst":0,"idle":0},"pids":{"limit":-1}}`)
	if err != nil {
		t.Fatal(err)
	}
	wishes := none.Controllers()
	for _, n := range wishes {
		if !n.Wish {
			t.Errorf("no limits need %s for %s", n.Controller, n.For)
		}
	}
	if got, want := wishes.available("cpuset pids memory\n").String(), "+pids +memory"; got != want {
		t.Errorf("wishes that can be had: %q, want %q", got, want)
	}
	if got := need.available("pids\n"); len(got) != len(need) {
		t.Errorf("of the needs %v only %v are left: they are no wishes", need, got)
	}
	if got := need.missing("cpuset cpu io memory hugetlb pids rdma misc\n"); len(got) != 0 {
		t.Errorf("missing %v", got)
	}
	if got, want := need.missing("cpuset memory2 pids\n").names(), "memory, io, cpu, hugetlb, rdma, misc"; got != want {
		t.Errorf("missing %q, want %q", got, want)
	}
}

// TestSharesToWeight holds the three points of the curve, its ends, values
// that engines send, and that it only rises.
func TestSharesToWeight(t *testing.T) {
	for shares, want := range map[uint64]uint64{
		1: 1, 2: 1, 1024: 100, 262144: 10000, 262145: 10000, math.MaxUint64: 10000,
		3: 2, 10: 4, 102: 17, 512: 59, 2048: 174, 10240: 639, 131072: 5478,
	} {
		if got := sharesToWeight(shares); got != want {
			t.Errorf("%d shares weigh %d, want %d", shares, got, want)
		}
	}
	last := uint64(0)
	for shares := uint64(1); shares < 262200; shares++ {
		w := sharesToWeight(shares)
		if w < last || w < 1 || w > 10000 {
			t.Fatalf("%d shares weigh %d, one less %d", shares, w, last)
		}
		last = w
	}
}

func FuzzTranslate(f *testing.F) {
	for _, c := range translations {
		f.Add(c.json)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l, err := tryTranslate(text)
		if err != nil {
			return
		}
		for _, s := range l.Settings {
			if strings.ContainsAny(s.File, "/\x00\n") {
				t.Fatalf("%s: file %q", text, s.File)
			}
			if strings.ContainsAny(s.Controller, "/\x00\n +-") {
				t.Fatalf("%s: controller %q", text, s.Controller)
			}
		}
		l.Controllers()
		if _, err := devices.Compile(append(l.Devices, devices.Defaults()...)); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	})
}
