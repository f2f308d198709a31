package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

var update = flag.Bool("update", false, "write the golden files and the tables in the documents")

// result is what a command line has done.
type result struct {
	code           int
	stdout, stderr string
}

// run1 runs one command line and no process.
func run1(t *testing.T, environ []string, argv ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := mesoc(argv, environ, &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

// golden holds output to a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test -update . writes it):\n%s", path, got)
	}
}

func TestVersion(t *testing.T) {
	r := run1(t, nil, "--version")
	lines := strings.Split(r.stdout, "\n")
	if r.code != 0 || r.stderr != "" || len(lines) != 5 || lines[4] != "" {
		t.Fatalf("got %+v", r)
	}
	for i, prefix := range []string{"mesoc version ", "commit: ", "spec: 1.3.0", "go: go1."} {
		if !strings.HasPrefix(lines[i], prefix) || len(lines[i]) == len(prefix) && i != 2 {
			t.Errorf("line %d is %q", i+1, lines[i])
		}
	}
	if strings.Count(r.stdout, "version") != 1 {
		t.Errorf("engines take the last line with the word version: %q", r.stdout)
	}
}

func TestFeatures(t *testing.T) {
	// Neither a broken file of settings nor a broken environment matters.
	r := run1(t, []string{"MESOC_CONFIG=/nowhere", "MESOC_ROOT=/"}, "features")
	if r.code != 0 || r.stderr != "" {
		t.Fatalf("got %+v", r)
	}
	var document struct{ Annotations map[string]string }
	if err := json.Unmarshal([]byte(r.stdout), &document); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"io.mesoc.version", "io.mesoc.commit"} {
		quoted, _ := json.Marshal(document.Annotations[key])
		r.stdout = strings.Replace(r.stdout, fmt.Sprintf("%q: %s", key, quoted), fmt.Sprintf("%q: \"…\"", key), 1)
	}
	golden(t, "features.json", r.stdout)
}

func TestSpec(t *testing.T) {
	for name, argv := range map[string][]string{"spec.json": {"spec"}, "spec-rootless.json": {"spec", "--rootless"}} {
		dir := t.TempDir()
		argv = append(argv, "--bundle", dir)
		if r := run1(t, nil, argv...); r != (result{}) {
			t.Fatalf("got %+v", r)
		}
		path := filepath.Join(dir, "config.json")
		config, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if os.Geteuid() == 0 && os.Getegid() == 0 {
			golden(t, name, string(config))
		}
		want := result{1, "", "write " + path + ": file config.json exists (remove it first)\n"}
		if r := run1(t, nil, argv...); r != want {
			t.Errorf("got %+v, want %+v", r, want)
		}
	}
	want := result{1, "", "write /nowhere/config.json: open /nowhere/config.json: no such file or directory\n"}
	if r := run1(t, nil, "spec", "-b", "/nowhere"); r != want {
		t.Errorf("got %+v, want %+v", r, want)
	}
}

func TestHelp(t *testing.T) {
	r := run1(t, nil, "--help")
	if r.code != 0 || r.stderr != "" {
		t.Fatalf("got %+v", r)
	}
	golden(t, "help.txt", r.stdout)
	for _, same := range [][]string{{}, {"help"}, {"-h"}, {"h"}} {
		if got := run1(t, nil, same...); got != r {
			t.Errorf("%q: got %+v", same, got)
		}
	}
	for _, c := range commands() {
		r := run1(t, nil, c.name, "--help")
		if c.missing != nil && c.missing() != nil {
			want := result{1, "", "run command " + c.name + ": " + c.missing().Error() + "\n"}
			if r != want { // engines ask so whether it would work
				t.Errorf("%s --help: got %+v, want %+v", c.name, r, want)
			}
			continue
		}
		if r.code != 0 || r.stderr != "" || !strings.Contains(r.stdout, "mesoc "+c.name+" - "+c.usage) {
			t.Errorf("%s --help: got %+v", c.name, r)
		}
		for _, group := range c.options {
			for _, o := range group {
				if strings.Contains(r.stdout, "--"+o.name) == o.unbuilt {
					t.Errorf("%s --help: --%s is built: %v", c.name, o.name, !o.unbuilt)
				}
			}
		}
	}
	golden(t, "help-run.txt", run1(t, nil, "help", "run").stdout)
}

