package projections

import (
	"fmt"

	"hongbao/schemas"
)

// judgePurchase: an order counts once in a campaign, for a buyer of the chain.
func (s *State) judgePurchase(c *campaign, e *schemas.Event, r *ruling) {
	if o, ok := s.order(c, e.OrderID); ok {
		r.duplicate(o.Seq)
		return
	}
	if !judgeCampaign(c, e, r) {
		return
	}
	c.person(e.User, &r.user)
	if !r.user.known || r.user.chain != e.Chain {
		r.refuse(reasonUnknownUser)
		return
	}
	r.accept(0)
}

// judgeReversal: an order is reversed once. The campaign's times and switches do not matter: a
// refund after the end still counts.
func (s *State) judgeReversal(c *campaign, e *schemas.Event, r *ruling) {
	var ok bool
	r.order, ok = s.order(c, e.OrderID)
	switch {
	case ok && r.order.ReversedSeq != 0:
		r.duplicate(r.order.ReversedSeq)
	case !ok || r.order.Chain != e.Chain:
		r.refuse(reasonUnknownOrder)
	default:
		r.accept(0)
	}
}

func (s *State) foldPurchase(c *campaign, f *schemas.Fact) error {
	v := &f.Verdict
	if o, ok := s.order(c, v.OrderID); ok {
		return fmt.Errorf("order %q of campaign %d was accepted by fact %d already", v.OrderID, c.id, o.Seq)
	}
	ord := c.find(v.User)
	if ord == 0 {
		return fmt.Errorf("purchase of user %d, whom campaign %d does not know", v.User, c.id)
	}
	c.members.touch(ord >> memberShift)
	s.orders[orderKeyOf(c.id, v.OrderID)] = Order{Seq: f.Seq, Chain: v.Chain, Buyer: v.User, Granted: int32(len(v.Rewards))} //nolint:gosec // rules are few
	return nil
}

func (s *State) foldReversal(c *campaign, f *schemas.Fact) error {
	v := &f.Verdict
	o, ok := s.order(c, v.OrderID)
	if !ok || o.ReversedSeq != 0 {
		return fmt.Errorf("reversal of order %q of campaign %d, which is %+v", v.OrderID, c.id, o)
	}
	o.ReversedSeq = f.Seq
	s.orders[orderKeyOf(c.id, v.OrderID)] = o
	return s.markReversed(c.id, v.OrderID)
}
