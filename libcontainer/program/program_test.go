package program

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

var update = flag.Bool("update", false, "write the golden files anew")

// sample is a program with one of everything that is printed.
func sample() *Program {
	b := NewBuilder(Base)
	sync, dev, shm := b.Input("sync"), b.Cell("dev", 0), b.Cell("shm", 0)
	room := b.Space(16)
	how := b.Bytes([]byte{1, 2, 3})
	b.Name(how, "open_how")
	end, retry := b.Label(), b.Label()
	b.Call("read the go-ahead", unix.SYS_READ, sync.Arg(), room.Arg(), Const(1)).Want(1).Again(unix.EINTR)
	b.Call("open /dev", unix.SYS_OPENAT2, Const(unix.AT_FDCWD), b.String("dev").Arg(), how.Arg(), Const(24)).Keep(dev)
	b.Call("make /dev/shm", unix.SYS_MKDIRAT, dev.Arg(), b.String("shm").Arg(), Const(0o755)).Ignore(unix.EEXIST, unix.EROFS)
	b.Call("mount shm", unix.SYS_MOUNT, b.String("shm").Arg(), b.String("/dev/\"shm\"\n").Arg(), b.String("tmpfs").Arg(),
		Const(unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC), Const(0)).Skip(retry, AnyErrno).Skip(end, OK)
	b.Here(retry)
	b.Call("mount shm elsewhere", unix.SYS_FSOPEN, b.String("tmpfs").Arg(), Const(1)).Keep(shm)
	b.Check("see that it is the root", room+8, 0xff, '/', uintptr(unix.EXDEV))
	b.Store32("tell failures to the caller", Addr(b.Report()), sync.Arg())
	b.Store64("forget", room, Const(-1)).Keep(b.Report())
	b.Call("close", unix.SYS_CLOSE, b.Report().Arg())
	b.Call("use the report's place", unix.SYS_WRITE, Addr(b.Report()).Arg(), Addr(sync).Arg(), how.Arg())
	b.Call("make a call without a name", 0xffff, Const(4095), Const(4096), Const(-4095), Const(-4096))
	b.Here(end)
	b.Call("become the program", unix.SYS_EXECVE, b.String("/bin/sh").Arg(),
		b.Vector([]string{"/bin/sh", "-c", strings.Repeat("true; ", 30)}).Arg(), b.Vector(nil).Arg())
	return b.Program()
}

func TestPrintGolden(t *testing.T) {
	var out bytes.Buffer
	if err := sample().Print(&out); err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/sample.golden"
	if *update {
		if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), want) {
		t.Errorf("printed:\n%swant:\n%s", out.Bytes(), want)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, unix.ENOSPC }

func TestPrintError(t *testing.T) {
	if err := sample().Print(fullDisk{}); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("Print: %v, want ENOSPC", err)
	}
}

func TestWhat(t *testing.T) {
	p := sample()
	if got := p.What(2); got != "make /dev/shm" {
		t.Errorf("What(2) = %q", got)
	}
	for _, i := range []int{-1, p.Len(), 1 << 30} {
		if got := p.What(i); got != "" {
			t.Errorf("What(%d) = %q", i, got)
		}
	}
}

// image reads an encoded program.
type image []byte

func (m image) u32(at int) uint32 { return binary.NativeEndian.Uint32(m[at:]) }
func (m image) u64(at int) uint64 { return binary.NativeEndian.Uint64(m[at:]) }

