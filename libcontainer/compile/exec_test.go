package compile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/compile"
	"github.com/mesoc/mesoc/libcontainer/plan"
	"github.com/mesoc/mesoc/libcontainer/program"
)

const usualKinds = unix.CLONE_NEWNS | unix.CLONE_NEWIPC | unix.CLONE_NEWNET | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWPID

// The programs of exec are golden files as init's are.
func TestExecGolden(t *testing.T) {
	oom := 100
	plain := plan.Process{Args: []string{"sh", "-c", "true"}, Env: []string{"PATH=/bin"}, Cwd: "/", Umask: 0o22,
		Capabilities: plan.Capabilities{Bounding: 1 << unix.CAP_KILL, Effective: 1 << unix.CAP_KILL, Permitted: 1 << unix.CAP_KILL}}
	full := plain
	full.UID, full.GID, full.Groups, full.Cwd = 1000, 1000, []uint32{5}, "/work"
	full.Terminal, full.Rows, full.Cols, full.OOMScoreAdj = true, 24, 80, &oom
	full.Rlimits = []plan.Rlimit{{Resource: unix.RLIMIT_NOFILE, Name: "RLIMIT_NOFILE", Soft: 10, Hard: 20}, {Resource: unix.RLIMIT_CORE, Name: "RLIMIT_CORE"}}
	full.Seccomp = &plan.Seccomp{Program: []unix.SockFilter{{Code: 6, K: 0x7fff0000}}}
	strict := plain
	strict.NoNewPrivs, strict.Seccomp = true, full.Seccomp
	notified := plain
	notified.Seccomp = notifying()
	for name, e := range map[string]compile.Exec{
		"plain":       {Process: &plain, Join: usualKinds, Keyring: "_ses.c1"},
		"full":        {Process: &full, Join: usualKinds, Keyring: "_ses.c1"},
		"userns":      {Process: &strict, Join: usualKinds | unix.CLONE_NEWUSER | unix.CLONE_NEWTIME, PreserveFDs: 2},
		"host-mounts": {Process: &plain, Join: unix.CLONE_NEWIPC},
		"notify":      {Process: &notified, Join: usualKinds, PreserveFDs: 2},
		"host-all":    {Process: &plain},
		"classes":     {Process: &plain, Join: usualKinds, Classes: []string{"/sys/fs/resctrl/gold/tasks", "/sys/fs/resctrl/gold/mon_groups/c/tasks"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := compile.NewExec(&e)
			var b strings.Builder
			if err := p.Print(&b); err != nil {
				t.Fatal(err)
			}
			matchesGolden(t, filepath.Join("testdata", "exec", name+".golden"), b.String())
			inputs := map[string]uint64{}
			for name := range p.Inputs() {
				inputs[name] = 1000
			}
			if _, err := p.Encode(program.Image{Inputs: inputs}); err != nil {
				t.Errorf("encode: %v", err)
			}
			securityOrder(t, p)
		})
	}
}

// securityOrder sees that the process is out of reach before it joins, and
// that nothing which needs the host's rights or paths comes after.
func securityOrder(t *testing.T, p *program.Program) {
	t.Helper()
	at := map[string]int{}
	for i := range p.Len() {
		at[p.What(i)] = i
	}
	if i := at["make the process undumpable"]; i != 0 {
		t.Errorf("the process can be dumped until step %d", i)
	}
	join, joins := at["join the namespaces of the container"]
	for what, i := range at {
		host := strings.Contains(what, "oom_score_adj") || strings.HasPrefix(what, "mark descriptors")
		if joins && host && i > join {
			t.Errorf("step %d, after joining: %s", i, what)
		}
	}
}

func matchesGolden(t *testing.T, golden, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(golden), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the program is not the one in %s; first difference:\n%s", golden, firstDifference(got, string(want)))
	}
}
