package plan

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// fill gives every field below v a value of its own that is not zero.
func fill(t *testing.T, v reflect.Value, next *uint8) {
	t.Helper()
	*next++
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), next)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), next)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(t, v.Index(i), next)
		}
	case reflect.String:
		v.SetString(strings.Repeat("x", int(*next)))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32:
		v.SetInt(-int64(*next))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(*next))
	default:
		t.Fatalf("a field is of kind %s: teach the coder and this test", v.Kind())
	}
}

// A field that the coder does not know would be missing in every exec.
func TestInsideSurvives(t *testing.T) {
	want := &Inside{}
	var next uint8
	fill(t, reflect.ValueOf(want).Elem(), &next)
	got, err := DecodeInside(want.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v %+v\nwant %+v %+v", got, got.Process, want, want.Process)
	}
	empty := &Inside{Process: &Process{}}
	if got, err := DecodeInside(empty.Encode()); err != nil || !reflect.DeepEqual(got, empty) {
		t.Errorf("an empty one: %+v, %v", got, err)
	}
}

// What a newer mesoc has written, or half of anything, is refused.
func TestInsideThatIsNotWhole(t *testing.T) {
	in := &Inside{Keyring: "k", Process: &Process{Args: []string{"a"}, Seccomp: &Seccomp{Program: make([]unix.SockFilter, 3)}}}
	data := in.Encode()
	for n := range data {
		if _, err := DecodeInside(data[:n]); err == nil {
			t.Errorf("%d bytes of %d are taken", n, len(data))
		}
	}
	if _, err := DecodeInside(append(slices.Clone(data), 0)); err == nil {
		t.Error("what goes on is taken")
	}
	if _, err := DecodeInside([]byte(insideMagic + "\x01\x80")); err == nil {
		t.Error("a number without an end is taken")
	}
	longer := slices.Clone(data)
	longer[len(insideMagic)]++
	if _, err := DecodeInside(append(longer, 7)); err == nil {
		t.Error("a field that nobody knows is taken")
	}
}

// An older mesoc wrote fewer fields.
func TestInsideOfBefore(t *testing.T) {
	c := coder{}
	flags, keyring := uint64(unix.CLONE_NEWNS), "k"
	integer(&c, &flags)
	c.text(&keyring)
	data := append([]byte(insideMagic), byte(len(c.buf)))
	in, err := DecodeInside(append(data, c.buf...))
	if err != nil || in.Namespaces != flags || in.Keyring != keyring || !reflect.DeepEqual(in.Process, &Process{}) {
		t.Errorf("got %+v, %v", in, err)
	}
}

func FuzzDecodeInside(f *testing.F) {
	f.Add((&Inside{Process: &Process{}}).Encode())
	in := &Inside{}
	var next uint8
	fill(&testing.T{}, reflect.ValueOf(in).Elem(), &next)
	f.Add(in.Encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		in, err := DecodeInside(data)
		if err != nil {
			return
		}
		again, err := DecodeInside(in.Encode())
		if err != nil || !reflect.DeepEqual(in, again) {
			t.Fatalf("%+v is read back as %+v, %v", in, again, err)
		}
	})
}

func first() *Inside {
	oom := 5
	return &Inside{Process: &Process{
		UID: 1, GID: 2, Groups: []uint32{3}, Umask: 0o27, Args: []string{"init"}, Env: []string{"A=1", "B=2"}, Cwd: "/w",
		Capabilities: Capabilities{Bounding: 1, Effective: 1, Permitted: 1, Inheritable: 1 << 5},
		OOMScoreAdj:  &oom, Rlimits: []Rlimit{{Resource: 7, Soft: 1, Hard: 2}}, Seccomp: &Seccomp{Flags: 1},
	}}
}

func TestNewExec(t *testing.T) {
	in := first()
	p, err := in.NewExec(&Wishes{Args: []string{"x"}})
	want := *first().Process
	want.Args = []string{"x"}
	if err != nil || !reflect.DeepEqual(p, &want) {
		t.Errorf("without wishes: %+v, %v", p, err)
	}
	uid, yes := uint32(9), true
	p, err = in.NewExec(&Wishes{Args: []string{"x"}, Env: []string{"B=3", "C="}, Cwd: "/", UID: &uid, Groups: []uint32{4},
		Capabilities: []string{"CAP_KILL", "CAP_SYS_ADMIN"}, NoNewPrivs: &yes, Terminal: &yes})
	want.Env, want.Cwd, want.UID, want.Groups, want.NoNewPrivs, want.Terminal = []string{"A=1", "B=3", "C="}, "/", 9, []uint32{3, 4}, true, true
	const more = 1<<unix.CAP_KILL | 1<<unix.CAP_SYS_ADMIN
	want.Capabilities = Capabilities{Bounding: 1 | more, Effective: 1 | more, Permitted: 1 | more, Inheritable: 1 << 5, Ambient: 1 << unix.CAP_KILL}
	if err != nil || !reflect.DeepEqual(p, &want) {
		t.Errorf("with wishes: %+v, %v", p, err)
	}
	if !reflect.DeepEqual(in, first()) {
		t.Errorf("the first process has changed: %+v", in.Process)
	}
	for _, w := range []Wishes{{}, {Args: []string{""}}, {Args: []string{"x"}, Cwd: "rel"}, {Args: []string{"x"}, Env: []string{"A"}},
		{Args: []string{"x"}, Env: []string{"=A"}}, {Args: []string{"x"}, Capabilities: []string{"KILL"}}} {
		if _, err := in.NewExec(&w); err == nil {
			t.Errorf("%+v is taken", w)
		}
	}
}

func TestNewProcess(t *testing.T) {
	in := first()
	s := &specs.Process{Args: []string{"x"}, Cwd: "/", User: specs.User{UID: 7}}
	p := in.NewProcess(s, Options{Held: ^uint64(0), Env: []string{"E=1"}})
	want := Process{UID: 7, Args: []string{"x"}, Cwd: "/", Env: []string{"E=1"}}
	was := first().Process
	want.Capabilities, want.Umask, want.OOMScoreAdj, want.Rlimits, want.Seccomp = was.Capabilities, was.Umask, was.OOMScoreAdj, was.Rlimits, was.Seccomp
	if !reflect.DeepEqual(p, &want) {
		t.Errorf("what is left open: %+v, want %+v", p, &want)
	}
	umask, oom := uint32(0), 0
	s.User.Umask, s.OOMScoreAdj = &umask, &oom
	s.Capabilities = &specs.LinuxCapabilities{Bounding: []string{"CAP_KILL"}}
	s.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_CORE", Soft: 3, Hard: 4}}
	p = in.NewProcess(s, Options{Held: ^uint64(0)})
	if p.Umask != 0 || *p.OOMScoreAdj != 0 || p.Capabilities != (Capabilities{Bounding: 1 << unix.CAP_KILL}) || len(p.Rlimits) != 1 || p.Rlimits[0].Soft != 3 {
		t.Errorf("what is said: %+v", p)
	}
	if !reflect.DeepEqual(in, first()) {
		t.Errorf("the first process has changed: %+v", in.Process)
	}
}
