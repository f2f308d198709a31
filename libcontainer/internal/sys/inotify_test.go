package sys

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestInotify(t *testing.T) {
	queue, err := InotifyOpen()
	if err != nil {
		t.Fatal(err)
	}
	defer Close(queue)
	if changes, err := InotifyRead(queue); changes != nil || err != nil {
		t.Fatalf("before any: %v, %v", changes, err)
	}
	dir := t.TempDir()
	watch, err := InotifyAdd(queue, dir, unix.IN_CREATE|unix.IN_DELETE_SELF)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := InotifyAdd(queue, dir+"/.", unix.IN_CREATE|unix.IN_DELETE_SELF); again != watch || err != nil {
		t.Errorf("again: got %d, %v, want %d", again, err, watch)
	}
	if _, err := InotifyAdd(queue, dir+"/none", unix.IN_CREATE); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	// Names of any length, in the order they came.
	names := []string{"a", strings.Repeat("b", 255), strings.Repeat("c", 16)}
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	changes, err := InotifyRead(queue)
	if err != nil || len(changes) != len(names) {
		t.Fatalf("got %v, %v", changes, err)
	}
	for i, name := range names {
		if want := (Change{watch, unix.IN_CREATE, name}); changes[i] != want {
			t.Errorf("got %v, want %v", changes[i], want)
		}
	}
	InotifyRemove(queue, watch)
	InotifyRemove(queue, watch)
	if changes, err := InotifyRead(queue); len(changes) != 1 || changes[0].Mask != unix.IN_IGNORED || err != nil {
		t.Errorf("after the end of it: %v, %v", changes, err)
	}
}

// What the kernel would not write is not read beyond its end.
func TestParseChangesCutShort(t *testing.T) {
	whole := []byte{1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 'a', 0, 0, 0}
	for n := range whole {
		if got := parseChanges(whole[:n]); len(got) != 0 {
			t.Errorf("%d bytes: got %v", n, got)
		}
	}
	overflow := []byte{0xff, 0xff, 0xff, 0xff, 0, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	got := parseChanges(append(overflow, whole...))
	if len(got) != 2 || got[0] != (Change{-1, unix.IN_Q_OVERFLOW, ""}) || got[1] != (Change{1, unix.IN_MODIFY, "a"}) {
		t.Errorf("got %v", got)
	}
}
