package sys

import (
	"errors"

	"golang.org/x/sys/unix"
)

// CallError names the system call that does not exist or is forbidden. Its
// text is that of the errno: what to make of the name is for who reports it.
type CallError struct {
	Call string
	Err  error
}

func (e *CallError) Error() string { return e.Err.Error() }

// Unwrap gives what the call said.
func (e *CallError) Unwrap() error { return e.Err }

// Called adds the name of the system call to an error that an old kernel
// (ENOSYS) or a sandbox (also EPERM) may have given.
func Called(call string, err error) error {
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		return &CallError{Call: call, Err: err}
	}
	return err
}
