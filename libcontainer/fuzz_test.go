package libcontainer

import (
	"bytes"
	"strconv"
	"testing"
)

// FuzzPasswd: a line of passwd(5) is found by its number only, which may be
// whatever an image has written.
func FuzzPasswd(f *testing.F) {
	f.Add([]byte("root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:\n"), uint32(1000))
	f.Add([]byte("a:b:00:0\n::0"), uint32(0))
	f.Add([]byte("x:y:4294967295:\n\n:::::::"), uint32(4294967295))
	f.Fuzz(func(t *testing.T, data []byte, uid uint32) {
		fields := passwdEntry(data, uid)
		number := []byte(":" + strconv.FormatUint(uint64(uid), 10))
		if fields == nil {
			for line := range bytes.Lines(data) {
				line = bytes.TrimSuffix(line, []byte("\n"))
				if rest := bytes.SplitN(line, []byte(":"), 3); len(rest) == 3 && bytes.HasPrefix(append(rest[2], ':'), append(number[1:], ':')) {
					t.Fatalf("%q has user %d", data, uid)
				}
			}
			return
		}
		if len(fields) < 3 || ":"+string(fields[2]) != string(number) || !bytes.Contains(data, bytes.Join(fields, []byte(":"))) {
			t.Fatalf("user %d of %q is %q", uid, data, fields)
		}
	})
}

// FuzzReadyLine: what is passed on to a service manager is one line that the
// container has written.
func FuzzReadyLine(f *testing.F) {
	f.Add([]byte("STATUS=up\nREADY=1\nMAINPID=1"))
	f.Add([]byte("XREADY=1\n"))
	f.Fuzz(func(t *testing.T, message []byte) {
		line, ok := readyLine(message)
		if ok != (bytes.HasPrefix(message, []byte("READY=")) || bytes.Contains(message, []byte("\nREADY="))) {
			t.Fatalf("%q: %v", message, ok)
		}
		if ok && (bytes.IndexByte(line, '\n') >= 0 || !bytes.HasPrefix(line, []byte("READY=")) || !bytes.Contains(message, line)) {
			t.Fatalf("%q: %q", message, line)
		}
	})
}