// The layout is what the interpreters read: every field of it, once.
func TestEncodeLayout(t *testing.T) {
	b := NewBuilder(Base)
	in, kept, label := b.Input("in"), b.Cell("kept", 7), b.Label()
	b.Call("first", unix.SYS_READ, Const(1), in.Arg(), Const(3), Const(4), kept.Arg(), Const(6)).
		Keep(kept).Want(-2).Again(unix.EINTR).Ignore(AnyErrno).Skip(label, OK)
	b.Check("second", Addr(kept), 2, 3, 4)
	b.Store32("third", Addr(kept), kept.Arg())
	b.Here(label)
	b.Store64("fourth", Addr(kept), Const(9))
	encoded, err := b.Program().Encode(Image{Report: 5, IndexBase: 100, Inputs: map[string]uint64{"in": 77, "not asked for": 1}})
	if err != nil {
		t.Fatal(err)
	}
	img := image(encoded)
	first := int(img.u64(0x10))
	if first%16 != 0 || len(img) != first+4*OpSize {
		t.Errorf("operations at %#x of %#x", first, len(img))
	}
	for at, want := range map[int]uint64{
		0x00: Magic, 0x08: 4, 0x18: 5, 0x20: 100, 0x28: 0,
		int(uint64(in) - Base): 77, int(uint64(kept) - Base): 7,
		first + 16: 1, first + 24: uint64(in), first + 32: 3, first + 40: 4, first + 48: uint64(kept), first + 56: 6,
		first + 64: uint64(kept), first + 72: ^uint64(1),
		first + OpSize + 16: uint64(kept), first + OpSize + 24: 2, first + OpSize + 32: 3, first + OpSize + 40: 4,
		first + OpSize + 64: 0, first + OpSize + 72: 0,
		first + 3*OpSize + 16: uint64(kept), first + 3*OpSize + 24: 9,
	} {
		if got := img.u64(at); got != want {
			t.Errorf("at %#x: %#x, want %#x", at, got, want)
		}
	}
	for at, want := range map[int]uint32{
		first: 0, first + 4: unix.SYS_READ, first + 8: 1<<1 | 1<<4, first + 12: 3<<8 | 1,
		first + 80: uint32(unix.EINTR), first + 84: ^uint32(0), first + 88: ^uint32(0), first + 92: 0, first + 96: 0, first + 100: 2,
		first + OpSize: 1, first + OpSize + 8: 0, first + OpSize + 12: 0,
		first + 2*OpSize: 2, first + 2*OpSize + 8: 1 << 1, first + 3*OpSize: 3, first + 3*OpSize + 8: 0,
	} {
		if got := img.u32(at); got != want {
			t.Errorf("at %#x: %#x, want %#x", at, got, want)
		}
	}
}

// Encode leaves the program as it is: one program makes many images.
func TestEncodeAgain(t *testing.T) {
	p := sample()
	first, err := p.Encode(Image{Inputs: map[string]uint64{"sync": 3}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Encode(Image{Report: 9, Inputs: map[string]uint64{"sync": 4}, Fault: &Fault{Step: 1, Errno: unix.EIO}}); err != nil {
		t.Fatal(err)
	}
	again, err := p.Encode(Image{Inputs: map[string]uint64{"sync": 3}})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, again) {
		t.Error("the second image of the same is another")
	}
}

// In pieces it is the same image, in one of them or in several.
func TestEncodeTo(t *testing.T) {
	for _, ops := range []int{0, 1, window / OpSize, window/OpSize + 1, 3 * window / OpSize} {
		b := NewBuilder(Base)
		b.String("some data")
		fill(b, ops)
		in := Image{Report: 9}
		if ops > 0 {
			in.Fault = &Fault{Step: ops - 1, Errno: unix.EIO}
		}
		want, err := b.Program().Encode(in)
		if err != nil {
			t.Fatal(err)
		}
		var got []byte
		write := func(piece []byte) error {
			got = append(got, piece...)
			return nil
		}
		if err := b.Program().EncodeTo(write, in); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d operations: another image, or %v", ops, err)
		}
	}
	full := func([]byte) error { return unix.ENOSPC }
	if err := sample().EncodeTo(full, Image{Inputs: map[string]uint64{"sync": 3}}); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("a full disk: %v", err)
	}
}

