package cascade

import "testing"

// TestDemo: over many seeds at most 8,000 coupons, one reversal, everything that can go wrong,
// and Counts as the referee has them.
func TestDemo(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		s, err := Demo(seed, testConfig())
		if err != nil {
			t.Fatal(err)
		}
		j := newReferee(t, testConfig())
		for rec := range s.Records() {
			j.judge(rec)
		}
		k := s.Counts()
		compareCounts(t, k, &j.counts)
		if k.Coupons > 8000 || k.Coupons < 6500 || k.Reversals != 1 || k.Duplicates == 0 || k.Purchases < 100 {
			t.Errorf("seed %d: %d coupons, %d reversals, %d duplicates, %d purchases", seed, k.Coupons, k.Reversals, k.Duplicates, k.Purchases)
		}
		for _, kind := range defaultBadKinds() {
			if k.Refused[kind.Reason()] == 0 && k.Dead[kind.Reason()] == 0 {
				t.Errorf("seed %d: nothing of kind %d (%s)", seed, kind, kind.Reason())
			}
		}
		if len(k.Depth) < 7 {
			t.Errorf("seed %d: the deepest join is at depth %d", seed, len(k.Depth)-1)
		}
	}
}

// TestAllocations: chunks, and rungs while chains grow; nothing per record.
func TestAllocations(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts those of all goroutines
	s := testSynthetic(t, func(c *SyntheticConfig) { c.Events, c.Chains, c.Giant, c.Trace = 200_000, 500, 0.2, true })
	perRun := testing.AllocsPerRun(1, func() {
		for range s.Records() {
		}
	})
	if per := perRun / 200_000; per > 0.02 {
		t.Errorf("%.4f allocations a record, want at most 0.02", per)
	}
}
