package resctrl

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mesoc/mesoc/libcontainer/internal/sys"
)

// Change sets schemata of the class that has that directory, and does what else
// is to be done: if one of the two fails, the schemata are as before.
func (t *Tree) Change(dir string, schemata []string, do func() error) error {
	file, lines := dir+"/schemata", strings.Join(schemata, "\n")
	was, err := sys.ReadAll(sys.CWD, file)
	if err != nil {
		return fmt.Errorf("read the schemata of class of service %s: %w", dir, err)
	}
	// The kernel reads all lines of a write before it acts on one; only where it
	// controls bandwidth in software (mba_MBps), it takes each value at once.
	if err = t.set(file, lines+"\n"); err != nil {
		err = t.explain("set schemata "+strconv.Quote(lines)+" of class of service "+dir, err)
	} else if err = do(); err == nil {
		return nil
	}
	if undoErr := t.putBack(file, was, lines); undoErr != nil {
		return fmt.Errorf("%w; put back the schemata of class of service %s: %w", err, dir, undoErr)
	}
	return err
}

// putBack gives the resources that lines have set what they had. Others may have
// been changed by others meanwhile.
func (t *Tree) putBack(file, was, lines string) error {
	set := map[string]bool{}
	for line := range strings.Lines(lines) {
		set[resource(line)] = true
	}
	now, err := sys.ReadAll(sys.CWD, file)
	if err != nil {
		return err
	}
	var back strings.Builder
	for line := range strings.Lines(was) {
		if set[resource(line)] && !agrees(line, now) {
			back.WriteString(strings.ReplaceAll(line, " ", ""))
		}
	}
	if back.Len() == 0 {
		return nil
	}
	return t.set(file, back.String())
}

// resource is what a line is about, as L3.
func resource(line string) string {
	name, _, _ := strings.Cut(line, ":")
	return strings.TrimSpace(name)
}

func (t *Tree) set(file, lines string) error {
	if t.write != nil {
		return t.write(file, lines)
	}
	return write(file, lines)
}
