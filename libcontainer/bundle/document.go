package bundle

import (
	"encoding/json"

	"github.com/mailru/easyjson/jlexer"
	"github.com/opencontainers/runtime-spec/specs-go"
)

//go:generate go run generate.go

// document is config.json. It is specs.Spec but for the sections of other
// platforms, of which nothing is of interest but that they are there: that
// spares their decoders.
type document struct {
	Version     string            `json:"ociVersion"`
	Process     *specs.Process    `json:"process,omitempty"`
	Root        *specs.Root       `json:"root,omitempty"`
	Hostname    string            `json:"hostname,omitempty"`
	Domainname  string            `json:"domainname,omitempty"`
	Mounts      []specs.Mount     `json:"mounts,omitempty"`
	Hooks       *specs.Hooks      `json:"hooks,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Linux       *linux            `json:"linux,omitempty"`
	Solaris     json.RawMessage   `json:"solaris,omitempty"`
	Windows     json.RawMessage   `json:"windows,omitempty"`
	VM          json.RawMessage   `json:"vm,omitempty"`
	ZOS         json.RawMessage   `json:"zos,omitempty"`
	FreeBSD     json.RawMessage   `json:"freebsd,omitempty"`
}

// linux is specs.Linux with the profile left as text.
type linux struct {
	specs.Linux
	Seccomp profileText `json:"seccomp,omitempty"`
}

// profile is what that text is decoded to.
//
//easyjson:json
type profile specs.LinuxSeccomp

// decode reads a config.json with the generated decoder: reflection would
// build its tables anew in every process, for ten times the price. It also takes
// some text that is not quite JSON: line breaks in strings, and nearly anything in
// properties that nobody knows. What the decoder says of an error is not for
// people; diagnose is. A profile that is known is left out of the spec, see Load.
func decode(raw []byte, known Known) (*specs.Spec, error) {
	var d document
	lexer := jlexer.Lexer{Data: raw}
	d.UnmarshalEasyJSON(&lexer)
	if err := lexer.Error(); err != nil {
		return nil, err
	}
	spec := &specs.Spec{
		Version:     d.Version,
		Process:     d.Process,
		Root:        d.Root,
		Hostname:    d.Hostname,
		Domainname:  d.Domainname,
		Mounts:      d.Mounts,
		Hooks:       d.Hooks,
		Annotations: d.Annotations,
	}
	if d.Linux != nil {
		spec.Linux = &d.Linux.Linux
		if err := d.Linux.Seccomp.decode(&spec.Linux.Seccomp, known); err != nil {
			return nil, err
		}
	}
	oldPidsLimit(spec)
	if present(d.Solaris) {
		spec.Solaris = &specs.Solaris{}
	}
	if present(d.Windows) {
		spec.Windows = &specs.Windows{}
	}
	if present(d.VM) {
		spec.VM = &specs.VM{}
	}
	if present(d.ZOS) {
		spec.ZOS = &specs.ZOS{}
	}
	if present(d.FreeBSD) {
		spec.FreeBSD = &specs.FreeBSD{}
	}
	return spec, nil
}

// oldPidsLimit makes a limit of 0 what it meant before 1.3.0 of the spec: none. Its Go binding could
// not leave the limit out, and podman 4 writes 0 for --pids-limit=-1.
func oldPidsLimit(spec *specs.Spec) {
	if spec.Linux == nil || spec.Linux.Resources == nil || spec.Linux.Resources.Pids == nil {
		return
	}
	pids := spec.Linux.Resources.Pids
	if pids.Limit == nil || *pids.Limit != 0 {
		return
	}
	if major, minor, ok := semver(spec.Version); ok && major == "1" && len(minor) == 1 && minor < "3" {
		pids.Limit = nil
	}
}

// present reports whether a section says anything.
func present(section json.RawMessage) bool {
	switch string(section) {
	case "", "null", "{}":
		return false
	}
	return true
}
