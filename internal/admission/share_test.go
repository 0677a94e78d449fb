package admission

import (
	"testing"
	"time"
)

func TestShareLimit(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, at site) {
		os := ownAll(newGate(t, at, nil))
		ready(t, os)
		// Five an hour over all chains and campaigns, in order of arrival.
		want(t, admit(t, os[0], link(1, 1), link(1, 2), link(1, 3)), "-y -y -y")
		other := link(1, 4)
		other.Campaign = 2
		want(t, admit(t, os[1], other, link(1, 5), link(1, 6)), "-y -y -n")
		want(t, admit(t, os[0], link(1, 7), link(1, 2)), "-n -y") // the second was accepted before
		want(t, admit(t, os[0], link(2, 8)), "-y")
	})
}

// Ten may straddle an hour: the window is fixed.
func TestShareStraddle(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, p site) {
		os := ownAll(newGate(t, p, nil))
		ready(t, os)
		var asks []Ask
		for n := range int64(12) {
			asks = append(asks, atTime(link(1, n+1), testNow+hourMS-1+n/6))
		}
		want(t, admit(t, os[0], asks...), "-y -y -y -y -y -n -y -y -y -y -y -n")
	})
}

// An ask for both is judged share first; a share whose claim is refused uses nothing up.
func TestShareAndClaim(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, at site) {
		os := ownAll(newGate(t, at, nil))
		ready(t, os)
		want(t, admit(t, os[0], join(1, 10, 1)), "y-")
		as := answers(t, os[1], seed(1, 1))
		if as[0].Share != Yes || as[0].Claim != No || as[0].Holder.Chain != 10 {
			t.Errorf("a seed who is claimed got %+v", as[0])
		}
		want(t, admit(t, os[1], link(1, 2), link(1, 3), link(1, 4), link(1, 5), link(1, 6), link(1, 7)), "-y -y -y -y -y -n")
		// The limit is full: the claim is not even asked for.
		full := seed(1, 8)
		full.Campaign = 5
		want(t, admit(t, os[1], full), "-n")
		other := join(1, 11, 9)
		other.Campaign = 5
		want(t, admit(t, os[2], other), "y-")
		want(t, admit(t, os[3], seed(2, 1), seed(2, 1)), "yy yy")
	})
}

// What a refused copy of an event gives back late is not taken from a later copy that was accepted (X10).
func TestLateGiveBack(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, at site) {
		g := newGate(t, at, nil)
		now := time.Now().UnixMilli() // what is rebuilt is recent
		os := ownAll(g, &state{shares: []Share{{User: 2, EventTimeMS: now, Event: event(1)}}})
		ready(t, os)
		giveBack := func(asks ...Ask) {
			t.Helper()
			for _, a := range asks {
				os[0].Release([]Release{undo(a)})
			}
			if err := g.Flush(timeout(t)); err != nil {
				t.Fatal(err)
			}
		}
		first, second := link(1, 1), link(1, 1)
		second.Offset = 9
		want(t, admit(t, os[0], first), "-y")
		want(t, admit(t, os[0], second), "-y") // one place for both
		rebuilt := func(n int64) Ask { return atTime(link(2, n), now) }
		giveBack(first, rebuilt(1)) // the latter was accepted, as a fact says
		want(t, admit(t, os[0], link(1, 2), link(1, 3), link(1, 4), link(1, 5), link(1, 6)), "-y -y -y -y -n")
		want(t, admit(t, os[0], rebuilt(2), rebuilt(3), rebuilt(4), rebuilt(5), rebuilt(6)), "-y -y -y -y -n")
		giveBack(second)
		want(t, admit(t, os[0], link(1, 7), link(1, 8)), "-y -n")
		// The same where the second is asked for beside others, and where it brings what state knows.
		again := link(3, 1)
		again.Offset, again.Known = 9, []EventID{event(1), event(2)}
		want(t, admit(t, os[0], link(3, 1), link(3, 2), again), "-y -y -y")
		giveBack(link(3, 1))
		want(t, admit(t, os[0], link(3, 3), link(3, 4), link(3, 5), link(3, 6)), "-y -y -y -n")
	})
}

// A bucket that Redis may have forgotten is judged with what state knows.
func TestOldBucket(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, p site) {
		os := ownAll(newGate(t, p, nil))
		ready(t, os)
		old := func(n int64, known ...int64) Ask {
			a := atTime(link(1, n), testNow-30*hourMS)
			for _, k := range known {
				a.Known = append(a.Known, event(k))
			}
			return a
		}
		want(t, admit(t, os[0], old(5, 1, 2, 3)), "-y")
		want(t, admit(t, os[0], old(6, 1, 2, 3, 5)), "-y")
		want(t, admit(t, os[0], old(7, 1, 2, 3, 5, 6)), "-n")
		want(t, admit(t, os[0], old(3, 1, 2, 3)), "-y")
		// What another partition knows fills the bucket beyond the limit.
		want(t, admit(t, os[1], old(20, 10, 11), old(6)), "-n -y")
	})
}

// Expiry: 25 h after the first write to the hash, set with it; claims stay.
func TestExpiry(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, p site) {
		src := &state{shares: []Share{{User: 5, EventTimeMS: time.Now().UnixMilli(), Event: event(1)}}}
		g := newGate(t, p, nil)
		os := ownAll(g, src)
		ready(t, os)
		known := link(4, 9)
		known.Known = []EventID{event(8)}
		want(t, admit(t, os[0], join(1, 10, 1), link(2, 2), link(3, 3), link(3, 4), known), "y- -y -y -y -y")
		os[0].Release([]Release{undo(link(3, 3))})
		if err := g.Flush(timeout(t)); err != nil {
			t.Fatal(err)
		}
		share := func(user, ms int64) [2]string {
			return [2]string{string(g.keys.appendShare(nil, user, g.Limit().Bucket(ms))), string(appendField(nil, user))}
		}
		for what, at := range map[string][2]string{
			"first share": share(2, testNow), "second share, one released": share(3, testNow),
			"old bucket": share(4, testNow), "rebuilt": share(5, src.shares[0].EventTimeMS),
		} {
			if d := p.ttl(at[0], at[1]); d != 25*time.Hour {
				t.Errorf("%s: expiry %v, want 25h", what, d)
			}
		}
		if d := p.ttl(string(g.keys.appendClaim(nil, 1, 1)), ""); d != 0 {
			t.Errorf("a claim expires in %v", d)
		}
	})
}

func TestOld(t *testing.T) {
	t.Parallel()
	l := Limit{Count: 5, WindowMS: hourMS}
	now := testNow + 24*hourMS
	for _, c := range []struct {
		event int64
		old   bool
	}{{testNow - 1, true}, {testNow, true}, {testNow + hourMS - 1, true}, {testNow + hourMS, false}, {now, false}} {
		if got := l.Old(c.event, now); got != c.old {
			t.Errorf("an event %d ms ago: old is %v", now-c.event, got)
		}
	}
}
