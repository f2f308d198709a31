package libcontainer

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/testutil"
	"github.com/mesoc/mesoc/libcontainer/plan"
)

func TestPasswdEntry(t *testing.T) {
	const file = "root:x:0:0:root:/root:/bin/sh\n\n#comment\nshort:x\nbad:x:10\n:::\n" +
		"ten:x:10:10::/ten:\nagain:x:10:10::/again:\nplus:x:+7:7::/plus:\nlast:x:4294967295:1::/last:"
	for uid, want := range map[uint32]string{
		0: "root:x:0:0:root:/root:/bin/sh", 10: "bad:x:10", 7: "", 1: "", 4294967295: "last:x:4294967295:1::/last:",
	} {
		if got := string(bytes.Join(passwdEntry([]byte(file), uid), []byte{':'})); got != want {
			t.Errorf("passwdEntry of %d: %q, want %q", uid, got, want)
		}
	}
	if passwdEntry(nil, 0) != nil {
		t.Error("an empty file has a line")
	}
}

func TestUserName(t *testing.T) {
	if got := userName(0); got != "root" {
		t.Errorf("user 0 is %q", got)
	}
	if got := userName(4123456789); got != "#4123456789" {
		t.Errorf("a user without a name is %q", got)
	}
}

const passwdLine = "root:x:0:0:root:%:/bin/sh\n"

func passwd(home string) []byte { return []byte(strings.Replace(passwdLine, "%", home, 1)) }

// The image can put anything in the place of its passwd file: it must neither
// keep us, nor lead us out, nor fail the create.
func TestHomeOfHostileRoot(t *testing.T) {
	root := func(t *testing.T, make func(etc string) error) string {
		t.Helper()
		dir := t.TempDir()
		etc := filepath.Join(dir, "etc")
		if err := os.Mkdir(etc, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := make(etc); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	outside := filepath.Join(t.TempDir(), "passwd")
	if err := os.WriteFile(outside, passwd("/outside"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		make func(etc string) error
		want string
		root bool
	}{
		"plain":           {func(etc string) error { return os.WriteFile(etc+"/passwd", passwd("/home/root"), 0o644) }, "/home/root", false},
		"no file":         {func(string) error { return nil }, "/", false},
		"no directory":    {os.Remove, "/", false},
		"etc is a file":   {func(etc string) error { return replace(etc, "x") }, "/", false},
		"empty":           {func(etc string) error { return os.WriteFile(etc+"/passwd", nil, 0o644) }, "/", false},
		"empty home":      {func(etc string) error { return os.WriteFile(etc+"/passwd", passwd(""), 0o644) }, "/", false},
		"NUL":             {func(etc string) error { return os.WriteFile(etc+"/passwd", passwd("/a\x00b"), 0o644) }, "/", false},
		"absolute link":   {func(etc string) error { return os.Symlink(outside, etc+"/passwd") }, "/", false},
		"relative link":   {func(etc string) error { return os.Symlink("../../../../../../.."+outside, etc+"/passwd") }, "/", false},
		"link within":     {func(etc string) error { return linkWithin(etc) }, "/within", false},
		"loop":            {func(etc string) error { return os.Symlink("passwd", etc+"/passwd") }, "/", false},
		"link to /proc":   {func(etc string) error { return os.Symlink("/proc/self/environ", etc+"/passwd") }, "/", false},
		"directory":       {func(etc string) error { return os.Mkdir(etc+"/passwd", 0o755) }, "/", false},
		"fifo":            {func(etc string) error { return unix.Mkfifo(etc+"/passwd", 0o644) }, "/", false},
		"two megabytes":   {func(etc string) error { return os.WriteFile(etc+"/passwd", long(), 0o644) }, "/", false},
		"socket":          {func(etc string) error { return unix.Mknod(etc+"/passwd", unix.S_IFSOCK|0o644, 0) }, "/", false},
		"endless device":  {func(etc string) error { return device(etc, 1, 5) }, "/", true},
		"device of noone": {func(etc string) error { return device(etc, 4095, 4095) }, "/", true},
	} {
		t.Run(name, func(t *testing.T) {
			if c.root {
				testutil.Root(t)
			}
			p := &plan.Plan{Rootfs: plan.Rootfs{Path: root(t, c.make)}}
			begin := time.Now()
			got, err := homeOf(p, 0)
			if err != nil || got != c.want {
				t.Errorf("homeOf: %q, %v; want %q", got, err, c.want)
			}
			if spent := time.Since(begin); spent > soon {
				t.Errorf("it took %v", spent)
			}
		})
	}
}

func replace(dir, text string) error {
	if err := os.Remove(dir); err != nil {
		return err
	}
	return os.WriteFile(dir, []byte(text), 0o644)
}

func linkWithin(etc string) error {
	if err := os.WriteFile(etc+"/real", passwd("/within"), 0o644); err != nil {
		return err
	}
	return os.Symlink("../../../etc/real", etc+"/passwd")
}

func long() []byte {
	return append(passwd("/long"), bytes.Repeat([]byte{'x'}, 2<<20)...)
}

func device(etc string, major, minor uint32) error {
	return unix.Mknod(etc+"/passwd", unix.S_IFCHR|0o644, int(unix.Mkdev(major, minor)))
}

// A file that the config binds over the image's is the one that counts.
func TestHomeOfMountedPasswd(t *testing.T) {
	root, file := t.TempDir(), filepath.Join(t.TempDir(), "file")
	if err := os.Mkdir(root+"/etc", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(root+"/etc/passwd", passwd("/image"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, passwd("/mounted"), 0o644); err != nil {
		t.Fatal(err)
	}
	mount := plan.Mount{Destination: "/etc/passwd", Source: file, MountOptions: plan.MountOptions{Bind: true}}
	p := &plan.Plan{Rootfs: plan.Rootfs{Path: root}, Mounts: []plan.Mount{mount}}
	if got, err := homeOf(p, 0); err != nil || got != "/mounted" {
		t.Errorf("homeOf: %q, %v", got, err)
	}
	if got, err := homeOf(p, 12); err != nil || got != "/" {
		t.Errorf("homeOf of a user without a line: %q, %v", got, err)
	}
}

func homeOf(p *plan.Plan, uid uint32) (string, error) {
	data, err := passwdOf(p)
	return homeIn(data, uid), err
}
