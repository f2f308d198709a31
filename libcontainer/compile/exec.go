package compile

import (
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/plan"
	"github.com/mesoc/mesoc/libcontainer/program"
)

// InputRoot is the root directory of a container that has no mount namespace
// of its own.
const InputRoot = "root"

// Exec is one more process of a container that has its init.
type Exec struct {
	Process *plan.Process
	// Join are the kinds of namespaces of InputInit that it runs in.
	Join        uint64
	Keyring     string
	PreserveFDs int
	// Classes are the inputs that are files of tasks of resctrl, that of the class
	// of service before that of a monitoring group in it.
	Classes []string
}

// NewExec writes its program. It is init's without what is made only once. What
// needs the rights of the host comes first, then it joins, and only a process
// that has nothing of the host's any more appears in the pid namespace, where
// who has CAP_SYS_PTRACE can do with it what he wants (CVE-2016-9962).
func NewExec(e *Exec) *program.Program {
	p := e.Process
	w := &writer{
		Builder: program.NewBuilder(program.Base),
		plan: &plan.Plan{
			Process:     p,
			UserMapped:  e.Join&unix.CLONE_NEWUSER != 0,
			Keyring:     e.Keyring,
			PreserveFDs: e.PreserveFDs,
			Gate:        plan.GateParent,
		},
		how: map[openHow]program.Addr{},
	}
	w.sync = w.Input(program.InputSync)
	w.stat = w.Space(statxSize)
	w.Name(w.stat, "statx")

	w.prctl("make the process undumpable", unix.PR_SET_DUMPABLE, 0)
	w.harden()
	w.labels(p.Labels, true)
	w.affinity("initial", p.ExecAffinity.Initial)
	w.enterClasses(e.Classes)
	w.oomScoreAdj(p)
	w.earlyRlimits(p)
	if w.plan.UserMapped {
		w.scheduler(p.Attributes.Scheduler)
		w.ioPriority(p.Attributes.IOPriority)
	}
	w.joinProcess(e.Join)
	w.joinedRoot(e.Join)
	w.close(w.Input(InputInit))
	if e.Join&unix.CLONE_NEWPID != 0 {
		w.takeOver("make a process in the pid namespace", 0)
		w.Call("make a session", unix.SYS_SETSID)
	}
	w.keyring()
	w.terminal()
	w.ownStdio(p)
	w.enterCwd(p, nil)
	w.finalAffinity(&p.ExecAffinity)
	w.processAttributes(p)
	w.rights(p, w.plan.UserMapped)
	w.settleCwd(p)
	w.umask(p)
	w.findProgram()
	w.prctl("clear the parent death signal", unix.PR_SET_PDEATHSIG, 0)
	w.defaultSignals()
	if Listens(p) {
		w.gateBehindFilter()
	} else {
		w.exec(w.sync)
	}
	return w.Program()
}

// enterClasses has the process, and with it those that it makes, use the caches
// and the memory as the container does. To resctrl, process 0 is who writes it.
func (w *writer) enterClasses(inputs []string) {
	for _, name := range inputs {
		tasks := w.Input(name)
		w.write("enter class of service: write "+name, tasks, w.String("0"), 1)
		w.close(tasks)
	}
}

// oomScoreAdj makes the process likelier or less likely to be killed when
// memory runs out (proc_pid_oom_score_adj(5)). The path is the host's still.
func (w *writer) oomScoreAdj(p *plan.Process) {
	if p.OOMScoreAdj == nil {
		return
	}
	score, fd := strconv.Itoa(*p.OOMScoreAdj), w.fdcell("oom_score_adj")
	w.openHost("open oom_score_adj", "/proc/self/oom_score_adj", unix.O_WRONLY, fd)
	w.write("set oom_score_adj to "+score, fd, w.String(score), len(score))
	w.close(fd)
}

// affinity sets where the process may run (sched_setaffinity(2)).
func (w *writer) affinity(which string, mask []uint64) {
	if len(mask) == 0 {
		return
	}
	at := w.Space(8 * len(mask))
	for i, word := range mask {
		w.PutUint64(at+program.Addr(8*i), word)
	}
	w.Call("set "+which+" CPU affinity", unix.SYS_SCHED_SETAFFINITY, program.Const(0), program.Const(8*len(mask)), at.Arg())
}

// finalAffinity ends the initial one: without another wish the process may run
// wherever its cgroup lets it.
func (w *writer) finalAffinity(a *plan.Affinity) {
	final := a.Final
	if len(final) == 0 && len(a.Initial) > 0 {
		final = make([]uint64, plan.MaxCPUs/64)
		for i := range final {
			final[i] = ^uint64(0)
		}
	}
	w.affinity("final", final)
}

// joinProcess enters namespaces of the process that InputInit is a pidfd of,
// all at once: the kernel asks for the rights over each before it enters the
// user namespace, where they end.
func (w *writer) joinProcess(kinds uint64) {
	if kinds == 0 {
		return
	}
	w.Call("join the namespaces of the container", unix.SYS_SETNS, w.Input(InputInit).Arg(), program.Const(kinds))
	if kinds&unix.CLONE_NEWUSER != 0 {
		w.becomeMappedRoot()
	}
}

// joinedRoot opens the root. It came with the mount namespace, or is the
// directory that init has changed to.
func (w *writer) joinedRoot(joined uint64) {
	if joined&unix.CLONE_NEWNS == 0 {
		w.Call("enter the root", unix.SYS_FCHDIR, w.Input(InputRoot).Arg())
		w.Call("change the root", unix.SYS_CHROOT, w.String(".").Arg())
	}
	w.root = w.fdcell("root")
	w.openHost("open the root", "/", unix.O_PATH|unix.O_DIRECTORY, w.root)
}
