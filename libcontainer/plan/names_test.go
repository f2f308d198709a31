package plan

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCapabilities(t *testing.T) {
	for name, want := range map[string]int{
		"CAP_CHOWN": unix.CAP_CHOWN, "CAP_SETPCAP": unix.CAP_SETPCAP, "CAP_SYS_ADMIN": unix.CAP_SYS_ADMIN,
		"CAP_SETFCAP": unix.CAP_SETFCAP, "CAP_SYSLOG": unix.CAP_SYSLOG, "CAP_AUDIT_READ": unix.CAP_AUDIT_READ,
		"CAP_NET_RAW": unix.CAP_NET_RAW, "CAP_MKNOD": unix.CAP_MKNOD, "CAP_SYS_TTY_CONFIG": unix.CAP_SYS_TTY_CONFIG,
		"CAP_BPF": unix.CAP_BPF, "CAP_CHECKPOINT_RESTORE": unix.CAP_LAST_CAP,
	} {
		if got, known := CapabilityByName(name); !known || got != want || CapabilityName(want) != name {
			t.Errorf("%s: %d, %v; %d is %s", name, got, known, want, CapabilityName(want))
		}
	}
	names := CapabilityNames()
	if len(names) != unix.CAP_LAST_CAP+1 {
		t.Errorf("%d capabilities, want %d", len(names), unix.CAP_LAST_CAP+1)
	}
	for _, name := range []string{"", "CHOWN", "cap_chown", "CAP_FLY"} {
		if _, known := CapabilityByName(name); known {
			t.Errorf("%q is known", name)
		}
	}
	if got := CapabilityName(63); got != "capability 63" {
		t.Error(got)
	}
	if got, want := CapabilityMask(names), uint64(1)<<len(names)-1; got != want {
		t.Errorf("mask of all: %#x, want %#x", got, want)
	}
	if got := CapabilityMask([]string{"CAP_KILL", "CAP_FLY", "CAP_CHOWN", "CAP_KILL"}); got != 1<<5|1 {
		t.Errorf("mask: %#x", got)
	}
}

// TestKernelKnowsNoMore notices a kernel with a capability that has no name here.
func TestKernelKnowsNoMore(t *testing.T) {
	raw, err := os.ReadFile("/proc/sys/kernel/cap_last_cap")
	if err != nil {
		t.Skip("the kernel does not say:", err)
	}
	last, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil || last >= len(capabilityNames) {
		t.Errorf("the kernel's last capability is %d, ours %d: %v", last, len(capabilityNames)-1, err)
	}
}

func TestRlimits(t *testing.T) {
	for name, want := range map[string]int{
		"RLIMIT_CPU": unix.RLIMIT_CPU, "RLIMIT_FSIZE": unix.RLIMIT_FSIZE, "RLIMIT_DATA": unix.RLIMIT_DATA,
		"RLIMIT_STACK": unix.RLIMIT_STACK, "RLIMIT_CORE": unix.RLIMIT_CORE, "RLIMIT_RSS": unix.RLIMIT_RSS,
		"RLIMIT_NPROC": unix.RLIMIT_NPROC, "RLIMIT_NOFILE": unix.RLIMIT_NOFILE, "RLIMIT_MEMLOCK": unix.RLIMIT_MEMLOCK,
		"RLIMIT_AS": unix.RLIMIT_AS, "RLIMIT_LOCKS": unix.RLIMIT_LOCKS, "RLIMIT_SIGPENDING": unix.RLIMIT_SIGPENDING,
		"RLIMIT_MSGQUEUE": unix.RLIMIT_MSGQUEUE, "RLIMIT_NICE": unix.RLIMIT_NICE, "RLIMIT_RTPRIO": unix.RLIMIT_RTPRIO,
		"RLIMIT_RTTIME": unix.RLIMIT_RTTIME,
	} {
		if got, known := RlimitByName(name); !known || got != want {
			t.Errorf("%s: %d, %v, want %d", name, got, known, want)
		}
	}
	if len(RlimitNames()) != 16 {
		t.Errorf("%q", RlimitNames())
	}
	if _, known := RlimitByName("NOFILE"); known {
		t.Error("NOFILE is known")
	}
}

