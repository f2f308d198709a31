// A binary to link with the entry point of package stage. It has no stage but
// that one.
package main

import (
	"os"

	"github.com/mesoc/mesoc/libcontainer/stage"
)

func main() {
	if stage.Entered() {
		os.Stdout.WriteString("entered")
	}
}
