package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// The settings that commands ask for, as indices of settingTable.
const (
	setRoot = iota
	setCgroupsRoot
	setCgroupsLeaf
	setLog
	setLogFormat
	setDebug
	setRootless
	setSystemdCgroup
	setCgroupManager
	setConfig
	setIsolation
	setAllowed
	numNamed
)

// setting is one wish of the operator. Its name has dashes as a flag; in the
// file, in the environment and in errors it has underscores.
type setting struct {
	option
	group    string             // heading in the help
	value    string             // the default
	shown    string             // what the documents say of the default, when value does not
	words    []string           // the only values there are
	check    func(string) error // nil: anything goes, or kind and words say enough
	needs    string             // the isolators that would obey it and are not built: until then only the default will do
	flagOnly bool               // neither in the file nor in the environment
}

const (
	groupState     = "State and cgroups"
	groupOutput    = "Output"
	groupEngines   = "For engines"
	groupIsolators = "Isolators (the settings of those that are not built yet are refused)"
)

// key is the setting's name everywhere but on the command line.
func (s *setting) key() string { return strings.ReplaceAll(s.name, "-", "_") }

// byDefault is the default as people read it.
func (s *setting) byDefault() string {
	if s.shown != "" {
		return strings.ReplaceAll(s.shown, "`", "")
	}
	if s.kind == boolean {
		return ""
	}
	return s.value
}

