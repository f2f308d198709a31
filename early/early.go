// Package early runs the commands that engines call all the time before the
// packages that those commands do not need are initialised.
//
// Go initialises packages in the order of their import paths, each as soon as
// what it imports itself is ready. This package is ready when libcontainer is,
// and github.com/mesoc comes before most of what only help, mistakes and rare
// commands need (github.com/urfave, text/template and what those import), whose
// initialisation takes a tenth of a short command's time. A command that runs
// and exits here never pays for it. If a later Go chose another order, only
// that time would be lost.
//
// It knows nothing but this order. Package main, whose only importer it serves,
// gives it the function to call.
package early

import (
	// All that the function of package main reaches has to be initialised
	// before it is called; a test compares this list with what main imports.
	_ "context"
	_ "encoding/json"
	_ "errors"
	_ "fmt"
	_ "io"
	_ "os"
	_ "path/filepath"
	_ "runtime"
	_ "runtime/debug"
	_ "slices"
	_ "sort"
	_ "strconv"
	_ "strings"
	_ "time"
	_ "unicode/utf8"

	_ "github.com/opencontainers/runtime-spec/specs-go"
	_ "golang.org/x/sys/unix"

	_ "github.com/mesoc/mesoc/early/first"
	_ "github.com/mesoc/mesoc/libcontainer"
	_ "github.com/mesoc/mesoc/libcontainer/isolator"
	_ "github.com/mesoc/mesoc/libcontainer/isolator/cpu"
	_ "github.com/mesoc/mesoc/libcontainer/isolator/memory"
	_ "github.com/mesoc/mesoc/libcontainer/plan"
	_ "github.com/mesoc/mesoc/libcontainer/program"
	_ "github.com/mesoc/mesoc/libcontainer/stage"
)

// command is in package main. It exits when it has run a command, and returns
// what is to be reported of one that did not go well, nil if it ran none.
func command() any

var begun = command()

// Begun is what command has returned.
func Begun() any { return begun }
