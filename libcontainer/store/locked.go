package store

import (
	"errors"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
)

// Locked is a container whose one writer is the caller. Its methods are the
// only ones that change anything; Close gives the lock back.
type Locked struct {
	store *Store
	id    string
	dir   int // -1 once closed
}

// createWait is how long Create waits for a `delete --force` that has found
// the new directory before Create could lock it.
const createWait = 5 * time.Second

// Create reserves id and writes the record, so that what is about to be made
// is on disk before it is made. If the id is taken the error is ErrExist, and
// nothing of its owner is touched.
func (s *Store) Create(id string, r Record) (*Locked, error) {
	if err := ValidID(id); err != nil {
		return nil, err
	}
	r.ID = id
	data, err := encode(&r)
	if err != nil {
		return nil, fail("create container", strconv.Quote(id), err)
	}
	l, err := s.reserve(id)
	if err != nil {
		return nil, err
	}
	if err := l.write(data); err != nil {
		// The directory is ours, for we hold the lock, and nothing was made yet.
		err = errors.Join(err, l.Remove())
		l.Close()
		return nil, err
	}
	return l, nil
}

// reserve makes the directory and locks it. Between the two another command
// may take it for a left-over and delete it, and yet another may make it anew:
// then it begins again, as if all that had come first.
func (s *Store) reserve(id string) (*Locked, error) {
	for w := newWait(time.Now().Add(createWait)); ; {
		err := s.makeDir(id)
		if err == unix.EEXIST {
			return nil, &idError{ErrExist, id, nil}
		}
		if err != nil {
			return nil, err
		}
		l, err := s.lockNew(id, &w)
		if !errors.Is(err, ErrNotExist) {
			return l, err
		}
		if !w.more() {
			return nil, fail("create container", strconv.Quote(id), ErrLocked)
		}
	}
}

// makeDir makes the container's directory, and the state directory if it is
// missing. A directory that exists is a bare EEXIST.
func (s *Store) makeDir(id string) error {
	path := s.path(id)
	err := unix.Mkdir(path, 0o700)
	if err == unix.ENOENT {
		if err := s.makeRoot(); err != nil {
			return err
		}
		err = unix.Mkdir(path, 0o700)
	}
	if err == nil || err == unix.EEXIST {
		return err
	}
	return fail("make directory", path, err)
}

// lockNew locks a directory that this process has made, and makes sure that
// nobody has put a record there meanwhile.
func (s *Store) lockNew(id string, w *wait) (*Locked, error) {
	for {
		l, err := s.tryLock(id)
		if err != nil && !errors.Is(err, ErrLocked) {
			return nil, err
		}
		var st unix.Stat_t
		if unix.Lstat(s.path(id)+"/"+recordName, &st) == nil {
			l.Close()
			return nil, &idError{ErrExist, id, nil}
		}
		if err == nil || !w.more() {
			return l, err
		}
	}
}

// Lock makes the caller the one writer of container id. It waits for another
// one until the deadline, with a zero deadline not at all; then the error is
// ErrLocked. A directory without a record can be locked, so that it can be
// removed.
func (s *Store) Lock(id string, deadline time.Time) (*Locked, error) {
	if err := ValidID(id); err != nil {
		return nil, err
	}
	for w := newWait(deadline); ; {
		l, err := s.tryLock(id)
		if !errors.Is(err, ErrLocked) || !w.more() {
			return l, err
		}
	}
}

// tryLock opens the directory anew each time: the one that was locked may have
// been removed by its writer, and its id been given to another.
func (s *Store) tryLock(id string) (*Locked, error) {
	dir, err := s.openDir(id)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(dir, unix.LOCK_EX|unix.LOCK_NB)
		if err != unix.EINTR {
			break
		}
	}
	if err == nil {
		err = s.stillThere(id, dir)
	}
	if err == nil {
		return &Locked{store: s, id: id, dir: dir}, nil
	}
	sys.Close(dir)
	switch err {
	case unix.EWOULDBLOCK, errMoved:
		return nil, fail("lock container", strconv.Quote(id), ErrLocked)
	case unix.ENOENT:
		return nil, &idError{ErrNotExist, id, nil}
	}
	return nil, fail("lock container", strconv.Quote(id), err)
}

// errMoved says that a locked directory was removed and its path is in use
// again, by somebody who has locked the new one or is about to.
var errMoved = errors.New("another directory has taken its place")

// stillThere returns nil if dir is what stands at the container's path. Inode
// numbers are used again, but not while dir is open.
func (s *Store) stillThere(id string, dir int) error {
	var locked, there unix.Stat_t
	if err := unix.Fstat(dir, &locked); err != nil {
		return err
	}
	if err := unix.Lstat(s.path(id), &there); err != nil {
		return err
	}
	if locked.Ino != there.Ino || locked.Dev != there.Dev {
		return errMoved
	}
	return nil
}

// ID is the container's id.
func (l *Locked) ID() string { return l.id }

// Dir is the container's directory. It is borrowed: Close closes it.
func (l *Locked) Dir() int { return l.dir }

// Path is where the container's directory stands.
func (l *Locked) Path() string { return l.store.path(l.id) }

// Load returns the record as Store.Load does.
func (l *Locked) Load() (Record, error) {
	return l.store.load(l.dir, l.id)
}

// Save replaces the record, in one step for readers and for whoever kills us.
func (l *Locked) Save(r Record) error {
	r.ID = l.id
	data, err := encode(&r)
	if err != nil {
		return fail("save container", strconv.Quote(l.id), err)
	}
	return l.write(data)
}

// Close gives the lock back. It may be called again, and on nil.
func (l *Locked) Close() {
	if l == nil || l.dir < 0 {
		return
	}
	sys.Close(l.dir)
	l.dir = -1
}

// wait paces the polling of a lock, since flock has no timeout.
type wait struct {
	deadline time.Time
	pause    time.Duration
}

func newWait(deadline time.Time) wait {
	return wait{deadline: deadline, pause: 100 * time.Microsecond}
}

// more pauses, a little longer each time, and returns false once the deadline
// has passed.
func (w *wait) more() bool {
	left := time.Until(w.deadline)
	if left <= 0 {
		return false
	}
	time.Sleep(min(w.pause, left))
	w.pause = min(2*w.pause, 10*time.Millisecond)
	return true
}
