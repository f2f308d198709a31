package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	goruntime "runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// memory is in kB. The peaks are of the command's own process; Pss and
// threads of a container's init between create and start; Pss of a supervisor,
// 0 for a runtime that has none.
type memory struct {
	CreatePeak    int `json:"create_peak_kb"`
	StatePeak     int `json:"state_peak_kb"`
	DeletePeak    int `json:"delete_peak_kb"`
	InitPss       int `json:"init_pss_kb"`
	Threads       int `json:"init_threads"`
	SupervisorPss int `json:"supervisor_pss_kb,omitempty"`
}

func (s *session) memory(runtimes []runtime) (map[string]memory, error) {
	all := map[string]memory{}
	for i, r := range runtimes {
		m, err := s.memoryOf(r)
		reap()
		if err != nil {
			if i == 0 {
				return nil, err
			}
			continue
		}
		all[r.name] = m
	}
	return all, nil
}

func (s *session) memoryOf(r runtime) (m memory, err error) {
	c := s.container(r, s.bundles.standard)
	defer func() {
		if err != nil {
			c.destroy()
		}
	}()
	if m.CreatePeak, err = s.peak(c.args("create", "--bundle", c.bundle, "--pid-file", c.pidFile, c.id)); err != nil {
		return m, fmt.Errorf("%s create: %w", r.name, err)
	}
	pid, err := c.pid()
	if err != nil {
		return m, err
	}
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	if m.InitPss, err = field(filepath.Join(proc, "smaps_rollup"), "Pss:"); err != nil {
		return m, err
	}
	if m.Threads, err = field(filepath.Join(proc, "status"), "Threads:"); err != nil {
		return m, err
	}
	if m.StatePeak, err = s.peak(c.args("state", c.id)); err != nil {
		return m, fmt.Errorf("%s state: %w", r.name, err)
	}
	if _, err = c.command("start", c.id); err != nil {
		return m, err
	}
	if err = c.ended(); err != nil {
		return m, err
	}
	if m.DeletePeak, err = s.peak(c.args("delete", c.id)); err != nil {
		return m, fmt.Errorf("%s delete: %w", r.name, err)
	}
	m.SupervisorPss, err = s.supervisorPss(r)
	return m, err
}

// supervisorPss makes a container that has a supervisor, and measures that:
// init's parent. Only mesoc has them.
func (s *session) supervisorPss(r runtime) (int, error) {
	if !strings.HasPrefix(r.version, "mesoc ") {
		return 0, nil
	}
	c := s.container(r, s.bundles.standard)
	if _, err := c.command("create", "--supervise", "--bundle", c.bundle, "--pid-file", c.pidFile, c.id); err != nil {
		return 0, err
	}
	defer c.destroy()
	pid, err := c.pid()
	if err != nil {
		return 0, err
	}
	supervisor, err := field(filepath.Join("/proc", strconv.Itoa(pid), "status"), "PPid:")
	if err != nil {
		return 0, err
	}
	return field(filepath.Join("/proc", strconv.Itoa(supervisor), "smaps_rollup"), "Pss:")
}

// peak runs a command and gives the largest resident size that it had. The
// figure of wait4 does not serve: a process that was made by vfork inherits
// its parent's. So the command is traced, stopped as it exits, and asked.
func (s *session) peak(args []string) (int, error) {
	goruntime.LockOSThread()
	defer goruntime.UnlockOSThread()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	attr := &os.ProcAttr{
		Files: []*os.File{null, null, null},
		Env:   []string{"PATH=" + os.Getenv("PATH")},
		Sys:   &syscall.SysProcAttr{Ptrace: true},
	}
	process, err := os.StartProcess(args[0], args, attr)
	if err != nil {
		return 0, err
	}
	pid := process.Pid
	if _, err := wait(pid); err != nil {
		return 0, err
	}
	if err := unix.PtraceSetOptions(pid, unix.PTRACE_O_TRACEEXIT); err != nil {
		return 0, fmt.Errorf("trace %s: %w", args[0], err)
	}
	largest, signal := 0, 0
	for {
		if err := unix.PtraceCont(pid, signal); err != nil && !errors.Is(err, unix.ESRCH) {
			return 0, fmt.Errorf("trace %s: %w", args[0], err)
		}
		status, err := wait(pid)
		if err != nil {
			return 0, err
		}
		signal = 0
		switch {
		case status.Exited() && status.ExitStatus() == 0:
			return largest, nil
		case status.Exited() || status.Signaled():
			return 0, fmt.Errorf("wait status %#x", uint32(status))
		case status.StopSignal() == unix.SIGTRAP && status.TrapCause() == unix.PTRACE_EVENT_EXIT:
			kb, err := field(filepath.Join("/proc", strconv.Itoa(pid), "status"), "VmHWM:")
			if err != nil {
				return 0, err
			}
			largest = kb
		case status.Stopped() && status.StopSignal() != unix.SIGTRAP:
			signal = int(status.StopSignal())
		}
	}
}

// field reads the number after a name that starts a line.
func field(file, name string) (int, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, found := strings.CutPrefix(line, name); found {
			words := strings.Fields(rest)
			if len(words) == 0 {
				break
			}
			return strconv.Atoi(words[0])
		}
	}
	return 0, fmt.Errorf("no %s in %s", name, file)
}
