package bundle

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// newBundle writes a bundle with a root.
func newBundle(t *testing.T, config []byte) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "rootfs"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ConfigName), config, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestLoad(t *testing.T) {
	dir := newBundle(t, patched(t, "/process/capabilities", `{"bounding":["CAP_FLY"]}`))
	t.Chdir(filepath.Dir(dir))
	for _, arg := range []string{dir, filepath.Base(dir), dir + "/rootfs/.."} {
		b, err := Load(arg, nil)
		if err != nil {
			t.Fatal(err)
		}
		if b.Dir != dir || b.Rootfs != dir+"/rootfs" || b.Spec.Process.Args[0] != "sh" || len(b.Warnings) != 1 {
			t.Errorf("Load(%s): %+v", arg, b)
		}
		if raw, _ := os.ReadFile(dir + "/config.json"); !bytes.Equal(raw, b.Raw) {
			t.Errorf("Load(%s) keeps another config than it read", arg)
		}
	}
	t.Chdir(dir)
	if b, err := Load("", nil); err != nil || b.Dir != dir {
		t.Errorf("Load of the working directory: %+v, %v", b, err)
	}
}

func TestLoadAbsoluteRoot(t *testing.T) {
	root := t.TempDir()
	dir := newBundle(t, patched(t, "/root/path", `"`+root+`/../`+filepath.Base(root)+`/"`))
	b, err := Load(dir, nil)
	if err != nil || b.Rootfs != root {
		t.Errorf("root %v, want %s: %v", b, root, err)
	}
}

func TestLoadHostProblems(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		set  []string
		want string
		is   error
	}{
		"no root":         {[]string{"/root/path", `"none"`}, `/root/path: "DIR/none": no such file or directory`, fs.ErrNotExist},
		"root is a file":  {[]string{"/root/path", `"config.json"`}, `/root/path: "DIR/config.json": not a directory`, unix.ENOTDIR},
		"no source":       {[]string{"/mounts/-", `{"destination":"/x","source":"/none/x","options":["rbind"]}`}, `/mounts/1/source: "/none/x": no such file or directory`, fs.ErrNotExist},
		"relative source": {[]string{"/mounts/-", `{"destination":"/x","source":"none","options":["bind"]}`}, `/mounts/1/source: "DIR/none": no such file or directory`, fs.ErrNotExist},
		"no namespace":    {[]string{"/linux/namespaces/1/path", `"/none"`}, `/linux/namespaces/1/path: "/none": no such file or directory`, fs.ErrNotExist},
		"not a namespace": {[]string{"/linux/namespaces/1/path", `"` + file + `"`}, `/linux/namespaces/1/path: "` + file + `": not a namespace`, nil},
		"a null device":   {[]string{"/linux/namespaces/1/path", `"/dev/null"`}, `/linux/namespaces/1/path: "/dev/null": not a namespace`, nil},
		"wrong kind":      {[]string{"/linux/namespaces/1/path", `"/proc/self/ns/net"`}, `/linux/namespaces/1/path: "/proc/self/ns/net": not a uts namespace, but a network namespace`, nil},
		"the host's sysctl": {[]string{"/linux/namespaces/3/path", `"/proc/self/ns/net"`, "/linux/sysctl", `{"net.ipv4.ip_forward":"1","kernel.msgmax":"8192"}`},
			`/linux/sysctl/net.ipv4.ip_forward: needs the container's own network namespace: it would change the host`, nil},
	} {
		dir := newBundle(t, patched(t, c.set...))
		_, err := Load(dir, nil)
		want := "validate " + dir + "/config.json: " + strings.ReplaceAll(c.want, "DIR", dir)
		if err == nil || err.Error() != want {
			t.Errorf("%s:\n\t%v\nwant\n\t%s", name, err, want)
		}
		if c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v is not %v", name, err, c.is)
		}
	}
}

func TestLoadJoined(t *testing.T) {
	dir := newBundle(t, patched(t, "/linux/namespaces/3/path", `"/proc/self/ns/net"`, "/mounts/-", `{"destination":"/x","source":"rootfs","options":["bind"]}`))
	if _, err := Load(dir, nil); err != nil {
		t.Error(err)
	}
}

func TestLoadUnreadable(t *testing.T) {
	for name, c := range map[string]struct {
		make func(path string) error
		want string
		is   error
	}{
		"missing":   {os.Remove, "open PATH: no such file or directory", fs.ErrNotExist},
		"directory": {func(p string) error { os.Remove(p); return os.Mkdir(p, 0o755) }, "read PATH: is a directory", unix.EISDIR},
		"fifo":      {func(p string) error { os.Remove(p); return unix.Mkfifo(p, 0o600) }, "read PATH: not a regular file", nil},
		"device":    {func(p string) error { os.Remove(p); return os.Symlink("/dev/zero", p) }, "read PATH: not a regular file", nil},
		"loop":      {func(p string) error { os.Remove(p); return os.Symlink("config.json", p) }, "open PATH: too many levels of symbolic links", unix.ELOOP},
		"empty":     {func(p string) error { return os.Truncate(p, 0) }, "parse PATH: line 1, column 1: expected a value, found the end of the file", nil},
		"large":     {func(p string) error { return os.Truncate(p, 1<<30) }, "read PATH: 1073741824 bytes, more than the 16777216 that are allowed", nil},
		"sparse":    {func(p string) error { return os.Truncate(p, 1<<24) }, `parse PATH: line 7, column 2: expected the end of the file, found "\x00"`, nil},
	} {
		dir := newBundle(t, []byte(base))
		path := filepath.Join(dir, ConfigName)
		if err := c.make(path); err != nil {
			t.Fatal(err)
		}
		_, err := Load(dir, nil)
		if want := strings.ReplaceAll(c.want, "PATH", path); err == nil || err.Error() != want {
			t.Errorf("%s:\n\t%v\nwant\n\t%s", name, err, want)
		}
		if c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v is not %v", name, err, c.is)
		}
	}
	if _, err := Load("/none", nil); err == nil || err.Error() != "open /none/config.json: no such file or directory" {
		t.Error(err)
	}
}
