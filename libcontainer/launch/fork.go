package launch

import (
	"fmt"
	"runtime"
	"strconv"
	"syscall"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/stage"
)

// fork is clone for architectures whose stage is the twin in Go: package
// syscall makes the child, holds it until its ids are mapped, and executes the
// stage. It costs a fork and a Go start more.
func (c *Child) fork(s *Spec, memfd, exe int, inputs map[string]int) error {
	pidfd := -1
	attr := syscall.SysProcAttr{
		Cloneflags: uintptr(s.Namespaces),
		PidFD:      &pidfd,
	}
	if s.Cgroup >= 0 {
		attr.UseCgroupFD, attr.CgroupFD = true, s.Cgroup
	}
	if s.Namespaces&unix.CLONE_NEWUSER != 0 && s.Maps != nil {
		attr.UidMappings, attr.GidMappings = idMaps(s.Maps.uid), idMaps(s.Maps.gid)
		attr.GidMappingsEnableSetgroups = true
		attr.Credential = &syscall.Credential{NoSetGroups: true} // root of the user namespace
	}
	handed := []int{memfd}
	for _, fd := range inputs {
		handed = append(handed, fd)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	stage.RestoreTimerSlack()
	pid, err := syscall.ForkExec("/proc/self/fd/"+strconv.Itoa(exe), s.argv(memfd), &syscall.ProcAttr{
		Env:   twinEnv(),
		Files: sameNumbers(handed, s.Preserve),
		Sys:   &attr,
	})
	if err != nil {
		return fmt.Errorf("fork the process: %w", err)
	}
	c.Pid, c.Pidfd = pid, pidfd
	return nil
}

// twinEnv makes a Go program's start cheap.
func twinEnv() []string { return []string{"GOMAXPROCS=1", "GOGC=off"} }

// sameNumbers is the list of descriptors for ForkExec by which the child gets
// 0 to 2, those preserved, and those handed over, under the numbers that they
// have here.
func sameNumbers(handed []int, preserve int) []uintptr {
	last := 2 + preserve
	for _, fd := range handed {
		last = max(last, fd)
	}
	files := make([]uintptr, last+1)
	for fd := range files {
		files[fd] = ^uintptr(0) // closed
		if fd < 3+preserve {
			files[fd] = uintptr(fd)
		}
	}
	for _, fd := range handed {
		files[fd] = uintptr(fd)
	}
	return files
}

func idMaps(maps []specs.LinuxIDMapping) []syscall.SysProcIDMap {
	list := make([]syscall.SysProcIDMap, len(maps))
	for i, m := range maps {
		list[i] = syscall.SysProcIDMap{ContainerID: int(m.ContainerID), HostID: int(m.HostID), Size: int(m.Size)}
	}
	return list
}
