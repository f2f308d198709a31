package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// index of a setting by its key.
func index(t *testing.T, key string) int {
	t.Helper()
	for i := range settingTable {
		if settingTable[i].key() == key {
			return i
		}
	}
	t.Fatalf("no setting %s", key)
	return -1
}

func configFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLaterSourcesWin(t *testing.T) {
	file := configFile(t, "cgroups_root = 'file'\ncgroups_leaf = \"file\"\nroot = '/file'\n")
	from := operator{
		environ: []string{"MESOC_CONFIG=" + file, "MESOC_CGROUPS_LEAF=env", "MESOC_ROOT=/env", "MESOC_LOG_FORMAT=", "MESOC_UNHEARD_OF=1"},
		file:    filepath.Join(t.TempDir(), "missing.toml"),
		read:    readConfig,
	}
	s, err := resolve(given{{"root", "/first"}, {"root", "/last"}}, from)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range map[int]string{
		setRoot: "/last", setCgroupsLeaf: "env", setCgroupsRoot: "file", setLogFormat: "text",
	} {
		if s.text(i) != want {
			t.Errorf("%s is %q, want %q", settingTable[i].key(), s.text(i), want)
		}
	}
}

func TestConfigFileIsChosen(t *testing.T) {
	byFlag, byEnv, byDefault := configFile(t, "cgroups_root='flag'"), configFile(t, "cgroups_root='env'"), configFile(t, "cgroups_root='default'")
	environ := []string{"MESOC_CONFIG=" + byEnv}
	for _, test := range []struct {
		flags given
		from  operator
		want  string
	}{
		{given{{"config", byFlag}}, operator{environ, byDefault, readConfig}, "flag"},
		{nil, operator{environ, byDefault, readConfig}, "env"},
		{nil, operator{nil, byDefault, readConfig}, "default"},
		{nil, operator{nil, "/nowhere/at/all", nil}, "mesos"},
		{given{{"config", byFlag}}, operator{}, "mesos"}, // features asks no host
	} {
		s, err := resolve(test.flags, test.from)
		if err != nil || s.text(setCgroupsRoot) != test.want {
			t.Errorf("%v: got %q, %v, want %q", test, s.text(setCgroupsRoot), err, test.want)
		}
	}
	for _, test := range []struct {
		flags given
		from  operator
	}{
		{given{{"config", "/nowhere"}}, operator{nil, byDefault, readConfig}},
		{nil, operator{[]string{"MESOC_CONFIG=/nowhere"}, byDefault, readConfig}},
	} {
		if _, err := resolve(test.flags, test.from); err == nil || err.Error() != "read settings: open /nowhere: no such file or directory" {
			t.Errorf("%v: got %v", test, err)
		}
	}
}

func TestDefaultRoot(t *testing.T) {
	want := "/run/mesoc"
	if os.Geteuid() != 0 {
		want = "/run/user/1/mesoc"
	}
	if got := defaultRoot([]string{"XDG_RUNTIME_DIR=/run/user/1"}); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	s, err := resolve(given{{"root", "state/"}}, operator{})
	if err != nil || s.text(setRoot) != filepath.Join(here, "state") {
		t.Errorf("got %s, %v", s.text(setRoot), err)
	}
}

