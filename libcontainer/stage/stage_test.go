package stage

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/program"
)

func TestSimple(t *testing.T) {
	s := newSubject()
	fd := s.Cell("fd", 0)
	s.Call("create file", unix.SYS_OPENAT, program.Const(fdDir), s.String("hello").Arg(),
		program.Const(unix.O_CREAT|unix.O_RDWR), program.Const(0o600)).Keep(fd)
	s.Call("write", unix.SYS_WRITE, fd.Arg(), s.String("world").Arg(), program.Const(5)).Want(5)
	s.exit(7)
	res := s.compare(t)
	if res.status.ExitStatus() != 7 || res.files["hello"] != "world" {
		t.Errorf("%+v", res)
	}
}
