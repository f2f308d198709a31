package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"
)

// journal is where a call's error, its warnings and, with --debug, its steps
// are shown. Engines constrain it: some read the log file as one JSON object,
// some take its last error, some read stderr. So a failing call writes one
// record and no other, in one write(2), and the plain text to stderr; the
// warnings of a call that succeeds are written when it is certain to succeed.
type journal struct {
	file     *os.File // nil: the log is stderr
	stderr   io.Writer
	json     bool
	debug    bool
	atOnce   bool // warnings are written when they come: the call has no end
	warnings []string
}

// record is what a failure is about.
type record struct {
	id, command string
	code        int
}

// highDescriptor is above all descriptors that a caller hands on to a
// container: a log file opened among those would be taken for one of them.
const highDescriptor = 512

// openJournal opens the log file at once, so that a wrong path is an error of
// the call and not of its failure. It returns a journal that works in any case.
func openJournal(s *settings, stderr io.Writer) (*journal, error) {
	j := &journal{stderr: stderr, json: s.text(setLogFormat) == "json", debug: s.is(setDebug)}
	path := s.text(setLog)
	if path == "" {
		return j, nil
	}
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_APPEND|unix.O_CREAT|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return j, fmt.Errorf("open the log file: %w", &os.PathError{Op: "open", Path: path, Err: err})
	}
	if high, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, highDescriptor); err == nil {
		_ = unix.Close(fd)
		fd = high
	}
	j.file = os.NewFile(uintptr(fd), path)
	return j, nil
}

// logger is made when there is something to say: most calls say nothing.
func (j *journal) logger() *logrus.Logger {
	l := logrus.New()
	l.SetLevel(logrus.DebugLevel)
	if j.json {
		l.SetFormatter(&logrus.JSONFormatter{DisableHTMLEscape: true})
	} else {
		l.SetFormatter(&logrus.TextFormatter{DisableColors: true})
	}
	l.SetOutput(j.stderr)
	if j.file != nil {
		l.SetOutput(j.file)
	}
	return l
}

// plain says whether the log is read by people: text on stderr.
func (j *journal) plain() bool { return j.file == nil && !j.json }

// What is shown of an error, in bytes: a name in it may be a hundred times as
// long as what was wrong with it. The end has the cause, and the output of a hook.
const (
	shownHead = 4 << 10
	shownTail = 12 << 10
)

// shown is a text with its middle left out if it is too long for those who read it.
func shown(text string) string {
	if len(text) <= shownHead+shownTail {
		return text
	}
	return strings.ToValidUTF8(text[:shownHead], "") + "…" + strings.ToValidUTF8(text[len(text)-shownTail:], "")
}

// fail writes err, as one record to the log and as plain text to stderr.
func (j *journal) fail(err error, about record) {
	text := shown(err.Error())
	if !j.plain() {
		fields := logrus.Fields{"code": about.code}
		if about.command != "" {
			fields["command"] = about.command
		}
		if about.id != "" {
			fields["id"] = shown(about.id)
		}
		j.logger().WithFields(fields).Error(text)
	}
	if j.file != nil || !j.json {
		fmt.Fprintln(j.stderr, text)
	}
}

// trace writes a step at once; only --debug asks for it.
func (j *journal) trace(format string, args ...any) {
	if j.plain() {
		fmt.Fprintf(j.stderr, format+"\n", args...)
		return
	}
	j.logger().Debugf(format, args...)
}

// warn keeps a warning until the call has succeeded; with --debug, when the
// log has more than one record anyway, it is written at once.
func (j *journal) warn(format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	if j.debug || j.atOnce {
		j.writeWarning(message)
		return
	}
	j.warnings = append(j.warnings, message)
}

// advise is a warning for the log. Standard error is the program's while the
// command lasts, so there it is only shown with --debug.
func (j *journal) advise(format string, args ...any) {
	if j.debug || !j.plain() {
		j.warn(format, args...)
	}
}

func (j *journal) writeWarning(message string) {
	if j.plain() {
		fmt.Fprintf(j.stderr, "warning: %s\n", message)
		return
	}
	j.logger().Warn(message)
}

// close writes the warnings of a call that has succeeded.
func (j *journal) close() {
	for _, message := range j.warnings {
		j.writeWarning(message)
	}
}

// drop gives up a journal that nothing was written to.
func (j *journal) drop() {
	if j.file != nil {
		_ = j.file.Close()
	}
}
