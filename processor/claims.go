package processor

import (
	"hongbao/internal/admission"
	"hongbao/projections"
)

// claimSource is what a partition's state tells Redis when Redis has forgotten (X10).
type claimSource struct{ p *partition }

// Claims yields every member of the graph, cold ones included.
func (s claimSource) Claims(yield func(admission.Claim) error) error {
	return s.p.state.EachClaim(func(c projections.Claim) error {
		return yield(admission.Claim{Campaign: c.Campaign, User: c.User, Chain: c.Chain})
	})
}

// Shares yields the accepted shares since an event time.
func (s claimSource) Shares(sinceMS int64, yield func(admission.Share) error) error {
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
