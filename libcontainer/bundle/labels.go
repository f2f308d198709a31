package bundle

import (
	"github.com/opencontainers/runtime-spec/specs-go"
	selinux "github.com/opencontainers/selinux/go-selinux"
	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/plan"
)

// labelsWork checks that the security modules that are to confine the container
// are in force: a label that nobody enforces is worse than none. Whether a profile
// is loaded only the kernel knows, and says when it is to be used.
func (c *checker) labelsWork(s *specs.Spec) {
	if s.Process != nil {
		if profile := s.Process.ApparmorProfile; profile != "" && !hasAppArmor() {
			c.bad("/process/apparmorProfile", profile, "apparmor profile is specified in config, but apparmor is disabled or not supported")
		}
		c.selinuxWorks("/process/selinuxLabel", s.Process.SelinuxLabel)
	}
	if s.Linux != nil {
		c.selinuxWorks("/linux/mountLabel", s.Linux.MountLabel)
	}
}

// selinuxWorks asks the policy whether it knows a context.
func (c *checker) selinuxWorks(pointer, label string) {
	if label == "" || plan.CheckSELinuxLabel(label) != nil {
		return
	}
	if !selinux.GetEnabled() {
		c.bad(pointer, label, "selinux label is specified in config, but selinux is disabled or not supported")
	} else if err := selinux.SecurityCheckContext(label); err != nil {
		c.failed(pointer, label, err)
	}
}

// hasAppArmor asks the module itself: securityfs need not be mounted.
func hasAppArmor() bool {
	fd, err := openRetry("/sys/module/apparmor/parameters/enabled", unix.O_RDONLY|unix.O_CLOEXEC)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	var answer [1]byte
	n, err := unix.Read(fd, answer[:])
	return err == nil && n == 1 && answer[0] == 'Y'
}
