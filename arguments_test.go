package main

import (
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

// twins parses argv with both parsers. The plain one may decline; what it
// accepts, the other must understand in the same way.
func twins(t *testing.T, argv []string) (plain, app *call, accepted bool) {
	t.Helper()
	plain = &call{stdout: io.Discard, stderr: io.Discard}
	app = &call{stdout: io.Discard, stderr: io.Discard}
	if !plain.parsePlain(arrange(argv)) {
		return plain, app, false
	}
	err := app.parseWithApp(arrange(argv))
	if err != nil {
		t.Errorf("%q: plain accepts what the app refuses: %v", argv, err)
		return plain, app, true
	}
	if plain.command != app.command && !(plain.command != nil && app.command != nil && plain.command.name == app.command.name) {
		t.Errorf("%q: commands differ: %v, %v", argv, plain.command, app.command)
	}
	same := func(what string, a, b any) {
		t.Helper()
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%q: %s differ: plain %q, app %q", argv, what, a, b)
		}
	}
	same("globals", plain.globals, app.globals)
	same("flags", plain.flags, app.flags)
	same("arguments", append([]string{}, plain.args...), append([]string{}, app.args...))
	return plain, app, true
}

// What engines send must be understood without the app.
func TestEnginesAreUnderstood(t *testing.T) {
	for _, test := range []struct {
		line    string
		command string
		globals given
		flags   given
		args    []string
	}{
		{"--root /run/x --log /b/log.json --log-format json create --bundle /b --pid-file /b/init.pid --console-socket /s ID", "create",
			given{{"root", "/run/x"}, {"log", "/b/log.json"}, {"log-format", "json"}},
			given{{"bundle", "/b"}, {"pid-file", "/b/init.pid"}, {"console-socket", "/s"}}, []string{"ID"}},
		{"--log-format=json --log L --systemd-cgroup create --bundle B --pid-file F --no-pivot --no-new-keyring --preserve-fds 2 ID", "create",
			given{{"log-format", "json"}, {"log", "L"}, {"systemd-cgroup", "true"}},
			given{{"bundle", "B"}, {"pid-file", "F"}, {"no-pivot", "true"}, {"no-new-keyring", "true"}, {"preserve-fds", "2"}}, []string{"ID"}},
		{"--root=/r start ID", "start", given{{"root", "/r"}}, nil, []string{"ID"}},
		{"--root /r --root /q state ID", "state", given{{"root", "/r"}, {"root", "/q"}}, nil, []string{"ID"}},
		{"kill --all ID 9", "kill", nil, given{{"all", "true"}}, []string{"ID", "9"}},
		{"kill ID KILL", "kill", nil, nil, []string{"ID", "KILL"}},
		{"kill ID --all", "kill", nil, nil, []string{"ID", "--all"}},
		{"kill ID -9", "kill", nil, nil, []string{"ID", "-9"}},
		{"delete --force ID", "delete", nil, given{{"force", "true"}}, []string{"ID"}},
		{"delete ID -f", "delete", nil, given{{"force", "true"}}, []string{"ID"}},
		{"delete ID --force=false", "delete", nil, given{{"force", "false"}}, []string{"ID"}},
		{"create ID -b B", "create", nil, given{{"bundle", "B"}}, []string{"ID"}},
		{"run -no-subreaper -d -bundle=B -- ID", "run", nil, given{{"no-subreaper", "true"}, {"detach", "true"}, {"bundle", "B"}}, []string{"ID"}},
		{"run -- -d", "run", nil, nil, []string{"-d"}},
		{"run --annotation a=b,c --annotation d=e ID", "run", nil, given{{"annotation", "a=b,c"}, {"annotation", "d=e"}}, []string{"ID"}},
		{"--cgroups_root m --cgroups-leaf c --rootless=true --criu /usr/bin/criu state ID", "state",
			given{{"cgroups-root", "m"}, {"cgroups-leaf", "c"}, {"rootless", "true"}, {"criu", "/usr/bin/criu"}}, nil, []string{"ID"}},
		{"--cgroup-manager disabled delete ID", "delete", given{{"cgroup-manager", "disabled"}}, nil, []string{"ID"}},
		{"list -f json -q", "list", nil, given{{"format", "json"}, {"quiet", "true"}}, nil},
		{"features", "features", nil, nil, nil},
		{"--root /r/k8s.io --log L --log-format json exec --process /p --console-socket /s --detach --pid-file /b/x.pid ID", "exec",
			given{{"root", "/r/k8s.io"}, {"log", "L"}, {"log-format", "json"}},
			given{{"process", "/p"}, {"console-socket", "/s"}, {"detach", "true"}, {"pid-file", "/b/x.pid"}}, []string{"ID"}},
		{"exec --pid-file F --process S --detach --preserve-fds 1 ID", "exec", nil,
			given{{"pid-file", "F"}, {"process", "S"}, {"detach", "true"}, {"preserve-fds", "1"}}, []string{"ID"}},
		{"exec -t -u 1:2 -e A=b -e C= --tty=false ID sh -c --help -- -x", "exec", nil,
			given{{"tty", "true"}, {"user", "1:2"}, {"env", "A=b"}, {"env", "C="}, {"tty", "false"}}, []string{"ID", "sh", "-c", "--help", "--", "-x"}},
		{"ps --format json ID", "ps", nil, given{{"format", "json"}}, []string{"ID"}},
		{"ps ID -ef -o pid", "ps", nil, nil, []string{"ID", "-ef", "-o", "pid"}},
		{"pause ID", "pause", nil, nil, []string{"ID"}},
		{"resume ID", "resume", nil, nil, []string{"ID"}},
		{"update --resources=- ID", "update", nil, given{{"resources", "-"}}, []string{"ID"}},
		{"--root /r update --resources - ID", "update", given{{"root", "/r"}}, given{{"resources", "-"}}, []string{"ID"}},
		{"update --memory-swap -1 -r F ID", "update", nil, given{{"memory-swap", "-1"}, {"resources", "F"}}, []string{"ID"}},
		{"update ID --cpu-shares 5 --cpu-share=6", "update", nil, given{{"cpu-share", "5"}, {"cpu-share", "6"}}, []string{"ID"}},
		{"events --interval=5s ID", "events", nil, given{{"interval", "5s"}}, []string{"ID"}},
		{"events --stats ID", "events", nil, given{{"stats", "true"}}, []string{"ID"}},
		{"stats --format json A B", "stats", nil, given{{"format", "json"}}, []string{"A", "B"}},
		{"--debug=false state --", "", nil, nil, nil},
		{"state help", "state", nil, nil, []string{"help"}},
		{"state h", "state", nil, nil, []string{"h"}},
		{"state -", "state", nil, nil, []string{"-"}},
		{"--version", "version", given{{"version", "true"}}, nil, nil},
		{"-v", "version", given{{"version", "true"}}, nil, nil},
	} {
		plain, _, accepted := twins(t, strings.Fields(test.line))
		if accepted != (test.command != "") {
			t.Errorf("%s: accepted: %v", test.line, accepted)
			continue
		}
		if !accepted {
			continue
		}
		got := call{command: plain.command, globals: plain.globals, flags: plain.flags, args: append([]string(nil), plain.args...)}
		if got.command.name != test.command || !reflect.DeepEqual(got.globals, test.globals) ||
			!reflect.DeepEqual(got.flags, test.flags) || !reflect.DeepEqual(got.args, test.args) {
			t.Errorf("%s: got %s %q %q %q", test.line, got.command.name, got.globals, got.flags, got.args)
		}
	}
}

