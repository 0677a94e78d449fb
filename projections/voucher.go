package projections

import (
	"fmt"

	pb "hongbao/schemas/invitepb"
)

func (s *State) foldVoucher(m *pb.VoucherMoved) error {
	if m.GetTo() < 1 || m.GetTo() > pb.VoucherState_VOUCHER_STATE_REVOKED {
		return fmt.Errorf("voucher %x moves to state %d: there is no such state", m.GetVoucherId(), m.GetTo())
	}
	k, err := s.movable(m.GetVoucherId(), m.GetTransition())
	if err != nil {
		return err
	}
	if k.Voucher != m.GetFrom() || k.State != pb.CouponState_COUPON_STATE_COMPLETED {
		return fmt.Errorf("voucher %s moves from %s, it is %s and its coupon %s", k.ID, m.GetFrom(), k.Voucher, k.State)
	}
	k.Voucher, k.Transition, k.Reason = m.GetTo(), m.GetTransition(), m.GetReason()
	if m.GetFrom() == pb.VoucherState_VOUCHER_STATE_UNSPECIFIED {
		k.VoucherExpiresMS = m.GetExpiresMs()
	}
	s.couponStats(k).voucherMoved(m.GetFrom(), m.GetTo())
	s.see(m.GetCommandId())
	return nil
}

// foldReview notes who decided; what became of the coupon says the CouponMoved that follows.
func (s *State) foldReview(d *pb.ReviewDecided) error {
	id := d.GetCouponId()
	if len(id) != 16 {
		return fmt.Errorf("review of coupon id %x, which has %d bytes, want 16", id, len(id))
	}
	k, err := s.coupon([16]byte(id))
	if err != nil || k == nil {
		return orElse(err, "review of coupon %x, which does not exist", id)
	}
	s.change(k).Operator = d.GetOperator()
	s.see(d.GetCommandId())
	return nil
}

// markReversed tells the coupons of a reversed order. What becomes of them is for fsm to say.
func (s *State) markReversed(campaign int64, orderID []byte) error {
	var hit []*Coupon
	err := s.OrderCoupons(campaign, string(orderID), func(k *Coupon) error {
		hit = append(hit, k)
		return nil
	})
	for _, k := range hit {
		s.change(k).OrderReversed = true
	}
	return err
}
