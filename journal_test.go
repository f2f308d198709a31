package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Engines read the first kilobytes of an error, and its cause stands at its end.
func TestLongErrors(t *testing.T) {
	name := strings.Repeat("ü", 50_000)
	r := run1(t, nil, "--root", t.TempDir(), "create", "--bundle", "/"+name, "ID")
	if r.code != 1 || len(r.stderr) > 17<<10 || !strings.HasPrefix(r.stderr, "create container ID: ") ||
		!strings.Contains(r.stderr, "ü…ü") || !strings.HasSuffix(r.stderr, "file name too long\n") {
		t.Errorf("exit %d, %d bytes: %.60s … %s", r.code, len(r.stderr), r.stderr, r.stderr[max(0, len(r.stderr)-60):])
	}
	text := strings.Repeat("x", shownHead+shownTail)
	if shown(text) != text || len(shown(text+"x")) != len(text)+len("…") {
		t.Error("a text is cut that need not be, or one is not")
	}
}

// One record in the log, and the plain text on stderr.
func TestErrorChannel(t *testing.T) {
	root := filepath.Join(t.TempDir(), "root")
	const message = "container does not exist"
	read := func(t *testing.T, log string) map[string]any {
		t.Helper()
		if strings.Count(log, "\n") != 1 {
			t.Fatalf("not one line: %q", log)
		}
		var record map[string]any
		if err := json.Unmarshal([]byte(log), &record); err != nil {
			t.Fatal(err)
		}
		when, ok := record["time"].(string)
		if _, err := time.Parse(time.RFC3339, when); !ok || err != nil {
			t.Errorf("time is %v", record["time"])
		}
		delete(record, "time")
		return record
	}
	check := func(t *testing.T, record map[string]any, message string) {
		t.Helper()
		want := map[string]any{"level": "error", "msg": message, "id": "ID", "command": "state", "code": 1.0}
		if fmt.Sprint(record) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", record, want)
		}
	}
	t.Run("stderr, text", func(t *testing.T) {
		r := run1(t, nil, "--root", root, "state", "ID")
		if r.code != 1 || r.stdout != "" || !strings.Contains(r.stderr, message) || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("stderr, json", func(t *testing.T) {
		r := run1(t, nil, "--root", root, "--log-format", "json", "state", "ID")
		plain := run1(t, nil, "--root", root, "state", "ID")
		check(t, read(t, r.stderr), strings.TrimSpace(plain.stderr))
	})
	t.Run("file, json", func(t *testing.T) {
		log := filepath.Join(t.TempDir(), "log")
		r := run1(t, nil, "--root", root, "--log", log, "--log-format=json", "state", "ID")
		first, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		check(t, read(t, string(first)), strings.TrimSpace(r.stderr))
		// It is appended to.
		run1(t, []string{"MESOC_LOG=" + log, "MESOC_LOG_FORMAT=json"}, "--root", root, "state", "ID")
		both, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		second, ok := strings.CutPrefix(string(both), string(first))
		if !ok {
			t.Fatalf("not appended: %q", both)
		}
		check(t, read(t, second), strings.TrimSpace(r.stderr))
	})
	t.Run("file, text", func(t *testing.T) {
		log := filepath.Join(t.TempDir(), "log")
		r := run1(t, nil, "--root", root, "--log", log, "state", "ID")
		got, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(got), "level=error") || !strings.Contains(string(got), "command=state") ||
			!strings.Contains(r.stderr, message) || strings.Contains(r.stderr, "level") {
			t.Errorf("log %q, got %+v", got, r)
		}
	})
	t.Run("a mistake in the settings reaches the log", func(t *testing.T) {
		log := filepath.Join(t.TempDir(), "log")
		run1(t, nil, "--log", log, "--log-format=json", "--cgroups-root=/", "state", "ID")
		got, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		check(t, read(t, string(got)), `set cgroups_root to "/" (flag --cgroups-root): must be relative to the cgroup2 mount`)
	})
	t.Run("a mistake in the command line reaches the log", func(t *testing.T) {
		log := filepath.Join(t.TempDir(), "log")
		run1(t, nil, "--log", log, "--log-format=json", "state", "--nope", "ID")
		got, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		if record := read(t, string(got)); record["msg"] != "flag provided but not defined: -nope" || record["command"] != "state" {
			t.Errorf("got %v", record)
		}
	})
	t.Run("a log that cannot be written", func(t *testing.T) {
		want := result{1, "", "open the log file: open /nowhere/log: no such file or directory\n"}
		if r := run1(t, nil, "--log", "/nowhere/log", "--root", root, "list"); r != want {
			t.Errorf("got %+v, want %+v", r, want)
		}
	})
}

// Warnings wait for success: some engines read a log file as one object.
func TestWarnings(t *testing.T) {
	var s settings
	s[setLogFormat], s[setDebug] = "json", "false"
	var stderr bytes.Buffer
	j, err := openJournal(&s, &stderr)
	if err != nil {
		t.Fatal(err)
	}
	j.warn("no %s", "luck")
	if stderr.Len() > 0 {
		t.Errorf("a warning before the end: %s", &stderr)
	}
	j.fail(os.ErrNotExist, record{code: 1})
	if strings.Contains(stderr.String(), "luck") {
		t.Errorf("a warning beside an error: %s", &stderr)
	}
	stderr.Reset()
	j.close()
	if !strings.Contains(stderr.String(), `"level":"warning","msg":"no luck"`) {
		t.Errorf("got %s", &stderr)
	}
	stderr.Reset()
	s[setLogFormat], s[setDebug] = "text", "true"
	if j, err = openJournal(&s, &stderr); err != nil {
		t.Fatal(err)
	}
	j.trace("step %d: mount", 1)
	j.warn("no luck")
	if got := stderr.String(); got != "step 1: mount\nwarning: no luck\n" {
		t.Errorf("got %q", got)
	}
}