// What is wrong with a command line is said once on stderr, and the help is
// on stdout.
func TestUsageErrors(t *testing.T) {
	for line, want := range map[string]string{
		"state":      `mesoc: "state" requires exactly 1 argument(s)`,
		"state a b":  `mesoc: "state" requires exactly 1 argument(s)`,
		"kill":       `mesoc: "kill" requires a minimum of 1 argument(s)`,
		"kill a b c": `mesoc: "kill" requires a maximum of 2 argument(s)`,
		"list a":     `mesoc: "list" requires exactly 0 argument(s)`,
		// An exec that fails is 255, but not one that nobody understands: as in runc.
		"exec":                        `mesoc: "exec" requires a minimum of 1 argument(s)`,
		"exec --nope a b":             "flag provided but not defined: -nope",
		"state --nope a":              "flag provided but not defined: -nope",
		"--nope state a":              "flag provided but not defined: -nope",
		"create --bundle":             "flag needs an argument: -bundle",
		"create --preserve-fds=x a":   `invalid value "x" for flag -preserve-fds: parse error`,
		"create --preserve-fds=-1 a":  `invalid value "-1" for flag -preserve-fds: parse error`,
		"create --no-pivot=perhaps a": `invalid boolean value "perhaps" for -no-pivot: parse error`,
		"--debug=perhaps state a":     `invalid boolean value "perhaps" for -debug: parse error`,
	} {
		r := run1(t, nil, strings.Fields(line)...)
		if r.code != 1 || r.stderr != want+"\n" || !strings.HasPrefix(r.stdout, "Incorrect Usage") || !strings.Contains(r.stdout, "USAGE:") {
			t.Errorf("%s: got %+v", line, r)
		}
	}
	want := result{1, "", "find command \"frob\": no such command (mesoc help lists them)\n"}
	if r := run1(t, nil, "frob"); r != want {
		t.Errorf("got %+v", r)
	}
}

// Refused by name, before anything happens.
func TestNotBuiltYet(t *testing.T) {
	root := filepath.Join(t.TempDir(), "root")
	for _, c := range []*command{&createCommand, &runCommand, &listCommand} {
		for _, group := range c.options {
			for _, o := range group {
				if !o.unbuilt {
					continue
				}
				argv := []string{"--root", root, c.name, "--" + o.name}
				if o.kind != boolean {
					argv = append(argv, "value")
				}
				if c.maxArgs > 0 {
					argv = append(argv, "ID")
				}
				want := result{1, "", "run command " + c.name + ": --" + o.name + ": not supported yet\n"}
				if r := run1(t, nil, argv...); r != want {
					t.Errorf("%q: got %+v", argv, r)
				}
			}
		}
	}
	for _, flags := range [][]string{{"--systemd-cgroup"}, {"--cgroup-manager", "systemd"}, {"--cgroup-manager=disabled"}} {
		for _, c := range []string{"create", "run"} {
			r := run1(t, nil, append(append([]string{"--root", root}, flags...), c, "ID")...)
			if r.code != 1 || !strings.HasPrefix(r.stderr, "--") || !strings.Contains(r.stderr, "not supported") {
				t.Errorf("%q %s: got %+v", flags, c, r)
			}
		}
		// Only a new container needs the driver.
		r := run1(t, nil, append(append([]string{"--root", root}, flags...), "delete", "--force", "ID")...)
		if r != (result{}) {
			t.Errorf("%q delete --force: got %+v", flags, r)
		}
	}
	if _, err := os.Stat(root); !os.IsNotExist(err) {
		t.Errorf("the state directory is there: %v", err)
	}
}

func TestParseSignal(t *testing.T) {
	for word, want := range map[string]unix.Signal{
		"9": 9, "0": 0, "64": 64, "TERM": 15, "SIGTERM": 15, "sigterm": 15, "kill": 9, "SIGUSR1": 10,
		"RTMIN": 34, "SIGRTMIN+3": 37, "RTMIN+30": 64, "RTMAX": 64, "rtmax-1": 63, "SIGRTMAX-30": 34, "CHLD": 17, "WINCH": 28,
	} {
		if got, err := parseSignal(word); err != nil || got != want {
			t.Errorf("%s: got %d, %v", word, got, err)
		}
	}
	for _, word := range []string{"", "-1", "65", "FOO", "SIG", "SIGSIGTERM", "RTMIN+31", "RTMIN-1", "RTMIN+", "RTMIN3", "RTMAX+1", "RTMAX-31", "RTMIN+-1", "9 ", "1.5"} {
		if got, err := parseSignal(word); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", word)) {
			t.Errorf("%q: got %d, %v", word, got, err)
		}
	}
}

func TestCreation(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	c := &call{}
	if !c.parsePlain(arrange(strings.Fields("create --pid-file p --console-socket s --no-pivot --preserve-fds 2 --annotation a=b=c,d --annotation e= --annotation a=z ID"))) {
		t.Fatal("not understood")
	}
	c.settings, _ = resolve(nil, operator{})
	o, err := c.creation()
	if err != nil {
		t.Fatal(err)
	}
	if o.ID != "ID" || o.Bundle != "." || o.PidFile != filepath.Join(here, "p") || o.ConsoleSocket != "s" || !o.NoPivot || o.NoNewKeyring ||
		o.PreserveFDs != 2 || len(o.Annotations) != 2 || o.Annotations["a"] != "z" || o.Annotations["e"] != "" {
		t.Errorf("got %+v", o)
	}
	for _, wrong := range []string{"novalue", "=v"} {
		c.flags = given{{"annotation", wrong}}
		if _, err := c.creation(); err == nil || err.Error() != `read --annotation "`+wrong+`": must be KEY=VALUE` {
			t.Errorf("%s: got %v", wrong, err)
		}
	}
}

