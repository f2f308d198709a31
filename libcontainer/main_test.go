package libcontainer

import (
	"os"
	"testing"

	"github.com/mesoc/mesoc/libcontainer/internal/testutil"
	"github.com/mesoc/mesoc/libcontainer/stage"
)

// TestMain makes the test binary the stage of the children that it starts: the
// twin, unless it was linked with -E.
func TestMain(m *testing.M) {
	if stage.IsInit(os.Args) {
		stage.Main(os.Args)
	}
	os.Exit(testutil.Main(m))
}
