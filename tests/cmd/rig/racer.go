package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// race exchanges two files again and again until its stdin ends, and prints
// when it has begun and how often: a directory and a symlink, say, while a runtime walks through.
func race(args []string) error {
	if len(args) == 0 || len(args)%2 != 0 {
		return fmt.Errorf("want A B…")
	}
	var end atomic.Bool
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1))
		end.Store(true)
	}()
	n := 0
	for ; !end.Load(); n++ {
		for i := 0; i < len(args); i += 2 {
			err := unix.Renameat2(unix.AT_FDCWD, args[i], unix.AT_FDCWD, args[i+1], unix.RENAME_EXCHANGE)
			if err != nil && err != unix.EBUSY { // something is mounted on one of them
				return fmt.Errorf("exchange %s and %s: %w", args[i], args[i+1], err)
			}
		}
		if n == 0 {
			fmt.Println("begun")
		}
		// Some exchanges come at once, others leave the time for several steps
		// between; where there is one CPU, the others must run at all.
		for range rand.IntN(64) {
			runtime.Gosched()
		}
		if n%8 == 0 {
			_ = unix.Nanosleep(&unix.Timespec{Nsec: int64(rand.IntN(200_000))}, nil)
		}
	}
	fmt.Println(n)
	return nil
}