func TestEncodeErrors(t *testing.T) {
	tests := map[string]struct {
		build func(b *Builder)
		want  string
	}{
		"input without value": {func(b *Builder) { b.Input("console") }, "encode program: input console has no value"},
		"label nowhere": {func(b *Builder) {
			b.Call("open /dev", unix.SYS_OPENAT).Skip(b.Label(), unix.ENOENT)
		}, "encode step 0 (open /dev): it skips to a label that is nowhere"},
		"label behind": {func(b *Builder) {
			l := b.Label()
			b.Here(l)
			b.Call("open /dev", unix.SYS_OPENAT)
			b.Call("open /proc", unix.SYS_OPENAT).Skip(l, unix.ENOENT)
		}, "encode step 1 (open /proc): it skips back"},
		"label at itself": {func(b *Builder) {
			l := b.Label()
			b.Here(l)
			b.Call("open /dev", unix.SYS_OPENAT).Skip(l, unix.ENOENT)
		}, "encode step 0 (open /dev): it skips back"},
		"too many rules": {func(b *Builder) {
			b.Call("open /dev", unix.SYS_OPENAT).Ignore(1, 2, 3, 4, 5, 6, 7)
		}, "encode step 0 (open /dev): 7 rules, more than 6"},
		"too much data":       {func(b *Builder) { b.Space(MaxSize) }, "encode program of 8388672 bytes: more than 8388608"},
		"too many operations": {func(b *Builder) { fill(b, MaxSize/OpSize) }, "encode program of 8388672 bytes: more than 8388608"},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			b := NewBuilder(Base)
			c.build(b)
			_, err := b.Program().Encode(Image{})
			pieces := b.Program().EncodeTo(func([]byte) error { return nil }, Image{})
			for _, err := range []error{err, pieces} {
				if err == nil || err.Error() != c.want {
					t.Errorf("error %v, want %s", err, c.want)
				}
			}
		})
	}
}

func fill(b *Builder, ops int) {
	for range ops {
		b.Store64("nothing", Addr(b.Report()), Const(0))
	}
}

func TestEncodeLimits(t *testing.T) {
	b := NewBuilder(Base)
	fill(b, MaxSize/OpSize-1)
	l := b.Label()
	b.p.ops[0].Ignore(1, 2, 3, 4, 5).Skip(l, 6)
	b.Here(l) // behind the last operation
	img, err := b.Program().Encode(Image{})
	if err != nil {
		t.Fatal(err)
	}
	if first := int(image(img).u64(0x10)); image(img).u32(first+124) != uint32(b.Len()-1) {
		t.Errorf("jump of %d over %d operations", image(img).u32(first+124), b.Len()-1)
	}
}

func TestFault(t *testing.T) {
	b := NewBuilder(Base)
	b.Call("first", unix.SYS_GETPID).Ignore(AnyErrno)
	b.Call("second", unix.SYS_GETPID).Ignore(AnyErrno).Keep(b.Cell("pid", 0)).Want(1)
	encoded, err := b.Program().Encode(Image{Fault: &Fault{Step: 1, Errno: unix.EDQUOT}})
	if err != nil {
		t.Fatal(err)
	}
	img := image(encoded)
	op := int(img.u64(0x10))
	if Kind(img.u32(op)) != Call {
		t.Error("the first step is another")
	}
	op += OpSize
	if Kind(img.u32(op)) != Check || img.u32(op+8) != 0 || img.u32(op+12) != 0 || img.u64(op+64) != 0 {
		t.Error("the second step is no plain check")
	}
	at, mask, want, errno := img.u64(op+16), img.u64(op+24), img.u64(op+32), img.u64(op+40)
	if at != Base || Magic&mask == want || unix.Errno(errno) != unix.EDQUOT {
		t.Errorf("check *%#x & %#x == %#x else %d", at, mask, want, errno)
	}
}

// TestFaultOfAll: the step becomes a kill of the process group that fails.
func TestFaultOfAll(t *testing.T) {
	b := NewBuilder(Base)
	b.Call("only", unix.SYS_GETPID)
	for _, f := range []Fault{{Step: 0}, {Step: 0, Errno: unix.EIO, Signal: unix.SIGKILL}, {Step: 1, Signal: unix.SIGKILL}} {
		if _, err := b.Program().Encode(Image{Fault: &f}); err == nil {
			t.Errorf("%+v was encoded", f)
		}
	}
	encoded, err := b.Program().Encode(Image{Fault: &Fault{Signal: unix.SIGKILL}})
	if err != nil {
		t.Fatal(err)
	}
	img := image(encoded)
	op := int(img.u64(0x10))
	if Kind(img.u32(op)) != Call || img.u32(op+4) != unix.SYS_KILL || img.u64(op+16) != 0 || img.u64(op+24) != uint64(unix.SIGKILL) {
		t.Error("the step is no kill of the group")
	}
	if img.u32(op+12)&flagWant == 0 || img.u64(op+72) == 0 {
		t.Error("the step does not fail where the stage survives")
	}
}
