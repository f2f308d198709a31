package store

import (
	"errors"
	"os"
	"testing"
	"time"
)

func TestEnds(t *testing.T) {
	s := newStore(t)
	root := create(t, s, "root")
	create(t, s, "other")
	end := func(id string, code int) *Record {
		return &Record{ID: id, Status: Stopped, Termination: &Termination{ExitCode: code}}
	}
	want := func(id string, code int) {
		t.Helper()
		if r, err := s.Ended(id); err != nil || r.ID != id || r.Termination.ExitCode != code {
			t.Errorf("got %+v, %v, want exit code %d", r, err, code)
		}
	}
	none := func(id string) {
		t.Helper()
		if r, err := s.Ended(id); !errors.Is(err, ErrNotExist) || errors.Is(err, ErrIncomplete) {
			t.Errorf("got %+v, %v, want ErrNotExist", r, err)
		}
	}
	none("c")
	none("../root")
	for code := range 2 { // the later one counts
		if err := s.KeepEnd("root", end("c", code)); err != nil {
			t.Fatal(err)
		}
		want("c", code)
	}
	// Of two roots, the newer end does.
	if err := s.KeepEnd("other", end("c", 3)); err != nil {
		t.Fatal(err)
	}
	past := time.Unix(1, 0)
	if err := os.Chtimes(s.path("other")+"/ended/c", past, past); err != nil {
		t.Fatal(err)
	}
	want("c", 1)
	if err := s.ForgetEnd("root", "c"); err != nil {
		t.Fatal(err)
	}
	want("c", 3)
	if err := errors.Join(s.ForgetEnd("root", "c"), s.ForgetEnd("nowhere", "c"), s.ForgetEnd("other", "c")); err != nil {
		t.Errorf("forget what is not there: %v", err)
	}
	none("c")
	if err := s.KeepEnd("nowhere", end("c", 0)); !errors.Is(err, ErrNotExist) {
		t.Errorf("keep with who is not there: %v", err)
	}
	// With the root it goes.
	if err := s.KeepEnd("root", end("d", 0)); err != nil {
		t.Fatal(err)
	}
	if err := root.Remove(); err != nil {
		t.Fatal(err)
	}
	none("d")
}

// TestHostileEnds: what cannot be read is an error, and hides no other.
func TestHostileEnds(t *testing.T) {
	for name, plant := range map[string]func(path string) error{
		"a symlink": func(p string) error { return os.Symlink("/etc/passwd", p) },
		"nonsense":  func(p string) error { return os.WriteFile(p, []byte("{"), 0o600) },
		"another's": func(p string) error {
			data, err := encode(&Record{ID: "x", Status: Stopped})
			return errors.Join(err, os.WriteFile(p, data, 0o600))
		},
		"writable by all": func(p string) error {
			data, err := encode(&Record{ID: "c", Status: Stopped})
			return errors.Join(err, os.WriteFile(p, data, 0o600), os.Chmod(p, 0o666))
		},
	} {
		s := newStore(t)
		create(t, s, "a")
		create(t, s, "b")
		if err := errors.Join(os.Mkdir(s.path("a")+"/ended", 0o700), plant(s.path("a")+"/ended/c")); err != nil {
			t.Fatal(err)
		}
		if r, err := s.Ended("c"); err == nil || errors.Is(err, ErrNotExist) {
			t.Errorf("%s: got %+v, %v", name, r, err)
		}
		if err := s.KeepEnd("b", &Record{ID: "c", Status: Stopped, Termination: &Termination{ExitCode: 5}}); err != nil {
			t.Fatal(err)
		}
		if r, err := s.Ended("c"); err != nil || r.Termination.ExitCode != 5 {
			t.Errorf("%s beside a good one: got %+v, %v", name, r, err)
		}
	}
}
