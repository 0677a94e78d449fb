//go:build synctests

package sim

import (
	"slices"
	"time"

	"hongbao/internal/topiclog"
)

// expected is what the faults of a seed allow that would else be a violation. While faults are made only they look at it, but at excuses, which anybody may.
type expected struct {
	excuses    excuses                // stops that are none
	stops      [partitions]bool       // the partition may stop: nobody waits for it
	must       [partitions]string     // the rule by which it has to be stopped at the end
	cause      [partitions]string     // the fault for which it must, until it has
	last       [partitions]*lastWords // of what must stop
	unread     [partitions]bool       // the broker lost facts that the subscriber had not read: nothing is left to judge them by
	issuerLost bool                   // the issuer forgot what it had done
}

// lastWords is what a partition had committed when the fault hit that must stop it. Nothing may follow but, by X5f, what was decided by then and
// waited in the outbox: the partition's own state is good.
type lastWords struct {
	commit topiclog.Commit
	tail   time.Time // when the fault hit, where a tail may follow
}

// may allows partition p to stop by rule.
func (e *expected) may(p int, rule string) {
	e.stops[p] = true
	e.excuses.give(int32(p), rule)
}

// has expects partition p to stop by rule, for a fault that counts when it has.
func (e *expected) has(p int, rule, cause string) {
	e.may(p, rule)
	e.must[p], e.cause[p] = rule, cause
}

// mended expects partition p to go on.
func (e *expected) mended(p int) {
	e.stops[p], e.must[p] = false, ""
	e.excuses.lift(int32(p))
}

// halts expects partition p to stop by rule for good.
func (e *expected) halts(p int, rule, cause string, c topiclog.Commit) {
	e.has(p, rule, cause)
	e.last[p] = &lastWords{commit: c}
	if rule == "X5f" {
		e.last[p].tail = time.Now()
	}
}

func (e *expected) factsUnread() bool { return slices.Contains(e.unread[:], true) }

func (e *expected) anyStop() bool {
	return slices.Contains(e.stops[:], true)
}
