package sys

import (
	"strconv"
	"strings"
)

// MountPoint is one line of a mount table (proc_pid_mountinfo(5)).
type MountPoint struct {
	ID   int    // unlike that of any other mount there is
	Root string // which part of the file system is shown: "/" for all of it
	Path string // where
	Type string // of the file system
}

// MountTable is the path of the caller's mount table.
const MountTable = "/proc/self/mountinfo"

// Mounts reads the caller's mount table, in the order of the mounts. That
// takes the longer the more there are, so it is for rare cases.
func Mounts() ([]MountPoint, error) {
	text, err := ReadAll(CWD, MountTable)
	if err != nil {
		return nil, err
	}
	return ParseMounts(text), nil
}

// ReadMounts reads the mount table of a process.
func ReadMounts(pid int) ([]MountPoint, error) {
	text, err := ReadAll(CWD, "/proc/"+strconv.Itoa(pid)+"/mountinfo")
	if err != nil {
		return nil, err
	}
	return ParseMounts(text), nil
}

// ParseMounts reads a mount table. Lines that are none are passed over.
func ParseMounts(table string) []MountPoint {
	var list []MountPoint
	for line := range strings.Lines(table) {
		// ID PARENT MAJOR:MINOR ROOT MOUNTPOINT OPTIONS FIELDS… - TYPE SOURCE SUPER
		before, after, ok := strings.Cut(line, " - ")
		fields := strings.SplitN(before, " ", 6)
		kind, _, more := strings.Cut(after, " ")
		if !ok || !more || len(fields) < 6 {
			continue
		}
		id, err := strconv.Atoi(fields[0])
		if err != nil {
			continue
		}
		list = append(list, MountPoint{ID: id, Root: unescape(fields[3]), Path: unescape(fields[4]), Type: kind})
	}
	return list
}

// unescape undoes what the kernel does to blanks and backslashes in mount
// tables: a backslash and three octal digits.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) && s[i+1] <= '3' && octal(s[i+1]) && octal(s[i+2]) && octal(s[i+3]) {
			b.WriteByte((s[i+1]-'0')<<6 | (s[i+2]-'0')<<3 | (s[i+3] - '0'))
			i += 3
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func octal(c byte) bool { return c >= '0' && c <= '7' }
