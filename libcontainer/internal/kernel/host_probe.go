package kernel

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
)

func cgroupMounted() (Answer, error) {
	mounts, err := cgroupMounts()
	switch {
	case err != nil:
		return CouldNotTell, err
	case len(mounts) == 0:
		return No, nil
	}
	return Yes, nil
}

// controller asks the root of the hierarchy, or of the part of it that is shown
// here, for a controller.
func controller(name string) func() (Answer, error) {
	return func() (Answer, error) {
		mounts, err := cgroupMounts()
		if err != nil || len(mounts) == 0 {
			return CouldNotTell, errors.Join(errors.New("cgroup2 is not mounted"), err)
		}
		return fileHas(mounts[0]+"/cgroup.controllers", name)
	}
}

// namespace asks for a kind of namespaces, and whether any may be made.
func namespace(kind string) func() (Answer, error) {
	return func() (Answer, error) {
		err := unix.Access("/proc/self/ns/"+kind, unix.F_OK)
		if err == unix.ENOENT && unix.Access("/proc/self/ns/mnt", unix.F_OK) == nil {
			return No, nil
		}
		if err != nil {
			return CouldNotTell, err
		}
		// Not shown in a sandbox, nor by a kernel that has no such limit.
		if answer, _ := fileHas("/proc/sys/user/max_"+kind+"_namespaces", "0"); answer == Yes {
			return No, nil
		}
		return Yes, nil
	}
}

// fileSystem asks whether the kernel has a type of file systems.
func fileSystem(name string) func() (Answer, error) {
	return func() (Answer, error) { return fileHas("/proc/filesystems", name) }
}

// appArmor asks its parameter: a kernel that has it may have it switched off.
func appArmor() (Answer, error) {
	answer, err := fileHas("/sys/module/apparmor/parameters/enabled", "Y")
	if errors.Is(err, unix.ENOENT) && unix.Access("/sys/module", unix.F_OK) == nil {
		return No, nil
	}
	return answer, err
}

// projectQuotas looks for a file system that has them in force.
func projectQuotas() (Answer, error) {
	table, err := sys.ReadAll(sys.CWD, "/proc/self/mounts")
	if err != nil {
		return CouldNotTell, err
	}
	if hasProjectQuotas(table) {
		return Yes, nil
	}
	return No, nil
}

// hasProjectQuotas reads a table of mounts as in proc_pid_mounts(5).
func hasProjectQuotas(table string) bool {
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) < 4 || fields[2] != "xfs" && fields[2] != "ext4" {
			continue
		}
		for option := range strings.SplitSeq(fields[3], ",") {
			if option == "prjquota" || option == "pquota" {
				return true
			}
		}
	}
	return false
}

// program looks for a program in PATH.
func program(name string) func() (Answer, error) {
	return func() (Answer, error) {
		for dir := range strings.SplitSeq(os.Getenv("PATH"), ":") {
			if dir != "" && unix.Access(dir+"/"+name, unix.X_OK) == nil {
				return Yes, nil
			}
		}
		return No, nil
	}
}
