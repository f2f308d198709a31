package libcontainer

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/plan"
)

// readInside reads what create has kept of the plan.
func readInside(dir int, name string) (*plan.Inside, error) {
	data, err := sys.ReadAll(dir, name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	in, err := plan.DecodeInside([]byte(data))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return in, nil
}

// namespaceFlags are the kinds of namespaces that are not the runtime's.
func namespaceFlags(p *plan.Plan) uint64 {
	var flags uint64
	for _, n := range p.Namespaces {
		flags |= uint64(n.Flag)
	}
	return flags
}

// insidePlace is where hooks run that join the container's namespaces.
func insidePlace(kind string, status Status, pid, pidfd int, namespaces uint64) (hookPlace, error) {
	p := hookPlace{kind: kind, status: status, pid: pid, init: pidfd, cgroup: -1, namespaces: namespaces, cwd: "/"}
	if namespaces&unix.CLONE_NEWPID != 0 {
		inner, err := innerPid(pid)
		if err != nil {
			return p, err
		}
		p.pid = inner
	}
	return p, nil
}

// innerPid is the number that a process has in its own pid namespace: the last
// of NSpid in /proc/PID/status (pid_namespaces(7)).
func innerPid(pid int) (int, error) {
	name := "/proc/" + strconv.Itoa(pid) + "/status"
	buf := make([]byte, 16<<10)
	n, err := sys.ReadFileAt(sys.CWD, name, buf)
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(buf[:n]) {
		if list, ok := bytes.CutPrefix(line, []byte("NSpid:")); ok {
			fields := bytes.Fields(list)
			if len(fields) > 0 {
				return strconv.Atoi(string(fields[len(fields)-1]))
			}
		}
	}
	return 0, fmt.Errorf("read %s: it has no NSpid", name)
}

// hostProcMounts are the mount points of the host's procfs and sysfs outside
// of the container's root, the deepest first. A root that is moved instead of
// pivoted would leave them reachable.
func hostProcMounts(rootfs string) ([]string, error) {
	mounts, err := sys.Mounts()
	if err != nil {
		return nil, err
	}
	return procMounts(mounts, rootfs), nil
}

// procMounts picks them out. A part of such a file system is harmless, or
// covered with the whole.
func procMounts(mounts []sys.MountPoint, rootfs string) []string {
	var found []string
	for _, m := range mounts {
		whole := m.Root == "/" && (m.Type == "proc" || m.Type == "sysfs")
		if whole && m.Path != rootfs && !strings.HasPrefix(m.Path, rootfs+"/") {
			found = append(found, m.Path)
		}
	}
	slices.Reverse(found)
	return found
}
