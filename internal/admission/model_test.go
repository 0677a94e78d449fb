package admission

import (
	"math/rand/v2"
	"testing"
)

// Every site answers the same random history like the memory server does: the scripts and their
// Go twin are one rule. Buckets, users, events and partitions are few, so that they meet.
func TestSitesAgree(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, at site) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		rng := rand.New(rand.NewPCG(seed, 0))
		small := func(c *Config) { c.BatchMax = 1 + rng.IntN(50) }
		there, model := newGate(t, at, small), newGate(t, newMemorySite(t), small)
		src := make([]Source, testPartitions)
		for p := range src {
			src[p] = randomState(rng, int64(p))
		}
		a, b := ownAll(there, src...), ownAll(model, src...)
		ready(t, a)
		ready(t, b)
		for range 150 {
			p := rng.IntN(testPartitions)
			var asks []Ask
			var undone []Release
			for range 1 + rng.IntN(40) {
				ask := randomAsk(rng, p)
				if rng.IntN(4) == 0 {
					undone = append(undone, undo(ask))
				} else {
					asks = append(asks, ask)
				}
			}
			x, y := answers(t, a[p], asks...), answers(t, b[p], asks...)
			for i := range x {
				if x[i] != y[i] {
					t.Fatalf("ask %+v: got %+v, the model says %+v", asks[i], x[i], y[i])
				}
			}
			a[p].Release(undone)
			b[p].Release(undone)
			for _, g := range []*Gate{there, model} {
				if err := g.Flush(timeout(t)); err != nil {
					t.Fatal(err)
				}
			}
			if x, y := there.Stats().Released, model.Stats().Released; x != y {
				t.Fatalf("released %d, the model %d", x, y)
			}
		}
	})
}

func randomAsk(rng *rand.Rand, p int) Ask {
	n := 1 + rng.Int64N(300)
	a := Ask{
		Want: Want(1 + rng.IntN(3)), Campaign: 1 + rng.Int64N(2), User: 1 + rng.Int64N(40), Chain: int64(p + 100),
		Offset: n, Event: event(n), EventTimeMS: testNow + rng.Int64N(3)*hourMS,
	}
	if rng.IntN(10) == 0 {
		a.Want |= WantShare
		for range rng.IntN(4) {
			a.Known = append(a.Known, event(1+rng.Int64N(300)))
		}
	}
	return a
}

// randomState knows some claims with their events and some without, a few of another chain's user.
func randomState(rng *rand.Rand, p int64) *state {
	s := &state{}
	for user := p*10 + 1; user < p*10+6; user++ {
		c := Claim{Campaign: 1, User: user, Chain: p + 100}
		if rng.IntN(2) == 0 {
			c.Offset = 1 + rng.Int64N(300)
			c.Event = event(c.Offset)
		}
		s.claims = append(s.claims, c)
	}
	return s
}
