package store

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/mailru/easyjson/jlexer"
)

// The names of the fields in state.json, in the order in which they are written.
const (
	keyVersion             = "version"
	keyID                  = "id"
	keyOCIVersion          = "oci_version"
	keyStatus              = "status"
	keyBundle              = "bundle"
	keyRootfs              = "rootfs"
	keyCreated             = "created"
	keyPid                 = "pid"
	keyPidStartTime        = "pid_start_time"
	keyInitName            = "init_name"
	keyBootID              = "boot_id"
	keyCgroup              = "cgroup"
	keyCgroupLeaf          = "cgroup_leaf"
	keyCgroupMount         = "cgroup_mount"
	keyCgroupMade          = "cgroup_made"
	keyParent              = "parent"
	keyChildren            = "children"
	keyShareCgroups        = "share_cgroups"
	keyResctrl             = "resctrl"
	keyResctrlClass        = "resctrl_class"
	keyIsolation           = "isolation"
	keySupervisorCgroup    = "supervisor_cgroup"
	keySupervisorPid       = "supervisor_pid"
	keySupervisorStartTime = "supervisor_start_time"
	keyHasProcess          = "has_process"
	keyRootless            = "rootless"
	keyOwner               = "owner"
	keyGateSteps           = "gate_steps"
	keyHooks               = "hooks"
	keyAnnotations         = "annotations"
	keyTermination         = "termination"
	keyLimitation          = "limitation"
	keyMemorySeen          = "memory_seen"

	// Within termination.
	keyExitCode   = "exit_code"
	keySignal     = "signal"
	keyFinishedAt = "finished_at"

	// Within limitation.
	keyReason    = "reason"
	keyMessage   = "message"
	keyMemBytes  = "mem_bytes"
	keyDiskBytes = "disk_bytes"
)

// encode writes a record as JSON, by appending: the two generic ways cost a
// command more, by reflection or, with easyjson's writer, by the net package.
func encode(r *Record) ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	w := object{buf: make([]byte, 0, 1024+len(r.Hooks))}
	w.number(keyVersion, Version)
	w.string(keyID, r.ID)
	w.string(keyOCIVersion, r.OCIVersion)
	w.string(keyStatus, string(r.Status))
	w.string(keyBundle, r.Bundle)
	w.string(keyRootfs, r.Rootfs)
	w.time(keyCreated, r.Created)
	w.number(keyPid, uint64(r.Pid))
	w.number(keyPidStartTime, r.PidStartTime)
	w.string(keyInitName, r.InitName)
	w.string(keyBootID, r.BootID)
	w.string(keyCgroup, r.Cgroup)
	w.string(keyCgroupLeaf, r.CgroupLeaf)
	w.string(keyCgroupMount, r.CgroupMount)
	w.bool(keyCgroupMade, r.CgroupMade)
	w.string(keyParent, r.Parent)
	w.strings(keyChildren, r.Children)
	w.bool(keyShareCgroups, r.ShareCgroups)
	w.strings(keyResctrl, r.Resctrl)
	w.string(keyResctrlClass, r.ResctrlClass)
	w.strings(keyIsolation, r.Isolation)
	w.string(keySupervisorCgroup, r.SupervisorCgroup)
	w.number(keySupervisorPid, uint64(r.SupervisorPid))
	w.number(keySupervisorStartTime, r.SupervisorStartTime)
	w.bool(keyHasProcess, r.HasProcess)
	w.bool(keyRootless, r.Rootless)
	w.number(keyOwner, uint64(r.Owner))
	w.strings(keyGateSteps, r.GateSteps)
	w.raw(keyHooks, r.Hooks)
	w.stringMap(keyAnnotations, r.Annotations)
	w.termination(keyTermination, r.Termination)
	w.limitation(keyLimitation, r.Limitation)
	w.memorySeen(keyMemorySeen, r.MemorySeen)
	data := append(w.buf, "}\n"...)
	if len(data) > maxRecord {
		return nil, errors.New("the record would have " + strconv.Itoa(len(data)) +
			" bytes, and may have " + strconv.Itoa(maxRecord))
	}
	return data, nil
}

// decode reads a record and checks it. The error says where and why, not of
// which file.
func decode(data []byte) (Record, error) {
	var r Record
	var version uint64
	in := jlexer.Lexer{Data: data}
	in.Delim('{')
	for in.Ok() && !in.IsDelim('}') {
		key := in.UnsafeFieldName(false)
		in.WantColon()
		if key == keyVersion {
			version = in.Uint64()
		} else {
			r.decodeField(key, &in)
		}
		in.WantComma()
	}
	in.Delim('}')
	in.Consumed()
	// A record of another version may well fail in another place.
	if version != 0 && version != Version {
		return Record{}, errors.New("version " + strconv.FormatUint(version, 10) + ": this mesoc reads version " +
			strconv.Itoa(Version))
	}
	if err := in.Error(); err != nil {
		return Record{}, jsonError(err)
	}
	if version == 0 {
		return Record{}, errors.New("it has no version")
	}
	if err := r.check(); err != nil {
		return Record{}, err
	}
	return r, nil
}

