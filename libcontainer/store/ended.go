package store

import (
	"errors"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
)

// endedName is the directory, in that of a container, with the last records of
// containers that were nested in it, by id. It goes with the container.
const endedName = "ended"

// KeepEnd keeps r, a container whose record is about to be removed, with the
// container root, the outermost of those that it is nested in. What was kept of
// an earlier one of the same id gives way.
func (s *Store) KeepEnd(root string, r *Record) error {
	dir, err := s.openEnded(root, true)
	if err != nil {
		return err
	}
	defer sys.Close(dir)
	data, err := encode(r)
	if err == nil {
		err = sys.WriteFileAt(dir, r.ID, data, 0o600)
	}
	if err != nil {
		return fail("keep the end of container", strconv.Quote(r.ID), bare(err))
	}
	return nil
}

// ForgetEnd removes what root has kept of an earlier container of that id, so
// that it is not taken for the end of this one.
func (s *Store) ForgetEnd(root, id string) error {
	dir, err := s.openEnded(root, false)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer sys.Close(dir)
	if err := unix.Unlinkat(dir, id, 0); err != nil && err != unix.ENOENT {
		return fail("forget the end of container", strconv.Quote(id), err)
	}
	return nil
}

// Ended returns what was kept of a container that is gone: the newest, if
// there were several of that id in several roots. The error is ErrNotExist if
// nothing was.
func (s *Store) Ended(id string) (Record, error) {
	none := &idError{ErrNotExist, id, nil}
	if ValidID(id) != nil {
		return Record{}, none
	}
	roots, err := s.List()
	if err != nil {
		return Record{}, err
	}
	var found Record
	var newest unix.Timespec
	var broken error
	for _, root := range roots {
		r, when, err := s.ended(root, id)
		switch {
		case errors.Is(err, unix.ENOENT), errors.Is(err, ErrNotExist):
		case err != nil:
			broken = fail("read", s.path(root)+"/"+endedName+"/"+id, bare(err))
		case found.ID == "" || when.Nano() > newest.Nano():
			found, newest = r, when
		}
	}
	switch {
	case found.ID != "":
		return found, nil
	case broken != nil:
		return Record{}, broken
	}
	return Record{}, none
}

func (s *Store) ended(root, id string) (r Record, when unix.Timespec, err error) {
	dir, err := s.openEnded(root, false)
	if err != nil {
		return r, when, err
	}
	defer sys.Close(dir)
	var st unix.Stat_t
	if err := unix.Fstatat(dir, id, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return r, when, err
	}
	data, err := readRecord(dir, id)
	if err == nil {
		r, err = decode(data)
	}
	if err == nil && r.ID != id {
		err = errors.New("it is the record of " + strconv.Quote(r.ID))
	}
	return r, st.Mtim, err
}

// openEnded opens the directory with the ends that root keeps.
func (s *Store) openEnded(root string, create bool) (int, error) {
	if err := ValidID(root); err != nil {
		return -1, err
	}
	dir, err := s.openDir(root)
	if err != nil {
		return -1, err
	}
	defer sys.Close(dir)
	if create {
		if err := unix.Mkdirat(dir, endedName, 0o700); err != nil && err != unix.EEXIST {
			return -1, fail("make directory", s.path(root)+"/"+endedName, err)
		}
	}
	return sys.Openat(dir, endedName, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
}