// Each wrong value names setting, source and value; what is refused for now
// says what is missing.
func TestWrongSettings(t *testing.T) {
	for _, test := range []struct{ key, value, want string }{
		{"root", "", "must not be empty"},
		{"root", "/", "must not be the root of the file system"},
		{"root", "//./", "must not be the root of the file system"},
		{"cgroups_root", "", "must not have an empty name"},
		{"cgroups_root", "/mesos", "must be relative to the cgroup2 mount"},
		{"cgroups_root", "a//b", "must not have an empty name"},
		{"cgroups_root", "a/../b", "must not have the name .."},
		{"cgroups_root", "a/./b", "must not have the name ."},
		{"cgroups_root", "cgroup.procs", "must not have a name that begins with cgroup."},
		{"cgroups_leaf", "a/b", "must not have a slash"},
		{"cgroups_leaf", "mesos", "must not be mesos"},
		{"cgroups_leaf", strings.Repeat("x", 256), "over 255 bytes"},
		{"log_format", "xml", "must be one of text, json"},
		{"rootless", "maybe", "must be one of true, false, auto"},
		{"debug", "perhaps", "must be true or false"},
		{"isolation", "disk/xfs", "isolator disk/xfs: not supported yet"},
		{"isolation", "cgroups/mem,network/cni,disk/du", "isolator disk/du: not supported yet"},
		{"isolation", "disk/zfs", `isolator "disk/zfs" is unknown`},
		{"isolation", "disk/du,disk/du", "isolator disk/du is named twice"},
		{"isolation", "disk/du,", `isolator "" is unknown`},
		{"xfs_project_range", "[0-10]", "must not contain project id 0"},
		{"xfs_project_range", "[10-5]", "must not be empty"},
		{"xfs_project_range", "[1-4294967296]", "must not contain ids over 32 bits"},
		{"xfs_project_range", "5000-10000", "must be a range"},
		{"xfs_project_range", "[x-10000]", "must be a range"},
		{"xfs_project_range", "[1-9,20-30]", "not supported yet"},
		{"xfs_quota_headroom", "ten", "must be a size"},
		{"xfs_quota_headroom", "10", "must be a size"},
		{"xfs_quota_headroom", "0MB", "must be more than nothing"},
		{"xfs_quota_headroom", "-1MB", "must be a size"},
		{"xfs_quota_headroom", "infMB", "must be a size"},
		{"xfs_quota_headroom", "1.5GiB", "not supported yet"},
		{"container_disk_watch_interval", "15", "must be a duration"},
		{"container_disk_watch_interval", "0s", "must be more than nothing"},
		{"container_disk_watch_interval", "-1s", "must be more than nothing"},
		{"container_disk_watch_interval", "2mins", "not supported yet"},
		{"container_disk_watch_interval", "1weeks", "not supported yet"},
		{"container_disk_watch_interval", "2days", "not supported yet"},
		{"cgroups_net_cls_primary_handle", "0x10000", "must fit into 16 bits"},
		{"cgroups_net_cls_primary_handle", "0", "must not be 0"},
		{"cgroups_net_cls_primary_handle", "x", "must be a number"},
		{"cgroups_net_cls_primary_handle", "0x12", "not supported yet"},
		{"cgroups_net_cls_secondary_handles", "0x0,0x5", "must not begin with 0"},
		{"cgroups_net_cls_secondary_handles", "0x5,0x1", "must not be empty"},
		{"cgroups_net_cls_secondary_handles", "0x5", "must be two handles"},
		{"cgroups_net_cls_secondary_handles", "1,2,3", "must be two handles"},
		{"cgroups_net_cls_secondary_handles", "1,0x1ffff", "must fit into 16 bits"},
		{"cgroups_net_cls_backend", "v2", "must be one of auto, bpf, v1"},
		{"cgroups_net_cls_backend", "bpf", "not supported yet"},
		{"default_container_dns", "{", "must be JSON"},
		{"default_container_dns", "{}", "not supported yet"},
		{"default_container_shm_size", "64M", "must be a size"},
		{"effective_capabilities", "net_raw", "must be a comma list of capabilities"},
		{"effective_capabilities", "NET_RAW,", "must be a comma list of capabilities"},
		{"bounding_capabilities", "NET_RAW,CAP_CHOWN", "not supported yet"},
		{"bounding_capabilities", `{"capabilities":`, "must be JSON"},
		{"enforce_container_disk_quota", "yes", "must be true or false"},
		{"enforce_container_disk_quota", "true", "not supported yet"},
		{"docker_volume_checkpoint_dir", "/x", "not supported yet"},
		{"docker_ignore_runtime", "1", "not supported yet"},
		{"allowed_annotations", "io.mesoc.,", "must not have an empty prefix"},
		{"network_cni_plugins_dir", "/p", "not supported yet"},
	} {
		i := index(t, test.key)
		t.Run(test.key+"="+test.value, func(t *testing.T) {
			file := configFile(t, "\n# a comment\n"+test.key+" = "+`'''`+test.value+`'''`+"\n")
			for source, from := range map[string]operator{
				"environment MESOC_" + strings.ToUpper(test.key): {environ: []string{"MESOC_" + strings.ToUpper(test.key) + "=" + test.value}},
				"file " + file + ", line 3":                      {file: file, read: readConfig},
			} {
				if test.value == "" && from.environ != nil {
					continue // an empty variable is one that is not set
				}
				_, err := resolve(nil, from)
				checkSettingError(t, err, test.key, test.value, source, test.want)
			}
			_, err := resolve(given{{settingTable[i].name, test.value}}, operator{})
			checkSettingError(t, err, test.key, test.value, "flag --"+settingTable[i].name, test.want)
		})
	}
}

