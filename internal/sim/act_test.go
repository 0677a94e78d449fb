//go:build synctests

package sim

import "time"

// act sends the inputs in bursts while the faults are made.
func (s *sim) act() {
	const bursts = 12
	for n := range bursts {
		s.feed.send(s.plan.Events / bursts)
		_ = n
		s.pause(actFor / bursts)
	}
}

// settle waits until nothing is left to be done (I8): a subscriber sees no lag and no coupon on its way, twice.
func (s *sim) settle() bool {
	quiet := 0
	for until := time.Now().Add(quietMax); time.Now().Before(until); {
		s.pause(500 * time.Millisecond)
		lag, coupons := s.reader.open()
		if quiet++; lag+coupons > 0 {
			quiet = 0
		}
		if quiet == 3 {
			return true
		}
	}
	lag, coupons := s.reader.open()
	s.fail("I8", "%s after the faults stopped there is a lag of %d and %d coupons are on their way", quietMax, lag, coupons)
	return false
}
