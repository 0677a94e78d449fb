package admission

import (
	"context"
	"testing"
	"time"
)

// Asking costs no allocation in the gate itself, whatever the asks.
func TestAdmitAllocatesNothing(t *testing.T) { //nolint:paralleltest // it counts the process's allocations
	g, err := New(Config{Memory: NewOpen(), Prefix: "hongbao", Partitions: 1, Poll: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	start(t, g)
	os := ownAll(g)
	ready(t, os)
	want(t, admit(t, os[0], join(1, 10, 1), join(1, 11, 2), seed(1, 3)), "y- y- yy")
	asks, as := mixedAsks(200), make([]Answer, 200)
	ctx := timeout(t)
	allocs := testing.AllocsPerRun(100, func() {
		if err := os[0].Admit(ctx, asks, as); err != nil {
			t.Error(err)
		}
	})
	if allocs >= 1 {
		t.Errorf("%v allocations per call of 200 asks, want none", allocs)
	}
}

func mixedAsks(n int) []Ask {
	asks := make([]Ask, n)
	for i := range asks {
		asks[i] = join(int64(i)<<30+1, 7, int64(i))
		switch i % 3 {
		case 0:
			asks[i].Want = WantShare
		case 1:
			asks[i].Want = WantShare | WantClaim
		}
	}
	return asks
}

// BenchmarkGate is the gate without a Redis, per ask.
func BenchmarkGate(b *testing.B) {
	cfg := Config{Memory: NewOpen(), Prefix: "hongbao", Partitions: 1}
	g, err := New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	o := runBench(b, g)
	benchAdmit(b, o, 500)
}

// runBench runs g and rebuilds its only partition.
func runBench(b *testing.B, g *Gate) *Owner {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	b.Cleanup(func() { cancel(); <-done })
	o := g.Own(0, &state{})
	if err := o.Admit(ctx, []Ask{join(1, 1, 1)}, make([]Answer, 1)); err != nil {
		b.Fatal(err)
	}
	return o
}

// benchAdmit claims fresh users in calls of n asks; b.N counts asks.
func benchAdmit(b *testing.B, o *Owner, n int) {
	asks, as := make([]Ask, n), make([]Answer, n)
	user := uint64(1)
	ctx := context.Background()
	b.ReportAllocs()
	b.ResetTimer()
	for done := 0; done < b.N; done += n {
		for i := range asks {
			user++
			asks[i] = join(int64(user*0x9e3779b97f4a7c15>>1), 7, int64(user))
		}
		if err := o.Admit(ctx, asks, as); err != nil {
			b.Fatal(err)
		}
	}
}