// settingTable is read by both parsers, the file, the environment, the help
// and the documents. Nobody writes to it. It has no function calls, so that
// the compiler lays it out and no start of the program pays for it.
var settingTable = [...]setting{
	setRoot:          {option: option{name: "root", meta: "DIR", usage: "the state directory"}, group: groupState, shown: "`/run/mesoc`; `$XDG_RUNTIME_DIR/mesoc` when not root", check: checkRoot},
	setCgroupsRoot:   {option: option{name: "cgroups-root", usage: "root cgroup, relative to the cgroup2 mount; created when missing"}, group: groupState, value: "mesos", check: checkCgroupsRoot},
	setCgroupsLeaf:   {option: option{name: "cgroups-leaf", usage: "name of the cgroup that holds a container's processes"}, group: groupState, value: "leaf", check: checkCgroupsLeaf},
	setLog:           {option: option{name: "log", meta: "FILE", usage: "file that errors and warnings are appended to"}, group: groupOutput, shown: "stderr"},
	setLogFormat:     {option: option{name: "log-format", usage: "text or json"}, group: groupOutput, value: "text", words: []string{"text", "json", ""}},
	setDebug:         {option: option{name: "debug", kind: boolean, usage: "tell what is done, step by step"}, group: groupOutput, value: "false"},
	setRootless:      {option: option{name: "rootless", usage: "true, false or auto; accepted for the sake of runc's callers"}, group: groupEngines, value: "auto", words: []string{"true", "false", "auto", ""}},
	setSystemdCgroup: {option: option{name: "systemd-cgroup", kind: boolean, usage: "understood, but create and run refuse it: mesoc makes its cgroups itself"}, group: groupEngines, value: "false"},
	setCgroupManager: {option: option{name: "cgroup-manager", usage: "cgroupfs; systemd and disabled are understood, but create and run refuse them"}, group: groupEngines, value: "cgroupfs", words: []string{"cgroupfs", "systemd", "disabled"}, flagOnly: true},
	setConfig:        {option: option{name: "config", meta: "FILE", usage: "file of settings, in TOML"}, group: groupState, shown: "`" + defaultConfig + "`", flagOnly: true},
	setIsolation:     {option: option{name: "isolation", meta: "LIST", usage: "comma list of isolators: cgroups/cpu, cgroups/mem, cgroups/all, which is both"}, group: groupIsolators, check: checkIsolation},
	setAllowed:       {option: option{name: "allowed-annotations", usage: "comma list of prefixes: the annotations of mesoc that a bundle may have"}, group: groupEngines, value: "io.mesoc.", check: checkPrefixes},

	{option: option{name: "criu", usage: "accepted and ignored, with a warning: criu is looked for in $PATH"}, group: groupEngines, flagOnly: true},
	{option: option{name: "version", alias: "v", kind: boolean, usage: "print what this program is"}, group: groupOutput, value: "false", flagOnly: true},

	{option: option{name: "enforce-container-disk-quota", kind: boolean, usage: "disk/du, disk/xfs: kill or refuse beyond the limit"}, group: groupIsolators, value: "false", needs: "disk/du and disk/xfs"},
	{option: option{name: "container-disk-watch-interval", usage: "time between two rounds of disk/du"}, group: groupIsolators, value: "15s", check: checkDuration, needs: "disk/du and disk/xfs"},
	{option: option{name: "default-container-disk-limit", usage: "size, for containers that ask for none"}, group: groupIsolators, check: checkSize, needs: "disk/du and disk/xfs"},
	{option: option{name: "xfs-project-range", usage: "project ids of disk/xfs"}, group: groupIsolators, value: "[5000-10000]", check: checkProjectRange, needs: "disk/xfs"},
	{option: option{name: "xfs-kill-containers", kind: boolean, usage: "disk/xfs: kill what is beyond its limit"}, group: groupIsolators, value: "false", needs: "disk/xfs"},
	{option: option{name: "xfs-quota-headroom", usage: "disk/xfs: room above the limit before the kill"}, group: groupIsolators, value: "10MB", check: checkSize, needs: "disk/xfs"},
	{option: option{name: "cgroups-net-cls-primary-handle", usage: "16 bits, 0xAAAA"}, group: groupIsolators, check: checkHandle, needs: "cgroups/net_cls"},
	{option: option{name: "cgroups-net-cls-secondary-handles", usage: "inclusive range of 16 bit handles"}, group: groupIsolators, value: "0x0001,0xffff", check: checkHandleRange, needs: "cgroups/net_cls"},
	{option: option{name: "cgroups-net-cls-backend", usage: "auto, bpf or v1"}, group: groupIsolators, value: "auto", words: []string{"auto", "bpf", "v1"}, needs: "cgroups/net_cls"},
	{option: option{name: "network-cni-plugins-dir", usage: "directories of CNI plugins, colon list"}, group: groupIsolators, needs: "network/cni"},
	{option: option{name: "network-cni-config-dir", usage: "directory of CNI configurations"}, group: groupIsolators, needs: "network/cni"},
	{option: option{name: "default-container-dns", usage: "JSON"}, group: groupIsolators, check: checkJSON, needs: "network/cni"},
	{option: option{name: "default-container-info", usage: "JSON"}, group: groupIsolators, check: checkJSON, needs: "filesystem/shared"},
	{option: option{name: "default-container-shm-size", usage: "size of /dev/shm"}, group: groupIsolators, check: checkSize, needs: "namespaces/ipc"},
	{option: option{name: "effective-capabilities", usage: "comma list"}, group: groupIsolators, check: checkCapabilities, needs: "linux/capabilities"},
	{option: option{name: "bounding-capabilities", usage: "comma list"}, group: groupIsolators, check: checkCapabilities, needs: "linux/capabilities"},
	{option: option{name: "disallow-sharing-agent-pid-namespace", kind: boolean, usage: "no container in the host's pid namespace"}, group: groupIsolators, value: "false", needs: "namespaces/pid"},
	{option: option{name: "disallow-sharing-agent-ipc-namespace", kind: boolean, usage: "no container in the host's ipc namespace"}, group: groupIsolators, value: "false", needs: "namespaces/ipc"},
	{option: option{name: "docker-volume-checkpoint-dir", usage: "records of docker/volume"}, group: groupIsolators, shown: "under `root`", needs: "docker/volume"},
	{option: option{name: "docker-volume-chown", kind: boolean, usage: "give volumes to the container's user"}, group: groupIsolators, value: "false", needs: "docker/volume"},
	{option: option{name: "docker-ignore-runtime", kind: boolean, usage: "leave docker/runtime's image config alone"}, group: groupIsolators, value: "false", needs: "docker/runtime"},
}

// globalOption finds a setting's flag; dashes and underscores are one.
func globalOption(name string) *option {
	for i := range settingTable {
		if o := &settingTable[i].option; sameName(o.name, name) || o.alias != "" && o.alias == name {
			return o
		}
	}
	return nil
}

func sameName(dashed, name string) bool {
	if len(dashed) != len(name) {
		return false
	}
	for i := range len(name) {
		if c := name[i]; c != dashed[i] && (c != '_' || dashed[i] != '-') {
			return false
		}
	}
	return true
}

// settings are the operator's wishes, resolved.
type settings [len(settingTable)]string

func (s *settings) text(i int) string { return s[i] }

func (s *settings) is(i int) bool { return s[i] != "" && isTrue(s[i]) }

func isTrue(value string) bool {
	on, err := strconv.ParseBool(value)
	return err == nil && on
}

// operator is where wishes come from besides the flags.
type operator struct {
	environ []string
	file    string       // read when neither flag nor environment names another
	read    configReader // nil: a file is an error
}

// configReader calls set for each setting of a file.
type configReader func(path string, data []byte, set func(key, value string, line int) error) error

