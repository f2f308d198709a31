package sys

import (
	"bytes"
	"strconv"

	"golang.org/x/sys/unix"
)

// Stat is what mesoc needs of /proc/PID/stat.
type Stat struct {
	Comm      string
	State     byte // R, S, D, Z, T, t, X, I, P
	PPid      int
	StartTime uint64 // clock ticks since boot
}

// Ended says whether nothing of the process runs any more: it waits for its
// parent to reap it, or is being reaped.
func (s Stat) Ended() bool {
	return s.State == 'Z' || s.State == 'X'
}

// ReadStat reads /proc/PID/stat with one open and one read. A process that
// does not exist is ESRCH; one that proc does not show (hidepid, or no proc at
// all) is ENOENT, for that is no proof that it has ended.
func ReadStat(pid int) (Stat, error) {
	// 52 numbers of at most 20 digits, and a name of at most 64 bytes.
	var buf [2048]byte
	path := "/proc/" + strconv.Itoa(pid) + "/stat"
	n, err := readProc(path, buf[:])
	if err != nil {
		if err == unix.ENOENT && (pid <= 0 || unix.Kill(pid, 0) == unix.ESRCH) {
			err = unix.ESRCH
		}
		return Stat{}, fail("read", path, err)
	}
	stat, ok := parseStat(buf[:n])
	if !ok {
		return Stat{}, fail("read", path, unix.EBADMSG)
	}
	return stat, nil
}

// readProc reads a file of proc, which gives all it has in one read.
func readProc(path string, buf []byte) (n int, err error) {
	fd, err := openat(CWD, path, unix.O_RDONLY, 0)
	if err != nil {
		return 0, err
	}
	err = retry(func() (err error) {
		n, err = unix.Read(fd, buf)
		return err
	})
	Close(fd)
	return n, err
}

// parseStat takes a line of /proc/PID/stat apart. The name stands in
// parentheses and may hold any byte, spaces, newlines and parentheses too, so
// it ends at the last closing one.
func parseStat(line []byte) (Stat, bool) {
	open, end := bytes.IndexByte(line, '('), bytes.LastIndexByte(line, ')')
	if open < 0 || end < open {
		return Stat{}, false
	}
	stat := Stat{Comm: string(line[open+1 : end])}
	rest := line[end+1:]
	// Numbered as in proc(5), where the pid is field 1 and the name field 2.
	for field := 3; field <= 22; field++ {
		var word []byte
		if word, rest = nextField(rest); word == nil {
			return Stat{}, false
		}
		var err error
		switch field {
		case 3:
			if len(word) != 1 {
				return Stat{}, false
			}
			stat.State = word[0]
		case 4:
			stat.PPid, err = strconv.Atoi(string(word))
		case 22:
			stat.StartTime, err = strconv.ParseUint(string(word), 10, 64)
		}
		if err != nil {
			return Stat{}, false
		}
	}
	return stat, true
}

// nextField returns the next word of line and what follows; nil when there is none.
func nextField(line []byte) (word, rest []byte) {
	start := 0
	for start < len(line) && (line[start] == ' ' || line[start] == '\n') {
		start++
	}
	end := start
	for end < len(line) && line[end] != ' ' && line[end] != '\n' {
		end++
	}
	if start == end {
		return nil, nil
	}
	return line[start:end], line[end:]
}

// BootID returns the random name of this boot of the kernel. Pids and start
// times of two boots must not be compared.
func BootID() (string, error) {
	const path = "/proc/sys/kernel/random/boot_id"
	var buf [64]byte
	n, err := readProc(path, buf[:])
	if err != nil {
		return "", fail("read", path, err)
	}
	return string(bytes.TrimSpace(buf[:n])), nil
}
