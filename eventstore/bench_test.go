package eventstore

import (
	"fmt"
	"log/slog"
	"testing"
)

func benchStore(b *testing.B, partitions int32) *Store {
	b.Helper()
	s, err := Open(Config{Dir: b.TempDir(), Partitions: partitions, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}

// BenchmarkCommit is a step of 500 events: an entry of 500 facts of 80 bytes, and once in 25 steps (a second at 12,500 events/s) the dirty pages.
// The budget: 200 to 350 ns an event with the outbox, about 570 more with nodes.
func BenchmarkCommit(b *testing.B) {
	const events, factBytes, pageBytes = 500, 80, 32 * 28
	for _, pages := range []int{0, 2000} {
		b.Run(fmt.Sprintf("pages=%d", pages), func(b *testing.B) {
			s := benchStore(b, 16)
			p, err := s.Partition(0)
			if err != nil {
				b.Fatal(err)
			}
			entry, page := make([]byte, events*factBytes), make([]byte, pageBytes)
			var at Boundary
			step := func(i int) {
				batch := p.Begin()
				full := i%25 == 24
				if full {
					for k := range pages {
						n := (i*31 + k*7919) % 20000
						batch.Set(0x42, []byte{byte(n >> 16), byte(n >> 8), byte(n)}, page)
					}
				}
				at.Seq += events
				if err := batch.Commit(at, entry, full); err != nil {
					b.Fatal(err)
				}
				p.Published(at.Seq - 20*events)
			}
			for i := range 200 {
				step(i)
			}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				step(n)
				n++
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n*events), "ns/event")
		})
	}
}

// BenchmarkRestore is what the store takes of folding facts again: pieces of 100,000 facts in 200 steps with 4,000 dirty pages.
func BenchmarkRestore(b *testing.B) {
	const facts, steps, pages = 100_000, 200, 4000
	s := benchStore(b, 16)
	p, err := s.Partition(0)
	if err != nil {
		b.Fatal(err)
	}
	page := make([]byte, 32*28)
	var at Boundary
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		batch := p.Begin()
		for k := range pages {
			i := n*1000 + k*13
			batch.Set(0x42, []byte{byte(i >> 16), byte(i >> 8), byte(i)}, page)
		}
		for range steps {
			at.Seq += facts / steps
			batch.Boundary(at)
		}
		if err := batch.CommitRestored(); err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n*facts), "ns/fact")
}
