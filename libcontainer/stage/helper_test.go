package stage

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/testutil"
)

// helperDir is where the helpers are.
var helperDir string

// helper returns a copy of this test binary that is a stage, and tells its
// findings under another name than Name: "entry" is entered at the stage's
// entry point, as if it were linked with -E; "twin" is not.
func helper(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(helperDir, name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	data, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if name == "entry" {
		const entryField = 24 // e_entry in the header of a 64-bit ELF file
		binary.LittleEndian.PutUint64(data[entryField:], uint64(entryAddress()))
	}
	// Not into place before it is whole and closed.
	if err := os.WriteFile(path+".new", data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMain(m *testing.M) {
	if size := os.Getenv(twinEnv); size != "" {
		twinProcess(size)
	}
	switch exe, _ := os.Readlink("/proc/self/exe"); filepath.Base(exe) {
	case "entry", "twin":
		if IsInit(os.Args) && filepath.Base(exe) == "entry" {
			panic("the stage's entry point has let a stage pass")
		}
		if IsInit(os.Args) {
			Main(os.Args)
		}
		tellFindings()
		os.Exit(0)
	}
	var err error
	if helperDir, err = os.MkdirTemp("", "stage"); err != nil {
		panic(err)
	}
	status := testutil.Main(m)
	os.RemoveAll(helperDir)
	os.Exit(status)
}

// nofileEnv asks a helper to look at Handed too.
const nofileEnv = "STAGE_TEST_NOFILE"

// findings are what a helper says of its own start.
type findings struct {
	MaxProcs, GC            int
	Entered                 bool
	Args, Environ, Original []string
	Auxv                    [][2]uintptr
	Soft, Hard              uint64 // of Nofile
	Known                   bool
	Raised                  uint64 // the soft limit that Go has given itself
	Handed                  string // and the one that a program gets from os/exec
}

func tellFindings() {
	auxv, err := unix.Auxv()
	soft, hard, known := Nofile()
	var now unix.Rlimit
	if err == nil {
		err = unix.Getrlimit(unix.RLIMIT_NOFILE, &now)
	}
	var handed []byte
	if err == nil && os.Getenv(nofileEnv) != "" {
		handed, err = exec.Command("/bin/sh", "-c", "ulimit -S -n").Output()
	}
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(findings{runtime.GOMAXPROCS(0), debug.SetGCPercent(-1),
			Entered(), os.Args, os.Environ(), Environ(), auxv, soft, hard, known, now.Cur, string(handed)})
	}
	if err != nil {
		panic(err)
	}
}

func find(t *testing.T, name string, env []string, argv ...string) findings {
	t.Helper()
	cmd := command(helper(t, name), argv...)
	cmd.Env = env
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var f findings
	if err := json.Unmarshal(out, &f); err != nil {
		t.Fatal(err)
	}
	return f
}
