package libcontainer

import "github.com/mesoc/mesoc/libcontainer/internal/kernel"

// HostFeature is what a host has of something that mesoc uses.
type HostFeature struct {
	Name     string `json:"name"`
	Answer   string `json:"answer"`           // "yes", "no", "could not tell"
	Reason   string `json:"reason,omitempty"` // why it could not be told
	Required bool   `json:"required"`         // no container can be made without it
	Since    string `json:"since"`            // the first Linux that has it: "5.12"
	Config   string `json:"config,omitempty"` // the option of the kernel that it needs
	UsedFor  string `json:"used_for"`
	Without  string `json:"without"` // what becomes of containers where it is missing
}

// Lacking says that the host certainly lacks the feature.
func (f *HostFeature) Lacking() bool { return f.Answer == kernel.No.String() }

// CheckHost looks for everything that mesoc uses, and changes nothing.
func CheckHost() []HostFeature {
	var list []HostFeature
	for _, f := range kernel.Features() {
		answer, err := f.Probe()
		found := HostFeature{Name: f.Name, Answer: answer.String(), Required: f.Required, Since: f.Since.String(),
			UsedFor: f.UsedFor, Without: f.Without}
		if err != nil {
			found.Reason = err.Error()
		}
		if f.Config != "" {
			found.Config = "CONFIG_" + f.Config
		}
		list = append(list, found)
	}
	return list
}
