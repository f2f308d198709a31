package store

import (
	"fmt"
	"testing"
	"time"
)

func BenchmarkCreateRemove(b *testing.B) {
	s := newStore(b)
	r := full("c")
	b.ReportAllocs()
	for b.Loop() {
		l, err := s.Create("c", r)
		if err != nil {
			b.Fatal(err)
		}
		if err := l.Remove(); err != nil {
			b.Fatal(err)
		}
		l.Close()
	}
}

func BenchmarkLockSave(b *testing.B) {
	s := newStore(b)
	r := full("c")
	create(b, s, "c").Close()
	b.ReportAllocs()
	for b.Loop() {
		l, err := s.Lock("c", time.Time{})
		if err != nil {
			b.Fatal(err)
		}
		if err := l.Save(r); err != nil {
			b.Fatal(err)
		}
		l.Close()
	}
}

func BenchmarkLoad(b *testing.B) {
	s := newStore(b)
	create(b, s, "c").Close()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Load("c"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	r := full("c")
	data, err := encode(&r)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decode(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkList1000(b *testing.B) {
	s := newStore(b)
	for i := range 1000 {
		id := fmt.Sprintf("container-%d", i)
		l, err := s.Create(id, full(id))
		if err != nil {
			b.Fatal(err)
		}
		l.Close()
	}
	b.ReportAllocs()
	for b.Loop() {
		if ids, err := s.List(); err != nil || len(ids) != 1000 {
			b.Fatal(len(ids), err)
		}
	}
}
