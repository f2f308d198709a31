package sys

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// openDir returns a new directory and a descriptor of it.
func openDir(t testing.TB) (string, int) {
	t.Helper()
	path := t.TempDir()
	fd, err := Openat(CWD, path, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { Close(fd) })
	return path, fd
}

func names(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestErrorsSpeakTheLanguageOfIOFS(t *testing.T) {
	_, dir := openDir(t)
	_, err := Openat(dir, "absent", unix.O_RDONLY, 0)
	if !errors.Is(err, fs.ErrNotExist) || !errors.Is(err, unix.ENOENT) {
		t.Errorf("got %v, want a not-exist error", err)
	}
	if got, want := err.Error(), "open absent: no such file or directory"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	_, err = Openat2(dir, "../x", unix.O_RDONLY, 0, unix.RESOLVE_BENEATH)
	if !errors.Is(err, unix.EXDEV) {
		t.Errorf("a path that leaves the directory: got %v, want EXDEV", err)
	}
}

func TestOpenIsCloseOnExec(t *testing.T) {
	path, dir := openDir(t)
	if err := os.WriteFile(path+"/f", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := Openat(dir, "f", unix.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer Close(a)
	b, err := Openat2(dir, "f", unix.O_RDONLY, 0, unix.RESOLVE_BENEATH)
	if err != nil {
		t.Fatal(err)
	}
	defer Close(b)
	for _, fd := range []int{dir, a, b} {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("descriptor %d: flags %#x, %v; want FD_CLOEXEC", fd, flags, err)
		}
	}
}

// writer is WriteFileAt or its like.
type writer func(dirfd int, name string, data []byte, mode uint32) error

func eachWriter(t *testing.T, test func(*testing.T, writer)) {
	t.Run("own directory", func(t *testing.T) { test(t, WriteFileAt) })
	t.Run("foreign directory", func(t *testing.T) { test(t, WriteForeignFileAt) })
}

func TestWriteFileAtReplaces(t *testing.T) { eachWriter(t, testReplaces) }

func testReplaces(t *testing.T, write writer) {
	path, dir := openDir(t)
	unix.Umask(0o022)
	for _, content := range []string{"first", "a longer second", ""} {
		if err := write(dir, "f", []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path + "/f")
		if err != nil || string(got) != content {
			t.Fatalf("got %q, %v; want %q", got, err, content)
		}
	}
	info, err := os.Stat(path + "/f")
	if err != nil || info.Mode() != 0o644 {
		t.Errorf("mode %v, %v; want 0644", info.Mode(), err)
	}
	if got := names(t, path); !slices.Equal(got, []string{"f"}) {
		t.Errorf("left in the directory: %q", got)
	}
}

func TestWriteFileAtDoesNotFollowSymlinks(t *testing.T) { eachWriter(t, testDoesNotFollowSymlinks) }

func testDoesNotFollowSymlinks(t *testing.T, write writer) {
	path, dir := openDir(t)
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, path+"/f"); err != nil {
		t.Fatal(err)
	}
	if err := write(dir, "f", []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(victim); string(got) != "precious" {
		t.Errorf("the symlink's target now holds %q", got)
	}
	if info, err := os.Lstat(path + "/f"); err != nil || !info.Mode().IsRegular() {
		t.Errorf("f is %v, %v; want a regular file", info.Mode(), err)
	}
}

func TestWriteFileAtLeavesNothingWhenItFails(t *testing.T) {
	eachWriter(t, testLeavesNothingWhenItFails)
}

func testLeavesNothingWhenItFails(t *testing.T, write writer) {
	path, dir := openDir(t)
	if err := os.Mkdir(path+"/taken", 0o700); err != nil {
		t.Fatal(err)
	}
	err := write(dir, "taken", []byte("x"), 0o600)
	if !errors.Is(err, unix.EISDIR) {
		t.Errorf("over a directory: got %v, want EISDIR", err)
	}
	if err := write(dir, "no/such", []byte("x"), 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in a missing directory: got %v, want ENOENT", err)
	}
	if got := names(t, path); !slices.Equal(got, []string{"taken"}) {
		t.Errorf("left in the directory: %q", got)
	}
}

func TestWriteFileAtLongName(t *testing.T) {
	path, dir := openDir(t)
	name := strings.Repeat("n", 255)
	if err := WriteFileAt(dir, name, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := names(t, path); !slices.Equal(got, []string{name}) {
		t.Errorf("got %q", got)
	}
	// A path with directories is written beside its target, also a long one.
	if err := os.Mkdir(path+"/sub", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := WriteFileAt(CWD, path+"/sub/"+name, []byte("y"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := names(t, path+"/sub"); !slices.Equal(got, []string{name}) {
		t.Errorf("got %q", got)
	}
}

// TestWriteFileAtIsAtomic lets readers look while writers of files of
// different length take turns: each content is one repeated byte.
func TestWriteFileAtIsAtomic(t *testing.T) {
	_, dir := openDir(t)
	content := func(i int) []byte { return bytes.Repeat([]byte{byte('a' + i%26)}, 1+i*97%5000) }
	if err := WriteFileAt(dir, "f", content(0), 0o600); err != nil {
		t.Fatal(err)
	}
	var writers, readers sync.WaitGroup
	done := make(chan struct{})
	for w := range 2 {
		writers.Go(func() {
			for i := range 300 {
				if err := WriteFileAt(dir, "f", content(2*i+w), 0o600); err != nil {
					t.Error(err)
				}
			}
		})
	}
	readers.Go(func() {
		buf := make([]byte, 8192)
		for {
			n, err := ReadFileAt(dir, "f", buf)
			if err != nil || n == 0 || bytes.Count(buf[:n], buf[:1]) != n {
				t.Errorf("read %d bytes, %v: not one write's", n, err)
				return
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	writers.Wait()
	close(done)
	readers.Wait()
}

func TestReadFileAt(t *testing.T) {
	path, dir := openDir(t)
	if err := os.WriteFile(path+"/f", []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := ReadFileAt(dir, "f", make([]byte, 6)); n != 5 || err != nil {
		t.Errorf("got %d, %v; want 5 bytes", n, err)
	}
	if _, err := ReadFileAt(dir, "f", make([]byte, 5)); !errors.Is(err, unix.EFBIG) {
		t.Errorf("a full buffer: got %v, want EFBIG", err)
	}
}

func TestReadDir(t *testing.T) {
	path, dir := openDir(t)
	if entries, err := ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("an empty directory: got %v, %v", entries, err)
	}
	want := map[string]uint8{"dir": unix.DT_DIR, "link": unix.DT_LNK}
	os.Mkdir(path+"/dir", 0o700)
	os.Symlink("x", path+"/link")
	// More than one getdents can return.
	for i := range 2000 {
		name := fmt.Sprintf("%s%04d", strings.Repeat("f", i%60), i)
		want[name] = unix.DT_REG
		if err := os.WriteFile(path+"/"+name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := unix.Seek(dir, 0, unix.SEEK_SET); err != nil {
		t.Fatal(err)
	}
	entries, err := ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(want) {
		t.Errorf("got %d entries, want %d", len(entries), len(want))
	}
	for _, e := range entries {
		if typ, ok := want[e.Name]; !ok || typ != e.Type {
			t.Errorf("entry %+v: want type %d, known %v", e, typ, ok)
		}
	}
}

func TestMemfdProgram(t *testing.T) {
	data := bytes.Repeat([]byte("program "), 3000)
	fd, err := MemfdProgram("test", data)
	if err != nil {
		t.Fatal(err)
	}
	defer Close(fd)
	got := make([]byte, len(data)+1)
	if n, err := unix.Pread(fd, got, 0); err != nil || !bytes.Equal(got[:n], data) {
		t.Errorf("read %d bytes, %v: not what was written", n, err)
	}
	if _, err := unix.Pwrite(fd, []byte("x"), 0); err != unix.EPERM {
		t.Errorf("write: got %v, want EPERM", err)
	}
	if err := unix.Ftruncate(fd, 1); err != unix.EPERM {
		t.Errorf("truncate: got %v, want EPERM", err)
	}
	// Nor through a descriptor that is opened anew.
	again, err := unix.Open(fdPath(fd), unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err == nil {
		defer Close(again)
		if _, err := unix.Pwrite(again, []byte("x"), 0); err != unix.EPERM {
			t.Errorf("write after open: got %v, want EPERM", err)
		}
	}
	seals, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	if err != nil || seals&memfdSeals != memfdSeals {
		t.Errorf("seals %#x, %v; want %#x", seals, err, memfdSeals)
	}
}

func TestMemfdExecutable(t *testing.T) {
	data, err := os.ReadFile("/bin/true")
	if err != nil {
		t.Fatal(err)
	}
	fd, err := MemfdExecutable("test", data)
	if err != nil {
		t.Fatal(err)
	}
	defer Close(fd)
	if _, err := unix.Pwrite(fd, []byte("x"), 0); err != unix.EPERM {
		t.Errorf("write: got %v, want EPERM", err)
	}
	if err := exec.Command(fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), fd)).Run(); err != nil {
		t.Errorf("execute: %v", err)
	}
	program, err := MemfdProgram("test", data)
	if err != nil {
		t.Fatal(err)
	}
	defer Close(program)
	seals, err := unix.FcntlInt(uintptr(program), unix.F_GET_SEALS, 0)
	if err != nil {
		t.Fatal(err)
	}
	if seals&unix.F_SEAL_EXEC == 0 {
		return // a kernel before 6.3
	}
	err = exec.Command(fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), program)).Run()
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("execute what is no executable: got %v, want EACCES", err)
	}
}

// FuzzDirents reads records as a broken file system might give them.
func FuzzDirents(f *testing.F) {
	buf := make([]byte, 4096)
	fd, err := Openat(CWD, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		f.Fatal(err)
	}
	n, err := unix.Getdents(fd, buf)
	Close(fd)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(buf[:n])
	f.Add(buf[:n-1])
	f.Fuzz(func(t *testing.T, records []byte) {
		total := 0
		for _, e := range appendDirents(nil, records) {
			if e.Name == "." || e.Name == ".." || strings.IndexByte(e.Name, 0) >= 0 {
				t.Errorf("the name %q", e.Name)
			}
			total += len(e.Name)
		}
		if total > len(records) {
			t.Errorf("%d bytes of names from %d", total, len(records))
		}
	})
}
