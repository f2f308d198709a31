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
	s := readProfile(b, "docker")
	fd, _ := openDir(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Cached(fd, s, Options{Native: specs.ArchX86_64, Enosys: true}); err != nil {
			b.Fatal(err)
		}
	}
}