// errFile is what a file of settings is to somebody who cannot read one.
var errFile = errors.New("read settings: there is a file")

const defaultConfig = "/etc/mesoc/config.toml"

// resolve gives each setting its value: the default, then the file, then the
// environment, then the flags, of which the last one counts. It always
// returns what it could make out, so that an error finds its log file.
func resolve(flags given, from operator) (settings, error) {
	var s settings
	var errs []error
	for i := range settingTable {
		s[i] = settingTable[i].value
	}
	set := func(i int, value, source string) {
		if err := settingTable[i].accept(value); err != nil {
			errs = append(errs, fmt.Errorf("set %s to %q (%s): %w", settingTable[i].key(), value, source, err))
			return
		}
		s[i] = value
	}
	if err := s.fromFile(flags, from, set); err != nil {
		errs = append(errs, err)
	}
	s.fromEnvironment(from, set)
	for _, a := range flags {
		for i := range settingTable {
			if settingTable[i].name == a.name {
				set(i, a.value, "flag --"+a.name)
			}
		}
	}
	if s[setRoot] == "" {
		s[setRoot] = defaultRoot(from.environ)
	}
	root, err := filepath.Abs(s[setRoot])
	if err != nil {
		errs = append(errs, fmt.Errorf("find the state directory %s: %w", s[setRoot], err))
	}
	s[setRoot] = root
	if len(errs) > 0 {
		// The first one: an error is one sentence, and the next call shows the next.
		return s, errs[0]
	}
	return s, s.checkTogether()
}

// fromFile reads the file of settings. The default one need not exist.
func (s *settings) fromFile(flags given, from operator, set func(int, string, string)) error {
	path, named := flags.last(settingTable[setConfig].name)
	if !named || from.file == "" {
		path, named = lookup(from.environ, "MESOC_CONFIG")
	}
	if path == "" {
		path, named = from.file, false
	}
	if path == "" {
		return nil
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && !named {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	if from.read == nil {
		return errFile
	}
	return from.read(path, data, func(key, value string, line int) error {
		for i := range settingTable {
			if settingTable[i].key() == key && !settingTable[i].flagOnly {
				set(i, value, fmt.Sprintf("file %s, line %d", path, line))
				return nil
			}
		}
		return fmt.Errorf("read settings: file %s, line %d: %s: no such setting", path, line, key)
	})
}

// fromEnvironment takes what is set and not empty.
func (s *settings) fromEnvironment(from operator, set func(int, string, string)) {
	for _, entry := range from.environ {
		name, ok := strings.CutPrefix(entry, "MESOC_")
		if !ok {
			continue
		}
		name, value, _ := strings.Cut(name, "=")
		for i := range settingTable {
			if t := &settingTable[i]; value != "" && !t.flagOnly && strings.ToUpper(t.key()) == name {
				set(i, value, "environment MESOC_"+name)
			}
		}
	}
}

// lookup finds a variable that is set and not empty.
func lookup(environ []string, name string) (value string, ok bool) {
	for _, entry := range environ {
		if value, ok = strings.CutPrefix(entry, name+"="); ok {
			return value, value != ""
		}
	}
	return "", false
}

func defaultRoot(environ []string) string {
	if os.Geteuid() != 0 {
		if dir, ok := lookup(environ, "XDG_RUNTIME_DIR"); ok {
			return filepath.Join(dir, "mesoc")
		}
	}
	return "/run/mesoc"
}

// accept says what is wrong with a value, or that nothing obeys it yet.
func (t *setting) accept(value string) error {
	if err := t.option.check(value); err != nil {
		return fmt.Errorf("must be true or false")
	}
	if len(t.words) > 0 && !slices.Contains(t.words, value) {
		return fmt.Errorf("must be one of %s", strings.TrimSuffix(strings.Join(t.words, ", "), ", "))
	}
	if t.check != nil {
		if err := t.check(value); err != nil {
			return err
		}
	}
	if t.needs == "" || value == t.value || t.kind == boolean && isTrue(value) == isTrue(t.value) {
		return nil
	}
	return fmt.Errorf("not supported yet: needs %s", t.needs)
}

// checkTogether looks at settings that need each other.
func (s *settings) checkTogether() error {
	var plugins, config string
	for i := range settingTable {
		switch settingTable[i].name {
		case "network-cni-plugins-dir":
			plugins = s[i]
		case "network-cni-config-dir":
			config = s[i]
		}
	}
	if (plugins == "") != (config == "") {
		return errors.New("set network_cni_plugins_dir and network_cni_config_dir: one needs the other")
	}
	return nil
}
