package store

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mesoc/mesoc/libcontainer/internal/testutil"
)

// TestConcurrentCreate lets several creates of one id loose at once, 200
// times. Each opens the directory on its own, so flock holds them apart as it
// does processes.
func TestConcurrentCreate(t *testing.T) {
	s := newStore(t)
	for round := range 200 {
		id := fmt.Sprintf("c%d", round)
		var won atomic.Int32
		var winner atomic.Pointer[Locked]
		race(4, func(i int) {
			r := full(id)
			r.Pid = i + 1
			l, err := s.Create(id, r)
			switch {
			case err == nil:
				won.Add(1)
				winner.Store(l)
			case !errors.Is(err, ErrExist):
				t.Errorf("%s: got %v, want ErrExist", id, err)
			}
		})
		if won.Load() != 1 {
			t.Fatalf("%s: %d won", id, won.Load())
		}
		l := winner.Load()
		under, err := l.Load()
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		after, err := s.Load(id)
		if err != nil || after.Pid != under.Pid {
			t.Errorf("%s: the winner's record was touched: %+v, %v", id, after, err)
		}
	}
}

// TestCreateAgainstForcedDelete has creates and deletes of one id meet. However
// they meet, at most one create may hold the id at a time, no delete may take
// it from its holder, and in the end nothing is left.
func TestCreateAgainstForcedDelete(t *testing.T) {
	s := newStore(t)
	const id = "c"
	var holders atomic.Int32
	var created atomic.Int64
	race(4, func(i int) {
		for created.Load() < 150 {
			if i%2 == 0 {
				l, err := s.Create(id, full(id))
				if errors.Is(err, ErrExist) {
					continue
				}
				if err != nil {
					t.Errorf("create: %v", err)
					return
				}
				if n := holders.Add(1); n != 1 {
					t.Errorf("create: %d hold the container", n)
				}
				if r, err := s.Load(id); err != nil || r.ID != id {
					t.Errorf("load while locked: %+v, %v", r, err)
				}
				created.Add(1)
				holders.Add(-1)
				l.Close()
				continue
			}
			l, err := s.Lock(id, time.Now().Add(time.Minute))
			if errors.Is(err, ErrNotExist) {
				continue
			}
			if err != nil {
				t.Errorf("lock: %v", err)
				return
			}
			if n := holders.Add(1); n != 1 {
				t.Errorf("delete: %d hold the container", n)
			}
			// From some moment within Remove on, the id is free for others.
			holders.Add(-1)
			err = l.Remove()
			l.Close()
			if err != nil {
				t.Errorf("remove: %v", err)
			}
		}
	})
	if l, err := s.Lock(id, time.Time{}); err == nil {
		if err := l.Remove(); err != nil {
			t.Error(err)
		}
		l.Close()
	}
	if ids, err := s.List(); err != nil || len(ids) != 0 {
		t.Errorf("left: %q, %v", ids, err)
	}
}

// race runs f(0) to f(n-1) at once.
func race(n int, f func(i int)) {
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-start
			f(i)
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
}

func TestLockWaits(t *testing.T) {
	s := newStore(t)
	l := create(t, s, "c")
	if _, err := s.Lock("c", time.Time{}); !errors.Is(err, ErrLocked) {
		t.Errorf("no deadline: got %v, want ErrLocked", err)
	}
	start := time.Now()
	if _, err := s.Lock("c", start.Add(15*time.Millisecond)); !errors.Is(err, ErrLocked) {
		t.Errorf("deadline: got %v, want ErrLocked", err)
	}
	if took := time.Since(start); took < 15*time.Millisecond {
		t.Errorf("gave up after %v", took)
	}
	// Readers need no lock.
	if _, err := s.Load("c"); err != nil {
		t.Error(err)
	}
	got := make(chan error)
	go func() {
		l, err := s.Lock("c", time.Now().Add(time.Minute))
		l.Close()
		got <- err
	}()
	l.Close()
	if err := <-got; err != nil {
		t.Errorf("after the holder has closed: %v", err)
	}
	// Who waits for a container that is then removed learns that it is gone.
	l, err := s.Lock("c", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := s.Lock("c", time.Now().Add(time.Minute))
		got <- err
	}()
	if err := l.Remove(); err != nil {
		t.Error(err)
	}
	l.Close()
	if err := <-got; !errors.Is(err, ErrNotExist) {
		t.Errorf("after the removal: got %v, want ErrNotExist", err)
	}
}

// saverEnv makes this test binary save records for ever, for TestKillWhileSaving.
const saverEnv = "MESOC_TEST_STORE_SAVE_IN"

func TestMain(m *testing.M) {
	if root := os.Getenv(saverEnv); root != "" {
		save(root)
	}
	os.Exit(testutil.Main(m))
}

// save replaces the record of container c until it is killed, and writes a
// byte after each time. The size of the record depends on its pid.
func save(root string) {
	s := &Store{Root: root}
	l, err := s.Lock("c", time.Time{})
	for pid := 1; err == nil; pid = pid%1000 + 1 {
		r := full("c")
		r.Pid = pid
		r.GateSteps = make([]string, pid)
		if err = l.Save(r); err == nil {
			_, err = os.Stdout.Write([]byte{'.'})
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// TestKillWhileSaving kills writers at moments that chance picks: the record
// must be whole, the lock free, and what is left must go with Remove.
func TestKillWhileSaving(t *testing.T) {
	s := newStore(t)
	create(t, s, "c").Close()
	for range 25 {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), saverEnv+"="+s.Root)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReaderSize(out, 1)
		for range 1 + rand.IntN(40) {
			if _, err := r.ReadByte(); err != nil {
				t.Fatal(err)
			}
		}
		// Spin for part of one save, so that the kill hits its middle.
		for until := time.Now().Add(time.Duration(rand.IntN(100)) * time.Microsecond); time.Now().Before(until); {
		}
		cmd.Process.Kill()
		cmd.Wait()
		record, err := s.Load("c")
		if err != nil || len(record.GateSteps) != record.Pid {
			t.Fatalf("after the kill: pid %d with %d steps, %v", record.Pid, len(record.GateSteps), err)
		}
	}
	l, err := s.Lock("c", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Logf("files after 25 kills: %q", names(t, l.Path()))
	if err := l.Remove(); err != nil {
		t.Fatal(err)
	}
	if ids, err := s.List(); err != nil || len(ids) != 0 {
		t.Errorf("left: %q, %v", ids, err)
	}
}

// Create may write the record, and more, after a reader has looked for it.
func TestMissingRecordWrittenSince(t *testing.T) {
	s := newStore(t)
	l := create(t, s, "c")
	if err := os.WriteFile(s.path("c")+"/gate", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{true, false} {
		written, err := s.missing(l.dir, "c")
		if written != want || (err == nil) != want {
			t.Errorf("got %v, %v, want %v", written, err, want)
		}
		if err := os.Remove(s.path("c") + "/" + recordName); want && err != nil {
			t.Fatal(err)
		}
	}
}
