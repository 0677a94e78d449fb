package projections

import (
	"math/rand/v2"
	"testing"
)

// TestIndex holds the index to a map: entries are found, strangers are not, whatever was removed.
func TestIndex(t *testing.T) {
	t.Parallel()
	const seed = 3
	rng := rand.New(rand.NewPCG(seed, seed))
	for _, top := range []uint32{1, 5000, 1 << 30} {
		var x index
		x.prepare(0, top)
		ids, at := map[int64]uint32{}, map[uint32]int64{}
		find := func(id int64) uint32 {
			for k := x.seek(mixID(id)); ; {
				if ord := x.next(&k); ord == 0 || at[ord] == id {
					return ord
				}
			}
		}
		for ord := top; ord < top+20000; ord++ {
			if x.full(1, ord) {
				x.prepare(x.live+1, ord)
				for o, id := range at {
					x.add(mixID(id), o)
				}
			}
			id := rng.Int64()
			x.add(mixID(id), ord)
			ids[id], at[ord] = ord, id
			if rng.IntN(3) == 0 {
				old := top + rng.Uint32N(ord-top+1)
				if id, ok := at[old]; ok {
					x.remove(mixID(id), old)
					delete(ids, id)
					delete(at, old)
				}
			}
		}
		if x.live != len(ids) || x.used < x.live || x.used >= len(x.slots) {
			t.Errorf("seed %d, top %d: %d live, %d used of %d slots, want %d live", seed, top, x.live, x.used, len(x.slots), len(ids))
		}
		for id, ord := range ids {
			if got := find(id); got != ord {
				t.Fatalf("seed %d, top %d: id %d is at %d, want %d", seed, top, id, got, ord)
			}
			if got := find(-id); got != 0 {
				t.Fatalf("seed %d, top %d: stranger %d is at %d", seed, top, -id, got)
			}
		}
	}
}

// TestSieve: nobody who was added is denied, and few strangers pass.
func TestSieve(t *testing.T) {
	t.Parallel()
	var v sieve
	const n = 200_000
	if v.may(mixID(1)) {
		t.Error("an empty sieve lets 1 pass")
	}
	passed := 0
	for id := range int64(n) {
		v.add(mixID(id))
	}
	for id := range int64(n) {
		if !v.may(mixID(id)) {
			t.Fatalf("id %d was added and is denied", id)
		}
		passed += count(v.may(mixID(n + id)))
	}
	if passed > n/50 {
		t.Errorf("%d of %d strangers pass in %d generations", passed, n, len(v.generations))
	}
}

// TestGuessForgets: what one batch supposed is gone in the next, also when the rounds begin anew.
func TestGuessForgets(t *testing.T) {
	t.Parallel()
	g := guess{round: 1<<32 - 3}
	for range 6 {
		for user := range int64(1000) {
			if g.user(1, user) != nil || g.hasShare([16]byte{byte(user), byte(user >> 8)}) {
				t.Fatalf("round %d knows user %d of the round before", g.round, user)
			}
			g.putUser(1, user, person{known: true, chain: user})
			g.putShare([16]byte{byte(user), byte(user >> 8)})
		}
		for user := range int64(1000) {
			p := g.user(1, user)
			if p == nil || p.chain != user || !g.hasShare([16]byte{byte(user), byte(user >> 8)}) {
				t.Fatalf("round %d lost user %d: %+v", g.round, user, p)
			}
			if g.user(2, user) != nil {
				t.Fatalf("user %d of campaign 1 is known in campaign 2", user)
			}
		}
		g.clear()
	}
}
