package projections

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"

	"hongbao/internal/mutant"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// The coupons handed out here belong to the state: read them, and not across a Fold. Callbacks
// must not fold; collect ids first. An error of a callback is returned.

// errEnough ends a scan early.
var errEnough = errors.New("enough")

// Coupon is a coupon with its voucher, ok if it exists.
func (s *State) Coupon(id schemas.CouponID) (k *Coupon, ok bool, err error) {
	k, err = s.coupon(id)
	return k, k != nil, err
}

// Open is the number of coupons PENDING, VALIDATING and ISSUING, which open_max bounds.
func (s *State) Open() int { return s.openCoupons }

// EachIssuing goes through the coupons in ISSUING by id: a new owner must ask for them again (X11).
func (s *State) EachIssuing(fn func(*Coupon) error) error {
	for _, id := range s.liveIDs(func(v *liveCoupon) bool { return v.State == pb.CouponState_COUPON_STATE_ISSUING }) {
		if err := fn(s.live[id].Coupon); err != nil {
			return err
		}
	}
	return nil
}

// DueFrom is a time before which EachDue finds nothing, for timers; MaxInt64 if nothing waits.
func (s *State) DueFrom() int64 { return s.dueFromMS }

// EachDue goes through at most limit coupons RETRYING with a due time of nowMS or earlier, the
// earliest first.
func (s *State) EachDue(nowMS int64, limit int, fn func(*Coupon) error) error {
	if nowMS < s.dueFromMS {
		return nil
	}
	next, err := s.eachTimed(SpaceDue, nowMS, limit, (*Coupon).due, fn)
	if err == nil {
		s.dueFromMS = next
	}
	return err
}

// EachExpiring goes through at most limit ISSUED vouchers whose validity ended by nowMS, the
// earliest first.
func (s *State) EachExpiring(nowMS int64, limit int, fn func(*Coupon) error) error {
	if mutant.On(mutant.ExpiryByEvent) {
		nowMS = s.watermarkMS
	}
	_, err := s.eachTimed(SpaceExpiry, nowMS, limit, (*Coupon).expires, fn)
	return err
}

// eachTimed merges the coupons in memory with the store's index. next is the earliest time that
// is left to come, or was not handed out.
func (s *State) eachTimed(space Space, nowMS int64, limit int, at func(*Coupon) int64, fn func(*Coupon) error) (next int64, err error) {
	next = math.MaxInt64
	var found []string
	for id, v := range s.live {
		if t := at(v.Coupon); t != 0 && t <= nowMS {
			found = append(found, string(timeKey(t, id)))
		} else if t != 0 {
			next = min(next, t)
		}
	}
	stored := 0
	err = s.store.Scan(space, nil, func(key, _ []byte) error {
		id, err := idOf(key, 8)
		if err != nil {
			return fmt.Errorf("%w: key %x of space %#x", err, key, byte(space))
		}
		if s.live[id] != nil {
			return nil
		}
		if timeOf(key) > nowMS || stored == limit {
			next = min(next, timeOf(key))
			return errEnough
		}
		stored++
		found = append(found, string(key))
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return 0, err
	}
	slices.Sort(found)
	for i, k := range found {
		if i == limit {
			next = min(next, timeOf([]byte(k)))
			break
		}
		if err := s.visit([]byte(k), 8, fn); err != nil {
			return 0, err
		}
	}
	if len(found) > 0 {
		next = min(next, timeOf([]byte(found[0]))) // handed out, not yet moved
	}
	return next, nil
}

// OrderCoupons goes through the coupons of an order by id.
func (s *State) OrderCoupons(campaign int64, orderID string, fn func(*Coupon) error) error {
	order := orderKeyOf(campaign, []byte(orderID))
	var found []string
	for id, v := range s.live {
		if v.fresh && v.Campaign == campaign && v.OrderID == orderID {
			found = append(found, string(id[:]))
		}
	}
	err := s.store.Scan(SpaceOrderCoupons, order[:], func(key, _ []byte) error {
		found = append(found, string(key[len(order):]))
		return nil
	})
	if err != nil {
		return err
	}
	slices.Sort(found)
	for _, id := range found {
		if err := s.visit([]byte(id), 0, fn); err != nil {
			return err
		}
	}
	return nil
}

// EachCoupon goes through all coupons by id, however many there are.
func (s *State) EachCoupon(fn func(*Coupon) error) error {
	ids := s.liveIDs(func(*liveCoupon) bool { return true })
	take := func(until []byte) error { // those in memory that come before
		for len(ids) > 0 && (until == nil || bytes.Compare(ids[0][:], until) < 0) {
			if err := fn(s.live[ids[0]].Coupon); err != nil {
				return err
			}
			ids = ids[1:]
		}
		return nil
	}
	err := s.store.Scan(SpaceCoupons, nil, func(key, value []byte) error {
		id, err := idOf(key, 0)
		if err == nil {
			err = take(key)
		}
		if err != nil || s.live[id] != nil {
			return err
		}
		k := &Coupon{ID: id}
		if err := k.readFrom(value); err != nil {
			return err
		}
		return fn(k)
	})
	if err == nil {
		err = take(nil)
	}
	return err
}

func (s *State) visit(key []byte, front int, fn func(*Coupon) error) error {
	id, err := idOf(key, front)
	if err != nil {
		return err
	}
	k, err := s.coupon(id)
	if err != nil || k == nil {
		return orElse(err, "%w: index key %x without a coupon", errRecord, key)
	}
	return fn(k)
}
