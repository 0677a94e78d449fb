//go:build synctests

package sim

// expected is what the faults of a seed allow that would else be a violation.
type expected struct {
	stops      [partitions]bool   // the partition may stop, and if it goes on nothing may be wrong
	must       [partitions]string // the rule by which it has to be stopped at the end
	factsLost  bool               // of a partition that stops
	redisLost  bool               // Redis lost writes that it had acknowledged
	issuerLost bool               // the issuer did
}

func (e *expected) excuses(p int) bool { return e.stops[p] }

func (e *expected) anyStop() bool {
	for _, s := range e.stops {
		if s {
			return true
		}
	}
	return false
}
