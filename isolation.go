package main

import (
	"github.com/mesoc/mesoc/libcontainer/isolator"
	"github.com/mesoc/mesoc/libcontainer/isolator/cpu"
	"github.com/mesoc/mesoc/libcontainer/isolator/memory"
)

// isolators are the ones that are built.
func isolators() []isolator.Isolator {
	return []isolator.Isolator{cpu.Isolator{}, memory.Isolator{}}
}
