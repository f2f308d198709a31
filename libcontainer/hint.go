package libcontainer

import (
	"errors"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/kernel"
	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/launch"
)

// Hint says of an error for the want of a system call what that call is for,
// and which kernel has it first. It is empty for every other error. An EPERM
// has many reasons: it is the call's if the call is forbidden altogether.
func Hint(err error) string {
	call := failedCall(err)
	if call == "" {
		return ""
	}
	f, known := kernel.WithCall(call)
	if !known {
		return ""
	}
	why := "this kernel, or a sandbox around mesoc, does not have it"
	if !errors.Is(err, unix.ENOSYS) {
		if _, reason := f.Probe(); !errors.Is(err, unix.EPERM) || !errors.Is(reason, unix.EPERM) {
			return ""
		}
		why = "a sandbox around mesoc forbids it, or rights are missing"
	}
	return call + " (Linux " + f.Since.String() + ") is for " + strings.ReplaceAll(f.UsedFor, "`", "") + "; " + why
}

// failedCall is the system call whose errno an error is, if it is known.
func failedCall(err error) string {
	var step *launch.StepError
	var call *sys.CallError
	switch {
	case errors.As(err, &step):
		return step.Call
	case errors.As(err, &call):
		return call.Call
	}
	return ""
}
