package libcontainer_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"syscall"
	"testing"
)

// stepSample is how many steps of one program are taken by default.
const stepSample = 8

// TestCrashAtStep kills runtime and stage together when the stage has come to a
// step of its program, for a sample of the steps, or those that MESOC_CRASH says.
// From the step on at which the stage has a session of its own, it dies alone,
// and the runtime has to undo what it has begun.
func TestCrashAtStep(t *testing.T) {
	r := newCrashRig(t)
	r.configure(t, "", "", `,"hooks":{"createRuntime":[{"path":"/bin/true"}],"poststop":[{"path":"/bin/true"}]}`)
	parent := []string{"run", "--detach", "--supervise", "--bundle", r.bundle, crashParent}
	alone := []string{"run", "--detach", "--parent", crashParent, "--bundle", r.bundle, crashID}
	nested := append([]string{"run", "--supervise"}, alone[1:]...)
	for _, c := range []struct {
		name, variable string
		before         [][]string
		args           []string
	}{
		{"run nested", "MESOC_TEST_FAULT", [][]string{parent}, alone},
		{"run nested and supervised", "MESOC_TEST_FAULT", [][]string{parent}, nested},
		{"the supervisor of a nested run", "MESOC_TEST_SUPERVISOR_FAULT", [][]string{parent}, nested},
		{"exec in a nested container", "MESOC_TEST_FAULT", [][]string{parent, nested}, []string{"exec", crashID, "/bin/busybox", "true"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			prepare := func() {
				for _, args := range c.before {
					r.mustRun(t, args...)
				}
			}
			finish := func() {
				r.recover(t)
				r.endParent(t)
				r.clean(t)
			}
			prepare()
			steps := r.steps(t, c.args, c.variable)
			finish()
			first, stride := chosen(t, steps, stepSample)
			killed, tried := 0, 0
			for n := first; n < steps; n += stride {
				tried++
				prepare()
				if r.crashAt(t, c.args, fmt.Sprintf("%s=%d:SIGKILL", c.variable, n)) {
					killed++
				}
				finish()
				if t.Failed() {
					t.Fatalf("killed at step %d of %d", n, steps)
				}
			}
			t.Logf("killed at %d of %d steps, of which it has %d", killed, tried, steps)
			// Jumps leave steps out.
			if killed < tried/2 {
				t.Errorf("only %d of %d runs were killed", killed, tried)
			}
		})
	}
}

// steps is the length of the program that --debug prints: of init or exec, or
// of the supervisor.
func (r *crashRig) steps(t *testing.T, args []string, variable string) int {
	t.Helper()
	log := t.TempDir() + "/log"
	r.mustRun(t, append([]string{"--debug", "--log", log}, args...)...)
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	prefix := ""
	if variable == "MESOC_TEST_SUPERVISOR_FAULT" {
		prefix = "supervisor: "
	}
	line := regexp.MustCompile(`msg="` + prefix + `step (\d+): `)
	last := -1
	for _, m := range line.FindAllSubmatch(text, -1) {
		n, _ := strconv.Atoi(string(m[1]))
		last = max(last, n)
	}
	if last < 5 {
		t.Fatalf("no program in the log:\n%s", text)
	}
	return last + 1
}

// crashAt runs the command in a process group of its own, with the fault that
// the environment orders; false if it has succeeded.
func (r *crashRig) crashAt(t *testing.T, args []string, fault string) bool {
	t.Helper()
	out, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := r.command(args)
	cmd.Env = append(os.Environ(), fault)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = cmd.Run()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(out.Name()); bytes.Contains(text, []byte("MESOC_TEST")) {
		t.Fatalf("%s: %s", fault, text)
	}
	return err != nil
}
