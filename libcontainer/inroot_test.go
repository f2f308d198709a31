package libcontainer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
)

// hostileRoot makes root with outside beside it, fills root with links ("name"
// to "target"; OUT stands for outside's path), files (no target) and
// directories ("name/"), and opens it.
func hostileRoot(t *testing.T, tree [][2]string) (root int, rootPath, outside string) {
	t.Helper()
	dir := t.TempDir()
	rootPath, outside = filepath.Join(dir, "root"), filepath.Join(dir, "outside")
	for _, d := range []string{rootPath, outside} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range tree {
		name, target := filepath.Join(rootPath, e[0]), strings.ReplaceAll(e[1], "OUT", outside)
		var err error
		switch {
		case strings.HasSuffix(e[0], "/"):
			err = os.MkdirAll(name, 0o755)
		case target == "":
			err = os.WriteFile(name, nil, 0o644)
		default:
			err = os.Symlink(target, name)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	root, err := sys.Openat(sys.CWD, rootPath, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sys.Close(root) })
	return root, rootPath, outside
}

// listing is all that is below the directory above the root, but the root.
func listing(t *testing.T, outside, rootPath string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(filepath.Dir(outside), func(path string, d fs.DirEntry, err error) error {
		if path == rootPath {
			return fs.SkipDir
		}
		fmt.Fprintln(&b, path, d)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestMakeInRoot(t *testing.T) {
	for name, c := range map[string]struct {
		tree [][2]string
		path string
		file bool
		made string // where it must be in the root
		err  error
	}{
		"plain":                      {nil, "a/b/c", false, "a/b/c", nil},
		"plain file":                 {nil, "a/b/c", true, "a/b/c", nil},
		"dots and slashes":           {nil, "//a/./b//c/", false, "a/b/c", nil},
		"nothing":                    {nil, ".", false, ".", nil},
		"it is there":                {[][2]string{{"a/b/", ""}}, "a/b", false, "a/b", nil},
		"the file is there":          {[][2]string{{"f", ""}}, "f", true, "f", nil},
		"above the root":             {nil, "../../a", false, "a", nil},
		"dangling absolute":          {[][2]string{{"l", "/x/y"}}, "l/z", false, "x/y/z", nil},
		"dangling relative":          {[][2]string{{"d/", ""}, {"d/l", "x/y"}}, "d/l", false, "d/x/y", nil},
		"dangling file":              {[][2]string{{"l", "x/y"}}, "l", true, "x/y", nil},
		"dangling out":               {[][2]string{{"l", "OUT/x"}}, "l", false, "OUT/x", nil},
		"absolute out":               {[][2]string{{"l", "OUT"}}, "l/x", false, "OUT/x", nil},
		"relative out":               {[][2]string{{"l", "../../../../../../../../../../..OUT/x"}}, "l", false, "OUT/x", nil},
		"dots out":                   {[][2]string{{"d/", ""}, {"d/l", "../../outside"}}, "d/l/x", false, "outside/x", nil},
		"dots behind a link":         {[][2]string{{"d/e/", ""}, {"l", "d/e"}}, "l/../x", false, "d/x", nil},
		"dots behind a dangling one": {[][2]string{{"l", "no/where"}}, "l/../x", false, "no/x", nil},
		"chain":                      {[][2]string{{"a", "b"}, {"b", "/c"}, {"c", "./d"}}, "a/x", false, "d/x", nil},
		"chain out":                  {[][2]string{{"a", "b"}, {"b", "../c"}, {"c", "../../OUT"}}, "a/x", true, "OUT/x", nil},
		"root itself":                {[][2]string{{"l", "/"}}, "l/x", false, "x", nil},
		"loop":                       {[][2]string{{"l", "l"}}, "l/x", false, "", unix.ELOOP},
		"loop of two":                {[][2]string{{"a", "b/x"}, {"b", "a/x"}}, "a", false, "", unix.ELOOP},
		"growing loop":               {[][2]string{{"l", "l/l/l/l/l/l/l/l"}}, "l", false, "", unix.ELOOP},
		"through a file":             {[][2]string{{"f", ""}}, "f/x", false, "", unix.ENOTDIR},
		"through a link to a file":   {[][2]string{{"f", ""}, {"l", "/f"}}, "l/x", false, "", unix.ENOTDIR},
		"long name":                  {nil, strings.Repeat("x", 256), false, "", unix.ENAMETOOLONG},
	} {
		t.Run(name, func(t *testing.T) {
			root, rootPath, outside := hostileRoot(t, c.tree)
			before := listing(t, outside, rootPath)
			err := makeInRoot(root, c.path, c.file, owner{})
			if !errors.Is(err, c.err) || (c.err == nil) != (err == nil) {
				t.Fatalf("makeInRoot: %v, want %v", err, c.err)
			}
			if after := listing(t, outside, rootPath); after != before {
				t.Errorf("what is outside the root was changed:\n%sbefore:\n%s", after, before)
			}
			if c.err != nil {
				return
			}
			made := filepath.Join(rootPath, strings.ReplaceAll(c.made, "OUT", outside))
			st, err := os.Lstat(made)
			if err != nil {
				t.Fatal(err)
			}
			if st.Mode().IsRegular() != c.file || st.IsDir() == c.file {
				t.Errorf("%s is %v", made, st.Mode())
			}
			fd, err := sys.Openat2(root, strings.TrimLeft(c.path, "/"), unix.O_PATH, 0, inRoot)
			if err != nil {
				t.Fatalf("the path leads nowhere still: %v", err)
			}
			sys.Close(fd)
			if err := makeInRoot(root, c.path, c.file, owner{}); err != nil {
				t.Errorf("the second time: %v", err)
			}
		})
	}
}

func TestMakeInRootLinksMax(t *testing.T) {
	tree := make([][2]string, linksMax+1)
	for i := range tree {
		tree[i] = [2]string{fmt.Sprintf("l%d", i), fmt.Sprintf("l%d", i+1)}
	}
	root, rootPath, _ := hostileRoot(t, tree)
	if err := makeInRoot(root, "l0", false, owner{}); !errors.Is(err, unix.ELOOP) {
		t.Errorf("%d links: %v", len(tree), err)
	}
	if err := makeInRoot(root, "l1", false, owner{}); err != nil {
		t.Errorf("%d links: %v", len(tree)-1, err)
	}
	if _, err := os.Lstat(fmt.Sprintf("%s/l%d", rootPath, len(tree))); err != nil {
		t.Error(err)
	}
}

// Somebody changes the tree all the time: it may fail, but not leave the root.
func TestMakeInRootRace(t *testing.T) {
	const rounds = 3000
	root, rootPath, outside := hostileRoot(t, [][2]string{{"a/", ""}, {"b", "../outside"}, {"c", "OUT"}, {"d", "nowhere/e"}})
	before := listing(t, outside, rootPath)
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				stopped <- nil
				return
			default:
			}
			other := []string{"b", "c", "d"}[i%3]
			if err := unix.Renameat2(root, "a", root, other, unix.RENAME_EXCHANGE); err != nil {
				stopped <- err
				return
			}
			if err := unix.Renameat2(root, other, root, "a", unix.RENAME_EXCHANGE); err != nil {
				stopped <- err
				return
			}
		}
	}()
	made := 0
	for i := range rounds {
		if makeInRoot(root, fmt.Sprintf("a/%d/x", i), i%2 == 0, owner{}) == nil {
			made++
		}
	}
	close(stop)
	if err := <-stopped; err != nil {
		t.Fatalf("exchange: %v", err)
	}
	if made == 0 {
		t.Error("nothing was made at all")
	}
	if after := listing(t, outside, rootPath); after != before {
		t.Errorf("what is outside the root was changed:\n%s", after)
	}
}
