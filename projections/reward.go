package projections

import (
	"bytes"

	"hongbao/schemas"
)

// reward appends to v what the rules in force grant for an accepted event (domain.md section 5).
func (s *State) reward(e *schemas.Event, r *ruling, v *schemas.Verdict) {
	switch e.Kind {
	case schemas.EventJoin:
		s.rewardJoin(e, r, v)
	case schemas.EventPurchase:
		s.rewardPurchase(e, r, v)
	}
}

func (s *State) rewardJoin(e *schemas.Event, r *ruling, v *schemas.Verdict) {
	c := r.campaign
	own := r.inviter.own
	direct := int64(c.inviter(own).direct) + 1
	for i := range c.Rules.Rules {
		rule := &c.Rules.Rules[i]
		ordinal := int32(0)
		switch {
		case rule.On == schemas.OnJoin:
			s.trigger = schemas.AppendTriggerJoin(s.trigger[:0], e.User)
		case rule.On == schemas.OnDirectJoins && direct%rule.Every == 0 && (rule.Repeat || direct == rule.Every):
			ordinal = int32(direct / rule.Every) //nolint:gosec // members are fewer than 2^31
			s.trigger = schemas.AppendTriggerDirect(s.trigger[:0], e.Inviter, direct/rule.Every)
		default:
			continue
		}
		switch rule.To {
		case schemas.ToInvitee:
			s.grant(c, rule, e.User, ordinal, v)
		case schemas.ToInviter:
			s.grant(c, rule, e.Inviter, ordinal, v)
		case schemas.ToLevel:
			if ordinal == 0 {
				ordinal = rule.Level
			}
			s.grant(c, rule, c.level(own, rule), ordinal, v)
		}
	}
}

// rewardPurchase: min_minor counts purchases in the coupon's currency only.
func (s *State) rewardPurchase(e *schemas.Event, r *ruling, v *schemas.Verdict) {
	c := r.campaign
	for i := range c.Rules.Rules {
		rule := &c.Rules.Rules[i]
		if rule.On != schemas.OnPurchase || e.AmountMinor < rule.MinMinor || !bytes.Equal(e.Currency, c.Rules.Coupons[rule.Coupon].Currency) {
			continue
		}
		s.trigger = schemas.AppendTriggerOrder(s.trigger[:0], e.OrderID)
		switch rule.To {
		case schemas.ToBuyer:
			s.grant(c, rule, e.User, 0, v)
		case schemas.ToInviter:
			s.grant(c, rule, c.above(c.parentOf(r.user.member), 0), 0, v)
		case schemas.ToLevel:
			s.grant(c, rule, c.level(c.parentOf(r.user.member), rule), rule.Level, v)
		}
	}
}

// level is the ancestor that a level rule pays: level 1 is the inviter, whose record is own.
// Nobody beyond max_depth earns.
func (c *campaign) level(own uint32, rule *schemas.Rule) int64 {
	if rule.Level > c.Rules.MaxDepth {
		return 0
	}
	return c.above(own, rule.Level-1)
}

// grant appends one reward; there is none above the seed.
func (s *State) grant(c *campaign, rule *schemas.Rule, beneficiary int64, ordinal int32, v *schemas.Verdict) {
	if beneficiary == 0 {
		return
	}
	kind := &c.Rules.Coupons[rule.Coupon]
	v.Rewards = append(v.Rewards, schemas.Reward{
		Rule: rule.ID, Beneficiary: beneficiary, Coupon: kind.Name, Ordinal: ordinal,
		ValueMinor: kind.ValueMinor, Currency: kind.Currency, ValidForMS: kind.ValidForMS,
	})
	s.ids.Make(&v.Rewards[len(v.Rewards)-1].CouponID, c.id, rule.ID, beneficiary, s.trigger)
}
