package store

import (
	"errors"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
)

// recordName is the file that holds the record.
const recordName = "state.json"

// maxRecord bounds what is read into memory. A record has at most the hooks
// and annotations of a config.json, which has a bound of its own.
const maxRecord = 32 << 20

// write replaces the record of l.
func (l *Locked) write(data []byte) error {
	if err := sys.WriteFileAt(l.dir, recordName, data, 0o600); err != nil {
		return fail("save container", strconv.Quote(l.id), err)
	}
	return nil
}

// load reads the record in the container's directory dir.
func (s *Store) load(dir int, id string) (Record, error) {
	data, err := readRecord(dir, recordName)
	if errors.Is(err, unix.ENOENT) {
		written, missing := s.missing(dir, id)
		if !written {
			return Record{}, missing
		}
		if data, err = readRecord(dir, recordName); errors.Is(err, unix.ENOENT) {
			return Record{}, &idError{ErrNotExist, id, nil} // and removed
		}
	}
	var r Record
	if err == nil {
		r, err = decode(data)
	}
	if err == nil && r.ID != id {
		err = errors.New("it is the record of " + strconv.Quote(r.ID))
	}
	if err != nil {
		return Record{}, fail("read", s.path(id)+"/"+recordName, err)
	}
	return r, nil
}

// missing tells a directory that has no record yet from one that has been
// removed since it was opened, and from one in which there is more. That has
// lost its record, which comes before all else and goes after it, or was never
// a container's. The record may have been written since it was looked for.
func (s *Store) missing(dir int, id string) (written bool, _ error) {
	if s.stillThere(id, dir) != nil {
		return false, &idError{ErrNotExist, id, nil}
	}
	_, err := unix.Seek(dir, 0, unix.SEEK_SET)
	var entries []sys.Dirent
	if err == nil {
		entries, err = sys.ReadDir(dir)
	}
	if err != nil {
		return false, fail("read directory", s.path(id), err)
	}
	other := ""
	for _, e := range entries {
		switch {
		case e.Name == recordName:
			return true, nil
		case other == "" && !strings.HasPrefix(e.Name, "."+recordName+"."): // what a write leaves that was killed
			other = e.Name
		}
	}
	if other != "" {
		return false, fail("read", s.path(id)+"/"+recordName, errors.New("it is not there, but "+strconv.Quote(other)+" is"))
	}
	return false, &idError{ErrNotExist, id, ErrIncomplete}
}

// readRecord reads the record's bytes. What stands at its name may be anything:
// a symlink is not followed, and a FIFO does not block.
func readRecord(dir int, name string) ([]byte, error) {
	fd, err := sys.Openat(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, bare(err)
	}
	defer sys.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, errors.New("it is not a regular file")
	}
	if err := trusted(&st); err != nil {
		return nil, err
	}
	if st.Size > maxRecord {
		return nil, errors.New("it has " + strconv.FormatInt(st.Size, 10) + " bytes, and may have " +
			strconv.Itoa(maxRecord))
	}
	data := make([]byte, st.Size)
	n, err := sys.Read(fd, data)
	return data[:n], err
}

// bare takes the errno out of an error of package sys, where the caller names
// the object better.
func bare(err error) error {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}
