package main

import (
	"errors"
	"io"
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
