package seccomp

import (
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func BenchmarkCompileDocker(b *testing.B) {
	s := readProfile(b, "docker")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(s, Options{Native: specs.ArchX86_64, Enosys: true}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCachedDocker(b *testing.B) {
	text, o := profileText(b, "docker"), Options{Native: specs.ArchX86_64, Enosys: true}
	fd, _ := openDir(b)
	Store(fd, text, o, compileText(b, text, o))
	b.ReportAllocs()
	for b.Loop() {
		if _, found := Lookup(fd, text, o); !found {
			b.Fatal("not found")
		}
	}
}
