package projections

import (
	"fmt"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// Coupon is a coupon and its voucher, which share one id. Only fsm knows which moves are legal;
// here the states are what facts say they are (domain.md section 6).
type Coupon struct {
	ID      schemas.CouponID
	State   pb.CouponState
	Voucher pb.VoucherState // UNSPECIFIED until the coupon is COMPLETED

	// From the command that created it.
	Campaign, Chain, Beneficiary int64
	FactSeq                      int64 // of the fact that granted it; 0 of another service's command
	Kind                         string
	Rule                         string
	OrderID                      string
	CommandID                    string
	Trace                        string // traceparent
	ValueMinor                   int64
	Currency                     string
	ValidForMS                   int64
	CreatedMS                    int64 // worker clock

	Transition       int32 // number of the last one, of coupon and voucher together
	Attempts         int32 // in this round
	Round            int32
	DueMS            int64 // of RETRYING: not before
	Reason           schemas.Reason
	FirstError       string
	LastError        string
	VoucherExpiresMS int64
	OrderReversed    bool   // its order was reversed: not to be issued, or revoked once issued
	Operator         string // of the last review
}

// isOpen says that the coupon is on its way through the issuer (Open).
func (k *Coupon) isOpen() bool {
	return k.State == pb.CouponState_COUPON_STATE_PENDING || k.State == pb.CouponState_COUPON_STATE_VALIDATING ||
		k.State == pb.CouponState_COUPON_STATE_ISSUING
}

// awaited is the state under which SpaceCouponStates finds the coupon, 0 for none.
func (k *Coupon) awaited() pb.CouponState {
	if k.isOpen() || k.State == pb.CouponState_COUPON_STATE_HELD || k.State == pb.CouponState_COUPON_STATE_DEAD {
		return k.State
	}
	return 0
}

// due is when a RETRYING coupon is to be asked for again, 0 for never.
func (k *Coupon) due() int64 {
	if k.State != pb.CouponState_COUPON_STATE_RETRYING {
		return 0
	}
	return max(k.DueMS, 1)
}

// expires is when an ISSUED voucher ends, 0 for never.
func (k *Coupon) expires() int64 {
	if k.Voucher != pb.VoucherState_VOUCHER_STATE_ISSUED {
		return 0
	}
	return k.VoucherExpiresMS
}

func (s *State) foldCoupon(m *pb.CouponMoved) error {
	if m.GetTo() < 1 || m.GetTo() > pb.CouponState_COUPON_STATE_DEAD {
		return fmt.Errorf("coupon %x moves to state %d: there is no such state", m.GetCouponId(), m.GetTo())
	}
	if m.GetFrom() == pb.CouponState_COUPON_STATE_UNSPECIFIED {
		return s.createCoupon(m)
	}
	k, err := s.movable(m.GetCouponId(), m.GetTransition())
	if err != nil {
		return err
	}
	if k.State != m.GetFrom() {
		return fmt.Errorf("coupon %s moves from %s, it is %s", k.ID, m.GetFrom(), k.State)
	}
	s.openCoupons -= count(k.isOpen())
	k.State, k.Transition = m.GetTo(), m.GetTransition()
	k.Attempts, k.Round, k.DueMS, k.Reason = m.GetAttempts(), m.GetRound(), m.GetDueMs(), m.GetReason()
	k.FirstError, k.LastError = m.GetFirstError(), m.GetLastError()
	k.OrderReversed = k.OrderReversed || m.GetOrderReversed()
	s.openCoupons += count(k.isOpen())
	s.dueFromMS = min(s.dueFromMS, k.dueOr(s.dueFromMS))
	s.couponStats(k).couponMoved(m.GetFrom(), m.GetTo())
	return nil
}

// createCoupon makes the coupon that a command asked for.
func (s *State) createCoupon(m *pb.CouponMoved) error {
	cmd := m.GetCommand()
	if len(m.GetCouponId()) != len(schemas.CouponID{}) || cmd == nil || m.GetTransition() != 1 {
		return fmt.Errorf("coupon %x is created by transition %d and command %v", m.GetCouponId(), m.GetTransition(), cmd)
	}
	id := schemas.CouponID(m.GetCouponId())
	if old, err := s.coupon(id); err != nil || old != nil {
		return orElse(err, "coupon %s is created twice", id)
	}
	c := s.campaign(cmd.GetCampaign())
	if c == nil {
		return fmt.Errorf("coupon %s of campaign %d, which is not active here", id, cmd.GetCampaign())
	}
	k := &Coupon{
		ID: id, State: m.GetTo(), Campaign: c.id, Chain: cmd.GetChain(), Beneficiary: cmd.GetBeneficiary(),
		FactSeq: cmd.GetFactSeq(), Kind: cmd.GetCoupon(), Rule: cmd.GetRuleId(), OrderID: cmd.GetOrderId(),
		CommandID: cmd.GetCommandId(), Trace: cmd.GetTraceparent(), ValueMinor: cmd.GetValueMinor(),
		Currency: cmd.GetCurrency(), ValidForMS: cmd.GetValidForMs(), CreatedMS: m.GetTimeMs(),
		Transition: 1, Round: m.GetRound(), Attempts: m.GetAttempts(), DueMS: m.GetDueMs(), Reason: m.GetReason(),
	}
	if k.OrderID != "" {
		o, _ := s.order(c, []byte(k.OrderID))
		k.OrderReversed = o.ReversedSeq != 0
	}
	s.live[id] = &liveCoupon{Coupon: k, fresh: true}
	s.openCoupons += count(k.isOpen())
	s.couponStats(k).couponMoved(0, k.State)
	return nil
}

// movable is the stored coupon of a fact, ready to be changed.
func (s *State) movable(rawID []byte, transition int32) (*Coupon, error) {
	if len(rawID) != len(schemas.CouponID{}) {
		return nil, fmt.Errorf("coupon id %x has %d bytes, want 16", rawID, len(rawID))
	}
	id := schemas.CouponID(rawID)
	k, err := s.coupon(id)
	if err != nil || k == nil {
		return nil, orElse(err, "coupon %s does not exist", id)
	}
	if transition != k.Transition+1 {
		return nil, fmt.Errorf("coupon %s makes transition %d after %d", id, transition, k.Transition)
	}
	return s.change(k), nil
}

func (s *State) couponStats(k *Coupon) *Stats {
	if c := s.campaign(k.Campaign); c != nil {
		c.changed = true
		return &c.Stats
	}
	return new(Stats) // a coupon is created in an active campaign only
}

// dueOr is when the coupon is due, or other if never.
func (k *Coupon) dueOr(other int64) int64 {
	if d := k.due(); d != 0 {
		return d
	}
	return other
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// orElse is err, or a sentence if there is none.
func orElse(err error, format string, args ...any) error {
	if err != nil {
		return err
	}
	return fmt.Errorf(format, args...)
}
