package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// What the Makefile's linker flags say.
var (
	version string
	commit  string
)

type identity struct{ version, commit string }

// buildIdentity falls back to what go build itself has noted, for a binary
// that was not made by the Makefile.
func buildIdentity() identity {
	is := identity{version, commit}
	info, ok := debug.ReadBuildInfo()
	if ok && is.version == "" {
		is.version = info.Main.Version
	}
	if is.version == "" {
		is.version = "unknown"
	}
	if ok && is.commit == "" {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				is.commit = s.Value
			}
		}
	}
	if is.commit == "" {
		is.commit = "unknown"
	}
	return is
}

// versionCommand is reached by --version. Engines take the last line that has
// the word version in it, so only the first has it.
var versionCommand = command{
	name:     "version",
	hostless: true,
	early:    true,
	run: func(c *call) error {
		is := buildIdentity()
		_, err := fmt.Fprintf(c.stdout, "mesoc version %s\ncommit: %s\nspec: %s\ngo: %s\n",
			is.version, is.commit, specs.Version, runtime.Version())
		return err
	},
}