// Lines made of words that mean something, more or less in their place.
func TestParsersAgree(t *testing.T) {
	globals := []string{
		"--root", "--root=", "-root=/x", "/x", "--log-format", "json", "--debug", "--debug=false", "--debug=maybe",
		"--cgroups_root", "--cgroups-root=a", "--systemd-cgroup", "--help", "--version", "-v", "--nope", "-", "--", "",
	}
	commands := []string{"create", "start", "state", "kill", "delete", "run", "list", "spec", "features", "validate", "exec", "frob", "help", ""}
	words := []string{
		"--bundle", "-b", "-b=B", "--pid-file", "--no-pivot", "--no-pivot=0", "--preserve-fds", "--preserve-fds=3", "3", "-3", "x",
		"--annotation", "a=b,c", "--force", "-f", "-f=json", "--all", "-a", "-q", "-d", "--keep", "--supervise", "--rootless",
		"ID", "ID", "id2", "9", "help", "-h", "--", "--", "---", "--=", "-", "", "--format", "--debug",
	}
	random := rand.New(rand.NewPCG(1, 2))
	some := func(from []string, most int) []string {
		line := make([]string, random.IntN(most+1))
		for i := range line {
			line[i] = from[random.IntN(len(from))]
		}
		return line
	}
	accepted := 0
	for range 20000 {
		argv := append(some(globals, 3), some(commands, 1)...)
		if _, _, ok := twins(t, append(argv, some(words, 4)...)); ok {
			accepted++
		}
		if t.Failed() {
			return
		}
	}
	if accepted < 500 {
		t.Errorf("only %d lines were accepted: the comparison says little", accepted)
	}
}

func FuzzParsersAgree(f *testing.F) {
	f.Add("--root /x\x00state\x00ID")
	f.Add("kill\x00--all\x00ID\x009")
	f.Add("delete\x00ID\x00--force")
	f.Add("run\x00--\x00-x")
	f.Fuzz(func(t *testing.T, line string) {
		argv := strings.Split(line, "\x00")
		for _, word := range argv {
			// The shell's completion and help answer instead of a command.
			if strings.Contains(word, completionFlag[2:]) {
				t.Skip()
			}
		}
		twins(t, argv)
	})
}
