package criu

import (
	"slices"
	"strings"
	"testing"
)

func TestLogErrors(t *testing.T) {
	const log = `(00.000001) Version: 3.17.1 (gitid 0)
(00.389715) Error (criu/util.c:1534): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted
(00.400000) Warn  (criu/kerndat.c:1799): Hardware breakpoints don't seem to work
Error (criu/util.c:642): execvp("iptables-restore", ...) failed: No such file or directory
(00.464943) Error (criu/files-reg.c:1790): Can't lookup mount=80 for fd=0 path=/x` + "\x1b[2J" + `
(00.464943) Error (criu/files-reg.c:1790): Can't lookup mount=80 for fd=0 path=/x` + "\x1b[2J" + `
(00.669644) Error (criu/cr-dump.c:1975): Dumping FAILED.`
	want := []string{`execvp("iptables-restore", ...) failed: No such file or directory`,
		"Can't lookup mount=80 for fd=0 path=/x?[2J", "Dumping FAILED."}
	if got := logErrors(log); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := logErrors("nothing (\nError (\nError (x): \n"); len(got) != 0 {
		t.Errorf("got %q of a log without errors", got)
	}
	var many strings.Builder
	for _, n := range "abcdefghi" {
		many.WriteString("(00.1) Error (x.c:1): " + string(n) + "\n")
	}
	if got := strings.Join(logErrors(many.String()), ""); got != "defghi" {
		t.Errorf("got %q, want the last ones", got)
	}
}
