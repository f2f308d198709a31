package libcontainer

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/cgroup2"
	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/launch"
	"github.com/mesoc/mesoc/libcontainer/store"
)

// A supervised container has a parent that stays: a process that waits for the
// end of its init and writes it into a file beside the record. The file is made
// here and handed over open, so what the supervisor writes after a delete goes
// nowhere; readers take it for a part of the record.

// endName is that file in a container's directory.
const endName = "end"

// shelterTries bounds how often the supervisors' cgroup is made again because
// the last container of another command took it along.
const shelterTries = 16

// launch starts init, below a supervisor if there is to be one.
func (c *creation) launch(spec *launch.Spec) (*launch.Child, error) {
	if c.record.SupervisorCgroup == "" {
		return launch.Start(spec)
	}
	result, err := c.makeEndFile()
	if err != nil {
		return nil, err
	}
	defer sys.Close(result)
	for try := 1; ; try++ {
		shelter, err := cgroup2.MakeShared(c.mount, c.record.SupervisorCgroup)
		if err != nil {
			return nil, err
		}
		spec.Supervisor = &launch.Supervisor{
			Cgroup:  shelter.FD(),
			Watched: c.pair.Container.FD(),
			Leaf:    c.record.CgroupLeaf,
			Result:  result,
			Label:   c.record.ID,
			Fault:   c.runtime.SupervisorFault,
			Trace:   c.runtime.traceLine,
		}
		child, err := launch.Start(spec)
		shelter.Close()
		if !errors.Is(err, unix.ENODEV) || try == shelterTries {
			return child, err
		}
	}
}

// makeEndFile makes the file that the supervisor writes into, and has room for
// it be kept: when the end comes the file system may be full.
func (c *creation) makeEndFile() (int, error) {
	fd, err := sys.Openat(c.locked.Dir(), endName, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return -1, err
	}
	err = unix.Fallocate(fd, unix.FALLOC_FL_KEEP_SIZE, 0, int64(launch.EndSize))
	if err != nil && !errors.Is(err, unix.EOPNOTSUPP) {
		sys.Close(fd)
		return -1, fmt.Errorf("keep room for %s: %w", endName, err)
	}
	return fd, nil
}

// entrust leaves init to its supervisor, and notes down who that is.
func (c *creation) entrust() error {
	v := c.child.Supervisor()
	if v == nil {
		return nil
	}
	stat, err := sys.ReadStat(v.Pid)
	if err != nil {
		return err
	}
	c.record.SupervisorPid, c.record.SupervisorStartTime = v.Pid, stat.StartTime
	return c.child.Entrust()
}

// supervisorWait is how long a supervisor may take to write down an end: it is
// about to. One that somebody has stopped has had its time after stoppedWait.
const (
	supervisorWait = 10 * time.Second
	stoppedWait    = time.Second
)

// supervisorEnds waits until a supervisor that is about to end has ended.
func supervisorEnds(p sys.Process, pidfd int) (ended bool, err error) {
	for deadline := time.Now().Add(supervisorWait); ; {
		ended, err = sys.PidfdWait(pidfd, time.Now().Add(stoppedWait))
		if err != nil || ended || !time.Now().Before(deadline) {
			return ended, err
		}
		if stat, err := sys.ReadStat(p.Pid); err == nil && stat.State == 'T' {
			return false, nil
		}
	}
}

// completeEnd adds to the record what a supervisor has written. Once the
// container has ended it waits for that.
func (r *Runtime) completeEnd(record *store.Record) {
	if record.SupervisorPid == 0 || record.Termination != nil || r.readEnd(record) {
		return
	}
	if record.BootID != "" {
		if boot, err := sys.BootID(); err == nil && boot != record.BootID {
			return
		}
	}
	init, err := openInit(record)
	if err == nil {
		ended, err := sys.PidfdWait(init, time.Now())
		sys.Close(init)
		if err != nil || !ended {
			return
		}
	}
	supervisor, err := sys.OpenProcess(record.Supervisor())
	if err == nil {
		_, _ = supervisorEnds(record.Supervisor(), supervisor)
		sys.Close(supervisor)
	}
	r.readEnd(record)
}

// readEnd adds to the record what a supervisor has written; false if there is
// nothing.
func (r *Runtime) readEnd(record *store.Record) bool {
	var data [launch.EndSize + 1]byte
	n, err := sys.ReadFileAt(sys.CWD, path.Join(r.Root, record.ID, endName), data[:])
	if err != nil {
		return false
	}
	end, ok := launch.ReadEnd(data[:n])
	if !ok || end.Status.Pid != record.Pid { // another container of that name
		return false
	}
	mergeEnd(record, &store.Termination{
		ExitCode: end.Status.Code,
		Signal:   int(end.Status.Signal),
		Finished: end.Time,
	}, memoryLimitation(&end))
	return true
}

