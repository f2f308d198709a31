package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// tag marks, in its environment, what a test has started.
const tag = "MESOC_SUITE_TAG="

// bundle makes a test's directories: the root filesystem as hard links to the
// template, which costs next to nothing, and the configuration as a copy. The
// state directory is left out where it is not wanted.
func bundle(args []string) error {
	if len(args) != 3 && len(args) != 4 {
		return fmt.Errorf("want TEMPLATE CONFIG DIR [STATE]")
	}
	for _, state := range args[3:] {
		if err := os.Mkdir(state, 0o755); err != nil {
			return err
		}
	}
	template, root := args[0], filepath.Join(args[2], "rootfs")
	err := filepath.WalkDir(template, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := root + strings.TrimPrefix(path, template)
		if !d.IsDir() {
			return os.Link(path, to)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if err := os.MkdirAll(to, 0o755); err != nil {
			return err
		}
		return os.Chmod(to, info.Mode())
	})
	if err != nil {
		return err
	}
	config, err := os.ReadFile(args[1])
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(args[2], "config.json"), config, 0o644)
}

// leaks looks for what a container named ID… has left: entries of the state
// directory, cgroups, mounts below DIR, tagged processes. What is on its way
// out is given ten seconds.
func leaks(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("want ID STATE DIR")
	}
	end := time.Now().Add(10 * time.Second)
	for {
		left, err := remains(args[0], args[1], args[2])
		if err != nil || len(left) == 0 {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("left behind:\n%s", strings.Join(left, "\n"))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func remains(id, state, dir string) ([]string, error) {
	var left []string
	entries, err := os.ReadDir(state)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "@") {
			continue // the runtime's own: no container can be called so
		}
		switch e.Name() {
		case ".cache", ".empty-directory", ".empty-file":
			continue // crun keeps these
		}
		left = append(left, "state: "+filepath.Join(state, e.Name()))
	}
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // gone meanwhile
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), id) {
			left = append(left, "cgroup: "+path)
		}
		return nil
	})
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	for _, line := range strings.Split(string(mounts), "\n") {
		if strings.Contains(line, dir) {
			left = append(left, "mount: "+line)
		}
	}
	return append(left, tagged(id)...), nil
}

// tagged lists the living processes that a test has started, but for this one.
func tagged(id string) []string {
	var list []string
	for _, pid := range processes() {
		if pid == os.Getpid() {
			continue
		}
		dir := "/proc/" + strconv.Itoa(pid)
		environ, err := os.ReadFile(dir + "/environ")
		if err != nil || !bytes.Contains(append([]byte{0}, environ...), []byte("\x00"+tag+id+"\x00")) {
			continue
		}
		line, _ := os.ReadFile(dir + "/cmdline")
		list = append(list, fmt.Sprintf("process: %d %s", pid, bytes.ReplaceAll(line, []byte{0}, []byte{' '})))
	}
	return list
}

func processes() []int {
	var pids []int
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// watchdog ends runtimes that hang: tagged processes of the program that are
// older than so many seconds. One for the suite is cheaper than timeout(1)
// around each of thousands of calls. It ends with its stdin.
func watchdog(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("want PROGRAM SECONDS")
	}
	limit, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1))
		os.Exit(0)
	}()
	seen := map[int]time.Time{}
	for ; ; time.Sleep(2 * time.Second) {
		now := map[int]time.Time{}
		for _, pid := range processes() {
			dir := "/proc/" + strconv.Itoa(pid)
			line, err := os.ReadFile(dir + "/cmdline")
			if err != nil || !bytes.HasPrefix(line, []byte(args[0]+"\x00")) {
				continue
			}
			environ, err := os.ReadFile(dir + "/environ")
			if err != nil || !bytes.Contains(environ, []byte(tag)) {
				continue
			}
			now[pid] = time.Now()
			if first, ok := seen[pid]; ok {
				now[pid] = first
			}
			if time.Since(now[pid]) > time.Duration(limit)*time.Second {
				fmt.Fprintf(os.Stderr, "watchdog: %s hangs\n", bytes.ReplaceAll(line, []byte{0}, []byte{' '}))
				_ = unix.Kill(pid, unix.SIGKILL)
			}
		}
		seen = now
	}
}
