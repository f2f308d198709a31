// Package store keeps what is remembered of containers between commands: one
// directory a container below the state directory, and in it one record.
//
// libcontainer calls it. The directory is the reservation of the id, and a
// flock on it makes one command at a time the container's writer; the record is
// replaced by rename, so readers take no lock and see it whole. What a record
// says is input from outside, read without trust. The package knows only what
// is recorded: whether a process still lives or a cgroup is frozen it must not
// know, nor what the paths in a record are for.
package store

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
)

// Store is a state directory. It holds nothing open.
type Store struct {
	// Root is the directory that has one directory for each container.
	Root string
}

// New returns the store in the directory root, which need not exist yet.
func New(root string) (*Store, error) {
	const op = "use state directory"
	switch {
	case !strings.HasPrefix(root, "/"):
		return nil, fail(op, strconv.Quote(root), errors.New("the path is not absolute"))
	case strings.IndexByte(root, 0) >= 0:
		return nil, fail(op, strconv.Quote(root), unix.EINVAL)
	}
	root = path.Clean(root)
	if root == "/" {
		return nil, fail(op, root, errors.New("the root of the file system cannot hold containers"))
	}
	return &Store{Root: root}, nil
}

// Load returns the record of container id without a lock, so that a hook can
// ask during create. The error is ErrNotExist if there is none.
func (s *Store) Load(id string) (Record, error) {
	if err := ValidID(id); err != nil {
		return Record{}, err
	}
	dir, err := s.openDir(id)
	if err != nil {
		return Record{}, err
	}
	defer sys.Close(dir)
	return s.load(dir, id)
}

// List returns the ids of all containers in order, also of incomplete ones. A
// state directory that does not exist has none. What cannot be a container's
// directory is passed over.
func (s *Store) List() ([]string, error) {
	root, err := sys.Openat(sys.CWD, s.Root, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer sys.Close(root)
	entries, err := sys.ReadDir(root)
	if err != nil {
		return nil, fail("read directory", s.Root, err)
	}
	var ids []string
	for _, e := range entries {
		if (e.Type == unix.DT_DIR || e.Type == unix.DT_UNKNOWN) && ValidID(e.Name) == nil {
			ids = append(ids, e.Name)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// openDir opens a container's directory, which must be ours and nobody else's
// to write: what lies in it is believed.
func (s *Store) openDir(id string) (int, error) {
	path := s.path(id)
	dir, err := sys.Openat(sys.CWD, path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return -1, &idError{ErrNotExist, id, nil}
	}
	if err != nil {
		return -1, err
	}
	var st unix.Stat_t
	if err = unix.Fstat(dir, &st); err == nil {
		err = trusted(&st)
	}
	if err != nil {
		sys.Close(dir)
		return -1, fail("open", path, err)
	}
	return dir, nil
}

// trusted returns why a file's content must not be believed: somebody else
// may have written it. Records name processes that mesoc kills as root.
func trusted(st *unix.Stat_t) error {
	if me := unix.Geteuid(); st.Uid != uint32(me) {
		return errors.New("it belongs to uid " + strconv.Itoa(int(st.Uid)) + ", not to " + strconv.Itoa(me))
	}
	if st.Mode&0o022 != 0 {
		return errors.New("others may write it (mode " + strconv.FormatUint(uint64(st.Mode&0o7777), 8) + ")")
	}
	return nil
}

func (s *Store) path(id string) string {
	return s.Root + "/" + id
}

// makeRoot makes the state directory and what is missing above it.
func (s *Store) makeRoot() error {
	mode := uint32(0o700)
	if unix.Geteuid() != 0 {
		// It is below $XDG_RUNTIME_DIR then, where only what is sticky is
		// safe from being cleaned away.
		mode |= unix.S_ISVTX
	}
	for i := 1; i <= len(s.Root); i++ {
		if i < len(s.Root) && s.Root[i] != '/' {
			continue
		}
		err := unix.Mkdir(s.Root[:i], mode)
		if err == nil || err == unix.EEXIST {
			continue
		}
		// Of a parent that exists mkdir may also say EROFS or EACCES.
		var st unix.Stat_t
		if unix.Stat(s.Root[:i], &st) != nil {
			return fail("make directory", s.Root[:i], err)
		}
	}
	return nil
}
