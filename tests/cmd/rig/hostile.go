package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// What an image may hold in the place of what a runtime looks for.
type hostileKind struct {
	name string
	make func(path, target string) error
}

func hostileKinds() []hostileKind {
	link := func(to func(target string) string) func(string, string) error {
		return func(path, target string) error { return os.Symlink(to(target), path) }
	}
	node := func(mode uint32, dev uint64) func(string, string) error {
		return func(path, _ string) error { return unix.Mknod(path, mode|0o666, int(dev)) }
	}
	return []hostileKind{
		{"absolute", link(func(t string) string { return t })},
		{"climbing", link(func(t string) string { return strings.Repeat("../", 32) + t[1:] })},
		{"fd", link(func(string) string { return "/proc/self/fd/7" })},
		{"root", link(func(t string) string { return "/proc/self/root" + t })},
		{"fifo", node(unix.S_IFIFO, 0)},
		{"socket", node(unix.S_IFSOCK, 0)},
		{"file", node(unix.S_IFREG, 0)},
		{"device", node(unix.S_IFCHR, unix.Mkdev(1, 7))},
	}
}

// hostile puts something into a root filesystem where a directory, a device or
// nothing is expected: a symlink to TARGET, which is outside, in four ways, or
// what is no directory. With --list it prints the kinds.
func hostile(args []string) error {
	if len(args) == 1 && args[0] == "--list" {
		for _, k := range hostileKinds() {
			fmt.Println(k.name)
		}
		return nil
	}
	if len(args) != 4 || !filepath.IsAbs(args[3]) {
		return fmt.Errorf("want ROOTFS PATH KIND TARGET, or --list")
	}
	path := filepath.Join(args[0], args[1])
	for _, k := range hostileKinds() {
		if k.name != args[2] {
			continue
		}
		// The image of a test is made of real directories up to here.
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.RemoveAll(path); err != nil {
			return err
		}
		return k.make(path, args[3])
	}
	return fmt.Errorf("no such kind: %s", args[2])
}
