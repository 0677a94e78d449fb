package processor_test

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// TestStatusWaitsForNobody: whoever looks at an instance restarts nothing and waits for no lane, also where the group has taken it in
// under a new member id (X7): the lane that must start again is then the one that asks for the partitions that have stopped.
func TestStatusWaitsForNobody(t *testing.T) {
	t.Parallel()
	f := newFleet(t, partitions(2))
	x := f.start("a").x
	f.await("both partitions to work", func() bool { return len(x.Status().Working) == 2 })
	if s := x.StatusBehindLanes(); len(s.Owned) != 2 || len(s.Working) != 2 {
		t.Errorf("owned %v, working %v", s.Owned, s.Working)
	}
	d := f.feed()
	chain := f.chainIn(0, 0)
	d.put(d.share(1, chain, chain), d.join(1, chain, chain, 50))
	f.mustVerify() // the next lease renews the lanes, and all goes on
}

// TestClockAhead: a machine whose clock was an hour ahead leaves the clock of its facts there, and the next owner's metric says so.
func TestClockAhead(t *testing.T) {
	t.Parallel()
	f := newFleet(t, partitions(1))
	d := f.feed()
	cfg := f.config("a", f.dir("a"))
	cfg.Now = func() time.Time { return time.Now().Add(time.Hour) }
	f.working(1, f.startWith(cfg))
	d.put(d.share(1, f.chainIn(0, 0), f.chainIn(0, 0)))
	f.mustVerify()
	f.end("a")

	reg := prometheus.NewRegistry()
	cfg = f.config("a", f.dir("a"))
	cfg.Metrics = reg
	f.working(1, f.startWith(cfg))
	if s := gauges(t, reg, "hongbao_clock_ahead_seconds"); s < 3000 || s > 3600 {
		t.Errorf("the clock of the facts is %.0f s ahead, want an hour less what the test took", s)
	}
}
