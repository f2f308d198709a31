package store

import (
	"errors"
	"io/fs"
	"strconv"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// Engines look for the first two texts.
var (
	ErrExist    = errors.New("container with given ID already exists")
	ErrNotExist = errors.New("container does not exist")
	// ErrIncomplete says that there is a directory but no record: either its
	// Create is about to write one, or was killed before. It comes together
	// with ErrNotExist, since nothing but the directory was made.
	ErrIncomplete = errors.New("its creation never finished")
	// ErrLocked says that another command is changing the container.
	ErrLocked = errors.New("another command is changing it")
)

// idError is a sentinel about one container: `sentinel: "id"`, and the reason
// if there is one.
type idError struct {
	sentinel error
	id       string
	reason   error
}

func (e *idError) Error() string {
	text := e.sentinel.Error() + ": " + strconv.Quote(e.id)
	if e.reason != nil {
		text += ": " + e.reason.Error()
	}
	return text
}

func (e *idError) Unwrap() []error {
	if e.reason == nil {
		return []error{e.sentinel}
	}
	return []error{e.sentinel, e.reason}
}

// Is makes the sentinels those of io/fs, too.
func (e *idError) Is(target error) bool {
	return target == fs.ErrExist && e.sentinel == ErrExist || target == fs.ErrNotExist && e.sentinel == ErrNotExist
}

// fail gives err the shape `op object: cause`. The type is that of the
// operating system's errors because it has just that shape.
func fail(op, object string, err error) error {
	return &fs.PathError{Op: op, Path: object, Err: err}
}

// maxID is what a file name may have: the id names the state directory and the cgroup.
const maxID = unix.NAME_MAX

// ValidID says whether id can name a container: letters, digits and _+-. as
// runc has it, and short enough to name a directory.
func ValidID(id string) error {
	const op = "invalid container ID format" // runc's words
	switch {
	case id == "":
		return fail(op, `""`, errors.New("it is empty"))
	case id == "." || id == "..":
		return fail(op, strconv.Quote(id), errors.New("it names another directory"))
	case len(id) > maxID:
		return fail(op, strconv.Quote(id[:32]+"…"), errors.New("it has "+strconv.Itoa(len(id))+
			" bytes and names a directory, which may have "+strconv.Itoa(maxID)))
	}
	for i := range len(id) {
		if !validIDByte(id[i]) {
			_, n := utf8.DecodeRuneInString(id[i:])
			return fail(op, strconv.Quote(id),
				errors.New(strconv.Quote(id[i:i+n])+" is not a letter, a digit or one of _+-."))
		}
	}
	return nil
}

func validIDByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '_' || c == '+' || c == '-' || c == '.'
}
