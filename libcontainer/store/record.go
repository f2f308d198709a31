package store

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
)

// Version is the schema of the records that this program writes. It reads
// those of this version and no other: a container lives as long as its
// processes, and a field that one side does not know could be the one that
// says what to undo.
const Version = 1

// Status is how far a container had come when its record was written.
type Status string

// The statuses that are recorded. What `state` prints also depends on whether
// the process lives and whether the cgroup is frozen.
const (
	Creating Status = "creating" // things are being made for it
	Created  Status = "created"  // its init waits at the gate
	Running  Status = "running"  // the gate was opened
	Stopped  Status = "stopped"  // it was seen to have ended
)

// Record is what is remembered of a container. Every field survives Save and
// Load; a new one needs a line each in encode and decodeField, and a test
// finds it missing there. Empty fields are not written.
type Record struct {
	// ID is the container's id, set by Create and Save.
	ID string
	// OCIVersion is ociVersion of config.json.
	OCIVersion string
	// Bundle and Rootfs are absolute paths.
	Bundle, Rootfs string
	// Created is when the create command began.
	Created time.Time
	Status  Status

	// Pid and PidStartTime are init as a sys.Process; zero until it lives.
	// Pid is counted in the pid namespace of the runtime.
	Pid          int
	PidStartTime uint64
	// InitName is init's name at the gate, as in /proc/PID/comm.
	InitName string
	// BootID is sys.BootID at create: with another one, nothing that the
	// record says of processes, cgroups and mounts is true any more.
	BootID string

	// Cgroup is the container's cgroup, relative to CgroupMount; its
	// processes are in CgroupLeaf below it. All are empty without cgroups.
	Cgroup, CgroupLeaf, CgroupMount string
	// CgroupMade says that mesoc made the directory Cgroup, and so removes it.
	CgroupMade bool
	// Parent is the id of the container that it is nested in; empty for none.
	Parent string
	// Children are the ids that containers nested in it had when they were
	// made: those that are still there, and may be others' by now, name it as
	// their parent.
	Children []string
	// ShareCgroups says that no controller is enabled for its cgroups: it is
	// limited with its parent.
	ShareCgroups bool
	// Resctrl are the directories of resctrl that create makes for the
	// container, in the order in which they are removed.
	Resctrl []string
	// ResctrlClass is the directory of the class of service that the container
	// is in, made for it or not; empty without linux.intelRdt.
	ResctrlClass string

	// Isolation are the names of the isolators that the container was made
	// with, in the order of their preparation.
	Isolation []string

	// SupervisorCgroup is where the process is that waits for the end of init,
	// relative to CgroupMount; empty if there is to be none. SupervisorPid and
	// SupervisorStartTime are that process; zero until it waits.
	SupervisorCgroup    string
	SupervisorPid       int
	SupervisorStartTime uint64

	// Annotations are those of config.json and of the command line.
	Annotations map[string]string
	// Hooks is the object hooks of config.json as it stood there. It is kept
	// as text: only the commands that run hooks pay for decoding them.
	Hooks json.RawMessage
	// GateSteps are the labels of the steps that init makes after the gate,
	// by which `start` names the one that failed.
	GateSteps []string

	// HasProcess says that config.json has a process; without one the
	// container can be created but not started.
	HasProcess bool
	// Rootless says that the container was made without root's rights.
	Rootless bool
	// Owner is the user who made the container.
	Owner uint32

	// Termination is how init ended; nil as long as nobody has seen it.
	Termination *Termination
	// Limitation is the limit for which it ended; nil if for none. It can be
	// there before the end is.
	Limitation *Limitation
	// MemorySeen is what was dealt with of memory that had run out; nil as long
	// as nobody has watched the container.
	MemorySeen *MemorySeen
}

// Init is the container's first process, which may have ended since.
func (r *Record) Init() sys.Process {
	return sys.Process{Pid: r.Pid, StartTime: r.PidStartTime}
}

// Supervisor is the process that waits for init's end, which may have ended
// since.
func (r *Record) Supervisor() sys.Process {
	return sys.Process{Pid: r.SupervisorPid, StartTime: r.SupervisorStartTime}
}

// maxPid is the highest pid that Linux gives (PID_MAX_LIMIT).
const maxPid = 4 << 20

