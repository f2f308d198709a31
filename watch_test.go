package main

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/mesoc/mesoc/libcontainer"
)

// What is printed comes in order, and whoever prints does not wait for the
// reader, who begins here when all is said.
func TestPrinterDoesNotWait(t *testing.T) {
	r, w := io.Pipe()
	p := newPrinter(w)
	code := 0
	for _, e := range []libcontainer.WatchEvent{
		{Type: libcontainer.WatchOOM, ID: "a"},
		{Type: libcontainer.WatchLimitation, ID: "a", Reason: "REASON_CONTAINER_LIMITATION_MEMORY", Message: "m", Resources: &libcontainer.Resources{Mem: 32}},
		{Type: libcontainer.WatchExited, ID: "a", Termination: &libcontainer.Termination{ExitCode: &code}},
		{Type: libcontainer.WatchExited, ID: "b"},
	} {
		if err := p.print(e); err != nil {
			t.Fatal(err)
		}
	}
	read := make(chan string)
	go func() {
		all, _ := io.ReadAll(r)
		read <- string(all)
	}()
	if err := p.close(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	const want = `{"type":"oom","id":"a"}
{"type":"limitation","id":"a","reason":"REASON_CONTAINER_LIMITATION_MEMORY","message":"m","resources":{"mem":32}}
{"type":"exited","id":"a","termination":{"exit_code":0}}
{"type":"exited","id":"b"}
`
	if got := <-read; got != want {
		t.Errorf("got %s", got)
	}
}

func TestPrinterFails(t *testing.T) {
	r, w := io.Pipe()
	r.CloseWithError(errors.New("disk full"))
	p := newPrinter(w)
	_ = p.print(libcontainer.WatchEvent{ID: "a"})
	<-p.done
	err := p.print(libcontainer.WatchEvent{ID: "b"})
	if err == nil || !strings.Contains(err.Error(), "print: disk full") {
		t.Errorf("got %v", err)
	}
	if err := p.close(); err == nil {
		t.Error("the end is a success")
	}
}

// The unit's command line is one that the program understands.
func TestUnit(t *testing.T) {
	unit, err := os.ReadFile("contrib/systemd/mesoc-watch.service")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(unit)) {
		if line, found := strings.CutPrefix(line, "ExecStart="); found {
			lines = append(lines, line)
		}
	}
	if len(lines) != 1 {
		t.Fatalf("got %d times ExecStart", len(lines))
	}
	words := strings.Fields(lines[0])
	c := &call{stdout: io.Discard, stderr: io.Discard}
	if err := c.parse(arrange(words[1:])); err != nil || c.command != &watchCommand {
		t.Errorf("%v: %v", words, err)
	}
	if words[0] != "/usr/local/bin/mesoc" {
		t.Errorf("make install replaces another path than %s", words[0])
	}
}
