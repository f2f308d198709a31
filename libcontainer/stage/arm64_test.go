package stage

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestArm64 runs this package's tests as an arm64 binary, where QEMU can
// emulate one. Clone is left out, which QEMU's user mode cannot do.
func TestArm64(t *testing.T) {
	if runtime.GOARCH == "arm64" || os.Getenv(emulatorEnv) != "" {
		t.Skip("this is arm64")
	}
	emulator := needProgram(t, "qemu-aarch64-static", "qemu-aarch64")
	if testing.Short() {
		t.Skip("compiles, which takes long")
	}
	binary := filepath.Join(t.TempDir(), "stage.test")
	env := append(os.Environ(), "GOARCH=arm64", "CGO_ENABLED=0", emulatorEnv+"="+emulator)
	build := exec.Command("go", "test", "-c", "-ldflags=-s -w", "-o", binary, ".")
	build.Env = env
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build for arm64: %v\n%s", err, out)
	}
	run := exec.Command(emulator, binary, "-test.short", "-test.v")
	run.Env = env
	out, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("test on arm64: %v\n%s", err, out)
	}
	for _, ran := range []string{"TestRules", "TestCells", "TestRandomPrograms", "TestEntryEnvironment"} {
		if !strings.Contains(string(out), "--- PASS: "+ran+" ") {
			t.Errorf("%s did not run:\n%s", ran, out)
		}
	}
}

// needProgram finds the first of the programs, or skips; REQUIRE=name makes
// that a failure.
func needProgram(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	required := strings.Split(os.Getenv("REQUIRE"), ",")
	for _, name := range names {
		if slices.Contains(required, name) {
			t.Fatalf("needs %s, which is required and not there", name)
		}
	}
	t.Skipf("needs %s", strings.Join(names, " or "))
	return ""
}
