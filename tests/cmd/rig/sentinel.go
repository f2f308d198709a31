package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// sentinel watches over what no container may change. plant fills a directory
// with one file of every kind; look prints all that is known of the given
// directories and of the host, a fact a line, so that two looks can be compared:
//
//	plant DIR
//	look FILE|DIR…
func sentinel(args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("want plant DIR, or look FILE|DIR…")
	}
	switch args[0] {
	case "plant":
		return plant(args[1])
	case "look":
		for _, tree := range args[1:] {
			if err := lookAtTree(tree); err != nil {
				return err
			}
		}
		return lookAtHost()
	}
	return fmt.Errorf("unknown: %s", args[0])
}

// plant has names that a runtime would look for or remove, and none that would
// stop it: a file called null would.
func plant(dir string) error {
	for _, d := range []string{"", "dir", "dir/deep", "pts", "shm", "self", "sys"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	for i, f := range []string{"file", "dir/deep/file", "ptmx", "console", "pts/0", "pts/ptmx", "passwd", "kcore"} {
		path := filepath.Join(dir, f)
		if err := os.WriteFile(path, []byte("the host's "+f+"\n"), 0o640); err != nil {
			return err
		}
		// Only root may set a trusted attribute, and not on every file system.
		err := unix.Setxattr(path, "trusted.mesoc", []byte{byte(i)}, 0)
		if err != nil && !errors.Is(err, unix.EOPNOTSUPP) {
			return err
		}
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	return errors.Join(
		os.Chown(at("file"), 1234, 5678),
		os.Chmod(at("dir"), 0o1751),
		os.Symlink("file", at("link")),
		os.Link(at("file"), at("hard")),
		unix.Mkfifo(at("fifo"), 0o600),
		unix.Mknod(at("device"), unix.S_IFCHR|0o600, int(unix.Mkdev(1, 7))),
		unix.Mknod(at("socket"), unix.S_IFSOCK|0o600, 0),
	)
}

// lookAtTree prints the files of a tree, with what the mounts in it hold.
func lookAtTree(tree string) error {
	return filepath.WalkDir(tree, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		line := fmt.Sprintf("%s: %o %d:%d links=%d size=%d dev=%x ino=%d rdev=%x mtime=%d ctime=%d", path, st.Mode, st.Uid, st.Gid,
			st.Nlink, st.Size, st.Dev, st.Ino, st.Rdev, unix.TimespecToNsec(st.Mtim), unix.TimespecToNsec(st.Ctim))
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" sha256=%x", sha256.Sum256(data))
		case unix.S_IFLNK:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			line += " -> " + target
		}
		fmt.Println(line + attributes(path))
		return nil
	})
}

func attributes(path string) string {
	buf := make([]byte, 4096)
	n, err := unix.Llistxattr(path, buf)
	if err != nil {
		return ""
	}
	names := strings.Split(strings.TrimRight(string(buf[:n]), "\x00"), "\x00")
	slices.Sort(names)
	var out string
	for _, name := range names {
		if n, err := unix.Lgetxattr(path, name, buf); err == nil {
			out += fmt.Sprintf(" %s=%x", name, buf[:n])
		}
	}
	return out
}

// settings of the host that a container that broke out would want, or that the
// tests give to containers of their own.
func settings() []string {
	return []string{
		"kernel/core_pattern", "kernel/modprobe", "kernel/hotplug", "kernel/poweroff_cmd", "kernel/hostname", "kernel/domainname",
		"kernel/sysrq", "kernel/panic", "kernel/panic_on_oops", "kernel/randomize_va_space", "kernel/dmesg_restrict",
		"kernel/kptr_restrict", "kernel/msgmax", "kernel/shmmax", "kernel/sem", "kernel/yama/ptrace_scope", "kernel/threads-max",
		"fs/suid_dumpable", "fs/protected_symlinks", "fs/mqueue/msg_max", "fs/binfmt_misc/status", "net/ipv4/ip_forward",
		"net/core/somaxconn", "user/max_user_namespaces", "vm/overcommit_memory", "vm/mmap_min_addr",
	}
}

// lookAtHost prints settings, the labels of process 1, and the device nodes:
// not their times, and not what comes and goes: /dev/pts, /dev/shm, loop devices,
// and what another test has named after its ID.
func lookAtHost() error {
	for _, name := range settings() {
		value, err := os.ReadFile("/proc/sys/" + name)
		if err != nil {
			value = []byte("none")
		}
		fmt.Printf("sysctl %s = %s\n", name, strings.TrimSpace(string(value)))
	}
	labels, _ := filepath.Glob("/proc/1/attr/*")
	for _, path := range labels {
		value, _ := os.ReadFile(path)
		fmt.Printf("%s = %s\n", path, strconv.Quote(string(value)))
	}
	var dev unix.Stat_t
	if err := unix.Stat("/dev", &dev); err != nil {
		return err
	}
	return filepath.WalkDir("/dev", func(path string, d fs.DirEntry, err error) error {
		var st unix.Stat_t
		if err != nil || unix.Lstat(path, &st) != nil {
			return nil // gone meanwhile
		}
		if st.Dev != dev.Dev {
			return fs.SkipDir
		}
		anothers, _ := filepath.Match("/dev/t[0-9]*x[0-9]*", path)
		if st.Mode&unix.S_IFMT != unix.S_IFDIR && !strings.HasPrefix(path, "/dev/loop") && !anothers {
			fmt.Printf("%s: %o %d:%d rdev=%x\n", path, st.Mode, st.Uid, st.Gid, st.Rdev)
		}
		return nil
	})
}
