package fsm

import (
	"fmt"

	"hongbao/internal/mutant"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// redriveTable says which coupons a person may send to ISSUING again, by the state and
// the reason of its last move. A final refusal is remembered by the issuer under its
// round, so it takes the next one; EXHAUSTED and the rejections keep theirs, so that a
// late success is found, not doubled (X11).
var redriveTable = []struct {
	state     pb.CouponState
	reason    schemas.Reason
	nextRound bool
}{
	{pb.CouponState_COUPON_STATE_DEAD, pb.Reason_REASON_EXHAUSTED, false},
	{pb.CouponState_COUPON_STATE_DEAD, pb.Reason_REASON_RISK_REJECTED, false},
	{pb.CouponState_COUPON_STATE_DEAD, pb.Reason_REASON_REVIEW_REJECTED, false},
	{pb.CouponState_COUPON_STATE_DEAD, pb.Reason_REASON_ISSUER_REJECTED, true},
	{pb.CouponState_COUPON_STATE_DEAD, pb.Reason_REASON_OUT_OF_STOCK, true},
	{pb.CouponState_COUPON_STATE_DEAD, pb.Reason_REASON_OUT_OF_BUDGET, true},
	{pb.CouponState_COUPON_STATE_FAILED, pb.Reason_REASON_OUT_OF_STOCK, true},
	{pb.CouponState_COUPON_STATE_FAILED, pb.Reason_REASON_OUT_OF_BUDGET, true},
}

// Redrive guards the move REDRIVE of a coupon that entered state for reason, and says
// whether it goes under the next round; attempts begin again at 0 either way. Machine
// knows the state alone, so ask both.
func Redrive(state pb.CouponState, reason schemas.Reason) (nextRound bool, err error) {
	for _, row := range redriveTable {
		if row.state == state && row.reason == reason {
			if mutant.On(mutant.RedriveOldKey) {
				return false, nil
			}
			return row.nextRound, nil
		}
	}
	return false, fmt.Errorf("coupon: redrive is not legal in state %s with reason %s; it is in DEAD, and in FAILED after OUT_OF_STOCK or OUT_OF_BUDGET (docs/domain.md section 6)",
		CouponStateName(state), reason)
}