func TestFault(t *testing.T) {
	if f, err := fault([]string{"A=1"}, faultVariable); f != nil || err != nil {
		t.Errorf("got %v, %v", f, err)
	}
	for value, want := range map[string]unix.Errno{"7": unix.EIO, "7:ENOSPC": unix.ENOSPC, "7:EINTR": unix.EINTR} {
		f, err := fault([]string{faultVariable + "=" + value}, faultVariable)
		if err != nil || f.Step != 7 || f.Errno != want {
			t.Errorf("%s: got %v, %v", value, f, err)
		}
	}
	for _, value := range []string{"x", "-1", "7:", "7:EWHAT", "7:5"} {
		if f, err := fault([]string{faultVariable + "=" + value}, faultVariable); err == nil {
			t.Errorf("%s: got %v", value, f)
		}
	}
}

func TestValidate(t *testing.T) {
	dir := t.TempDir()
	config := func(content string) {
		if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "rootfs"), 0o755); err != nil {
		t.Fatal(err)
	}
	config(`{"ociVersion":"1.0.2","root":{"path":"rootfs"},"process":{"cwd":"/","args":["x"]}}`)
	if r := run1(t, nil, "validate", "--bundle", dir); r != (result{}) {
		t.Errorf("got %+v", r)
	}
	if r := run1(t, nil, "validate", "--bundle", dir, "--format", "json"); r != (result{0, "[]\n", ""}) {
		t.Errorf("got %+v", r)
	}
	config(`{"ociVersion":"1.0.2","root":{"path":"nowhere"},"process":{"cwd":"there","args":[]},"hostname":"x"}`)
	r := run1(t, nil, "validate", "--bundle", dir)
	pointers := []string{"/process/cwd", "/process/args", "/hostname", "/root/path"}
	lines := strings.Split(strings.TrimSuffix(r.stdout, "\n"), "\n")
	if r.code != 1 || len(lines) != len(pointers) || r.stderr != fmt.Sprintf("validate %s/config.json: %d problem(s)\n", dir, len(pointers)) {
		t.Fatalf("got %+v", r)
	}
	r = run1(t, nil, "validate", "--bundle", dir, "-f=json")
	var problems []struct{ Pointer, Rule string }
	if err := json.Unmarshal([]byte(r.stdout), &problems); err != nil || len(problems) != len(pointers) || r.code != 1 {
		t.Fatalf("got %+v, %v", r, err)
	}
	for _, pointer := range pointers {
		found := false
		for i, p := range problems {
			found = found || p.Pointer == pointer && p.Rule != "" && strings.HasPrefix(lines[i], pointer+": ")
		}
		if !found {
			t.Errorf("no problem at %s: %+v", pointer, r)
		}
	}
	if r := run1(t, nil, "validate", "--bundle", "/nowhere"); r.code != 1 || r.stdout != "" || !strings.Contains(r.stderr, "no such file or directory") {
		t.Errorf("got %+v", r)
	}
}

func TestList(t *testing.T) {
	root := t.TempDir()
	for argv, want := range map[string]string{
		"list":               "ID          PID         STATUS      BUNDLE      CREATED     OWNER\n",
		"list -f table":      "ID          PID         STATUS      BUNDLE      CREATED     OWNER\n",
		"list --format=json": "null\n",
		"list -q":            "",
		"list -q -f json":    "",
	} {
		if r := run1(t, nil, append([]string{"--root", root}, strings.Fields(argv)...)...); r != (result{0, want, ""}) {
			t.Errorf("%s: got %+v", argv, r)
		}
	}
	want := result{1, "", "list containers: stat " + root + "/nowhere: no such file or directory\n"}
	if r := run1(t, nil, "--root", root+"/nowhere", "list"); r != want {
		t.Errorf("got %+v", r)
	}
	if r := run1(t, []string{"MESOC_ROOT=" + root + "/nowhere"}, "list", "-f=json"); r != (result{0, "null\n", ""}) {
		t.Errorf("got %+v", r)
	}
}

func TestOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: a directory of somebody without a name")
	}
	dir := t.TempDir()
	if err := os.Chown(dir, 3999999, 3999999); err != nil {
		t.Fatal(err)
	}
	if got := owner(dir); got != "#3999999" {
		t.Errorf("got %s", got)
	}
	if got := owner("/"); got != "root" {
		t.Errorf("got %s", got)
	}
}
