package processor_test

import "testing"

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
