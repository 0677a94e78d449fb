package processor

import (
	"context"
	"time"

	"hongbao/fsm"
	"hongbao/internal/admission"
	"hongbao/internal/crashpoint"
	"hongbao/projections"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// leaseFresh is session timeout - attempt timeout (X11).
const leaseFresh = sessionTimeout - 5*time.Second

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
		if iw.seq > committed || !w.submit(iw.id) {
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

// note remembers a refusing fact that something was granted for.
func (q *releaseQueue) note(f *schemas.Fact) {
	v := &f.Verdict
	if f.Kind != schemas.FactRefused || !v.Claimed && !v.Counted {
		return
	}
	e := schemas.Event{Kind: v.Event, Source: v.Source, ID: v.ID, Campaign: v.Campaign, Chain: v.Chain}
	r := admission.Release{Campaign: v.Campaign, User: v.User, Offset: v.Offset, Event: projections.EventHash(&e), EventTimeMS: v.TimeMS}
	if v.Claimed {
		r.Want |= admission.WantClaim
	}
	if v.Counted {
		r.Want |= admission.WantShare
	}
	q.items, q.seqs = append(q.items, r), append(q.seqs, f.Seq)
}

func (w *worker) giveBack(committed int64) {
	q := &w.undo
	n := 0
	for n < len(q.seqs) && q.seqs[n] <= committed {
		n++
	}
	if n == 0 {
		return
	}
	w.owner.Release(q.items[:n])
	q.items, q.seqs = append(q.items[:0], q.items[n:]...), append(q.seqs[:0], q.seqs[n:]...)
}
