package libcontainer

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/compile"
	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/launch"
	"github.com/mesoc/mesoc/libcontainer/plan"
	"github.com/mesoc/mesoc/libcontainer/store"
)

// A filter with SCMP_ACT_NOTIFY asks an agent about system calls. The agent
// listens on a socket and is sent, for each process that such a filter is put
// on, the listener and what the process is (config-linux.md, seccomp). Each
// has a filter of its own and so a connection of its own: init while the
// container is created, every exec, and every startContainer hook, which is
// held to the container's filter for the same reason that it is held to its
// rights. package compile says when that happens, and what is notified of our
// own.

// newListener is where the listener of a profile goes. The path is made
// absolute: hooks run in another command, with another working directory.
func newListener(s *specs.LinuxSeccomp) (*plan.Listener, error) {
	path, err := filepath.Abs(s.ListenerPath)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", s.ListenerPath, err)
	}
	return &plan.Listener{Path: path, Metadata: s.ListenerMetadata}, nil
}

// passListener takes the listener, which becomes descriptor number of a child
// that has told of its filter, to the agent. status is the container's.
func passListener(record *store.Record, p *plan.Process, child *launch.Child, number int, status Status) error {
	if err := child.Settle(); err != nil {
		return err
	}
	fd, err := child.Fetch(number)
	if err != nil {
		return err
	}
	defer sys.Close(fd)
	if err := sendListener(record, p.Seccomp.Listener, fd, child.Pid, status); err != nil {
		return fmt.Errorf("pass the seccomp listener on: %w", err)
	}
	return nil
}

// sendListener sends a listener and the state of the process pid that it is
// about, over a connection of its own (runtime.md, container process state).
func sendListener(record *store.Record, l *plan.Listener, fd, pid int, status Status) error {
	state, err := json.Marshal(&specs.ContainerProcessState{
		Version:  specs.Version,
		Fds:      []string{specs.SeccompFdName},
		Pid:      pid,
		Metadata: l.Metadata,
		// While the container is created nothing is recorded of its init.
		State: specState(record, status, cmp.Or(record.Pid, pid)),
	})
	if err != nil {
		return err
	}
	sock, err := sys.Connect(unix.SOCK_STREAM, l.Path)
	if err != nil {
		return err
	}
	defer sys.Close(sock)
	if err := sys.SendFD(sock, state, fd); err != nil {
		return fmt.Errorf("send to %s: %w", l.Path, err)
	}
	return nil
}

// passLaterListener is passListener for a process that comes after init, if it
// has a listener. The process waits for that.
func passLaterListener(record *store.Record, p *plan.Process, child *launch.Child, number int, status Status) error {
	if !compile.Listens(p) {
		return nil
	}
	event, err := child.Next()
	if err != nil {
		return err
	}
	if event.Code != compile.ToldFilter {
		return fmt.Errorf("hear from the process: event %d is unknown", event.Code)
	}
	if err := passListener(record, p, child, number, status); err != nil {
		return err
	}
	return child.Go()
}

// answerName is the pipe beside the gate's that init answers start with, when
// the gate is a pipe.
const answerName = "answer"

// makePipeGate makes a gate for an init that can do no more than read.
func (c *creation) makePipeGate() error {
	for name, input := range map[string]string{gateName: compile.InputGate, answerName: compile.InputAnswer} {
		if err := unix.Mkfifoat(c.locked.Dir(), name, 0o600); err != nil {
			return fmt.Errorf("make pipe %s: %w", name, err)
		}
		// Both ends, so that opening waits for nobody and reading does.
		fd, err := sys.Openat(c.locked.Dir(), name, unix.O_RDWR, 0)
		if err != nil {
			return err
		}
		c.inputs.donate(input, fd)
	}
	return nil
}

// openPipeGate lets init go on, and returns the pipe that it answers on.
func (c *container) openPipeGate() (answer int, err error) {
	gate, err := sys.Openat(c.locked.Dir(), gateName, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if errors.Is(err, unix.ENXIO) {
		return -1, fmt.Errorf("open the gate: init has ended: %w", err)
	}
	if err != nil {
		return -1, err
	}
	defer sys.Close(gate)
	// Non-blocking, since an open for reading waits for who writes.
	if answer, err = sys.Openat(c.locked.Dir(), answerName, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0); err != nil {
		return -1, err
	}
	if err = unix.SetNonblock(answer, false); err == nil {
		err = sys.Write(gate, []byte{0})
	}
	if err != nil {
		sys.Close(answer)
		return -1, fmt.Errorf("open the gate: %w", err)
	}
	return answer, nil
}
