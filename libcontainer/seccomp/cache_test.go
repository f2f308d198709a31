package seccomp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func openDir(t testing.TB) (fd int, path string) {
	t.Helper()
	path = t.TempDir()
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd, path
}

func profileText(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func compileText(t testing.TB, text []byte, o Options) Filter {
	t.Helper()
	var s specs.LinuxSeccomp
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	f, err := Compile(&s, o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// mustFind looks a filter up, and what is found must be what would be compiled.
// What is not found is stored.
func mustFind(t testing.TB, fd int, text []byte, o Options, want bool) {
	t.Helper()
	f, found := Lookup(fd, text, o)
	if found != want {
		t.Errorf("found: %t, want %t", found, want)
	}
	compiled := compileText(t, text, o)
	if found && !reflect.DeepEqual(f, compiled) {
		t.Errorf("the cache's filter is not the compiled one")
	}
	if !found {
		Store(fd, text, o, compiled)
	}
}

func TestCacheServesWhatWasCompiled(t *testing.T) {
	fd, path := openDir(t)
	o := Options{Native: specs.ArchX86_64, Enosys: true}
	text := bytes.Replace(profileText(t, "docker"), []byte("{"), []byte(`{"flags":["SECCOMP_FILTER_FLAG_LOG"],`), 1)
	mustFind(t, fd, text, o, false)
	mustFind(t, fd, text, o, true)
	if f, _ := Lookup(fd, text, o); f.Flags != unix.SECCOMP_FILTER_FLAG_LOG {
		t.Errorf("flags %#x", f.Flags)
	}
	o.Enosys = false
	mustFind(t, fd, text, o, false)
	o.Native = specs.ArchX86
	mustFind(t, fd, text, o, false)
	o = Options{Native: specs.ArchX86_64, Enosys: true}
	mustFind(t, fd, text, o, false)
	mustFind(t, fd, text, o, true)
	for i := range text { // whatever it means
		other := bytes.Clone(text)
		other[i] ^= 1
		if _, found := Lookup(fd, other, o); found {
			t.Errorf("found for a text that differs at %d", i)
		}
	}
	for _, other := range [][]byte{text[:len(text)-1], append(bytes.Clone(text), ' '), nil} {
		if _, found := Lookup(fd, other, o); found {
			t.Errorf("found for a text of %d bytes instead of %d", len(other), len(text))
		}
	}
	entries, err := os.ReadDir(path)
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files, %v; want one, whatever was asked for", len(entries), err)
	}
}

// Listeners are named by container, so such profiles would only drive others out.
func TestCacheKeepsNoListeners(t *testing.T) {
	fd, path := openDir(t)
	text := []byte(`{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/l","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_NOTIFY"}]}`)
	mustFind(t, fd, text, Options{Native: specs.ArchX86_64}, false)
	mustFind(t, fd, text, Options{Native: specs.ArchX86_64}, false)
	if entries, err := os.ReadDir(path); err != nil || len(entries) != 0 {
		t.Errorf("%d files, %v", len(entries), err)
	}
}

func TestCacheTrustsNothing(t *testing.T) {
	fd, path := openDir(t)
	o := Options{Native: specs.ArchX86_64}
	text := profileText(t, "docker")
	mustFind(t, fd, text, o, false)
	entries, err := os.ReadDir(path)
	if err != nil || len(entries) != 1 {
		t.Fatal(entries, err)
	}
	file := filepath.Join(path, entries[0].Name())
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	flip := func(at int) func() {
		return func() {
			b := bytes.Clone(good)
			b[at] ^= 1
			os.WriteFile(file, b, 0o600)
		}
	}
	spoil := map[string]func(){
		"a bit of the hash":    flip(0),
		"a bit of the flags":   flip(8),
		"a bit of the length":  flip(16),
		"the first bit":        flip(headBytes),
		"a bit of the program": flip(headBytes + 1001),
		"a bit of the text":    flip(len(good) - 20),
		"cut short":            func() { os.Truncate(file, int64(len(good)-8)) },
		"empty":                func() { os.Truncate(file, 0) },
		"writable by group":    func() { os.Chmod(file, 0o620) },
		"a link": func() {
			os.Rename(file, file+".real")
			os.Symlink(file+".real", file)
		},
		"another profile under the same name": func() {
			other := profileText(t, "podman")
			os.WriteFile(file, encodeCached(o.key(), other, compileText(t, other, o)), 0o600)
		},
		"another compiler under the same name": func() {
			os.WriteFile(file, encodeCached("mesoc-seccomp-1\n", text, compileText(t, text, o)), 0o600)
		},
		"a longer program": func() {
			f := compileText(t, text, o)
			f.Program = append(f.Program, unix.SockFilter{})
			os.WriteFile(file, encodeCached(o.key(), text[:len(text)-8], f), 0o600)
		},
		"no program": func() { os.WriteFile(file, encodeCached(o.key(), text, Filter{}), 0o600) },
	}
	if os.Geteuid() == 0 {
		spoil["of another owner"] = func() { os.Chown(file, 1, 1) }
	}
	for name, f := range spoil {
		t.Run(name, func(t *testing.T) {
			mustFind(t, fd, text, o, true)
			f()
			mustFind(t, fd, text, o, false)
			mustFind(t, fd, text, o, true)
		})
	}
}

func TestCacheStaysSmall(t *testing.T) {
	fd, path := openDir(t)
	for i := range 3 * cacheMax {
		text := fmt.Sprintf(`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_ERRNO","errnoRet":%d}]}`, i)
		mustFind(t, fd, []byte(text), Options{Native: specs.ArchX86_64}, false)
	}
	if entries, err := os.ReadDir(path); err != nil || len(entries) > cacheMax+1 {
		t.Errorf("%d files, %v", len(entries), err)
	}
}

func TestCacheThatCannotBeUsed(t *testing.T) {
	text := profileText(t, "docker")
	mustFind(t, -1, text, Options{Native: specs.ArchX86_64}, false)
	fd, _ := openDir(t)
	large := append(text, bytes.Repeat([]byte(" "), cacheBytes)...)
	mustFind(t, fd, large, Options{Native: specs.ArchX86_64}, false)
	mustFind(t, fd, large, Options{Native: specs.ArchX86_64}, false)
}