func checkSettingError(t *testing.T, err error, key, value, source, want string) {
	t.Helper()
	if err == nil {
		t.Fatalf("%s: accepted", source)
	}
	prefix := "set " + key + " to \"" + strings.ReplaceAll(value, `"`, `\"`) + "\" (" + source + "): "
	if rest, ok := strings.CutPrefix(err.Error(), prefix); !ok || !strings.Contains(rest, want) {
		t.Errorf("got  %v\nwant %s…%s", err, prefix, want)
	}
}

// A wrong value is an error also where a later source overrides it.
func TestOverriddenValuesAreChecked(t *testing.T) {
	_, err := resolve(given{{"log-format", "json"}}, operator{environ: []string{"MESOC_LOG_FORMAT=xml"}})
	if err == nil || !strings.Contains(err.Error(), "(environment MESOC_LOG_FORMAT)") {
		t.Errorf("got %v", err)
	}
}

// Whatever else is wrong, the error finds its log.
func TestResolveReturnsWhatItCould(t *testing.T) {
	file := configFile(t, "log = '/var/log/x'\nnonsense = 1\n")
	s, err := resolve(given{{"log-format", "json"}, {"cgroups-root", "/"}}, operator{file: file, read: readConfig})
	if err == nil || s.text(setLog) != "/var/log/x" || s.text(setLogFormat) != "json" {
		t.Errorf("got %q %q, %v", s.text(setLog), s.text(setLogFormat), err)
	}
}

// Every default passes its own check, and no default is refused.
func TestDefaultsAreGood(t *testing.T) {
	for i := range settingTable {
		s := &settingTable[i]
		if s.value == "" {
			continue
		}
		if err := s.accept(s.value); err != nil {
			t.Errorf("%s: %v", s.name, err)
		}
	}
	if _, err := resolve(nil, operator{}); err != nil {
		t.Error(err)
	}
}

func TestConfigFile(t *testing.T) {
	for _, test := range []struct{ content, want string }{
		{"root = '/x'\ndebug = true\nallowed_annotations = ['io.mesoc.']\n", ""},
		{"", ""},
		{"# nothing\n", ""},
		{"root = '/x'\n\nrot = '/y'\n", "line 3: rot: no such setting"},
		{"cgroups-root = 'x'\n", "line 1: cgroups-root: no such setting"},
		{"config = '/x'\n", "line 1: config: no such setting"},
		{"root = '/x'\nroot = '/y'\n", "line 2: root: set already in line 1"},
		{"[mesoc]\nroot = '/x'\n", "line 1: [mesoc]: settings are not in tables"},
		{"debug = true\n[[a.b]]\n", "line 2: [a.b]: settings are not in tables"},
		{"a.root = '/x'\n", "line 1: a.root: no such setting"},
		{"root = 1.5\n", "line 1: root: must be a string, a number, true, false or a list of strings"},
		{"root = {a = 1}\n", "line 1: root: must be a string"},
		{"isolation = [1]\n", "line 1: isolation: must be a list of strings"},
		{"root = '/x'\ndebug = \n", "line 2: "},
		{"debug = true\nroot = 'x", "line 2: "},
		{"debug = 'perhaps'\n", `set debug to "perhaps"`},
	} {
		file := configFile(t, test.content)
		_, err := resolve(nil, operator{file: file, read: readConfig})
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%q: %v", test.content, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), file)):
			t.Errorf("%q: got %v, want %s", test.content, err, test.want)
		}
	}
}

func FuzzConfigFile(f *testing.F) {
	f.Add("root = '/x'\n")
	f.Add("a = [\n'b', # c\n]\n[t]\nx.y = 1979-05-27\n")
	f.Add("a = \"\"\"\n\\u00e9")
	f.Add("=")
	f.Fuzz(func(t *testing.T, content string) {
		lines := strings.Count(content, "\n") + 1
		_ = readConfig("f", []byte(content), func(_, _ string, line int) error {
			if line < 1 || line > lines {
				t.Errorf("line %d of %d", line, lines)
			}
			return nil
		})
	})
}

func TestCNIDirectoriesBelongTogether(t *testing.T) {
	var s settings
	s[index(t, "network_cni_plugins_dir")] = "/p"
	if err := s.checkTogether(); err == nil {
		t.Error("plugins without configurations are accepted")
	}
	s[index(t, "network_cni_config_dir")] = "/c"
	if err := s.checkTogether(); err != nil {
		t.Error(err)
	}
}

func BenchmarkResolve(b *testing.B) {
	environ := os.Environ()
	for b.Loop() {
		if _, err := resolve(given{{"root", "/x"}, {"log", "/l"}}, operator{environ, defaultConfig, nil}); err != nil {
			b.Fatal(err)
		}
	}
}
