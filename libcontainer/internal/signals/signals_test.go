package signals

import (
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// All that can be caught is, in order of arrival, while the program is at work
// on every thread.
func TestCatch(t *testing.T) {
	var list []unix.Signal
	for s := unix.SIGHUP; s <= Last; s++ {
		switch s {
		case unix.SIGKILL, unix.SIGSTOP, unix.SIGURG, unix.SIGPROF, 32, 33:
		default:
			list = append(list, s)
		}
	}
	q, err := Catch(list)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := q.Next(0); s != 0 || err != nil {
		t.Fatalf("before any was sent: %v, %v", s, err)
	}
	stop := make(chan struct{})
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			var garbage [][]byte
			for {
				select {
				case <-stop:
					return
				default:
					garbage = append(garbage[:len(garbage)%100], make([]byte, 1000))
				}
			}
		})
	}
	for range 200 {
		for _, s := range list {
			if err := unix.Kill(os.Getpid(), s); err != nil {
				t.Fatal(err)
			}
			if got, err := q.Next(time.Minute); got != s || err != nil {
				t.Fatalf("sent %d, got %d, %v", s, got, err)
			}
		}
		runtime.GC()
	}
	close(stop)
	workers.Wait()

	time.AfterFunc(time.Millisecond, func() { _ = unix.Kill(os.Getpid(), unix.SIGTERM) })
	if s, err := q.Next(-1); s != unix.SIGTERM || err != nil {
		t.Errorf("waited for SIGTERM, got %v, %v", s, err)
	}
	if _, err := Catch(nil); err == nil {
		t.Error("a second queue was made")
	}
}
