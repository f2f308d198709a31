package libcontainer_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The runtime is killed by strace before each of the system calls by which it
// changes anything, or a sample of them: after any of these deaths `delete
// --force` removes everything, and so does `recover --clean`, but for a
// container whose create had succeeded. MESOC_CRASH=all takes every point, and
// MESOC_CRASH=K/N every Nth from the Kth on, counted from 0, so that N runs take
// all; MESOC names the binary, which is built otherwise.

// crashSample is how many points of one command are taken by default.
const crashSample = 12

// chosen is which of a command's points are taken: the first, and how far it is
// from one to the next.
func chosen(t *testing.T, points, sample int) (first, stride int) {
	t.Helper()
	switch choice := os.Getenv("MESOC_CRASH"); choice {
	case "":
		return 0, max(1, points/sample)
	case "all":
		return 0, 1
	default:
		_, err := fmt.Sscanf(choice, "%d/%d", &first, &stride)
		if err != nil || first < 0 || first >= stride {
			t.Fatalf("MESOC_CRASH=%s is neither all nor K/N with K below N", choice)
		}
		return first, stride
	}
}

// crashCalls are the points: all that leaves a trace outside of the process,
// and the waits between. Architectures lack some of them.
const crashCalls = "?mkdir,mkdirat,openat,write,?rename,renameat,?renameat2,?unlink,unlinkat,?rmdir,bind,listen,connect," +
	"sendmsg,sendto,recvmsg,clone3,waitid,pidfd_send_signal,bpf,prlimit64,fchmodat,mknodat,?symlink,symlinkat,setns,prctl,flock,memfd_create,socketpair,pipe2,?poll,?ppoll"

func TestCrash(t *testing.T) {
	r := newCrashRig(t)
	create := []string{"create", "--bundle", r.bundle, crashID}
	requests := r.requests(t)
	parent := [][]string{append(append([]string{"run", "--detach", "--supervise", "--bundle", r.bundle}, requests...), crashParent)}
	nested := func(command ...string) []string {
		command = append(command, "--parent", crashParent, "--supervise", "--bundle", r.bundle)
		return append(append(command, requests...), crashID)
	}
	const hooks = `,"hooks":{"createRuntime":[{"path":"/bin/true"}],"createContainer":[{"path":"/bin/true"}],"poststop":[{"path":"/bin/true"}]}`
	const user, maps = `,{"type":"user"}`, `,"uidMappings":[{"containerID":0,"hostID":100000,"size":65536}],"gidMappings":[{"containerID":0,"hostID":100000,"size":65536}]`
	for _, c := range []struct {
		name                    string
		namespaces, linux, more string
		before                  [][]string
		args                    []string
	}{
		{name: "create", args: create},
		{name: "create with hooks", more: hooks, args: create},
		{name: "create with a user namespace", namespaces: user, linux: maps, args: create},
		{name: "create in a cgroup that is there", linux: `,"cgroupsPath":"/` + r.cgroupsRoot + `/there"`, args: create},
		{name: "create with a supervisor", args: []string{"create", "--supervise", "--bundle", r.bundle, crashID}},
		{name: "delete with a supervisor", before: [][]string{{"create", "--supervise", "--bundle", r.bundle, crashID}}, args: []string{"delete", "--force", crashID}},
		{name: "run", args: []string{"run", "--detach", "--bundle", r.bundle, crashID}},
		{name: "start", before: [][]string{create}, args: []string{"start", crashID}},
		{name: "delete", more: hooks, before: [][]string{create, {"start", crashID}}, args: []string{"delete", "--force", crashID}},
		{name: "nested create with everything", more: hooks, before: parent, args: nested("create")},
		{name: "nested create that shares cgroups", before: parent, args: nested("create", "--share-cgroups")},
		{name: "nested start", more: hooks, before: append(parent, nested("create")), args: []string{"start", crashID}},
		{name: "exec in a nested container", before: append(parent, nested("run", "--detach")), args: []string{"exec", crashID, "/bin/busybox", "true"}},
		{name: "nested delete", more: hooks, before: append(parent, nested("run", "--detach")), args: []string{"delete", "--force", crashID}},
		{name: "delete of what shares cgroups", before: append(parent, nested("run", "--detach", "--share-cgroups")), args: []string{"delete", "--force", crashID}},
		{name: "delete of a parent", more: hooks, before: append(parent, nested("run", "--detach")), args: []string{"delete", "--force", crashParent}},
	} {
		for _, cleaner := range []string{"delete", "recover"} {
			if cleaner == "delete" && len(c.before) > 0 && c.before[0][len(c.before[0])-1] == crashParent && os.Getenv("MESOC_CRASH") == "" {
				continue // recover finds more
			}
			t.Run(c.name+", "+cleaner, func(t *testing.T) {
				r.configure(t, c.namespaces, c.linux, c.more)
				there := strings.Contains(c.linux, "cgroupsPath")
				prepare := func() {
					if there {
						if err := os.Mkdir(r.cgroups+"/there", 0o755); err != nil {
							t.Fatal(err)
						}
					}
					for _, args := range c.before {
						r.mustRun(t, args...)
					}
				}
				finish := func() {
					if cleaner == "recover" {
						r.recover(t)
					} else {
						r.mustRun(t, "delete", "--force", crashID)
					}
					r.endParent(t)
					if there {
						if err := os.Remove(r.cgroups + "/there"); err != nil {
							t.Error(err) // it was not ours to remove, and is empty
						}
					}
					r.clean(t)
				}
				prepare()
				points := r.points(t, c.args)
				finish()
				first, stride := chosen(t, len(points), crashSample)
				killed, tried := 0, 0
				for n := first; n < len(points); n += stride {
					tried++
					// strace follows the first thread, and Go may go on in another:
					// then the command succeeds, and the next may not.
					for range 5 {
						prepare()
						reached := r.crash(t, c.args, points[n])
						finish()
						if reached {
							killed++
							break
						}
					}
					if t.Failed() {
						t.Fatalf("killed before %s %d, call %d of %d", points[n].call, points[n].nth, n, len(points))
					}
				}
				t.Logf("killed at %d of %d points, of which it has %d", killed, tried, len(points))
				if killed < tried*3/4 {
					t.Errorf("only %d of %d runs were killed", killed, tried)
				}
				prepare()
				r.mustRun(t, c.args...)
				finish()
			})
		}
	}
}
