// The helper is a binary with a stage in it, for the tests of package stage.
// Started under another name it says what it finds.
package main

import (
	"encoding/json"
	"os"
	"runtime"
	"runtime/debug"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/stage"
)

func main() {
	if stage.IsInit(os.Args) {
		stage.Main(os.Args)
	}
	auxv, err := unix.Auxv()
	if err != nil {
		panic(err)
	}
	err = json.NewEncoder(os.Stdout).Encode(map[string]any{
		"maxProcs": runtime.GOMAXPROCS(0),
		"gc":       debug.SetGCPercent(-1),
		"args":     os.Args,
		"environ":  os.Environ(),
		"original": stage.Environ(),
		"auxv":     auxv,
	})
	if err != nil {
		panic(err)
	}
}
