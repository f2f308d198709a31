// Package stack gives the main goroutine a stack that need not grow.
//
// A stack begins with 2 kB and is copied to twice the size whenever it is full:
// to memory not touched before, and each time tables are looked up, for what is
// on it, that nobody else reads. That is a tenth of the page faults of a short
// command. So it grows once, to its last size, while there is next to nothing
// on it: as this package imports nothing, it is among the first to be initialised.
package stack

// size is what the stack has to have room for. What is not used is not touched.
const size = 60 << 10

var _ = grow(false)

// grow has a frame of that size, and does nothing with it.
//
//go:noinline
func grow(use bool) byte {
	if !use {
		return 0
	}
	var room [size]byte
	for i := range room {
		room[i] = byte(i)
	}
	return room[size/2]
}