func TestNamespaceKinds(t *testing.T) {
	want := []string{"cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"}
	var got []string
	for _, k := range NamespaceKinds() {
		got = append(got, k.Type)
		if same, known := NamespaceByName(k.Type); !known || same != k {
			t.Errorf("%s: %+v, %v", k.Type, same, known)
		}
		if _, err := os.Stat("/proc/self/ns/" + k.File); err != nil {
			t.Error(err)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("kinds %q, want %q", got, want)
	}
	for _, name := range []string{"", "net", "mnt", "UTS"} {
		if _, known := NamespaceByName(name); known {
			t.Errorf("%q is known", name)
		}
	}
}

func TestClocks(t *testing.T) {
	for name, want := range map[string]int{"monotonic": unix.CLOCK_MONOTONIC, "boottime": unix.CLOCK_BOOTTIME} {
		if got, known := ClockByName(name); !known || got != want {
			t.Errorf("%s: %d, %v", name, got, known)
		}
	}
	if _, known := ClockByName("realtime"); known {
		t.Error("realtime is known")
	}
}

func TestSysctlPath(t *testing.T) {
	for name, want := range map[string]string{
		"net.ipv4.ip_forward":              "net/ipv4/ip_forward",
		"net/ipv4/ip_forward":              "net/ipv4/ip_forward",
		"net.ipv4.conf.eth0/100.rp_filter": "net/ipv4/conf/eth0.100/rp_filter",
		"net/ipv4/conf/eth0.100/rp_filter": "net/ipv4/conf/eth0.100/rp_filter",
		"kernel.sem":                       "kernel/sem",
		"foo":                              "foo",
		"":                                 "",
		".":                                "",
		"net..x":                           "",
		"net.x.":                           "",
		"/net/x":                           "",
		"net//x":                           "",
		"net/../kernel/core_pattern":       "",
		"net.//.kernel.core_pattern":       "",
		"net/./x":                          "",
		"net./.x":                          "",
		"net.x\x00y":                       "",
		"..":                               "",
	} {
		got, err := SysctlPath(name)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v, want %q", name, got, err, want)
		}
	}
}

func TestSysctlAllowed(t *testing.T) {
	const all = unix.CLONE_NEWIPC | unix.CLONE_NEWNET | unix.CLONE_NEWUTS | unix.CLONE_NEWUSER
	for name, need := range map[string]uint64{
		"kernel.msgmax": unix.CLONE_NEWIPC, "kernel/msgmnb": unix.CLONE_NEWIPC, "kernel.msgmni": unix.CLONE_NEWIPC,
		"kernel.sem": unix.CLONE_NEWIPC, "kernel.shmall": unix.CLONE_NEWIPC, "kernel.shmmax": unix.CLONE_NEWIPC,
		"kernel.shmmni": unix.CLONE_NEWIPC, "kernel.shm_rmid_forced": unix.CLONE_NEWIPC, "fs.mqueue.msg_max": unix.CLONE_NEWIPC,
		"net.ipv4.ip_forward": unix.CLONE_NEWNET, "net/core/somaxconn": unix.CLONE_NEWNET,
		"kernel.domainname": unix.CLONE_NEWUTS, "user.max_net_namespaces": unix.CLONE_NEWUSER,
		// Nobody's.
		"kernel.hostname": 0, "kernel.core_pattern": 0, "vm.swappiness": 0, "fs.file-max": 0, "kernel.msgmax.x": 0,
		"fs.mqueue": 0, "net": 0, "netx.y": 0, "kernel": 0, "net/../vm/swappiness": 0,
	} {
		if err := SysctlAllowed(name, all); (err == nil) != (need != 0) {
			t.Errorf("%s with all namespaces: %v", name, err)
		}
		if err := SysctlAllowed(name, need); need != 0 && err != nil {
			t.Errorf("%s with its namespace: %v", name, err)
		}
		if err := SysctlAllowed(name, all&^need); err == nil {
			t.Errorf("%s is allowed without its namespace", name)
		}
	}
}
