package libcontainer

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
	"github.com/mesoc/mesoc/libcontainer/plan"
)

// passwdMax is the longest passwd file that is read: an image may hold anything.
const passwdMax = 1 << 20

// homeIn is the home directory that a passwd file gives to a user; "/" if it
// does not say.
func homeIn(passwd []byte, uid uint32) string {
	if fields := passwdEntry(passwd, uid); len(fields) >= 6 && len(fields[5]) > 0 && bytes.IndexByte(fields[5], 0) < 0 {
		return string(fields[5])
	}
	return "/"
}

const passwdName = "/etc/passwd"

// passwd reads the passwd file that the container is going to have.
func (c *creation) passwd(p *plan.Plan) ([]byte, error) {
	if n := p.Namespace(unix.CLONE_NEWNS); n != nil && n.Inherited {
		return c.parent.passwd()
	}
	return passwdOf(p)
}

// passwdOf reads that of a container with a root of its own: the
// image's or, if the config mounts one, that one.
func passwdOf(p *plan.Plan) ([]byte, error) {
	dir, file := p.Rootfs.Path, passwdName
	for i := range p.Mounts {
		if p.Mounts[i].Destination == passwdName && p.Mounts[i].Bind {
			dir, file = "/", p.Mounts[i].Source
		}
	}
	return readPasswd(dir, file)
}

// readPasswd reads a file below a directory that is the root for its path.
func readPasswd(dir, file string) ([]byte, error) {
	root, err := sys.Openat(sys.CWD, dir, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	defer sys.Close(root)
	return readPasswdBelow(root, file)
}

// readPasswdBelow is readPasswd with the directory open.
func readPasswdBelow(root int, file string) ([]byte, error) {
	// The image may have put anything there: a fifo would keep us, and opening
	// a device can do harm. So it is looked at first.
	path, err := sys.Openat2(root, file, unix.O_PATH, 0, inRoot)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer sys.Close(path)
	var st unix.Stat_t
	if err := unix.Fstat(path, &st); err != nil {
		return nil, fmt.Errorf("look at %s: %w", file, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size > passwdMax {
		return nil, nil
	}
	fd, err := sys.Openat(sys.CWD, "/proc/self/fd/"+strconv.Itoa(path), unix.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer sys.Close(fd)
	data := make([]byte, st.Size)
	n, err := sys.Read(fd, data)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return data[:n], nil
}

// passwdEntry finds the line of a user (passwd(5)).
func passwdEntry(data []byte, uid uint32) [][]byte {
	want := strconv.AppendUint(nil, uint64(uid), 10)
	for len(data) > 0 {
		var line []byte
		line, data, _ = bytes.Cut(data, []byte{'\n'})
		fields := bytes.Split(line, []byte{':'})
		if len(fields) >= 3 && bytes.Equal(fields[2], want) {
			return fields
		}
	}
	return nil
}

// userName is the name that the host has for a user, or #uid.
func userName(uid uint32) string {
	fd, err := sys.Openat(sys.CWD, "/etc/passwd", unix.O_RDONLY, 0)
	if err == nil {
		defer sys.Close(fd)
		buf := make([]byte, passwdMax)
		if n, err := sys.Read(fd, buf); err == nil {
			if fields := passwdEntry(buf[:n], uid); fields != nil {
				return string(fields[0])
			}
		}
	}
	return "#" + strconv.FormatUint(uint64(uid), 10)
}
