package criu

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
)

// logTail is how much of a log's end is looked at; it can have megabytes.
const logTail = 128 << 10

// errorsShown is how many errors of a log are in ours: criu says first what
// went wrong, and then what that has prevented.
const errorsShown = 6

// explain is the failure of the job: what criu says of it in its log, or the
// reason if that says nothing.
func (j *Job) explain(reason string) error {
	found := logErrors(j.readLog())
	if len(found) == 0 {
		return fmt.Errorf("criu failed: %s [its log is %s]", reason, j.LogPath)
	}
	return fmt.Errorf("criu failed: %s [its log is %s]", strings.Join(found, "; "), j.LogPath)
}

// readLog reads the end of the log; nothing of one that cannot be read.
func (j *Job) readLog() string {
	fd, err := sys.Openat(j.Work, j.Log, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return ""
	}
	defer sys.Close(fd)
	if end, err := unix.Seek(fd, 0, unix.SEEK_END); err == nil {
		_, _ = unix.Seek(fd, max(0, end-logTail), unix.SEEK_SET)
	}
	buf := make([]byte, logTail)
	n, _ := sys.Read(fd, buf)
	return string(buf[:n])
}

// logErrors are the last errors in a log, each once, the oldest first, without the time
// and the place in criu's source. A line is
//
//	(00.464943) Error (criu/files-reg.c:1790): Can't lookup mount=80 for fd=0 path=/dev/null
func logErrors(log string) []string {
	var found []string
	for line := range strings.Lines(log) {
		_, rest, is := strings.Cut(line, "Error (")
		_, text, has := strings.Cut(rest, "): ")
		text = printable(strings.TrimSpace(text))
		// criu has no more use for a higher limit than we have.
		if !is || !has || text == "" || strings.HasPrefix(text, "rlimit: Can't setup RLIMIT_NOFILE") {
			continue
		}
		if !slices.Contains(found, text) {
			found = append(found, text)
		}
	}
	return found[max(0, len(found)-errorsShown):]
}

// printable replaces what would do something to a terminal: the log quotes
// names of the container's.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}
