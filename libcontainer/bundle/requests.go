package bundle

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mailru/easyjson/jlexer"

	"github.com/mesoc/mesoc/libcontainer/plan"
)

// infinite is what a limit is that is none.
const infinite = `"inf"`

func readResources(value string, into *Annotations) (err error) {
	into.Resources, err = parseResources(value)
	return err
}

// Requested returns what annotations that were read before ask for.
func Requested(annotations map[string]string) (r plan.Resources, err error) {
	if text, ok := annotations[plan.ResourcesAnnotation]; ok {
		if r, err = parseResources(text); err != nil {
			err = fmt.Errorf("read annotation %s: %w", plan.ResourcesAnnotation, err)
		}
	}
	return r, err
}

// resourcesObeyed asks for an isolator for each resource that is named.
func resourcesObeyed(a *Annotations, p *Policy) error {
	r := &a.Resources
	switch {
	case r.Requests.CPUs+r.Limits.CPUs != 0 && !p.enables("cgroups/cpu", "cgroups/all"):
		return notObeyed("its cpus", "cgroups/cpu", "cgroups/all")
	case r.Requests.Memory+r.Limits.Memory != 0 && !p.enables("cgroups/mem", "cgroups/all"):
		return notObeyed("its mem", "cgroups/mem", "cgroups/all")
	}
	return nil
}

// parseResources reads the annotation resources. It takes nothing that it does
// not know: what is not obeyed must not be there.
func parseResources(text string) (plan.Resources, error) {
	var r plan.Resources
	if !json.Valid([]byte(text)) {
		return r, errors.New("must be JSON")
	}
	err := eachMember(text, func(name, value string) error {
		switch name {
		case "requests":
			return parseAmounts(value, &r.Requests, false)
		case "limits":
			return parseAmounts(value, &r.Limits, true)
		}
		return errors.New("unknown (requests and limits are known)")
	})
	if err != nil {
		return plan.Resources{}, err
	}
	return r, checkResources(r)
}

// checkResources compares what must not be less than something else.
func checkResources(r plan.Resources) error {
	switch {
	case r == plan.Resources{}:
		return errors.New("must ask for something")
	case r.Limits.CPUs != 0 && r.Limits.CPUs < r.Requests.CPUs:
		return errors.New(`"limits": "cpus": must not be less than the request`)
	case r.Limits.Memory != 0 && r.Limits.Memory < r.Requests.Memory:
		return errors.New(`"limits": "mem": must not be less than the request`)
	}
	return nil
}

// parseAmounts reads the object that requests and limits have.
func parseAmounts(text string, into *plan.Amounts, limits bool) error {
	return eachMember(text, func(name, value string) (err error) {
		none := limits && value == infinite
		switch name {
		case "cpus":
			if into.CPUs = plan.UnlimitedCPUs; !none {
				into.CPUs, err = parseCPUs(value)
			}
		case "mem":
			if into.Memory = plan.UnlimitedBytes; !none {
				into.Memory, err = parseMemory(value)
			}
		default:
			return errors.New("unknown (cpus and mem are known)")
		}
		if err != nil && limits {
			err = fmt.Errorf(`%w, or "inf"`, err)
		}
		return err
	})
}

func parseCPUs(value string) (plan.CPUs, error) {
	if strings.ContainsAny(value[:1], "-0123456789") {
		return plan.ParseCPUs(value)
	}
	return 0, errors.New("must be a number of processors")
}

func parseMemory(value string) (plan.Bytes, error) {
	var size string
	if value[0] == '"' {
		in := jlexer.Lexer{Data: []byte(value)}
		size = in.String()
	}
	return plan.ParseBytes(size)
}

// eachMember calls f for each member of a JSON object, which is valid, with its
// value as it stands there. An error gets the member's name.
func eachMember(text string, f func(name, value string) error) error {
	in := jlexer.Lexer{Data: []byte(text)}
	if in.Delim('{'); !in.Ok() {
		return errors.New("must be an object")
	}
	var seen []string
	for in.Ok() && !in.IsDelim('}') {
		name := in.String()
		in.WantColon()
		value := strings.TrimSpace(string(in.Raw()))
		if slices.Contains(seen, name) {
			return fmt.Errorf("%s: is there twice", show(name))
		}
		seen = append(seen, name)
		if err := f(name, value); err != nil {
			return fmt.Errorf("%s: %w", show(name), err)
		}
		in.WantComma()
	}
	return in.Error()
}
