package processor_test

import (
	"iter"
	"slices"
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