// decodeField reads the value of one field. Unknown ones are passed over.
func (r *Record) decodeField(key string, in *jlexer.Lexer) {
	switch key {
	case keyID:
		r.ID = in.String()
	case keyOCIVersion:
		r.OCIVersion = in.String()
	case keyStatus:
		r.Status = Status(in.String())
	case keyBundle:
		r.Bundle = in.String()
	case keyRootfs:
		r.Rootfs = in.String()
	case keyCreated:
		in.AddError(r.Created.UnmarshalText(in.UnsafeBytes()))
	case keyPid:
		r.Pid = in.Int()
	case keyPidStartTime:
		r.PidStartTime = in.Uint64()
	case keyInitName:
		r.InitName = in.String()
	case keyBootID:
		r.BootID = in.String()
	case keyCgroup:
		r.Cgroup = in.String()
	case keyCgroupLeaf:
		r.CgroupLeaf = in.String()
	case keyCgroupMount:
		r.CgroupMount = in.String()
	case keyCgroupMade:
		r.CgroupMade = in.Bool()
	case keyParent:
		r.Parent = in.String()
	case keyChildren:
		r.Children = decodeStrings(in)
	case keyShareCgroups:
		r.ShareCgroups = in.Bool()
	case keyResctrl:
		r.Resctrl = decodeStrings(in)
	case keyResctrlClass:
		r.ResctrlClass = in.String()
	case keyIsolation:
		r.Isolation = decodeStrings(in)
	case keySupervisorCgroup:
		r.SupervisorCgroup = in.String()
	case keySupervisorPid:
		r.SupervisorPid = in.Int()
	case keySupervisorStartTime:
		r.SupervisorStartTime = in.Uint64()
	case keyHasProcess:
		r.HasProcess = in.Bool()
	case keyRootless:
		r.Rootless = in.Bool()
	case keyOwner:
		r.Owner = in.Uint32()
	case keyGateSteps:
		r.GateSteps = decodeStrings(in)
	case keyHooks:
		r.Hooks = json.RawMessage(in.Raw())
	case keyAnnotations:
		r.Annotations = decodeStringMap(in)
	case keyTermination:
		r.Termination = decodeTermination(in)
	case keyLimitation:
		r.Limitation = decodeLimitation(in)
	case keyMemorySeen:
		r.MemorySeen = decodeMemorySeen(in)
	default:
		in.SkipRecursive()
	}
}

func decodeStrings(in *jlexer.Lexer) (list []string) {
	in.Delim('[')
	for in.Ok() && !in.IsDelim(']') {
		list = append(list, in.String())
		in.WantComma()
	}
	in.Delim(']')
	return list
}

func decodeStringMap(in *jlexer.Lexer) map[string]string {
	m := map[string]string{}
	in.Delim('{')
	for in.Ok() && !in.IsDelim('}') {
		key := in.String()
		in.WantColon()
		m[key] = in.String()
		in.WantComma()
	}
	in.Delim('}')
	return m
}

// jsonError takes the piece of input out of the lexer's error: it may be long,
// and binary.
func jsonError(err error) error {
	var lexer *jlexer.LexerError
	if errors.As(err, &lexer) {
		return errors.New("not valid JSON at byte " + strconv.Itoa(lexer.Offset) + ": " + lexer.Reason)
	}
	if errors.Is(err, io.EOF) {
		return errors.New("not valid JSON: it ends too early")
	}
	return err
}

// object appends fields to a JSON object. Fields with their zero value are
// left out.
type object struct {
	buf []byte
}

func (w *object) key(name string) {
	if len(w.buf) == 0 {
		w.buf = append(w.buf, '{')
	} else {
		w.buf = append(w.buf, ',')
	}
	w.buf = appendString(w.buf, name)
	w.buf = append(w.buf, ':')
}

func (w *object) string(name, value string) {
	if value != "" {
		w.key(name)
		w.buf = appendString(w.buf, value)
	}
}

func (w *object) number(name string, value uint64) {
	if value != 0 {
		w.key(name)
		w.buf = strconv.AppendUint(w.buf, value, 10)
	}
}

func (w *object) bool(name string, value bool) {
	if value {
		w.key(name)
		w.buf = append(w.buf, "true"...)
	}
}

func (w *object) time(name string, value time.Time) {
	if !value.IsZero() {
		w.string(name, value.UTC().Format(time.RFC3339Nano))
	}
}

func (w *object) raw(name string, value []byte) {
	if len(value) > 0 {
		w.key(name)
		w.buf = append(w.buf, value...)
	}
}

func (w *object) strings(name string, values []string) {
	if len(values) == 0 {
		return
	}
	w.key(name)
	separator := byte('[')
	for _, value := range values {
		w.buf = append(w.buf, separator)
		w.buf = appendString(w.buf, value)
		separator = ','
	}
	w.buf = append(w.buf, ']')
}

func (w *object) stringMap(name string, values map[string]string) {
	if len(values) == 0 {
		return
	}
	w.key(name)
	inner := object{}
	// In order, so that equal records are equal files.
	for _, key := range slices.Sorted(maps.Keys(values)) {
		inner.key(key)
		inner.buf = appendString(inner.buf, values[key])
	}
	w.buf = append(append(w.buf, inner.buf...), '}')
}

// appendString appends s as a JSON string; s is UTF-8.
func appendString(buf []byte, s string) []byte {
	const hex = "0123456789abcdef"
	buf = append(buf, '"')
	for _, c := range []byte(s) {
		switch {
		case c == '"' || c == '\\':
			buf = append(buf, '\\', c)
		case c < ' ' || c == 0x7f:
			buf = append(buf, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		default:
			buf = append(buf, c)
		}
	}
	return append(buf, '"')
}
