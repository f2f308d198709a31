package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/mesoc/mesoc/libcontainer"
)

var watchCommand = command{
	name:      "watch",
	usage:     "enforce memory limits as a whole, and tell how containers end",
	arguments: "[ID...]",
	description: `Watches containers, those that are there and those that come, until it gets a
SIGINT or SIGTERM; with IDs, these and what is nested in them, until all of
them have ended. Of a container that has run out of memory the kernel kills one
process; watch then ends the container altogether, with those inside it. How
containers end it puts on record, where state, list and wait find it. Prints a
line of JSON for each of these:

    {"type":"oom","id":ID}
        memory has run out for the container
    {"type":"limitation","id":ID,"reason":R,"message":TEXT,"resources":{"mem":MB}}
        it is ended because of that; without resources if it was no limit of
        its own, but one around it or the host's memory
    {"type":"exited","id":ID,"termination":{...}}
        it has ended, and how, as wait prints it; without termination if that
        is not known

The container whose limit was reached is ended, not those around it, and not
the one inside it whose process the kernel chose. What was dealt with is
remembered, so a watch that is started again ends nobody for what is past, but
whoever ran out of memory while there was none. Several at once do no harm.

What is wrong with one container goes to the log, once, and does not keep watch
from the others. contrib/systemd has a unit that runs it as a service. The
command events tells of one container, with figures, and ends nothing.`,
	maxArgs: manyArguments, takesID: true,
	run: watch,
}

func watch(c *call) error {
	c.journal.atOnce = true
	out := newPrinter(c.stdout)
	err := c.runtime().Watch(c.args, out.print)
	if closeErr := out.close(); err == nil {
		err = closeErr
	}
	return err
}

// printer prints lines of JSON in the order they come. Whoever reads them may
// be slow or stuck, and containers must not wait for that.
type printer struct {
	out    io.Writer
	mutex  sync.Mutex
	lines  [][]byte
	failed error
	more   chan struct{} // of one: there are lines
	done   chan struct{} // closed when all are printed
}

func newPrinter(out io.Writer) *printer {
	p := &printer{out: out, more: make(chan struct{}, 1), done: make(chan struct{})}
	go p.run()
	return p
}

// print takes a line. The error is that of an earlier one.
func (p *printer) print(e libcontainer.WatchEvent) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.lines = append(p.lines, append(line, '\n'))
	select {
	case p.more <- struct{}{}:
	default:
	}
	return p.failed
}

func (p *printer) run() {
	defer close(p.done)
	for range p.more {
		p.mutex.Lock()
		lines := p.lines
		p.lines = nil
		p.mutex.Unlock()
		for _, line := range lines {
			if _, err := p.out.Write(line); err != nil {
				p.mutex.Lock()
				p.failed = fmt.Errorf("print: %w", err)
				p.mutex.Unlock()
				return
			}
		}
	}
}

// closeWait is how long the last lines may take.
const closeWait = time.Second

func (p *printer) close() error {
	close(p.more)
	select {
	case <-p.done:
	case <-time.After(closeWait):
		return errors.New("print: nobody reads the last lines")
	}
	return p.failed
}
