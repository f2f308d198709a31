package store

import (
	"errors"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
)

// Remove deletes the container's directory and all that is in it. The record
// goes last, so that a Remove that was killed can be done again by whoever
// reads it. Another command may use the id as soon as Remove has returned.
func (l *Locked) Remove() error {
	path := l.Path()
	// Whoever made l may have waited while another removed and made it anew.
	if err := l.store.stillThere(l.id, l.dir); err != nil {
		if err == unix.ENOENT {
			return nil
		}
		return fail("remove", path, err)
	}
	if err := removeEntries(l.dir, path, recordName, 0); err != nil {
		return err
	}
	if err := unix.Unlinkat(l.dir, recordName, 0); err != nil && err != unix.ENOENT {
		return fail("remove", path+"/"+recordName, err)
	}
	if err := unix.Rmdir(path); err != nil && err != unix.ENOENT {
		return fail("remove", path, err)
	}
	return nil
}

// errMount says why Remove leaves something: whoever mounted it has to unmount
// it, for what is behind it is not ours.
var errMount = errors.New("something is mounted there")

// maxDepth bounds the recursion: nothing of ours is deeper than two.
const maxDepth = 32

// removeRounds bounds how often a directory is read again because something
// has been put into it meanwhile.
const removeRounds = 8

// removeEntries deletes what is in the directory dir but the file keep, by
// descriptor, without following symlinks or entering mounts; path is for errors.
func removeEntries(dir int, path, keep string, depth int) error {
	for range removeRounds {
		if _, err := unix.Seek(dir, 0, unix.SEEK_SET); err != nil {
			return fail("read directory", path, err)
		}
		entries, err := sys.ReadDir(dir)
		if err != nil {
			return fail("read directory", path, err)
		}
		clean := true
		for _, e := range entries {
			if e.Name == keep && e.Type != unix.DT_DIR {
				continue
			}
			clean = false
			if err := removeEntry(dir, path+"/"+e.Name, e, depth); err != nil {
				return err
			}
		}
		if clean {
			return nil
		}
	}
	return fail("remove", path, unix.ENOTEMPTY)
}

func removeEntry(dir int, path string, e sys.Dirent, depth int) error {
	if e.Type != unix.DT_DIR {
		err := unix.Unlinkat(dir, e.Name, 0)
		switch err {
		case nil, unix.ENOENT:
			return nil
		case unix.EISDIR: // from a file system that gives no types
		case unix.EBUSY:
			return fail("remove", path, errMount)
		default:
			return fail("remove", path, err)
		}
	}
	if depth == maxDepth {
		return fail("remove", path, errors.New("directories are nested more than "+strconv.Itoa(maxDepth)+" deep"))
	}
	sub, err := sys.Openat2(dir, e.Name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0,
		unix.RESOLVE_BENEATH|unix.RESOLVE_NO_SYMLINKS|unix.RESOLVE_NO_XDEV)
	switch err = bare(err); err {
	case nil:
	case unix.ENOENT:
		return nil
	case unix.EXDEV:
		return fail("remove", path, errMount)
	default:
		return fail("remove", path, err)
	}
	err = removeEntries(sub, path, "", depth+1)
	sys.Close(sub)
	if err != nil {
		return err
	}
	if err := unix.Unlinkat(dir, e.Name, unix.AT_REMOVEDIR); err != nil && err != unix.ENOENT {
		return fail("remove", path, err)
	}
	return nil
}
