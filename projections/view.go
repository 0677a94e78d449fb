package projections

import (
	"errors"
	"fmt"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// View answers queries from a snapshot of the store, never from a worker's memory, so it shows
// the state at the last flush (Seq). It reads what it is asked for and keeps it: make one per
// query. It is not safe for concurrent use.
type View struct{ s *State }

// NewView reads rules and counts.
func NewView(store Store) (*View, error) {
	s := newState(store, Config{ColdDays: 1})
	for _, load := range []func() error{s.openMeta, s.openCampaigns, s.openCounts} {
		if err := load(); err != nil {
			return nil, fmt.Errorf("view of projections: %w", err)
		}
	}
	for _, c := range s.campaigns {
		c.members.absent(memberShift)
		c.inviters.absent(inviterShift)
		c.chains.absent(chainShift)
	}
	return &View{s: s}, nil
}

// Seq is the last fact that the view shows.
func (v *View) Seq() int64 { return v.s.seq }

// Campaign is State.Campaign.
func (v *View) Campaign(id int64) (*CampaignState, bool) { return v.s.Campaign(id) }

// EachCampaign is State.EachCampaign.
func (v *View) EachCampaign(fn func(*CampaignState)) { v.s.EachCampaign(fn) }

// User is State.User. One that is not cold is found by a scan of the campaign's users.
func (v *View) User(campaign, user int64) (u User, ok bool, err error) {
	c, ord, err := v.find(campaign, user)
	if ord == 0 || err != nil {
		return User{}, false, err
	}
	return c.user(ord), true, v.s.err
}

// Chain is State.Chain.
func (v *View) Chain(campaign, seed int64) (t Chain, ok bool, err error) {
	c, ord, err := v.find(campaign, seed)
	if ord == 0 || err != nil {
		return Chain{}, false, err
	}
	t, ok = c.tree(ord)
	return t, ok, v.s.err
}

// EachInviter goes through the users who have shared, by the fact that made them sharers. They are
// all that have descendants.
func (v *View) EachInviter(campaign int64, fn func(User) error) error {
	c := v.s.campaign(campaign)
	if c == nil {
		return nil
	}
	for own := uint32(1); own < c.inviters.next && v.s.err == nil; own++ {
		if u := c.user(c.inviter(own).member); v.s.err == nil {
			if err := fn(u); err != nil {
				return err
			}
		}
	}
	return v.s.err
}

// EachChain goes through the chains of a campaign, by the fact that began them.
func (v *View) EachChain(campaign int64, fn func(Chain) error) error {
	c := v.s.campaign(campaign)
	if c == nil {
		return nil
	}
	for ch := uint32(1); ch < c.chains.next; ch++ {
		t := c.chain(ch).shown()
		if v.s.err != nil {
			break
		}
		if err := fn(t); err != nil {
			return err
		}
	}
	return v.s.err
}

// Coupon is State.Coupon.
func (v *View) Coupon(id schemas.CouponID) (*Coupon, bool, error) { return v.s.Coupon(id) }

// Order is State.Order.
func (v *View) Order(campaign int64, orderID string) (Order, bool, error) {
	return v.s.Order(campaign, orderID)
}

// OrderCoupons is State.OrderCoupons.
func (v *View) OrderCoupons(campaign int64, orderID string, fn func(*Coupon) error) error {
	return v.s.OrderCoupons(campaign, orderID, fn)
}

// EachCoupon is State.EachCoupon.
func (v *View) EachCoupon(fn func(*Coupon) error) error { return v.s.EachCoupon(fn) }

// EachCouponIn goes through the coupons in one of the states PENDING, VALIDATING, ISSUING, HELD
// and DEAD by id, without a look at the others.
func (v *View) EachCouponIn(state pb.CouponState, fn func(*Coupon) error) error {
	return v.s.store.Scan(SpaceCouponStates, []byte{byte(state)}, func(key, _ []byte) error { //nolint:gosec // states are few
		return v.s.visit(key, 1, fn)
	})
}

// find is the ordinal of a user: by the cold key, else by a look at every page.
func (v *View) find(id, user int64) (c *campaign, ord uint32, err error) {
	if c = v.s.campaign(id); c == nil {
		return nil, 0, v.s.err
	}
	if ord = c.findCold(user); ord != 0 || v.s.err != nil {
		return c, ord, v.s.err
	}
	err = c.members.scan(func(pg uint32, _ pageMeta, p *memberPage) (bool, error) {
		p.each(pg, func(at uint32, id int64) {
			if id == user {
				ord = at
			}
		})
		if ord != 0 {
			return false, errEnough
		}
		return false, nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return c, ord, err
}
