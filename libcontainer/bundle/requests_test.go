package bundle

import (
	"encoding/json"
	"testing"

	"github.com/mesoc/mesoc/libcontainer/plan"
)

func TestParseResources(t *testing.T) {
	for text, want := range map[string]plan.Resources{
		`{"requests":{"cpus":0.5,"mem":"64MB"},"limits":{"cpus":1,"mem":"inf"}}`: {
			Requests: plan.Amounts{CPUs: 500, Memory: 64 << 20},
			Limits:   plan.Amounts{CPUs: 1000, Memory: plan.UnlimitedBytes}},
		` { "limits" : { "mem" : "1GiB" , "cpus" : "inf" } , "requests" : { } } `: {
			Limits: plan.Amounts{CPUs: plan.UnlimitedCPUs, Memory: 1 << 30}},
		`{"requests":{"mem":"64\u004dB"}}`:                  {Requests: plan.Amounts{Memory: 64 << 20}},
		`{"requests":{"cpus":2e0},"limits":{"cpus":2.000}}`: {Requests: plan.Amounts{CPUs: 2000}, Limits: plan.Amounts{CPUs: 2000}},
		`{"requests":{"cpus":1e400}}`:                       {Requests: plan.Amounts{CPUs: plan.UnlimitedCPUs - 1}},
	} {
		if got, err := parseResources(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %+v", text, got, err, want)
		}
	}
}

func TestWrongResources(t *testing.T) {
	for text, want := range map[string]string{
		``:                                  `must be JSON`,
		`x`:                                 `must be JSON`,
		`{"requests":{"cpus":NaN}}`:         `must be JSON`,
		`{"requests":{"cpus":+1}}`:          `must be JSON`,
		`{"requests":{"cpus":0x10}}`:        `must be JSON`,
		`{"requests":{"cpus":1}} {}`:        `must be JSON`,
		`null`:                              `must be an object`,
		`[]`:                                `must be an object`,
		`"x"`:                               `must be an object`,
		`{}`:                                `must ask for something`,
		`{"requests":{},"limits":{}}`:       `must ask for something`,
		`{"requests":null}`:                 `"requests": must be an object`,
		`{"requests":1}`:                    `"requests": must be an object`,
		`{"Requests":{"cpus":1}}`:           `"Requests": unknown (requests and limits are known)`,
		`{"requests":{"disk":"1GB"}}`:       `"requests": "disk": unknown (cpus and mem are known)`,
		`{"requests":{"cpus":1,"cpus":2}}`:  `"requests": "cpus": is there twice`,
		`{"limits":{},"limits":{"cpus":2}}`: `"limits": is there twice`,
		`{"requests":{"cpus":-1}}`:          `"requests": "cpus": must not be negative`,
		`{"requests":{"cpus":0}}`:           `"requests": "cpus": must be at least 0.001`,
		`{"requests":{"cpus":"1"}}`:         `"requests": "cpus": must be a number of processors`,
		`{"requests":{"cpus":"inf"}}`:       `"requests": "cpus": must be a number of processors`,
		`{"requests":{"cpus":null}}`:        `"requests": "cpus": must be a number of processors`,
		`{"requests":{"cpus":true}}`:        `"requests": "cpus": must be a number of processors`,
		`{"requests":{"cpus":[1]}}`:         `"requests": "cpus": must be a number of processors`,
		`{"limits":{"cpus":"NaN"}}`:         `"limits": "cpus": must be a number of processors, or "inf"`,
		`{"limits":{"cpus":"Inf"}}`:         `"limits": "cpus": must be a number of processors, or "inf"`,
		`{"limits":{"cpus":-1}}`:            `"limits": "cpus": must not be negative, or "inf"`,
		`{"requests":{"mem":64}}`:           `"requests": "mem": must be a size like 512MB or 10GiB`,
		`{"requests":{"mem":null}}`:         `"requests": "mem": must be a size like 512MB or 10GiB`,
		`{"requests":{"mem":"inf"}}`:        `"requests": "mem": must be a size like 512MB or 10GiB`,
		`{"requests":{"mem":"-1MB"}}`:       `"requests": "mem": must be a size like 512MB or 10GiB`,
		`{"requests":{"mem":"0MB"}}`:        `"requests": "mem": must be more than nothing`,
		`{"limits":{"mem":"x"}}`:            `"limits": "mem": must be a size like 512MB or 10GiB, or "inf"`,
		`{"requests":{"cpus":2},"limits":{"cpus":1.999}}`:           `"limits": "cpus": must not be less than the request`,
		`{"requests":{"mem":"2MB"},"limits":{"mem":"1.9MB"}}`:       `"limits": "mem": must not be less than the request`,
		`{"requests":{"mem":"2MB"},"limits":{"mem":"1MB","x":1}}`:   `"limits": "x": unknown (cpus and mem are known)`,
		`{"requests":{"mem":"2MB"}, "limit\u0073":{"mem":"1.9MB"}}`: `"limits": "mem": must not be less than the request`,
	} {
		if got, err := parseResources(text); err == nil || err.Error() != want {
			t.Errorf("%s: %+v, %v, want %s", text, got, err, want)
		}
	}
}

// FuzzRequests: what is taken is what encoding/json reads in it, and makes sense.
func FuzzRequests(f *testing.F) {
	f.Add(`{"requests":{"cpus":0.5,"mem":"64MB"},"limits":{"cpus":1,"mem":"inf"}}`)
	f.Add(`{"limits":{"\u0063pus":1e2},"requests":{}}`)
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseResources(text)
		if err != nil {
			return
		}
		var read map[string]map[string]any
		if err := json.Unmarshal([]byte(text), &read); err != nil {
			t.Fatalf("%q is taken for %+v, and is no JSON: %v", text, r, err)
		}
		for _, part := range []struct {
			name string
			a    plan.Amounts
		}{{"requests", r.Requests}, {"limits", r.Limits}} {
			_, cpus := read[part.name]["cpus"]
			_, mem := read[part.name]["mem"]
			if cpus != (part.a.CPUs > 0) || mem != (part.a.Memory > 0) || part.a.CPUs < 0 || part.a.Memory < 0 {
				t.Errorf("%q: %s are %+v", text, part.name, part.a)
			}
		}
		if r.Requests.CPUs == plan.UnlimitedCPUs || r.Requests.Memory == plan.UnlimitedBytes {
			t.Errorf("%q: an infinite request: %+v", text, r)
		}
		if r.Limits.CPUs != 0 && r.Limits.CPUs < r.Requests.CPUs || r.Limits.Memory != 0 && r.Limits.Memory < r.Requests.Memory {
			t.Errorf("%q: a limit below the request: %+v", text, r)
		}
	})
}
