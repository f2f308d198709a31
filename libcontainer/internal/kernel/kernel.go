// Package kernel is the one table of what mesoc asks of Linux: each feature
// with the first version that has it, a probe, what it is used for, and what
// happens without it.
//
// The table is for `check`, for tests and for docs/kernel-features.md, which
// is generated from it. No command that works on a container asks it: those
// make the call and explain the errno. Probes change nothing and answer in
// three ways, for a sandbox that forbids a call says nothing about the kernel.
package kernel

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

//go:generate go test -run TestDocument -update .

// Feature is something of the kernel that mesoc uses.
type Feature struct {
	// Name is what the manual pages call it.
	Name string
	// Since is the first version that has it.
	Since Version
	// Config is the kernel option it needs, where a kernel for containers may
	// well lack it.
	Config string
	// Host says that the answer is one about the host, not only its kernel: the
	// version alone decides nothing.
	Host bool
	// Required says that no container can be made without it.
	Required bool
	// Calls are the system calls that it consists of, where those are new.
	Calls []string
	// UsedFor and Without complete "used for …" and "without it, …".
	UsedFor, Without string
	// Probe finds out whether this kernel has it. The error says why it could
	// not tell, and is nil otherwise.
	Probe func() (Answer, error)
}

// Answer is what a probe has found.
type Answer int

// A probe that could not tell is no evidence of either.
const (
	CouldNotTell Answer = iota
	Yes
	No
)

// String is the answer as `check` prints it.
func (a Answer) String() string {
	switch a {
	case Yes:
		return "yes"
	case No:
		return "no"
	}
	return "could not tell"
}

// Version is that of a kernel.
type Version struct {
	Major, Minor int
}

func (v Version) String() string {
	return strconv.Itoa(v.Major) + "." + strconv.Itoa(v.Minor)
}

// Before says whether v is older than other.
func (v Version) Before(other Version) bool {
	return v.Major < other.Major || v.Major == other.Major && v.Minor < other.Minor
}

// Minimum is the oldest kernel that mesoc can work on: the first that has all
// that is required.
func Minimum() Version {
	var minimum Version
	for _, f := range Features() {
		if f.Required && minimum.Before(f.Since) {
			minimum = f.Since
		}
	}
	return minimum
}

// WithCall finds the feature that a system call belongs to.
func WithCall(name string) (Feature, bool) {
	for _, f := range Features() {
		if slices.Contains(f.Calls, name) {
			return f, true
		}
	}
	return Feature{}, false
}

// Running is the version of the kernel that runs. Distributions put features
// of later ones into it, so it is for messages; a probe is what decides.
func Running() (Version, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return Version{}, err
	}
	return parseVersion(unix.ByteSliceToString(name.Release[:]))
}

// parseVersion reads the beginning of a release like 6.1.0-18-amd64 or 7.0-rc1.
func parseVersion(release string) (Version, error) {
	major, rest, _ := strings.Cut(release, ".")
	end := 0
	for end < len(rest) && '0' <= rest[end] && rest[end] <= '9' {
		end++
	}
	var v Version
	var err1, err2 error
	v.Major, err1 = strconv.Atoi(major)
	v.Minor, err2 = strconv.Atoi(rest[:end])
	if err := errors.Join(err1, err2); err != nil || v.Major < 1 {
		return Version{}, errors.New("read kernel version " + strconv.Quote(release) + ": not of the form 6.1")
	}
	return v, nil
}
