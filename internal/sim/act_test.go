//go:build synctests

package sim

import (
	"fmt"
	"time"
)

// inputsMin is how many inputs a seed sends at least: one with fewer is a fault of the simulation.
const inputsMin = 200

// act sends the inputs in bursts while the faults are made.
func (s *sim) act() {
	const bursts = 12
	wait := s.schedule()
	began := time.Now()
	for n := range bursts {
		s.feed.send(s.plan.Events / bursts)
		s.feed.control(n)
		if next := actFor * time.Duration(n+1) / bursts; next > time.Since(began) {
			s.pause(next - time.Since(began))
		}
	}
	wait()
	if n := s.result.Events; n < inputsMin {
		s.fail("the simulation", "%d inputs were sent, at least %d are wanted", n, inputsMin)
	}
	s.heal()
}

// settle waits until nothing is left to be done (I8): a subscriber sees no lag and no coupon on its way, for a while, each partition has one owner, which has
// published what it decided, and no transaction is open. Where a clock was ahead, its timers wait until the time has caught up. What has stopped and can go on is started again, once.
func (s *sim) settle() {
	quiet, mended, restless := 0, false, ""
	const longest = quietMax * 3 / 4
	patience := s.patience()
	for until := time.Now().Add(patience); time.Now().Before(until); {
		s.pause(500 * time.Millisecond)
		s.revive()
		lag, coupons := s.reader.open(&s.expected)
		if quiet++; lag+coupons > 0 {
			quiet = 0
		}
		if (quiet == 3 || time.Until(until) < longest) && !mended {
			mended = true
			if s.mend() {
				quiet = 0
			}
		}
		if quiet >= 3 {
			if restless = s.restless(); restless == "" {
				break
			}
		}
	}
	if quiet < 3 {
		lag, coupons := s.reader.open(&s.expected)
		s.fail("I8", "%v after the faults stopped there is a lag of %d, and %d coupons are on their way or past their validity", patience, lag, coupons)
		restless = s.restless() // which may be why
	}
	if restless != "" {
		s.fail("I8", "%v after the faults stopped %s", patience, restless)
	}
	s.expectStops()
}

// patience is how long rest is waited for.
func (s *sim) patience() time.Duration {
	ahead := int64(0)
	for _, i := range s.fleet {
		ahead = max(ahead, i.clock.ahead.Load())
	}
	return quietMax + time.Duration(ahead)
}

// restless says what is not at rest, beside what a subscriber sees. Asking the broker takes time, in which a member may be given up.
func (s *sim) restless() string {
	if is := s.disowned(); is != "" {
		return is
	}
	switch {
	case !s.reader.caughtUp(&s.expected):
		return "a subscriber has not read to the ends"
	case !s.rests():
		return fmt.Sprintf("a last stable offset is behind its end, or transactions are open: %v", s.ongoing())
	case !s.published():
		return "a partition has steps that are not published"
	}
	return s.disowned()
}

// expectStops holds what has stopped to what had to stop.
func (s *sim) expectStops() {
	var stopped [partitions]string
	for wait := 0; ; wait++ {
		missing := false
		for _, i := range s.fleet {
			if !i.running() {
				continue
			}
			for _, stop := range i.life.x.Status().Stopped {
				stopped[stop.Partition] = stop.Rule
				s.reach("stop " + stop.Rule)
				if !s.expected.excuses.take(nil, stop.Partition, stop.Rule, time.Now()) {
					s.fail("I8", "partition %d of %s has stopped: %v", stop.Partition, i.name, stop)
				}
			}
		}
		for p := range partitions {
			missing = missing || s.expected.must[p] != "" && stopped[p] == ""
		}
		if !missing || wait == 80 {
			break
		}
		s.pause(500 * time.Millisecond)
	}
	for p, rule := range s.expected.must {
		if rule != "" && stopped[p] == rule && s.expected.cause[p] != "" {
			s.hit(s.expected.cause[p])
			s.expected.cause[p] = ""
		}
		if rule != "" && stopped[p] != rule {
			s.fail("I8", "partition %d had to stop by %s; it has %q", p, rule, stopped[p])
		}
	}
}
