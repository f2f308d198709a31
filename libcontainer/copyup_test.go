package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/internal/testutil"
)

// copied copies a tree into a new directory and returns that.
func copied(t *testing.T, tree string, users, groups idMap) (string, error) {
	t.Helper()
	target := filepath.Join(t.TempDir(), "copy")
	if err := os.Mkdir(target, 0o755); err != nil {
		t.Fatal(err)
	}
	var fds [2]int
	for i, dir := range []string{tree, target} {
		fd, err := sys.Openat(sys.CWD, dir, unix.O_PATH|unix.O_DIRECTORY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer sys.Close(fd)
		fds[i] = fd
	}
	c := copier{to: fds[1], links: map[[2]uint64]string{}, users: users, groups: groups}
	return target, c.root(fds[0], "")
}

// TestCopyUpUnderAttack exchanges a directory and a file of the image with links
// to what is outside, as fast as it goes, while they are copied: nothing from
// outside is ever in a copy. Seen to fail without O_NOFOLLOW and RESOLVE_BENEATH in entry.
func TestCopyUpUnderAttack(t *testing.T) {
	testutil.Root(t)
	rounds := 500
	if testing.Short() {
		rounds = 50
	}
	dir := t.TempDir()
	tree, outside := filepath.Join(dir, "image"), filepath.Join(dir, "outside")
	for _, d := range []string{tree, tree + "/inner", outside} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for file, text := range map[string]string{tree + "/inner/file": "image", tree + "/file": "image", outside + "/file": "secret"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Symlink(outside, tree+"/link"), os.Symlink(outside+"/file", tree+"/filelink")); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var racer sync.WaitGroup
	racer.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			_ = unix.Renameat2(unix.AT_FDCWD, tree+"/inner", unix.AT_FDCWD, tree+"/link", unix.RENAME_EXCHANGE)
			_ = unix.Renameat2(unix.AT_FDCWD, tree+"/file", unix.AT_FDCWD, tree+"/filelink", unix.RENAME_EXCHANGE)
		}
	})
	defer racer.Wait()
	defer close(stop)
	for range rounds {
		target, err := copied(t, tree, nil, nil)
		// What is looked at twice can have become something else: no copy then.
		if err != nil && !errors.Is(err, unix.EEXIST) {
			t.Fatal(err)
		}
		err = filepath.WalkDir(target, func(path string, d os.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			text, err := os.ReadFile(path)
			if err == nil && string(text) != "image" {
				err = fmt.Errorf("%s holds %q", path, text)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(target); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAdopt(t *testing.T) {
	maps := idMap{{0, 1000, 10}}
	for _, c := range []struct {
		mode, uid, gid uint32
		want           string
	}{
		{unix.S_IFREG | 0o4600, 1005, 1000, "1005:1000 104600 false"},
		{unix.S_IFREG | 0o6755, 0, 1000, "1000:1000 100755 true"},
		{unix.S_IFREG | 0o6755, 1001, 1010, "1000:1000 100755 true"},
		{unix.S_IFREG | 0o750, 0, 0, "hidden"},
		{unix.S_IFDIR | 0o754, 0, 0, "hidden"},
		{unix.S_IFDIR | 0o2755, 0, 0, "1000:1000 40755 true"},
		{unix.S_IFLNK | 0o700, 0, 0, "1000:1000 120700 true"},
	} {
		st := unix.Stat_t{Mode: c.mode, Uid: c.uid, Gid: c.gid}
		job := copier{users: maps, groups: maps}
		foreign, err := job.adopt(&st)
		got := fmt.Sprintf("%d:%d %o %v", st.Uid, st.Gid, st.Mode, foreign)
		if errors.Is(err, unix.EACCES) {
			got = "hidden"
		}
		if got != c.want {
			t.Errorf("%o of %d:%d: %s, want %s", c.mode, c.uid, c.gid, got, c.want)
		}
	}
}

func TestIDMap(t *testing.T) {
	m := idMap{{0, 1000, 10}, {10, 5000, 1}}
	for id, want := range map[uint32]int{0: 1000, 9: 1009, 10: 5000, 11: -1} {
		host, ok := m.host(id)
		if ok != (want >= 0) || ok && int(host) != want {
			t.Errorf("%d is %d, %v; want %d", id, host, ok, want)
		}
	}
	for id, want := range map[uint32]bool{999: false, 1000: true, 1009: true, 1010: false, 5000: true, 0: false} {
		if m.maps(id) != want {
			t.Errorf("%d is one of the namespace's: %v", id, !want)
		}
	}
}
