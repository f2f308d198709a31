package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// runtime is one of those that are compared.
type runtime struct {
	name    string
	path    string
	version string
}

func newRuntime(name, path string) (runtime, error) {
	path, err := exec.LookPath(path)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return runtime{}, fmt.Errorf("runtime %s: %w", name, err)
	}
	said, err := exec.Command(path, "--version").Output()
	if err != nil {
		return runtime{}, fmt.Errorf("runtime %s: %s --version: %w", name, path, err)
	}
	line, _, _ := strings.Cut(string(said), "\n")
	return runtime{name: name, path: path, version: strings.TrimSpace(line)}, nil
}

// session holds what all measurements share.
type session struct {
	bundles bundles
	state   string
	work    string
	next    int // number of the next container
}

// container is one container of one runtime.
type container struct {
	s       *session
	r       runtime
	id      string
	bundle  string
	pidFile string
}

func (s *session) container(r runtime, bundle string) *container {
	s.next++
	id := fmt.Sprintf("bench%d-%d", os.Getpid(), s.next)
	return &container{s: s, r: r, id: id, bundle: bundle, pidFile: filepath.Join(s.work, "pid")}
}

func (c *container) args(command string, args ...string) []string {
	return append([]string{c.r.path, "--root", filepath.Join(c.s.state, c.r.name), command}, args...)
}

// command runs one command of the runtime.
func (c *container) command(command string, args ...string) (cost, error) {
	taken, err := c.s.spawn(c.args(command, args...))
	if err != nil {
		return cost{}, fmt.Errorf("%s %s: %w", c.r.name, command, err)
	}
	return taken, nil
}

func (c *container) create() (cost, error) {
	return c.command("create", "--bundle", c.bundle, "--pid-file", c.pidFile, c.id)
}

func (c *container) run() (cost, error) {
	return c.command("run", "--bundle", c.bundle, c.id)
}

// pid reads the pid file.
func (c *container) pid() (int, error) {
	text, err := os.ReadFile(c.pidFile)
	if err != nil {
		return 0, err
	}
	var pid int
	if _, err := fmt.Sscan(string(text), &pid); err != nil {
		return 0, fmt.Errorf("parse %s: %w", c.pidFile, err)
	}
	return pid, nil
}

// ended waits until init has ended and collects it.
func (c *container) ended() error {
	pid, err := c.pid()
	if err != nil {
		return err
	}
	if _, err := wait(pid); err != nil {
		return fmt.Errorf("wait for init %d of %s: %w", pid, c.r.name, err)
	}
	return nil
}

// wait waits for a child to end, or to stop if it is traced, whatever signals come.
func wait(pid int) (status unix.WaitStatus, err error) {
	for {
		_, err = unix.Wait4(pid, &status, 0, nil)
		if !errors.Is(err, unix.EINTR) {
			return status, err
		}
	}
}

// destroy is for after a failure; nothing it says matters then.
func (c *container) destroy() {
	_, _ = c.command("delete", "--force", c.id)
}

// spawn uses os.StartProcess directly: it clones as posix_spawn does, and
// there are no pipes or goroutines in the measured time.
func (s *session) spawn(args []string) (cost, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return cost{}, err
	}
	defer null.Close()
	stderr, err := os.Create(filepath.Join(s.work, "stderr"))
	if err != nil {
		return cost{}, err
	}
	defer stderr.Close()
	attr := &os.ProcAttr{Files: []*os.File{null, null, stderr}, Env: []string{"PATH=" + os.Getenv("PATH")}}
	start := time.Now()
	process, err := os.StartProcess(args[0], args, attr)
	if err != nil {
		return cost{}, err
	}
	state, err := process.Wait()
	taken := time.Since(start)
	if err != nil {
		return cost{}, err
	}
	if !state.Success() {
		said, _ := os.ReadFile(stderr.Name())
		return cost{}, fmt.Errorf("%s: %s", state, bytes.TrimSpace(said))
	}
	return cost{taken, state.UserTime() + state.SystemTime()}, nil
}

func becomeSubreaper() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become a subreaper: %w", err)
	}
	return nil
}

// reap collects what runtimes have left to us and nobody waits for.
func reap() {
	for {
		pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
		if pid <= 0 || err != nil {
			return
		}
	}
}
