package libcontainer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/bundle"
	"github.com/mesoc/mesoc/libcontainer/criu"
	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/plan"
	"github.com/mesoc/mesoc/libcontainer/stage"
)

// ImageOptions are what Checkpoint and Restore have in common. What is not
// explained is criu's option of that name (criu(8)).
type ImageOptions struct {
	Images string // directory of the images
	Work   string // directory of criu's log; empty for that of the images
	// EmptyNetwork leaves what is in the network namespace to hooks. That is also
	// done where there is an interface, which has its other end outside: criu could
	// not bring it back, and whoever gave it to the container will again.
	EmptyNetwork bool

	TCPEstablished, ExternalSockets, ShellJob, FileLocks, LinkRemap, AutoDedup bool
}

// CheckpointOptions say what to save of a container, and how.
type CheckpointOptions struct {
	ID string
	ImageOptions
	Parent          string // images that these only add to, relative to Images
	LeaveRunning    bool
	PreDump         bool // memory only, and the container goes on
	TCPSkipInFlight bool
	NetworkLock     string // iptables, nftables or skip; empty for criu's choice
}

// descriptorsName is the file beside the images that says what the container
// has as standard input, output and errors. It has the name and the form that
// runc gives it; behind these three are those of hostNulls.
const descriptorsName = "descriptors.json"

// CriuMissing says why containers cannot be checkpointed on this host; nil if
// they can.
func CriuMissing() error {
	_, err := criu.Find()
	return err
}

// Checkpoint saves a running or paused container to images. Unless it is left
// running it ends with that, and is deleted. If it fails the container goes on.
func (r *Runtime) Checkpoint(_ context.Context, o CheckpointOptions) error {
	fail := func(err error) error { return fmt.Errorf("checkpoint container %s: %w", o.ID, err) }
	program, err := criu.Find()
	if err != nil {
		return fail(err)
	}
	c, err := r.lock(o.ID)
	defer c.close()
	if err != nil {
		return err
	}
	status, err := r.status(&c.record)
	switch {
	case err != nil:
		return fail(err)
	case status != Running && status != Paused:
		return fail(fmt.Errorf("it is %s, not running", status))
	}
	if err := c.checkpoint(program, &o, status); err != nil {
		return fail(err)
	}
	if o.LeaveRunning || o.PreDump {
		return nil
	}
	if err := c.destroy(); err != nil {
		return fmt.Errorf("delete container %s, which has been checkpointed: %w", o.ID, err)
	}
	return nil
}

