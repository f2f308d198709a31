// Command bench measures mesoc against other OCI runtimes, command by command,
// as an engine sees them: from the start of a process to its end.
//
// Rounds are interleaved: in each one every runtime does every case once, in
// an order that changes, so that a noisy neighbour hits all of them; ratios
// are taken within a round. It knows runtimes by their command line only, and
// wants root and cgroup2 on /sys/fs/cgroup (`make bench` sees to both).
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// stateDir holds the runtimes' state: a tmpfs, as /run is on a host that boots
// the usual way, and is not on every machine for tests.
const stateDir = "/dev/shm"

type options struct {
	rounds   int
	warmup   int
	json     bool
	cases    string
	seccomp  string
	noMemory bool
	runtimes []runtime
}

func main() {
	o, err := parse(os.Args[1:])
	if err == nil {
		err = bench(o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	flags.IntVar(&o.rounds, "rounds", 40, "measured `rounds`")
	flags.IntVar(&o.warmup, "warmup", 2, "rounds before them that do not count")
	flags.BoolVar(&o.json, "json", false, "everything as JSON on stdout, the table on stderr")
	flags.StringVar(&o.cases, "case", "", "comma `list` of cases; default all: "+strings.Join(caseNames(), ","))
	flags.StringVar(&o.seccomp, "seccomp", "libcontainer/seccomp/testdata/docker.json", "`file` with a linux.seccomp object for run filtered")
	flags.BoolVar(&o.noMemory, "no-memory", false, "leave the memory figures out")
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: bench [options] NAME=PATH...\nThe first is compared with the others; without others, with the peers found.")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.rounds < 5 {
		return o, fmt.Errorf("--rounds %d: want at least 5", o.rounds)
	}
	for _, arg := range flags.Args() {
		name, path, found := strings.Cut(arg, "=")
		if !found || name == "" {
			return o, fmt.Errorf("%q: want NAME=PATH", arg)
		}
		r, err := newRuntime(name, path)
		if err != nil {
			return o, err
		}
		o.runtimes = append(o.runtimes, r)
	}
	if len(o.runtimes) == 0 {
		return o, fmt.Errorf("no runtime given")
	}
	if len(o.runtimes) == 1 {
		o.runtimes = append(o.runtimes, findPeers()...)
	}
	names := map[string]bool{}
	for _, r := range o.runtimes {
		if names[r.name] {
			return o, fmt.Errorf("two runtimes are named %s", r.name)
		}
		names[r.name] = true
	}
	return o, nil
}

// findPeers takes what the PATH has, and what tests/bench/peers has fetched.
func findPeers() []runtime {
	var found []runtime
	for _, name := range []string{"runc", "crun", "youki"} {
		if path, err := exec.LookPath(name); err == nil {
			if r, err := newRuntime(name, path); err == nil {
				found = append(found, r)
			}
		}
	}
	fetched, _ := filepath.Glob(".cache/peers/*/runtime")
	for _, path := range fetched {
		if r, err := newRuntime(filepath.Base(filepath.Dir(path)), path); err == nil {
			found = append(found, r)
		}
	}
	return found
}

func bench(o options) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("must be root")
	}
	// Containers become our children when their runtime exits, so their end
	// is seen at once and does not depend on the machine's init.
	if err := becomeSubreaper(); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	b, err := makeBundles(work, o.seccomp)
	if err != nil {
		return err
	}
	// The runtimes' state goes where it is by default: to a tmpfs.
	state, err := os.MkdirTemp(stateDir, "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(state)
	session := &session{bundles: b, state: state, work: work}

	chosen, err := chooseCases(o.cases)
	if err != nil {
		return err
	}
	results, err := session.measure(o, chosen)
	if err != nil {
		return err
	}
	if !o.noMemory {
		if results.Memory, err = session.memory(o.runtimes); err != nil {
			return err
		}
	}
	if !o.json {
		results.table(os.Stdout)
		return nil
	}
	results.table(os.Stderr)
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(results)
}
