package seccomp

import (
	"os"
	"path/filepath"
	"reflect"
	"strconv"
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

func mustCached(t testing.TB, fd int, s *specs.LinuxSeccomp, o Options, wantHit bool) Filter {
	t.Helper()
	f, hit, err := Cached(fd, s, o)
	if err != nil {
		t.Fatal(err)
	}
	if hit != wantHit {
		t.Errorf("hit: %t, want %t", hit, wantHit)
	}
	want, err := Compile(s, o)
	if err != nil {
		t.Fatal(err)
	}
	if hit && !reflect.DeepEqual(f, want) {
		t.Errorf("the cache's filter is not the compiled one")
	}
	return f
}

func TestCacheServesWhatWasCompiled(t *testing.T) {
	fd, path := openDir(t)
	o := Options{Native: specs.ArchX86_64, Enosys: true}
	s := readProfile(t, "docker")
	s.Flags = []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagLog}
	s.Syscalls = append(s.Syscalls, specs.LinuxSyscall{Names: []string{"mount"}, Action: specs.ActNotify})
	mustCached(t, fd, s, o, false)
	if f := mustCached(t, fd, s, o, true); !f.Notify || f.Flags != unix.SECCOMP_FILTER_FLAG_LOG|unix.SECCOMP_FILTER_FLAG_NEW_LISTENER {
		t.Errorf("notify %t, flags %#x", f.Notify, f.Flags)
	}
	o.Enosys = false
	mustCached(t, fd, s, o, false)
	o.Enosys = true
	s.Syscalls[3].Args[0].Value++
	mustCached(t, fd, s, o, false)
	entries, err := os.ReadDir(path)
	if err != nil || len(entries) != 3 {
		t.Errorf("%d files, %v; want 3", len(entries), err)
	}
}

func TestCacheTrustsNothing(t *testing.T) {
	fd, path := openDir(t)
	o := Options{Native: specs.ArchX86_64}
	s := readProfile(t, "docker")
	mustCached(t, fd, s, o, false)
	entries, err := os.ReadDir(path)
	if err != nil || len(entries) != 1 {
		t.Fatal(entries, err)
	}
	file := filepath.Join(path, entries[0].Name())
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	spoil := map[string]func(){
		"a bit of the program": func() {
			b := append([]byte(nil), good...)
			b[len(b)-20] ^= 1
			os.WriteFile(file, b, 0o600)
		},
		"cut short":         func() { os.Truncate(file, int64(len(good)-8)) },
		"empty":             func() { os.Truncate(file, 0) },
		"writable by group": func() { os.Chmod(file, 0o620) },
		"a link": func() {
			os.Rename(file, file+".real")
			os.Symlink(file+".real", file)
		},
		"another profile under the same name": func() {
			other := readProfile(t, "podman")
			f, err := Compile(other, o)
			if err != nil {
				t.Fatal(err)
			}
			os.WriteFile(file, encodeCached(cacheKey(other, o), f), 0o600)
		},
	}
	if os.Geteuid() == 0 {
		spoil["of another owner"] = func() { os.Chown(file, 1, 1) }
	}
	for name, f := range spoil {
		t.Run(name, func(t *testing.T) {
			mustCached(t, fd, s, o, true)
			f()
			mustCached(t, fd, s, o, false)
			mustCached(t, fd, s, o, true)
		})
	}
}

func TestCacheStaysSmall(t *testing.T) {
	fd, path := openDir(t)
	for i := range 3 * cacheMax {
		s := &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{
			{Names: []string{"read"}, Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{{Value: uint64(i), Op: specs.OpEqualTo}}}}}
		mustCached(t, fd, s, Options{Native: specs.ArchX86_64}, false)
	}
	if entries, err := os.ReadDir(path); err != nil || len(entries) > cacheMax+1 {
		t.Errorf("%d files, %v", len(entries), err)
	}
}

func TestCacheThatCannotBeUsed(t *testing.T) {
	mustCached(t, -1, readProfile(t, "docker"), Options{Native: specs.ArchX86_64}, false)
}

func TestCacheKeysDiffer(t *testing.T) {
	seen := map[string]string{}
	errno := uint(0)
	for i, s := range []*specs.LinuxSeccomp{
		{},
		{DefaultErrnoRet: &errno},
		{Architectures: []specs.Arch{"a", "b"}},
		{Architectures: []specs.Arch{"ab"}},
		{Flags: []specs.LinuxSeccompFlag{"a"}},
		{Syscalls: []specs.LinuxSyscall{{Names: []string{"a"}}, {Names: []string{"b"}}}},
		{Syscalls: []specs.LinuxSyscall{{Names: []string{"a", "b"}}}},
		{Syscalls: []specs.LinuxSyscall{{Names: []string{"a"}, Action: "b"}}},
		{Syscalls: []specs.LinuxSyscall{{Names: []string{"a"}, ErrnoRet: &errno}}},
		{Syscalls: []specs.LinuxSyscall{{Names: []string{"a"}, Args: []specs.LinuxSeccompArg{{Value: 1}}}}},
		{Syscalls: []specs.LinuxSyscall{{Names: []string{"a"}, Args: []specs.LinuxSeccompArg{{ValueTwo: 1}}}}},
		{Syscalls: []specs.LinuxSyscall{{Names: []string{"a"}, Args: []specs.LinuxSeccompArg{{Index: 1}}}}},
	} {
		key := string(cacheKey(s, Options{}))
		if other, ok := seen[key]; ok {
			t.Errorf("profiles %s and %d have the same key", other, i)
		}
		seen[key] = strconv.Itoa(i)
	}
}
