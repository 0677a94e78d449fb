package processor_test

import (
	"context"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"hongbao/internal/cascade"
	"hongbao/internal/verify"
)

// checkCounts compares a report with what the generator knows a correct answer to be (cascade K5).
func checkCounts(t *testing.T, r *verify.Report, want *cascade.Counts) {
	t.Helper()
	if r.JoinsAccepted != want.Joins || r.SharesAccepted != want.Shares || r.Dead != want.Dead.Total() {
		t.Errorf("joins %d, shares %d, dead %d; the generator made %d, %d, %d",
			r.JoinsAccepted, r.SharesAccepted, r.Dead, want.Joins, want.Shares, want.Dead.Total())
	}
	if n := r.Coupons["COMPLETED"] + r.Coupons["FAILED"]; n != want.Coupons {
		t.Errorf("%d coupons ended, %d granted", n, want.Coupons)
	}
}

// chunks are the records of a stream in n parts, to be sent one after the other.
func chunks(s *cascade.Synthetic, n int) []iter.Seq[*cascade.Record] {
	var all []*cascade.Record
	for r := range s.Records() {
		own := *r
		own.Headers = slices.Clone(r.Headers)
		all = append(all, &own)
	}
	var parts []iter.Seq[*cascade.Record]
	for part := range slices.Chunk(all, len(all)/n+1) {
		parts = append(parts, slices.Values(part))
	}
	return parts
}

// TestTwoInstances: two share the partitions; one ends and the other goes on with all; it returns and has its
// share again (X7).
func TestTwoInstances(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b := f.start("a"), f.start("b")
	f.await("each to work on half", func() bool {
		return len(a.x.Status().Working) == 8 && len(b.x.Status().Working) == 8
	})
	stream := demoStream(t, 2)
	parts := chunks(stream, 3)
	f.send(parts[0])
	f.end("a") // with lag: what it has folded it publishes first
	f.send(parts[1])
	f.working(testPartitions, b)
	a = f.start("a")
	f.send(parts[2])
	f.await("the one that returned to work again", func() bool { return len(a.x.Status().Working) == 8 })
	checkCounts(t, f.mustVerify(), stream.Counts())
}

// heldRestore is a logger of one whose restores end only when it is let go.
type heldRestore struct {
	slog.Handler
	held chan struct{}
	free chan struct{}
}

// Enabled is part of slog.Handler: also where nobody reads the log.
func (h *heldRestore) Enabled(context.Context, slog.Level) bool { return true }

// Handle is part of slog.Handler.
func (h *heldRestore) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "partition restored from facts" {
		h.held <- struct{}{}
		<-h.free
	}
	return h.Handler.Handle(ctx, r)
}

// TestBackDuringTakeover: a partition goes to another instance and comes back while its takeover still folds. What the other one has
// committed is looked at: the takeover that began before knows nothing of it, and is over (X5, X7).
func TestBackDuringTakeover(t *testing.T) {
	t.Parallel()
	f := newFleet(t, partitions(2))
	d := f.feed()
	share := func(p int32, n int) { d.put(d.share(1, f.chainIn(p, n), f.chainIn(p, n))) }
	f.working(2, f.start("before"))
	share(0, 1)
	share(1, 1)
	f.mustVerify()
	f.end("before")

	h := &heldRestore{Handler: testLogger(t).Handler(), held: make(chan struct{}, 9), free: make(chan struct{})}
	free := sync.OnceFunc(func() { close(h.free) })
	t.Cleanup(free) // or a test that fails would wait for it
	cfg := f.config("slow", f.dir("slow"))
	cfg.Logger = slog.New(h)
	slow := f.startWith(cfg)
	f.await("both partitions to be restored", func() bool { return len(h.held) == 2 })
	other := f.start("other")
	f.working(1, other)
	moved := other.x.Status().Working[0]
	share(moved, 2)
	f.mustVerify()
	f.end("other")
	f.await("the partition to come back", func() bool { return slow.x.Assigned(moved) })
	share(moved, 3)
	free()
	f.working(2, slow)
	if r := f.mustVerify(); r.SharesAccepted != 4 {
		t.Errorf("%d shares accepted of 4", r.SharesAccepted)
	}
}

// TestKilled: kill -9 three times, while there is lag and coupons are in ISSUING, loses nothing and doubles
// nothing; the instance comes back under its name and moves again (X1 to X8, X11).
func TestKilled(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.rate = 300 // so that coupons wait for the issuer, also where they come slowly
	f.start("b")
	c := f.spawn("a")
	c.until("half of the partitions", func(s childStatus) bool { return len(s.Working) == 8 })
	stream := demoStream(t, 3)
	parts := chunks(stream, 6)
	var seqs int64
	for i := range 3 {
		f.send(parts[2*i])
		s := c.until("coupons at the issuer", func(s childStatus) bool { return s.Issuing > 0 && s.Seqs > seqs })
		c.freeze()
		f.send(parts[2*i+1]) // nobody reads its half: that is lag
		c.kill()
		c = f.spawn("a")
		back := c.until("its partitions back", func(s childStatus) bool { return len(s.Working) == 8 })
		if back.Seqs < s.Seqs {
			t.Errorf("kill %d: committed seqs sum to %d, before it to %d", i, back.Seqs, s.Seqs)
		}
		seqs = back.Seqs
	}
	checkCounts(t, f.mustVerify(), stream.Counts())
	if err := c.end(); err != nil {
		t.Errorf("the child's end: %v", err)
	}
}
