package projections

import (
	"fmt"

	"hongbao/schemas"
)

// Fold applies a fact: the one function for live facts, restore and replay, and the one place that
// changes state (P1). All comes from the fact; of a decoded one nothing is kept that aliases it.
// An error means that the fact contradicts the state, or that the store cannot be read: the state
// is not to be used any more, and the partition must stop.
func (s *State) Fold(f *schemas.Fact) error {
	if s.err != nil {
		return s.err
	}
	err := s.fold(f)
	if err == nil {
		err = s.err
	}
	if err != nil {
		err = fmt.Errorf("fold fact %d: %w", f.Seq, err)
		s.fail(err)
		return err
	}
	s.seq = f.Seq
	return nil
}

func (s *State) fold(f *schemas.Fact) error {
	if f.Seq != s.seq+1 {
		return fmt.Errorf("the next fact is %d (X8)", s.seq+1)
	}
	switch f.Kind {
	case schemas.FactAccepted, schemas.FactRefused, schemas.FactDuplicate:
		return s.foldVerdict(f)
	case schemas.FactStepEnded:
		return s.foldStep(&f.Step)
	}
	if f.Rare == nil {
		return fmt.Errorf("fact of kind %d without a body", f.Kind)
	}
	switch f.Kind {
	case schemas.FactCampaignActivated:
		return s.foldActivated(f.Seq, f.Rare.GetCampaignActivated())
	case schemas.FactCampaignChanged:
		return s.foldChanged(f.Rare.GetCampaignChanged().GetChange())
	case schemas.FactCouponMoved:
		return s.foldCoupon(f.Rare.GetCouponMoved())
	case schemas.FactVoucherMoved:
		return s.foldVoucher(f.Rare.GetVoucherMoved())
	case schemas.FactReviewDecided:
		return s.foldReview(f.Rare.GetReviewDecided())
	}
	return fmt.Errorf("fact of kind %d: there is no such kind", f.Kind)
}

func (s *State) foldVerdict(f *schemas.Fact) error {
	v := &f.Verdict
	c := s.campaign(v.Campaign)
	if c == nil {
		return fmt.Errorf("verdict on an event of campaign %d, which is not active here", v.Campaign)
	}
	c.changed = true
	switch f.Kind {
	case schemas.FactRefused:
		return c.Stats.refused(v.Reason)
	case schemas.FactDuplicate:
		c.Stats.Duplicates++
		return nil
	}
	s.watermark(v.TimeMS)
	if err := s.foldAccepted(c, f); err != nil {
		return err
	}
	c.Stats.Accepted[v.Event]++
	c.Stats.Rewards += int64(len(v.Rewards))
	return nil
}

func (s *State) foldAccepted(c *campaign, f *schemas.Fact) error {
	switch f.Verdict.Event {
	case schemas.EventShare:
		return s.foldShare(c, f)
	case schemas.EventJoin:
		return s.foldJoin(c, f)
	case schemas.EventPurchase:
		return s.foldPurchase(c, f)
	case schemas.EventReversal:
		return s.foldReversal(c, f)
	}
	return fmt.Errorf("accepted event of kind %d: there is no such kind", f.Verdict.Event)
}

// watermark is the highest accepted event time of the partition (domain.md section 3).
func (s *State) watermark(timeMS int64) {
	if timeMS > s.watermarkMS {
		s.watermarkMS = timeMS
		s.today = dayOf(timeMS)
	}
}

// Watermark raises the watermark to the time of an accepted event that this state does not fold: one of a campaign that it is not
// given, where it judges again what another state of the same partition judged.
func (s *State) Watermark(timeMS int64) { s.watermark(timeMS) }

// foldStep sets the worker clock, which never goes back.
func (s *State) foldStep(step *schemas.StepEnded) error {
	if step.WorkerClockMS < s.clockMS {
		return fmt.Errorf("the worker clock goes back from %d to %d", s.clockMS, step.WorkerClockMS)
	}
	s.clockMS = step.WorkerClockMS
	return nil
}
