package plan

import (
	"errors"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	selinux "github.com/opencontainers/selinux/go-selinux"
	"github.com/opencontainers/selinux/go-selinux/label"
)

// Labels are how security modules know a process, each empty for no wish.
type Labels struct {
	AppArmor string // the profile that confines it
	SELinux  string // its context, user:role:type:level
}

// NewLabels are those of a process.
func NewLabels(s *specs.Process) Labels {
	return Labels{AppArmor: s.ApparmorProfile, SELinux: s.SelinuxLabel}
}

// CheckSELinuxLabel says what is wrong with the form of a context. Only the
// host's policy knows whether it exists. Quotes and spaces are refused because
// a context may become one of the options of a mount, where they have a meaning.
func CheckSELinuxLabel(text string) error {
	context, err := selinux.NewContext(text)
	if err != nil || context["user"] == "" || context["role"] == "" || context["type"] == "" || strings.HasSuffix(text, ":") {
		return errors.New("must have the form USER:ROLE:TYPE:LEVEL, such as system_u:system_r:container_t:s0:c1,c2")
	}
	for _, ch := range []byte(text) {
		if ch <= ' ' || ch > '~' || ch == '"' || ch == '\'' || ch == '\\' {
			return errors.New("must consist of letters, digits and punctuation without quotes")
		}
	}
	return nil
}

// applyLabel gives the files of a new file system the context of the config's
// mountLabel. Binds keep what their files have. So do file systems whose files
// are labelled by the policy: they are the kernel's own. And so does a mount whose
// options name a context, because the kernel takes only one.
func (m *Mount) applyLabel(mountLabel string) {
	if mountLabel == "" || m.Bind || m.Remount {
		return
	}
	switch m.Type {
	case "proc", "sysfs", "cgroup", "cgroup2":
	case "mqueue":
		// The one of the ipc namespace exists already, and options for another
		// context than it has are an error.
		m.Label = mountLabel
	default:
		for o := range strings.SplitSeq(m.Data, ",") {
			if name, _, _ := strings.Cut(o, "="); strings.HasSuffix(name, "context") {
				return
			}
		}
		m.Data = label.FormatMountLabel(m.Data, mountLabel)
	}
}
