package cascade

import "testing"

// undo takes an id back to its number, which shows that no two numbers have one id (K3).
func (s *ids) undo(id int64) uint64 {
	x := uint64(id)
	x ^= x >> 32
	x = x * inverse(0xc4ceb9fe1a85ec53) & mask63
	x ^= x>>29 ^ x>>58
	x = x * inverse(0xff51afd7ed558ccd) & mask63
	x ^= x >> 32
	return x ^ s.key
}

// inverse of an odd number modulo 2^64, by Newton's iteration.
func inverse(odd uint64) uint64 {
	x := odd
	for range 6 {
		x *= 2 - odd*x
	}
	return x
}

func TestIDs(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		s := newIDs(seed)
		for range 1000 {
			id := s.next()
			if id < 1 || s.undo(id) != uint64(s.last) || s.of(s.last) != id {
				t.Fatalf("seed %d: number %d has the id %d, which belongs to number %d", seed, s.last, id, s.undo(id))
			}
		}
	}
	// The number whose id would be 0 is left out.
	s := ids{key: 5, last: 4}
	if n := s.number(); n != 6 || s.of(5) != 0 {
		t.Errorf("number %d given, want 6, since the id of 5 is %d", n, s.of(5))
	}
}

func TestWheel(t *testing.T) {
	t.Parallel()
	w := newWheel(4, 5)
	for chain, tick := range []int{2, 0, 9, 2} { // 9 is beyond the last
		w.put(int32(chain), tick)
	}
	var got []int32
	for {
		chain, ok := w.take()
		if !ok {
			break
		}
		got = append(got, chain, int32(w.tick))
		if chain == 3 {
			w.put(4, 1) // the past is now
		}
	}
	want := []int32{1, 0, 3, 2, 4, 2, 0, 2, 2, 3}
	for i := range max(len(want), len(got)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("chains and ticks %v, want %v", got, want)
		}
	}
}