func (c *container) checkpoint(program string, o *CheckpointOptions, status Status) error {
	if err := c.checkAlone(); err != nil {
		return err
	}
	p, err := c.savable()
	if err != nil {
		return err
	}
	init, err := c.openInit()
	if err != nil {
		return err
	}
	defer sys.Close(init)
	work, err := openImages(&o.ImageOptions, true)
	if err != nil {
		return err
	}
	defer work.close()
	if err := work.checkParent(o.Parent); err != nil {
		return err
	}
	if !o.EmptyNetwork && p.IsNew(unix.CLONE_NEWNET) {
		if o.EmptyNetwork, err = hasInterfaces(c.record.Pid); err != nil {
			return err
		}
	}
	job := work.job(criu.Dump, program, "dump.log", &o.ImageOptions)
	job.Parent, job.Pid, job.Cgroup = o.Parent, c.record.Pid, -1
	job.LeaveRunning, job.TCPSkipInFlight, job.NetworkLock = o.LeaveRunning, o.TCPSkipInFlight, o.NetworkLock
	job.FreezeCgroup = path.Join(c.record.CgroupMount, c.record.Cgroup)
	if o.PreDump {
		job.Do = criu.PreDump
	}
	if err := c.saveForeign(p, job, work.images); err != nil {
		return err
	}
	if err := c.warnOfStrays(); err != nil {
		return err
	}
	// Only now is it certain that what was looked at by its number was init.
	if err := sys.PidfdSignal(init, 0); err != nil {
		return ErrNotRunning
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	stage.RestoreTimerSlack()
	err = job.Run(func(n criu.Notice) error {
		c.runtime.trace("criu: %s", n.Script)
		return nil
	})
	if status != Paused {
		err = errors.Join(err, c.thaw())
	}
	return err
}

// warnOfStrays names the processes of the container that init is no ancestor
// of: what exec has started. criu saves a tree, and they have another root.
func (c *container) warnOfStrays() error {
	pids, err := c.runtime.Processes(c.record.ID)
	if err != nil {
		return err
	}
	for _, pid := range pids {
		at := pid
		for at > 1 && at != c.record.Pid {
			stat, err := sys.ReadStat(at)
			if err != nil {
				at = c.record.Pid // it has ended
				break
			}
			at = stat.PPid
		}
		if at != c.record.Pid {
			c.runtime.warn("checkpoint container %s: process %d is not saved: it came by exec", c.record.ID, pid)
		}
	}
	return nil
}

// checkAlone refuses containers that are nested in each other: criu would take
// one of them, and the other is not what it was.
func (c *container) checkAlone() error {
	if c.record.Parent != "" {
		return fmt.Errorf("it is nested in container %s: not supported", c.record.Parent)
	}
	for _, id := range c.record.Children {
		if _, status, err := c.runtime.look(id); err == nil && status != Stopped {
			return fmt.Errorf("container %s is nested in it: not supported", id)
		}
	}
	return nil
}

// savable reads the container's bundle again, and refuses what criu cannot
// save, or could not bring back as it was.
func (c *container) savable() (*plan.Plan, error) {
	b, err := bundle.Load(c.record.Bundle, nil)
	if err != nil {
		return nil, err
	}
	if _, given := c.record.Annotations[configAnnotation]; given {
		c.runtime.advise("annotation %s: not obeyed: it can name programs for criu to run", configAnnotation)
	}
	p, err := plan.New(b.Spec, plan.Options{ID: c.record.ID, Bundle: b.Dir, Rootfs: b.Rootfs})
	if err != nil {
		return nil, err
	}
	if l := b.Spec.Linux; l != nil && len(l.NetDevices) > 0 {
		return nil, errors.New("/linux/netDevices: not supported: criu cannot save interfaces of the host")
	}
	inside, err := readInside(c.locked.Dir(), insideName)
	if err != nil {
		return nil, err
	}
	if s := inside.Process.Seccomp; s != nil && s.Listener != nil {
		return nil, errors.New("/linux/seccomp: not supported with SCMP_ACT_NOTIFY: its listener would be lost")
	}
	return p, checkRestorable(p)
}

// checkRestorable refuses what criu could not bring back as it was.
func checkRestorable(p *plan.Plan) error {
	for i := range p.Namespaces {
		n := &p.Namespaces[i]
		switch n.Flag {
		case unix.CLONE_NEWNET, unix.CLONE_NEWPID, unix.CLONE_NEWIPC, unix.CLONE_NEWUTS:
		default:
			if n.Path != "" {
				return fmt.Errorf("/linux/namespaces: not supported with criu: to join a %s namespace", n.Type)
			}
		}
	}
	for i := range p.Mounts {
		if m := &p.Mounts[i]; m.IDMapped {
			return fmt.Errorf("/mounts/%d: not supported with criu: the ids of %s are mapped", i, m.Destination)
		}
	}
	return nil
}

// saveForeign tells criu what the container has open and mounted that is not
// its own.
func (c *container) saveForeign(p *plan.Plan, job *criu.Job, images int) error {
	table, err := sys.ReadMounts(c.record.Pid)
	if err != nil {
		return err
	}
	root, err := sys.Openat(sys.CWD, fmt.Sprintf("/proc/%d/root", c.record.Pid), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer sys.Close(root)
	for _, m := range c.foreignMounts(p, root) {
		if m.mask && isDirectory(root, m.at) {
			continue // behind an empty one, which is the container's own
		}
		job.Mounts = append(job.Mounts, criu.Mount{Key: m.at, Value: m.at})
		for _, below := range m.below(table) {
			job.Mounts = append(job.Mounts, criu.Mount{Key: below, Value: below})
		}
	}
	for i := range p.Namespaces {
		n := &p.Namespaces[i]
		if key := foreignNamespace(n); key != "" {
			id, err := namespaceID(c.record.Pid, n)
			if err != nil {
				return err
			}
			job.External = append(job.External, fmt.Sprintf("%s[%d]:%s", shortName(n), id, key))
		}
	}
	if job.Do == criu.PreDump {
		return nil
	}
	names, foreign, err := standardFiles(c.record.Pid, table)
	if err != nil {
		return err
	}
	pids, err := c.runtime.Processes(c.record.ID)
	if err != nil {
		return err
	}
	nulls, err := hostNulls(pids, table)
	if err != nil {
		return err
	}
	for _, name := range append(foreign, nulls...) {
		if !slices.Contains(job.External, name) {
			job.External = append(job.External, name)
		}
	}
	return writeDescriptors(images, append(names, nulls...))
}

func writeDescriptors(images int, names []string) error {
	data, err := json.Marshal(names)
	if err != nil {
		return err
	}
	return sys.WriteForeignFileAt(images, descriptorsName, data, 0o600)
}

// thaw lets the container go on should criu have left it frozen.
func (c *container) thaw() error {
	cg, err := c.cgroup()
	if err != nil || cg == nil {
		return err
	}
	defer cg.Close()
	if frozen, err := cg.Frozen(); err != nil || !frozen {
		return err
	}
	return cg.Thaw()
}

// imageDirs are the directories of a checkpoint, open.
type imageDirs struct {
	images, work int
	path, log    string // of the two
}

// openImages opens the directories, which a checkpoint makes.
func openImages(o *ImageOptions, make bool) (d *imageDirs, err error) {
	d = &imageDirs{images: -1, work: -1}
	if d.path, err = filepath.Abs(o.Images); err != nil {
		return nil, fmt.Errorf("find the directory of the images %s: %w", o.Images, err)
	}
	d.log = d.path
	if o.Work != "" {
		if d.log, err = filepath.Abs(o.Work); err != nil {
			return nil, fmt.Errorf("find the directory of criu's log %s: %w", o.Work, err)
		}
	}
	if d.images, err = openDirectory(d.path, make); err != nil {
		return nil, fmt.Errorf("open the images: %w", err)
	}
	if d.work, err = openDirectory(d.log, true); err != nil {
		d.close()
		return nil, fmt.Errorf("open the directory of criu's log: %w", err)
	}
	return d, nil
}

// haveNetwork says whether the images have what was in a network namespace.
func (d *imageDirs) haveNetwork() (bool, error) {
	list, err := os.ReadDir(d.path)
	if err != nil {
		return false, fmt.Errorf("read the directory of the images: %w", err)
	}
	for _, file := range list {
		if strings.HasPrefix(file.Name(), networkPrefix) {
			return true, nil
		}
	}
	return false, nil
}

func openDirectory(name string, make bool) (int, error) {
	if make {
		if err := os.MkdirAll(name, 0o700); err != nil {
			return -1, err
		}
	}
	return sys.Openat(sys.CWD, name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
}

func (d *imageDirs) close() {
	for _, fd := range []int{d.images, d.work} {
		if fd >= 0 {
			sys.Close(fd)
		}
	}
}

// checkParent sees that there are images to add to: criu would take them for
// none, and save everything.
func (d *imageDirs) checkParent(parent string) error {
	if parent == "" {
		return nil
	}
	if path.IsAbs(parent) {
		return fmt.Errorf("--parent-path %s: must be relative to the directory of the images", parent)
	}
	fd, err := sys.Openat(d.images, parent, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return fmt.Errorf("find the images that these add to, below %s: %w", d.path, err)
	}
	return sys.Close(fd)
}

// job is what dumping and restoring have in common.
func (d *imageDirs) job(do criu.Operation, program, log string, o *ImageOptions) *criu.Job {
	// An older log would be quoted as this one.
	_ = unix.Unlinkat(d.work, log, 0)
	j := &criu.Job{
		Do: do, Program: program, Images: d.images, Work: d.work, Log: log, LogPath: path.Join(d.log, log),
		ConfigFile:     configFile(),
		TCPEstablished: o.TCPEstablished, ExtUnixSk: o.ExternalSockets, ShellJob: o.ShellJob, FileLocks: o.FileLocks,
		LinkRemap: o.LinkRemap, AutoDedup: o.AutoDedup,
	}
	if o.EmptyNetwork {
		j.EmptyNamespaces = unix.CLONE_NEWNET
	}
	return j
}

// configAnnotation is where runc looks for a file with options of criu's.
const configAnnotation = "org.criu.config"

// configFile is the operator's file with options of criu's for containers: our
// own, or runc's.
func configFile() string {
	for _, file := range []string{"/etc/criu/mesoc.conf", "/etc/criu/runc.conf"} {
		if unix.Access(file, unix.R_OK) == nil {
			return file
		}
	}
	return ""
}
