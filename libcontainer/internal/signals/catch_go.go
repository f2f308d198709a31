//go:build !amd64 && !arm64

package signals

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// catch does with os/signal what the others do in assembly.
func catch(s unix.Signal) error {
	c := make(chan os.Signal, Last)
	signal.Notify(c, s)
	go func() {
		for range c {
			_, _ = unix.Write(int(pipe), []byte{byte(s)})
		}
	}()
	return nil
}
