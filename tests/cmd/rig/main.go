// Command rig is what the bats suite in tests/integration needs beyond a
// shell: it edits and reads JSON, receives what a runtime sends over sockets
// (a terminal, a pidfd, a readiness message), and waits for processes that are
// not its children. It is one static binary, so that it also runs inside a
// container. It knows nothing of any runtime's code.
//
// jq would do for the JSON, but starts in 30 ms, and in an emulated machine in
// a second; the suite edits hundreds of files.
package main

import (
	"fmt"
	"os"
	"sort"
	"strings"
)

type command struct {
	usage string
	run   func(args []string) error
}

func commands() map[string]command {
	return map[string]command{
		"edit":     {"FILE EDIT… [-- ARG…]  edit a JSON file in place (see json.go)", edit},
		"get":      {"FILE POINTER…  print values, one a line; - reads stdin", get},
		"keys":     {"FILE  print the object's keys in the file's order", keys},
		"console":  {"SOCKET OUT  receive a terminal, feed it stdin, copy its output to OUT", console},
		"pidfd":    {"SOCKET  receive a pidfd and print its pid", pidfd},
		"notify":   {"SOCKET OUT N  receive N datagrams, append each to OUT", notify},
		"seccomp":  {"SOCKET OUT ANSWER  play a seccomp agent (see seccomp.go)", seccomp},
		"send":     {"SOCKET TEXT  send one datagram", send},
		"listen":   {"SOCKET  make a listening socket and hold it until stdin ends", listen},
		"wait":     {"PID SECONDS  wait until a process has ended", wait},
		"burn":     {"MIB  touch that much memory, then print done", burn},
		"bundle":   {"TEMPLATE CONFIG DIR  make a bundle, the root filesystem of hard links", bundle},
		"leaks":    {"ID STATE DIR  what containers named ID… have left; exit 1 if anything", leaks},
		"watchdog": {"PROGRAM SECONDS  kill tagged processes of a program that hang", watchdog},
		"sched":    {"PID  print the scheduling attributes and the I/O priority of a process", sched},
		"xattr":    {"FILE NAME [VALUE]  print or set an extended attribute", xattr},
		"idmap":    {"DIR  can a bind mount of DIR be idmapped? exit 1 if not", idmap},
		"without":  {withoutUsage, without},
		"sentinel": {"plant DIR | look FILE|DIR…  what no container may change (see sentinel.go)", sentinel},
		"race":     {"A B…  exchange files until stdin ends; print begun, then how often", race},
		"hostile":  {"ROOTFS PATH KIND TARGET | --list  put something unexpected into an image", hostile},
		"fds":      {"print the descriptors from 3 on", fds},
		"withfds":  {"FILE FIRST LAST PROGRAM ARG…  start a program with these descriptors open", withFDs},
		"seize":    {"INODE STOP  attack an executable from inside a container", seize},
	}
}

func main() {
	all := commands()
	if len(os.Args) > 1 {
		if c, ok := all[os.Args[1]]; ok {
			if err := c.run(os.Args[2:]); err != nil {
				fmt.Fprintf(os.Stderr, "rig %s: %v\n", os.Args[1], err)
				os.Exit(1)
			}
			return
		}
	}
	var lines []string
	for name, c := range all {
		lines = append(lines, "  rig "+name+" "+c.usage)
	}
	sort.Strings(lines)
	fmt.Fprintln(os.Stderr, "usage:\n"+strings.Join(lines, "\n"))
	os.Exit(2)
}
