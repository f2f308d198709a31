package program

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// encode returns the data of what was built, and where an address is in it.
func encode(t *testing.T, b *Builder, inputs map[string]uint64) (image, func(Addr) int) {
	t.Helper()
	img, err := b.Program().Encode(Image{Inputs: inputs})
	if err != nil {
		t.Fatal(err)
	}
	base := b.p.base
	return img, func(a Addr) int { return int(uint64(a) - base) }
}

func text(m image, at int) string {
	s, _, _ := strings.Cut(string(m[at:]), "\x00")
	return s
}

func TestStrings(t *testing.T) {
	b := NewBuilder(0x7000)
	a, again, other, empty := b.String("usr"), b.String("usr"), b.String("usr/bin"), b.String("")
	if a != again {
		t.Error("equal strings are two")
	}
	img, at := encode(t, b, nil)
	for addr, want := range map[Addr]string{a: "usr", other: "usr/bin", empty: ""} {
		if got := text(img, at(addr)); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestVector(t *testing.T) {
	b := NewBuilder(Base)
	b.String("odd")
	list := []string{"sh", "-c", "", "sh"}
	v := b.Vector(list)
	none := b.Vector(nil)
	img, at := encode(t, b, nil)
	if v%8 != 0 || none%8 != 0 {
		t.Errorf("vectors at %#x and %#x", v, none)
	}
	for i, want := range list {
		if got := text(img, at(Addr(img.u64(at(v)+8*i)))); got != want {
			t.Errorf("element %d is %q, want %q", i, got, want)
		}
	}
	if img.u64(at(v)+8*len(list)) != 0 || img.u64(at(none)) != 0 {
		t.Error("a vector does not end with 0")
	}
}

func TestData(t *testing.T) {
	b := NewBuilder(Base)
	source := []byte{1, 2, 3}
	data := b.Bytes(source)
	source[0] = 9 // a copy was made
	b.String("odd")
	room := b.Space(24)
	cell := b.Cell("cell", 1<<63)
	b.PutAddr(room, data)
	b.PutUint32(room+8, 0x01020304)
	b.PutUint64(room+16, 5)
	img, at := encode(t, b, nil)
	if got := string(img[at(data):][:3]); got != "\x01\x02\x03" {
		t.Errorf("bytes %x", got)
	}
	if data%8 != 0 || room%8 != 0 || cell%8 != 0 {
		t.Errorf("data at %#x, %#x, %#x", data, room, cell)
	}
	if img.u64(at(room)) != uint64(data) || img.u32(at(room)+8) != 0x01020304 || img.u64(at(room)+16) != 5 || img.u64(at(Addr(cell))) != 1<<63 {
		t.Errorf("data %x", img)
	}
}

func TestInputs(t *testing.T) {
	b := NewBuilder(Base)
	a, again, other := b.Input("a"), b.Input("a"), b.Input("b")
	if a != again || a == other {
		t.Errorf("inputs at %#x, %#x, %#x", a, again, other)
	}
	img, at := encode(t, b, map[string]uint64{"a": 3, "b": 4})
	if img.u64(at(Addr(a))) != 3 || img.u64(at(Addr(other))) != 4 {
		t.Errorf("values %d, %d", img.u64(at(Addr(a))), img.u64(at(Addr(other))))
	}
	if n := len(b.Program().Inputs()); n != 2 {
		t.Errorf("%d inputs", n)
	}
}

func TestConst(t *testing.T) {
	for _, c := range []struct {
		arg  Arg
		want uint64
	}{
		{Const(-1), ^uint64(0)}, {Const(int32(-100)), ^uint64(99)}, {Const(uint32(1 << 31)), 1 << 31},
		{Const(uintptr(7)), 7}, {Const(unix.SIGKILL), 9}, {Const(uint64(1 << 63)), 1 << 63}, {Const(uint16(0o1777)), 0o1777},
	} {
		if c.arg.value != c.want || c.arg.isCell {
			t.Errorf("%+v, want %#x", c.arg, c.want)
		}
	}
}

// Every name in the table is that of its constant.
func TestSyscallNames(t *testing.T) {
	source, err := os.ReadFile("names.go")
	if err != nil {
		t.Fatal(err)
	}
	pairs := regexp.MustCompile(`case unix\.SYS_(\w+):\n\t\treturn "(\w+)"`).FindAllStringSubmatch(string(source), -1)
	if len(pairs) < 50 {
		t.Fatalf("%d names found", len(pairs))
	}
	for _, p := range pairs {
		if strings.ToLower(p[1]) != p[2] {
			t.Errorf("SYS_%s is called %s", p[1], p[2])
		}
	}
}
