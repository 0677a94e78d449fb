package processor

import (
	"context"
	"time"

	"hongbao/fsm"
	"hongbao/internal/admission"
	"hongbao/internal/crashpoint"
	"hongbao/internal/mutant"
	"hongbao/projections"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// leaseFresh is how old a proof of the lease may be where an attempt begins: the shortest time in which a member that was heard of can lose its
// partitions, less an attempt (X11).
const leaseFresh = min(sessionTimeout, rebalanceTimeout) - attemptTimeout

// attemptTimeout is of one call of the issuer.
const attemptTimeout = 5 * time.Second

// issueQueue holds the coupons in ISSUING that the issuer has not been asked for: each waits until the
// fact that made it ISSUING is committed in Kafka (X11).
type issueQueue struct {
	waiting []issueWait
	out     map[schemas.CouponID]bool // at the pool
}

type issueWait struct {
	id  schemas.CouponID
	seq int64
}

func (q *issueQueue) reset() { q.waiting, q.out = nil, map[schemas.CouponID]bool{} }

func (q *issueQueue) add(id schemas.CouponID, seq int64) {
	q.waiting = append(q.waiting, issueWait{id, seq})
}

func (q *issueQueue) back(id schemas.CouponID) { delete(q.out, id) }

// settleCommitted does what had to wait for a commit: ask the issuer, give back what was refused.
func (w *worker) settleCommitted(ctx context.Context) {
	committed := w.committed.Load()
	n := 0
	for _, iw := range w.issue.waiting {
		if iw.seq > committed && !mutant.On(mutant.IssueEarly) || !w.submit(iw.id) {
			w.issue.waiting[n] = iw
			n++
		}
	}
	w.issue.waiting = w.issue.waiting[:n]
	w.giveBack(committed)
	w.declareStock(ctx, committed)
}

// submit hands one attempt to the issue pool; false: it has no room, or the lease must be proved first.
func (w *worker) submit(id schemas.CouponID) bool {
	if !w.x.member.confirmedWithin(leaseFresh) {
		return false
	}
	c, ok, err := w.state.Coupon(id)
	if err != nil || !ok || c.State != pb.CouponState_COUPON_STATE_ISSUING || w.issue.out[id] {
		return err == nil // it has moved on; an unreadable store shows at the next fold
	}
	task := fsm.Task{
		Request: fsm.Request{
			ID: c.ID, Round: c.Round, Campaign: c.Campaign, Beneficiary: c.Beneficiary,
			Kind: c.Kind, ValueMinor: c.ValueMinor, Currency: c.Currency,
		},
		Partition: w.id, Attempts: c.Attempts, Ticket: w.ticket,
	}
	if !w.x.pool.Submit(task) {
		return false
	}
	crashpoint.Hit("issue.submit.after")
	w.issue.out[id] = true
	return true
}

// ready is X11 at the last moment: the ownership that asked is still in force and its lease fresh. That the
// ISSUING fact is committed was seen before the task was made.
func (x *Processor) ready(t *fsm.Task) bool {
	p := x.running(t.Partition)
	return p != nil && p.ticket.Load() == t.Ticket && x.member.confirmedWithin(leaseFresh)
}

// deliver brings an outcome to its partition, if it is still here.
func (x *Processor) deliver(o fsm.Outcome) {
	if p := x.running(o.Task.Partition); p != nil {
		p.box.answer(o)
	}
}

// releaseQueue holds what Redis granted to events that were refused: given back once the refusing fact is
// committed (X10). It is filled again from the facts that an open or a restore folds: releasing twice does nothing.
type releaseQueue struct {
	items []admission.Release
	seqs  []int64
}

// askedMax is how many events ahead of its position a partition may have asked for (X9), offsets of markers included.
const askedMax = 64 << 10

// releasesAtOnce bounds what a partition has on its way to Redis (X9): a restore may find many.
const releasesAtOnce = 4096

// first is the seq of the oldest refusing fact, 0 without one.
func (q *releaseQueue) first() int64 {
	if len(q.seqs) == 0 {
		return 0
	}
	return q.seqs[0]
}

// note remembers a refusing fact that something was granted for.
func (q *releaseQueue) note(f *schemas.Fact) {
	if v := &f.Verdict; f.Kind == schemas.FactRefused && (v.Claimed || v.Counted) {
		q.add(f, v.Claimed)
	}
}

// add remembers what a refused event is to give back. A claim that it never had stays with its holder: a release names
// partition, offset and event.
func (q *releaseQueue) add(f *schemas.Fact, claim bool) {
	v := &f.Verdict
	e := schemas.Event{Kind: v.Event, Source: v.Source, ID: v.ID, Campaign: v.Campaign, Chain: v.Chain}
	r := admission.Release{Campaign: v.Campaign, User: v.User, Offset: v.Offset, Event: projections.EventHash(&e), EventTimeMS: v.TimeMS}
	if claim {
		r.Want |= admission.WantClaim
	}
	if v.Counted {
		r.Want |= admission.WantShare
	}
	q.items, q.seqs = append(q.items, r), append(q.seqs, f.Seq)
}

// refused remembers what the event of the refusing fact at hand is to give back: what the fact names, and a claim
// that an earlier owner may have asked for and died. State may refuse by now what it would have accepted then, a campaign was
// paused, say, and Redis is not asked again.
func (w *worker) refused(offset int64) {
	v := &w.fact.Verdict
	member := v.Event == schemas.EventJoin || v.Event == schemas.EventShare && v.User == v.Chain
	if asked := offset < w.asked && member; asked || v.Claimed || v.Counted {
		w.undo.add(&w.fact, asked || v.Claimed)
		w.held.CompareAndSwap(0, w.fact.Seq) // before the fact is committed, so before its entry could go
	}
}

// giveBack hands Redis what is to be given back, once the refusing facts are committed. When it has got all of that
// their entries may go: until then the next open would find them.
func (w *worker) giveBack(committed int64) {
	if w.held.Load() == 0 || w.owner.Release(nil) > 0 {
		return
	}
	q := &w.undo
	w.held.Store(q.first())
	w.store.Published(w.unheld(committed))
	n := 0
	for n < min(len(q.seqs), releasesAtOnce) && q.seqs[n] <= committed {
		n++
	}
	if n == 0 {
		return
	}
	if !mutant.On(mutant.ClaimKept) {
		w.owner.Release(q.items[:n])
	}
	q.items, q.seqs = append(q.items[:0], q.items[n:]...), append(q.seqs[:0], q.seqs[n:]...)
}
