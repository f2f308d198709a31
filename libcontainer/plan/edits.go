package plan

import (
	"fmt"
	"slices"
)

// Edits are what one owner adds to a plan: an isolator, or config.json. They
// are data; whoever has the Plan puts them into it.
type Edits struct {
	// Owner is who says so, for errors.
	Owner string
	// Limits are files of the container's cgroup, in the order of writing.
	Limits []Limit
	// Notes are what the owner has not done, and why, for people.
	Notes []string
}

// Limit is one value for one file of a cgroup.
type Limit struct {
	File, Value string
	// Field is what of the owner's asks for it, for errors: a JSON pointer or
	// the key of an annotation.
	Field string
}

// Reset adds to the limits those that the owner has set before and sets no
// more, with the value that the kernel gives them by default.
func (e *Edits) Reset(before []Limit, byDefault func(file string) string) {
	for _, l := range before {
		if !slices.ContainsFunc(e.Limits, func(set Limit) bool { return set.File == l.File }) {
			l.Value = byDefault(l.File)
			e.Limits = append(e.Limits, l)
		}
	}
}

// Merge returns the limits of all owners in their order. No field may have two
// owners, not even if they want the same: the next change would be the
// quarrel. The error is a *ConflictError.
func Merge(all ...Edits) ([]Limit, error) {
	var merged []Limit
	var by []*Edits // of each limit
	for i := range all {
		for _, l := range all[i].Limits {
			for k := range merged {
				if merged[k].File == l.File && by[k] != &all[i] {
					return nil, &ConflictError{Field: l.File, Owners: [2]string{by[k].owner(merged[k]), all[i].owner(l)}}
				}
			}
			merged, by = append(merged, l), append(by, &all[i])
		}
	}
	return merged, nil
}

func (e *Edits) owner(l Limit) string {
	return e.Owner + " (" + l.Field + ")"
}

// ConflictError says that two owners want to set one field.
type ConflictError struct {
	Field  string
	Owners [2]string
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("set %s: both %s and %s do", e.Field, e.Owners[0], e.Owners[1])
}
