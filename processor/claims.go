package processor

import (
	"errors"

	"hongbao/internal/admission"
	"hongbao/internal/mutant"
	"hongbao/projections"
	"hongbao/schemas"
)

var errLeaseOld = errors.New("the lease was not confirmed lately, so this instance does not speak for the partition (X7)")

// claimSource is what a partition's state tells Redis when Redis has forgotten (X10).
type claimSource struct{ p *partition }

// Claims yields every member of the graph, cold ones included.
func (s claimSource) Claims(yield func(admission.Claim) error) error {
	if mutant.On(mutant.NotRebuilt) {
		return nil
	}
	return s.p.state.EachClaim(func(c projections.Claim) error {
		return yield(admission.Claim{Campaign: c.Campaign, User: c.User, Chain: c.Chain})
	})
}

// Shares yields the accepted shares since an event time. It is the last that the gate asks before it marks the
// partition as rebuilt, which only its rightful owner may: a zombie lacks the newest facts (X7).
func (s claimSource) Shares(sinceMS int64, yield func(admission.Share) error) error {
	err := s.shares(sinceMS, yield)
	if err == nil && !s.p.x.member.confirmedWithin(leaseFresh) {
		return errLeaseOld
	}
	return err
}

func (s claimSource) shares(sinceMS int64, yield func(admission.Share) error) error {
	return s.p.state.EachShareSince(sinceMS, func(sh projections.Share) error {
		return yield(admission.Share{User: sh.User, EventTimeMS: sh.TimeMS, Event: sh.Event})
	})
}

// knownShares are the shares that state accepted in an old bucket, which Redis may have let expire.
func (w *worker) knownShares(user, bucket int64) ([]admission.EventID, error) {
	window := w.x.cfg.Gate.Limit().WindowMS
	ids, err := w.state.ShareIDs(user, bucket*window, (bucket+1)*window, nil)
	if err != nil {
		return nil, err
	}
	known := make([]admission.EventID, len(ids))
	for i, id := range ids {
		known[i] = id
	}
	return known, nil
}

// owe remembers what was asked for the events of the batch from i on, which are decided in a later step: by then state may refuse one without asking,
// and what Redis granted before would stay (X10). unknown: there was no answer, and each ask may have been granted.
func (w *worker) owe(i int, unknown bool) {
	b := &w.batch
	for ; i < len(b.ask); i++ {
		k := b.ask[i]
		if k < 0 {
			continue
		}
		want := b.asks[k].Want
		if !unknown && b.answers[k].Claim != admission.Yes {
			want &^= admission.WantClaim
		}
		if !unknown && b.answers[k].Share != admission.Yes {
			want &^= admission.WantShare
		}
		if want == 0 {
			continue
		}
		if w.owed == nil {
			w.owed = map[int64]admission.Want{}
		}
		w.owed[b.events[i].Offset] |= want
	}
}

// payOwed has the fact of a refusal name what was granted in an earlier step. Giving back what the event does not hold does nothing.
func (w *worker) payOwed(v *schemas.Verdict, o projections.Outcome) {
	want := w.owed[v.Offset]
	delete(w.owed, v.Offset)
	if o == projections.Refuse {
		v.Claimed = v.Claimed || want&admission.WantClaim != 0
		v.Counted = v.Counted || want&admission.WantShare != 0
	}
}
