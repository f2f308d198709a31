package compile_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/compile"
	"github.com/mesoc/mesoc/libcontainer/plan"
	"github.com/mesoc/mesoc/libcontainer/program"
)

// notifying is a filter that notifies of everything.
func notifying() *plan.Seccomp {
	return &plan.Seccomp{Flags: unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, Listener: &plan.Listener{Path: "/agent"},
		Program: []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF}}}
}

// behindFilter are the system calls that a program makes under its filter.
func behindFilter(t *testing.T, p *program.Program) []string {
	t.Helper()
	call := regexp.MustCompile(`^step \d+: ([a-z]\w*)\(`)
	var calls []string
	loaded := false
	for line := range p.Lines() {
		if m := call.FindStringSubmatch(line); m != nil && loaded {
			calls = append(calls, m[1])
		}
		loaded = loaded || strings.Contains(line, "# put the system call filter in force")
	}
	return slices.Compact(calls)
}

// What is notified may be anything, so what init, hooks and execs do behind
// such a filter is what the program could not do without either.
func TestCallsBehindAFilterThatNotifies(t *testing.T) {
	for _, c := range []struct {
		gate plan.Gate
		nnp  bool
		want string
	}{
		{plan.GateSocket, true, "read close execve"},
		{plan.GateParent, true, "read close execve"},
		{plan.GateSocket, false, "read close capset prctl execve"},
	} {
		o := options(c.gate)
		o.Seccomp = notifying()
		spec := readSpec(t, "testdata/notify.json")
		spec.Process.NoNewPrivileges = c.nnp
		init := compileSpec(t, spec, o)
		if got := strings.Join(behindFilter(t, init.Program), " "); got != c.want {
			t.Errorf("%+v: %s, want %s", c, got, c.want)
		}
		if want := map[plan.Gate]int{plan.GateSocket: 6, plan.GateParent: 4}[c.gate]; init.Listener != want {
			t.Errorf("%+v: the listener is %d, want %d: behind what init keeps open", c, init.Listener, want)
		}
		p, err := plan.New(spec, o)
		if err != nil {
			t.Fatal(err)
		}
		hook := compile.NewHook(&compile.Hook{Path: "/h", Args: []string{"h"}, Cwd: "/", Identity: p.Process})
		if got := strings.Join(behindFilter(t, hook), " "); got != c.want {
			t.Errorf("%+v: hook: %s, want %s", c, got, c.want)
		}
		exec := compile.NewExec(&compile.Exec{Process: p.Process, Join: usualKinds, PreserveFDs: 2})
		if got := strings.Join(behindFilter(t, exec), " "); got != c.want {
			t.Errorf("%+v: exec: %s, want %s", c, got, c.want)
		}
	}
}
