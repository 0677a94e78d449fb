package eventstore

import (
	"encoding/binary"
	"testing"
)

// BenchmarkGet looks users up that are there, and users that are not, in a partition of 200,000: the second is what every join of a new user costs
// where cold users live here alone.
func BenchmarkGet(b *testing.B) {
	s := benchStore(b, 16)
	p, err := s.Partition(0)
	if err != nil {
		b.Fatal(err)
	}
	const users = 200_000
	key, value := make([]byte, 16), make([]byte, 64)
	batch := p.Begin()
	for i := range users {
		binary.BigEndian.PutUint64(key, 1)
		binary.BigEndian.PutUint64(key[8:], uint64(i)*0x9e3779b97f4a7c15>>1)
		batch.Set(0x43, key, value)
	}
	if err := batch.Commit(Boundary{Seq: 1}, nil, true); err != nil {
		b.Fatal(err)
	}
	if err := p.db.Flush(); err != nil {
		b.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		xor  uint64
	}{{"there", 0}, {"absent", 1}} {
		b.Run(tc.name, func(b *testing.B) {
			b.ReportAllocs()
			buf := make([]byte, 0, 100)
			i := uint64(0)
			for b.Loop() {
				i = (i + 7919) % users
				binary.BigEndian.PutUint64(key[8:], (i*0x9e3779b97f4a7c15>>1)^tc.xor)
				if _, _, err := p.Get(0x43, key, buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