// killedCode is the exit code of a shell whose command got SIGKILL.
const killedCode = 128 + int(unix.SIGKILL)

// memoryLimitation says whether init has ended for want of memory: it was
// killed, or says of its own child that it was, and a limit of the container
// has killed somebody. A kill for a limit further up is not the container's,
// nor is one for a limit of a container inside it.
func memoryLimitation(end *launch.End) *store.Limitation {
	events := cgroup2.SumMemoryEvents(end.MemoryEvents[:]...)
	if events.OOM == 0 || events.OOMKill == 0 || !killed(end.Status) {
		return nil
	}
	var limit, peak *uint64
	if n, err := strconv.ParseUint(strings.TrimSpace(end.MemoryMax), 10, 64); err == nil { // none is "max"
		limit = &n
	}
	if n, err := strconv.ParseUint(strings.TrimSpace(end.MemoryPeak), 10, 64); err == nil { // from Linux 5.19 on
		peak = &n
	}
	return memoryExceeded(limit, peak, processesKilled(&events))
}

// limitationSeen is memoryLimitation for one that we were the parent of. What
// was counted before the container in a cgroup that it has not made cannot be
// told from its own.
func (c *container) limitationSeen(status sys.ExitStatus) (*store.Limitation, error) {
	if !killed(status) || !c.record.CgroupMade {
		return nil, nil
	}
	cg, err := c.cgroup()
	if err != nil || cg == nil {
		return nil, err
	}
	defer cg.Close()
	events, err := cg.OwnMemoryEvents(c.record.CgroupLeaf)
	if err != nil || events == nil || events.OOM == 0 || events.OOMKill == 0 {
		return nil, err
	}
	m, err := cg.Memory()
	if err != nil || m == nil {
		return nil, err
	}
	return memoryExceeded(m.Limit, m.Peak, processesKilled(events)), nil
}

// killed says whether init was killed, or says of its own child that it was.
func killed(status sys.ExitStatus) bool {
	return status.Signal == unix.SIGKILL || status.Code == killedCode
}

func processesKilled(events *cgroup2.MemoryEvents) string {
	return "processes killed " + strconv.FormatUint(events.OOMKill, 10)
}

// memoryExceeded is the limitation of a container whose limit was hit. Mesos'
// message begins like this; nil is what is not known.
func memoryExceeded(limit, peak *uint64, more string) *store.Limitation {
	l := &store.Limitation{Reason: store.LimitationMemory, Message: "Memory limit exceeded:"}
	if limit != nil {
		l.Resources.Mem = *limit
		l.Message += " limit " + inMegabytes(*limit) + ","
	}
	if peak != nil {
		l.Message += " peak " + inMegabytes(*peak) + ","
	}
	l.Message += " " + more
	return l
}

func inMegabytes(bytes uint64) string {
	return strconv.FormatFloat(float64(bytes)/(1<<20), 'f', 1, 64) + "MB"
}

// endSupervisor sees the supervisor off: with the container it has ended, or is
// about to.
func (c *container) endSupervisor() error {
	if c.record.SupervisorCgroup == "" {
		return nil
	}
	patience := time.Now()
	if c.record.SupervisorPid == 0 {
		patience = patience.Add(20 * time.Millisecond) // the create was killed, and it with it
	} else if err := c.awaitSupervisor(); err != nil {
		return fmt.Errorf("end the supervisor of container %s: %w", c.record.ID, err)
	}
	c.runtime.completeEnd(&c.record)
	return cgroup2.RemoveShared(cgroup2.Mount{Path: c.record.CgroupMount}, c.record.SupervisorCgroup, patience)
}

// awaitSupervisor waits for its end, and brings it about if it takes too long:
// somebody may have stopped it.
func (c *container) awaitSupervisor() error {
	if boot, err := sys.BootID(); err != nil || boot != c.record.BootID {
		return err
	}
	fd, err := sys.OpenProcess(c.record.Supervisor())
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return err
	}
	defer sys.Close(fd)
	ended, err := supervisorEnds(c.record.Supervisor(), fd)
	if err != nil || ended {
		return err
	}
	if err := sys.PidfdSignal(fd, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	_, err = sys.PidfdWait(fd, time.Now().Add(supervisorWait))
	return err
}

// reapSupervised is launch.Child.ReapAsReaper for a child with a supervisor. If
// somebody has killed that, the child has become ours.
func (c *creation) reapSupervised() (sys.ExitStatus, error) {
	v := c.child.Supervisor()
	if !c.orphaned {
		if _, err := v.Reap(); err != nil {
			return sys.ExitStatus{}, err
		}
		if c.runtime.readEnd(&c.record) {
			e := c.record.Termination
			return sys.ExitStatus{Pid: c.record.Pid, Code: e.ExitCode, Signal: unix.Signal(e.Signal)}, nil
		}
		c.orphaned = true
	}
	return c.child.ReapAsReaper()
}
