package processor

import (
	"errors"

	"hongbao/internal/admission"
	"hongbao/projections"
)

var errLeaseOld = errors.New("the lease was not confirmed lately, so this instance does not speak for the partition (X7)")

// claimSource is what a partition's state tells Redis when Redis has forgotten (X10).
type claimSource struct{ p *partition }

// Claims yields every member of the graph, cold ones included.
func (s claimSource) Claims(yield func(admission.Claim) error) error {
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