// check returns what makes a record unfit to be acted upon. It is asked before
// a record is written and after one was read.
func (r *Record) check() error {
	if err := ValidID(r.ID); err != nil {
		return err
	}
	for _, id := range r.Children {
		if err := ValidID(id); err != nil {
			return invalid("children", strconv.Quote(id), "not an id")
		}
	}
	if r.Parent != "" && (r.Parent == r.ID || ValidID(r.Parent) != nil) {
		return invalid("parent", strconv.Quote(r.Parent), "not the id of another container")
	}
	switch r.Status {
	case Creating, Created, Running, Stopped:
	default:
		return invalid("status", strconv.Quote(string(r.Status)), "unknown")
	}
	// kill(-1) and kill(0) would hit everybody.
	if r.Pid < 0 || r.Pid > maxPid {
		return invalid("pid", strconv.Itoa(r.Pid), "no process has it")
	}
	if r.SupervisorPid < 0 || r.SupervisorPid > maxPid {
		return invalid("supervisor_pid", strconv.Itoa(r.SupervisorPid), "no process has it")
	}
	if year := r.Created.UTC().Year(); year < 1 || year > 9999 {
		return invalid("created", strconv.Itoa(year), "no year of four digits")
	}
	if err := r.Termination.check(); err != nil {
		return err
	}
	if err := r.Limitation.check(); err != nil {
		return err
	}
	if len(r.Hooks) > 0 && (r.Hooks[0] != '{' || !json.Valid(r.Hooks)) {
		return invalid("hooks", "", "not a JSON object")
	}
	if err := r.checkPaths(); err != nil {
		return err
	}
	return r.checkText()
}

func (r *Record) checkPaths() error {
	for _, p := range []struct{ name, value string }{
		{"bundle", r.Bundle}, {"rootfs", r.Rootfs}, {"cgroup_mount", r.CgroupMount},
	} {
		if p.value != "" && p.value[0] != '/' {
			return invalid(p.name, strconv.Quote(p.value), "not absolute")
		}
	}
	// They are removed by delete.
	for _, p := range []struct{ name, value string }{{"cgroup", r.Cgroup}, {"supervisor_cgroup", r.SupervisorCgroup}} {
		for component := range strings.SplitSeq(p.value, "/") {
			if component == ".." || component == "." {
				return invalid(p.name, strconv.Quote(p.value), "it leads elsewhere")
			}
		}
	}
	for _, dir := range r.Resctrl {
		if strays(dir) {
			return invalid("resctrl", strconv.Quote(dir), "it leads elsewhere")
		}
	}
	if r.ResctrlClass != "" && strays(r.ResctrlClass) {
		return invalid("resctrl_class", strconv.Quote(r.ResctrlClass), "it leads elsewhere")
	}
	if strings.Contains(r.CgroupLeaf, "/") || r.CgroupLeaf == ".." || r.CgroupLeaf == "." {
		return invalid("cgroup_leaf", strconv.Quote(r.CgroupLeaf), "not a name")
	}
	return nil
}

// strays says whether a directory of resctrl is relative or climbs.
func strays(dir string) bool {
	return dir == "" || dir[0] != '/' || strings.Contains(dir+"/", "/../")
}

// checkText refuses what JSON cannot hold, which is only UTF-8: a path that
// came back changed would be another path.
func (r *Record) checkText() error {
	check := func(name, value string) error {
		if !utf8.ValidString(value) {
			return invalid(name, strconv.Quote(value), "not UTF-8")
		}
		if strings.IndexByte(value, 0) >= 0 {
			return invalid(name, strconv.Quote(value), "it holds a NUL byte")
		}
		return nil
	}
	for _, p := range []struct{ name, value string }{
		{"oci_version", r.OCIVersion}, {"bundle", r.Bundle}, {"rootfs", r.Rootfs},
		{"init_name", r.InitName}, {"boot_id", r.BootID}, {"resctrl_class", r.ResctrlClass},
		{"cgroup", r.Cgroup}, {"supervisor_cgroup", r.SupervisorCgroup}, {"cgroup_leaf", r.CgroupLeaf}, {"cgroup_mount", r.CgroupMount},
	} {
		if err := check(p.name, p.value); err != nil {
			return err
		}
	}
	for key, value := range r.Annotations {
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return invalid("annotations", strconv.Quote(key), "not UTF-8")
		}
	}
	for _, list := range []struct {
		name   string
		values []string
	}{{"gate_steps", r.GateSteps}, {"isolation", r.Isolation}} {
		for _, value := range list.values {
			if !utf8.ValidString(value) {
				return invalid(list.name, strconv.Quote(value), "not UTF-8")
			}
		}
	}
	for _, dir := range r.Resctrl {
		if err := check("resctrl", dir); err != nil {
			return err
		}
	}
	return nil
}

// invalid is an error about one field of a record.
func invalid(field, value, rule string) error {
	if value != "" {
		field += " " + value
	}
	return errors.New(field + ": " + rule)
}
