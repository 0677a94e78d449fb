package admission

import "testing"

// One user is in one chain per campaign, and the same event always gets the first answer.
func TestClaim(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, at site) {
		os := ownAll(newGate(t, at, nil))
		ready(t, os)
		want(t, admit(t, os[0], join(7, 70, 1)), "y-")
		want(t, admit(t, os[0], join(7, 70, 1)), "y-") // asked again
		as := answers(t, os[1], join(7, 71, 1))
		if as[0] != (Answer{Claim: No, Holder: Holder{Chain: 70, Partition: 0, Offset: 1, Event: stored(1)}}) {
			t.Errorf("another chain got %+v", as[0])
		}
		want(t, admit(t, os[0], join(7, 70, 2)), "n-") // another event of the same chain
		resent := join(7, 70, 1)
		resent.Offset = 9
		want(t, admit(t, os[0], resent), "n-") // the same event at another offset is another claim
		other := join(7, 71, 5)
		other.Campaign = 2
		want(t, admit(t, os[1], other), "y-")
		want(t, admit(t, os[2], join(1<<62+7, 1<<62, 1<<40)), "y-")
		as = answers(t, os[3], join(1<<62+7, 3, 1))
		if h := as[0].Holder; h.Chain != 1<<62 || h.Offset != 1<<40 || h.Partition != 2 {
			t.Errorf("the holder of a large id is %+v", h)
		}
	})
}

// Asks of one batch are judged in the order in which they were asked, also where the fast path
// takes some of them.
func TestOrderWithinBatch(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, at site) {
		os := ownAll(newGate(t, at, nil))
		ready(t, os)
		want(t, admit(t, os[0], join(1, 10, 1), join(1, 11, 2), join(2, 10, 3), join(1, 10, 1)), "y- n- y- y-")
		// The seed's own share comes before a join that wants the same user.
		want(t, admit(t, os[0], seed(3, 4), join(3, 10, 5)), "yy n-")
		want(t, admit(t, os[0], join(4, 10, 6), seed(4, 7)), "y- ny")
		// Some taken, some free, over several runs of the fast path.
		var asks []Ask
		wanted := ""
		for n := range int64(1200) {
			user, verdict := 1000+n, " y-"
			if n%400 == 7 {
				user, verdict = 1, " n-"
			}
			asks = append(asks, join(user, 20, 1000+n))
			wanted += verdict
		}
		want(t, admit(t, os[1], asks...), wanted[1:])
	})
}

// A call larger than a batch is cut, and stays in order.
func TestSmallBatches(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, at site) {
		os := ownAll(newGate(t, at, func(c *Config) { c.BatchMax = 3 }))
		ready(t, os)
		want(t, admit(t, os[0], join(1, 10, 1), join(2, 10, 2), join(3, 10, 3), join(1, 11, 4), link(5, 5),
			link(5, 6), link(5, 7), link(5, 8), link(5, 9), link(5, 10), join(4, 10, 11)),
			"y- y- y- n- -y -y -y -y -y -n y-")
	})
}

func TestRelease(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, at site) {
		g := newGate(t, at, nil)
		os := ownAll(g)
		ready(t, os)
		flush := func(n int64) {
			t.Helper()
			if err := g.Flush(timeout(t)); err != nil {
				t.Fatal(err)
			}
			if s := g.Stats(); s.Released != n || s.Dropped != 0 {
				t.Errorf("released %d and dropped %d, want %d and 0", s.Released, s.Dropped, n)
			}
		}
		want(t, admit(t, os[0], join(1, 10, 1), link(2, 2), link(2, 3), seed(9, 4)), "y- -y -y yy")
		// Another event's, another offset's and another partition's releases do nothing.
		moved := undo(join(1, 10, 1))
		moved.Offset = 2
		os[0].Release([]Release{undo(join(1, 10, 5)), moved, undo(link(2, 5))})
		os[1].Release([]Release{undo(join(1, 10, 1))})
		flush(0)
		want(t, admit(t, os[1], join(1, 11, 1)), "n-")
		// The event's own does, once.
		os[0].Release([]Release{undo(join(1, 10, 1)), undo(link(2, 2)), undo(seed(9, 4)), undo(link(77, 1))})
		os[0].Release([]Release{undo(join(1, 10, 1))})
		flush(4)
		want(t, admit(t, os[1], join(1, 11, 1), join(9, 11, 2)), "y- y-")
		want(t, admit(t, os[0], link(2, 10), link(2, 11), link(2, 12), link(2, 13), link(2, 14), link(2, 3)), "-y -y -y -y -n -y")
		// A release that comes late takes nothing from the next holder.
		os[0].Release([]Release{undo(join(1, 10, 1))})
		flush(4)
		want(t, admit(t, os[2], join(1, 12, 1)), "n-")
	})
}
