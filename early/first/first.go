// Package first does what has to be done before any other package is initialised:
// it imports nothing, so its turn is among the first. It takes back what the
// entry point of package stage has set for the time in which the Go runtime
// starts, and gives the program at once the memory that it will use.
//
// Memory that is touched for the first time costs a fault a page, and these
// faults are most of what Go takes to start.
//
// Package stage imports it, so every program that has the entry point has it too.
// It knows nothing of commands: those that make a process call FillHeap.
package first

import "unsafe"

// A stack begins with 2 kB and is copied to twice the size whenever it is full:
// to memory not touched before, and each time tables are looked up, for what is
// on it, that nobody else reads. So it grows once, to its last size, while there
// is next to nothing on it.
const stackSize = 60 << 10

// The heap goes on behind the stack: as far as heapSize with every command, and
// by largeHeap more when a process is made. Where it does not, the kernel fills
// what there is, or nothing.
const (
	heapSize  = 192 << 10
	largeHeap = 352 << 10
)

var stackEnd = begin()

func begin() uintptr {
	if nofile[1] != 0 {
		setNofile()
	}
	grow(false)
	var top byte // next to nothing is above it
	end := uintptr(unsafe.Pointer(&top))
	populate(end, heapSize)
	return end
}

// FillHeap is for a command that makes a process, before it begins. Nothing depends
// on it: without it, or if it is called again, only time is lost.
func FillHeap() { populate(stackEnd+heapSize, largeHeap) }

// nofile is RLIMIT_NOFILE, soft and hard, as the entry point finds it.
var nofile [2]uint64

// Nofile is RLIMIT_NOFILE as the process was started with, zeros if the entry
// point was not run.
func Nofile() (soft, hard uint64) { return nofile[0], nofile[1] }

// grow has a frame as large as the stack is to be, and does nothing with it.
//
//go:noinline
func grow(use bool) byte {
	if !use {
		return 0 // before the frame would be cleared
	}
	var room [stackSize]byte
	for i := range room {
		room[i] = byte(i)
	}
	return room[stackSize/2]
}
