package plan

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// ipcSysctls are the settings below kernel/ that each ipc namespace has of its own.
var ipcSysctls = [...]string{
	"kernel/msgmax", "kernel/msgmnb", "kernel/msgmni", "kernel/sem",
	"kernel/shmall", "kernel/shmmax", "kernel/shmmni", "kernel/shm_rmid_forced",
}

// SysctlPath is the file of a setting, relative to /proc/sys. As sysctl(8) has
// it, the first separator tells the form: in "net.ipv4.conf.eth0/1.forwarding"
// a dot separates and a slash stands for a dot within a name, in
// "net/ipv4/conf/eth0.1/forwarding" a slash separates.
func SysctlPath(name string) (string, error) {
	path := name
	if i := strings.IndexAny(name, "./"); i >= 0 && name[i] == '.' {
		swapped := []byte(name)
		for i, c := range swapped {
			switch c {
			case '.':
				swapped[i] = '/'
			case '/':
				swapped[i] = '.'
			}
		}
		path = string(swapped)
	}
	if strings.IndexByte(path, 0) >= 0 {
		return "", errors.New("contains a NUL byte")
	}
	for rest := path; ; {
		part, more, found := strings.Cut(rest, "/")
		if part == "" || part == "." || part == ".." {
			return "", errors.New("not the name of a sysctl")
		}
		if !found {
			return path, nil
		}
		rest = more
	}
}

// SysctlAllowed reports why a setting cannot be a container's. Only those are
// its own that belong to one of its namespaces: namespaces holds the CLONE_NEW*
// flags of those that it does not share with the host.
func SysctlAllowed(name string, namespaces uint64) error {
	path, err := SysctlPath(name)
	if err != nil {
		return err
	}
	if path == "kernel/hostname" {
		return errors.New("set by the property hostname")
	}
	kind, need := sysctlNamespace(path)
	if need == 0 {
		return errors.New("not a setting of a namespace: it would change the host")
	}
	if namespaces&need == 0 {
		return fmt.Errorf("needs the container's own %s namespace: it would change the host", kind)
	}
	return nil
}

// sysctlNamespace is the kind of namespace that a setting belongs to, if any.
func sysctlNamespace(path string) (kind string, flag uint64) {
	for i := range ipcSysctls {
		if ipcSysctls[i] == path {
			return "ipc", unix.CLONE_NEWIPC
		}
	}
	switch {
	case strings.HasPrefix(path, "fs/mqueue/"):
		return "ipc", unix.CLONE_NEWIPC
	case strings.HasPrefix(path, "net/"):
		return "network", unix.CLONE_NEWNET
	case path == "kernel/domainname":
		return "uts", unix.CLONE_NEWUTS
	case strings.HasPrefix(path, "user/"):
		return "user", unix.CLONE_NEWUSER
	}
	return "", 0
}
