package libcontainer

import (
	"errors"

	"github.com/mesoc/mesoc/libcontainer/bundle"
	"github.com/mesoc/mesoc/libcontainer/cgroup2"
)

// Inspect finds everything that keeps create from making a container of a
// bundle, as far as that can be told without making one.
func (r *Runtime) Inspect(dir string) (*bundle.Inspection, error) {
	found, err := bundle.Inspect(dir)
	if err != nil {
		return found, err
	}
	found.Add(r.Policy.Problems(found.Spec.Annotations)...)
	if found.Spec.Linux == nil {
		return found, nil
	}
	problems, warnings := checkFilter(found.Spec.Linux.Seccomp)
	found.Add(problems...)
	found.Warnings = append(found.Warnings, warnings...)
	_, err = cgroup2.Translate(found.Spec.Linux.Resources)
	for _, err := range errorsIn(err) {
		var field *cgroup2.FieldError
		if errors.As(err, &field) {
			found.Add(bundle.Problem{Pointer: field.Field, Rule: field.Err.Error()})
		}
	}
	return found, nil
}

// errorsIn takes what errors.Join has made apart.
func errorsIn(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return nil
}
