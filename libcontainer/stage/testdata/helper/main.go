// The helper is a binary with a stage in it, for the tests of package stage.
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/mesoc/mesoc/libcontainer/stage"
)

func main() {
	if stage.IsInit(os.Args) {
		stage.Main(os.Args)
	}
	fmt.Println(runtime.GOMAXPROCS(0), debug.SetGCPercent(-1))
	fmt.Printf("%q\n%q\n%q\n", os.Args, os.Environ(), stage.Environ())
}
