// Package criu talks to the program criu, which saves processes to images and
// brings them back: it starts it for one request, answers what criu asks
// meanwhile, and finds in its log what went wrong.
//
// libcontainer calls it. It speaks criu's protocol with the messages of
// go-criu and starts the program itself, because criu has to be born into the
// container's cgroup. It knows no container: what is dumped, and what a notice
// of criu's is the occasion for, is libcontainer's.
package criu

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
)

// ErrMissing says that there is no criu on this host.
var ErrMissing = errors.New("criu is not installed: no program of that name in PATH [install the package criu]")

// usualPath is where programs are looked for by callers that give no PATH.
const usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Find looks the program up in PATH.
func Find() (string, error) {
	dirs := os.Getenv("PATH")
	if dirs == "" {
		dirs = usualPath
	}
	for dir := range strings.SplitSeq(dirs, ":") {
		file := dir + "/criu"
		var st unix.Stat_t
		if strings.HasPrefix(dir, "/") && unix.Access(file, unix.X_OK) == nil &&
			unix.Stat(file, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG {
			return file, nil
		}
	}
	return "", ErrMissing
}

// Notice is a point that criu has reached and waits at.
type Notice struct {
	Script string // its name, as for criu's action scripts (criu(8))
	Pid    int    // of the restored tree's first process, where criu says it
	FD     int    // a descriptor that came with it, closed after the answer, or -1
}

// Run has criu do the job, and returns when criu has ended. Each notice is
// given to answer, whose error makes criu give up and is returned. criu's own
// failure comes with the last errors of its log.
func (j *Job) Run(answer func(Notice) error) error {
	ours, theirs, err := sys.SeqpacketPair()
	if err != nil {
		return err
	}
	pid, err := j.start(theirs)
	sys.Close(theirs)
	if err != nil {
		sys.Close(ours)
		return fmt.Errorf("start %s: %w", j.Program, err)
	}
	err = j.converse(ours, answer)
	// criu ends when there is nobody to talk to.
	sys.Close(ours)
	for {
		if _, waitErr := syscall.Wait4(pid, nil, 0, nil); waitErr != unix.EINTR {
			return err
		}
	}
}

// start starts criu as the server of one connection. It has no part in our
// standard files, and signals of our terminal do not reach it: one that dies
// half way leaves processes stopped.
func (j *Job) start(socket int) (pid int, err error) {
	null, err := sys.Openat(sys.CWD, "/dev/null", unix.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer sys.Close(null)
	files := []uintptr{uintptr(null), uintptr(null), uintptr(null), uintptr(socket)}
	for _, i := range j.Inherit {
		if i.FD == Null {
			i.FD = null
		}
		files = append(files, uintptr(i.FD))
	}
	attr := &syscall.SysProcAttr{Setpgid: !j.ShellJob}
	if j.Cgroup >= 0 {
		attr.UseCgroupFD, attr.CgroupFD = true, j.Cgroup
		if j.CgroupNamespace {
			attr.Unshareflags = unix.CLONE_NEWCGROUP
		}
	}
	env := os.Environ()
	if os.Getenv("PATH") == "" { // it calls ip, iptables and tar
		env = append(env, "PATH="+usualPath)
	}
	return syscall.ForkExec(j.Program, []string{"criu", "swrk", "3"}, &syscall.ProcAttr{Env: env, Files: files, Sys: attr})
}

// firstInherited is the number that criu has the first of Job.Inherit under.
const firstInherited = 4

// messageMax is more than any message of criu's has.
const messageMax = 64 << 10

// converse sends the request and answers criu until it has told the outcome.
func (j *Job) converse(socket int, answer func(Notice) error) error {
	if err := send(socket, &rpc.CriuReq{Type: j.Do.request().Enum(), Opts: j.options()}); err != nil {
		return err
	}
	var refused error
	for {
		resp, fd, err := receive(socket)
		if err != nil {
			return or(refused, j.explain(err.Error()))
		}
		if resp.GetType() != rpc.CriuReqType_NOTIFY {
			return j.outcome(resp, refused)
		}
		err = answer(Notice{Script: resp.GetNotify().GetScript(), Pid: int(resp.GetNotify().GetPid()), FD: fd})
		if fd >= 0 {
			sys.Close(fd)
		}
		if err != nil && refused == nil {
			refused = err
		}
		if err := send(socket, &rpc.CriuReq{Type: rpc.CriuReqType_NOTIFY.Enum(), NotifySuccess: new(err == nil)}); err != nil {
			return or(refused, j.explain(err.Error()))
		}
	}
}

// or is the first of two errors if there is one: the other is what came of it.
func or(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

// outcome is what the last message says.
func (j *Job) outcome(resp *rpc.CriuResp, refused error) error {
	switch {
	case refused != nil:
		return refused
	case resp.GetSuccess():
		return nil
	case resp.GetCrErrmsg() != "":
		return j.explain(strings.TrimSpace(resp.GetCrErrmsg()))
	case resp.GetCrErrno() != 0:
		return j.explain(unix.Errno(resp.GetCrErrno()).Error())
	}
	return j.explain("it says no reason")
}

func send(socket int, req *rpc.CriuReq) error {
	message, err := req.MarshalVT()
	if err == nil {
		err = sys.SendFD(socket, message)
	}
	if err != nil {
		return fmt.Errorf("talk to criu: %w", err)
	}
	return nil
}

func receive(socket int) (resp *rpc.CriuResp, fd int, err error) {
	buf := make([]byte, messageMax)
	n, fds, err := sys.RecvFD(socket, buf, 1)
	fd = -1
	if len(fds) > 0 {
		fd = fds[0]
	}
	if err == nil && n == 0 {
		err = errors.New("it ended without an answer")
	}
	resp = &rpc.CriuResp{}
	if err == nil {
		err = resp.UnmarshalVT(buf[:n])
	}
	if err != nil && fd >= 0 {
		sys.Close(fd)
		fd = -1
	}
	return resp, fd, err
}
