package kernel

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/testutil"
)

func TestMain(m *testing.M) { os.Exit(testutil.Main(m)) }

var update = flag.Bool("update", false, "write docs/kernel-features.md")

const document = "../../../docs/kernel-features.md"

// TestDocument holds the document to the table.
func TestDocument(t *testing.T) {
	want := markdown()
	if *update {
		if err := os.WriteFile(document, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the table says: run `go generate ./libcontainer/internal/kernel`", document)
	}
}

func markdown() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<!-- Generated from the table in libcontainer/internal/kernel by go generate. -->

# What mesoc asks of the kernel

mesoc needs Linux %s or later, on amd64 or arm64, with cgroup2 mounted. There is
no slower way round what is required: it is what makes a container's start safe
and quick. A system call that is missing or forbidden is an error that names it,
its use and the first kernel that has it. What is optional is only missed by bundles that ask for it, or has a
replacement.

Distributions bring features to older kernels, so mesoc looks for the feature
itself and not for the version. A sandbox around mesoc can hide features that the
kernel has. The command check says what there is on a host.

## Required

`, Minimum())
	table(&b, required())
	fmt.Fprint(&b, "\n## Optional\n\n")
	table(&b, optional())
	fmt.Fprint(&b, "\n## The host\n\nThese depend on how the host is set up, too.\n\n")
	table(&b, host())
	return b.Bytes()
}

func table(b *bytes.Buffer, features []Feature) {
	fmt.Fprint(b, "| feature | since | used for | without it |\n|---|---|---|---|\n")
	for _, f := range features {
		since := f.Since.String()
		if f.Config != "" {
			since += ", `CONFIG_" + f.Config + "`"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", f.Name, since, f.UsedFor, f.Without)
	}
}

func TestTableIsWhole(t *testing.T) {
	names := map[string]bool{}
	for _, list := range [][]Feature{required(), optional(), namespaces(), controllers()[:7]} {
		for i, f := range list {
			if f.Name == "" || f.UsedFor == "" || f.Without == "" || f.Probe == nil || f.Since.Major < 2 {
				t.Errorf("%q is not whole: %+v", f.Name, f)
			}
			if names[f.Name] {
				t.Errorf("%s is there twice", f.Name)
			}
			names[f.Name] = true
			for _, text := range []string{f.Name, f.UsedFor, f.Without} {
				if strings.ContainsAny(text, "|\n") || strings.HasSuffix(text, ".") {
					t.Errorf("%s: %q does not fit into a table", f.Name, text)
				}
			}
			if i > 0 && f.Since.Before(list[i-1].Since) {
				t.Errorf("%s stands behind %s, which is newer", f.Name, list[i-1].Name)
			}
		}
	}
	for i, f := range Features() {
		if want := i < len(required()); f.Required != want && !f.Host {
			t.Errorf("%s: required is %v in a list where it is %v", f.Name, f.Required, want)
		}
	}
	if got, want := Minimum(), (Version{5, 12}); got != want {
		t.Errorf("the minimum is %v, and other documents say %v", got, want)
	}
}

// TestProbesAgreeWithTheVersion holds probes and versions against the kernel
// that runs. On an older one (tests/vm/run --kernel) it is the noes that count.
func TestProbesAgreeWithTheVersion(t *testing.T) {
	running, err := Running()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range Features() {
		answer, err := f.Probe()
		t.Logf("%-28s since %-5s %s %v", f.Name, f.Since, answer, err)
		if (answer == CouldNotTell) != (err != nil) {
			t.Errorf("%s: %s, but the reason is %v", f.Name, answer, err)
		}
		switch {
		case answer == No && !running.Before(f.Since) && f.Config == "" && !f.Host:
			t.Errorf("%s: Linux %s should have it", f.Name, running)
		case answer == Yes && running.Before(f.Since):
			t.Errorf("%s: Linux %s should not have it", f.Name, running)
		}
	}
}

// TestRequiredProbesCanTell is for who may do everything: root must get an
// answer to everything that is required.
func TestRequiredProbesCanTell(t *testing.T) {
	testutil.Root(t)
	for _, f := range required() {
		if answer, err := f.Probe(); answer != Yes {
			t.Errorf("%s: %s, %v", f.Name, answer, err)
		}
	}
}

func TestProbesLeaveNothing(t *testing.T) {
	descriptors := func() []string {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, e := range entries {
			list = append(list, e.Name())
		}
		return list
	}
	for _, f := range Features() {
		before := descriptors()
		if _, err := f.Probe(); err != nil {
			t.Logf("%s: %v", f.Name, err)
		}
		if after := descriptors(); !slices.Equal(after, before) {
			t.Errorf("%s: descriptors %v before, %v after", f.Name, before, after)
		}
		var status unix.WaitStatus
		if _, err := unix.Wait4(-1, &status, unix.WNOHANG, nil); err != unix.ECHILD {
			t.Errorf("%s: has made a process (%v)", f.Name, err)
		}
	}
}

// TestProbesWithoutRights: who may not mount or load programs is told that a
// probe could not tell, never that the kernel lacks something.
func TestProbesWithoutRights(t *testing.T) {
	testutil.Root(t)
	running, err := Running()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends without its rights
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		if err := unix.Capset(&header, &none[0]); err != nil {
			t.Error(err)
			return
		}
		couldNot := 0
		for _, f := range Features() {
			answer, err := f.Probe()
			if answer == No && !running.Before(f.Since) && f.Config == "" && !f.Host {
				t.Errorf("%s: %s, %v", f.Name, answer, err)
			}
			if answer == CouldNotTell {
				couldNot++
			}
		}
		if couldNot == 0 {
			t.Error("every probe could tell: the rights are not gone")
		}
	}()
	<-done
}

func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		errno error
		yes   []error
		want  Answer
	}{
		{nil, nil, Yes},
		{unix.EINVAL, []error{unix.EINVAL}, Yes},
		{unix.EBADF, []error{unix.EINVAL, unix.EBADF}, Yes},
		{unix.ENOSYS, []error{unix.EINVAL}, No},
		{unix.EPERM, []error{unix.EINVAL}, CouldNotTell},
		{unix.EINVAL, nil, CouldNotTell},
	} {
		got, err := verdict(c.errno, c.yes...)
		if got != c.want || (err != nil) != (got == CouldNotTell) {
			t.Errorf("%v of %v: got %v, %v; want %v", c.errno, c.yes, got, err, c.want)
		}
	}
}

func TestParseVersion(t *testing.T) {
	for release, want := range map[string]Version{
		"6.18.44-fc-v657": {6, 18}, "5.10.0-28-amd64": {5, 10}, "7.0-rc1": {7, 0}, "6.1": {6, 1}, "4.19+": {4, 19},
	} {
		if got, err := parseVersion(release); err != nil || got != want {
			t.Errorf("%s: got %v, %v; want %v", release, got, err, want)
		}
	}
	for _, release := range []string{"", "6", "6.", "x.1", ".1", "6.x", "-1.2"} {
		if got, err := parseVersion(release); err == nil {
			t.Errorf("%q: got %v", release, got)
		}
	}
}

func TestVersionOrder(t *testing.T) {
	if !(Version{5, 12}).Before(Version{6, 1}) || !(Version{5, 9}).Before(Version{5, 12}) ||
		(Version{6, 1}).Before(Version{5, 12}) || (Version{6, 1}).Before(Version{6, 1}) {
		t.Error("versions are not ordered")
	}
}

// TestCgroupFiles gives the probes a cgroup to look in, and one more file to miss.
func TestCgroupFiles(t *testing.T) {
	testutil.Cgroup2(t)
	running, err := Running()
	if err != nil {
		t.Fatal(err)
	}
	for name, since := range map[string]Version{"cgroup.freeze": {5, 2}, "cgroup.kill": {5, 14}} {
		want := Yes
		if running.Before(since) {
			want = No
		}
		if got, err := cgroupFile(name, "cgroup.events")(); got != want {
			t.Errorf("%s: got %s, %v; want %s", name, got, err, want)
		}
	}
	if got, err := cgroupFile("no.such.file", "cgroup.events")(); got != No {
		t.Errorf("a file that no kernel has: got %s, %v; want no", got, err)
	}
	if got, err := cgroupFile("no.such.file", "nor.such")(); got != CouldNotTell || err == nil {
		t.Errorf("without the controller: got %s, %v; want a reason", got, err)
	}
}
