//go:build synctests

package sim

import (
	"time"

	"hongbao/schemas"
)

// timeOut gives the broker the time to end what a process left open that stopped while a lane of it was closing its client: a
// transaction of offsets alone, refused, which nobody would have ended before its time-out (8 s).
func (s *sim) timeOut() {
	for range 20 {
		if len(s.ongoing()) == 0 {
			return
		}
		s.pause(500 * time.Millisecond)
	}
}

// checkRest is I8: no transaction is open, nothing is unstable.
func (s *sim) checkRest(l *logs) {
	if open := s.ongoing(); len(open) > 0 {
		s.fail("I8", "transactions are still open: %v", open)
	}
	if l.open > 0 {
		s.fail("I8", "%d records belong to transactions without an end", l.open)
	}
	for t := range schemas.Topics {
		for p := range partitions {
			if l.stable[t][p] != l.ends[t][p] {
				s.fail("I8", "%s[%d] ends at offset %d, its last stable offset is %d", t, p, l.ends[t][p], l.stable[t][p])
			}
		}
	}
}

// checkReasons is I8 for what has stopped, before anybody restarts it: only a refused record stops a partition that can go on (X6).
func (s *sim) checkReasons() {
	for _, i := range s.fleet {
		if !i.running() {
			continue
		}
		for _, stop := range i.life.x.Status().Stopped {
			if !s.expected.stops[stop.Partition] && (stop.Rule != "X6" || s.result.Hits["code Produce MESSAGE_TOO_LARGE"]+s.result.Hits["record refused"] == 0) {
				s.fail("I8", "partition %d of %s has stopped for nothing: %v", stop.Partition, i.name, stop)
			}
		}
	}
}
