//go:build synctests

package sim

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"hongbao/internal/topiclog"
)

// expected is what the faults of a seed allow that would else be a violation.
type expected struct {
	stops      [partitions]bool       // the partition may stop: nobody waits for it
	must       [partitions]string     // the rule by which it has to be stopped at the end
	cause      [partitions]string     // the fault for which it must, until it has
	last       [partitions]*lastWords // of what must stop
	unread     [partitions]bool       // the broker lost facts that the subscriber had not read: nothing is left to judge them by
	refusals   []refusal              // records that the broker refuses for themselves
	issuerLost bool                   // the issuer forgot what it had done
}

// lastWords is what a partition had committed when the fault hit that must stop it. Nothing may follow but, by X5f, what was decided by then and
// waited in the outbox: the partition's own state is good.
type lastWords struct {
	commit topiclog.Commit
	tail   time.Time // when the fault hit, where a tail may follow
}

// refusal is a fault that refuses one record of a partition.
type refusal struct {
	partition int32
	fault     *kfake.FaultHandle
}

// refused says that a record of partition p was.
func (e *expected) refused(p int32) bool {
	return slices.ContainsFunc(e.refusals, func(r refusal) bool { return r.partition == p && r.fault.Hits() > 0 })
}

// halts expects partition p to stop by rule for good, for a fault that counts when it has.
func (e *expected) halts(p int, rule, cause string, c topiclog.Commit) {
	e.stops[p], e.must[p], e.cause[p] = true, rule, cause
	e.last[p] = &lastWords{commit: c}
	if rule == "X5f" {
		e.last[p].tail = time.Now()
	}
}

func (e *expected) factsUnread() bool { return slices.Contains(e.unread[:], true) }

func (e *expected) anyStop() bool {
	return slices.Contains(e.stops[:], true)
}
