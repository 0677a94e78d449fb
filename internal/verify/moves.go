package verify

import (
	pb "hongbao/schemas/invitepb"
)

// couponMove is one row of the coupon machine, written down from domain.md section 6 a second
// time: a table shared with the pipeline would hide its own mistakes.
type couponMove struct {
	from  pb.CouponState
	event pb.CouponEvent
}

const (
	sNone       = pb.CouponState_COUPON_STATE_UNSPECIFIED
	sPending    = pb.CouponState_COUPON_STATE_PENDING
	sValidating = pb.CouponState_COUPON_STATE_VALIDATING
	sHeld       = pb.CouponState_COUPON_STATE_HELD
	sIssuing    = pb.CouponState_COUPON_STATE_ISSUING
	sRetrying   = pb.CouponState_COUPON_STATE_RETRYING
	sCompleted  = pb.CouponState_COUPON_STATE_COMPLETED
	sFailed     = pb.CouponState_COUPON_STATE_FAILED
	sDead       = pb.CouponState_COUPON_STATE_DEAD
)

// target is where a move leads and what must be its reason; any where the page names none.
type target struct {
	to     pb.CouponState
	reason pb.Reason
}

const (
	anyReason = pb.Reason(-1)
	noReason  = pb.Reason_REASON_UNSPECIFIED
)

func couponTarget(m couponMove) (target, bool) {
	switch m {
	case couponMove{sNone, pb.CouponEvent_COUPON_EVENT_CREATE}:
		return target{sPending, noReason}, true
	case couponMove{sPending, pb.CouponEvent_COUPON_EVENT_VALIDATE}:
		return target{sValidating, noReason}, true
	case couponMove{sValidating, pb.CouponEvent_COUPON_EVENT_ALLOW}:
		return target{sIssuing, noReason}, true
	case couponMove{sValidating, pb.CouponEvent_COUPON_EVENT_HOLD}:
		return target{sHeld, anyReason}, true
	case couponMove{sValidating, pb.CouponEvent_COUPON_EVENT_REJECT}:
		return target{sDead, pb.Reason_REASON_RISK_REJECTED}, true
	case couponMove{sValidating, pb.CouponEvent_COUPON_EVENT_REFUSE}:
		return target{sFailed, anyReason}, true
	case couponMove{sRetrying, pb.CouponEvent_COUPON_EVENT_DUE}:
		return target{sIssuing, noReason}, true
	case couponMove{sHeld, pb.CouponEvent_COUPON_EVENT_APPROVE}:
		return target{sIssuing, noReason}, true
	case couponMove{sHeld, pb.CouponEvent_COUPON_EVENT_REJECT}:
		return target{sDead, pb.Reason_REASON_REVIEW_REJECTED}, true
	case couponMove{sDead, pb.CouponEvent_COUPON_EVENT_REDRIVE},
		couponMove{sFailed, pb.CouponEvent_COUPON_EVENT_REDRIVE}:
		return target{sIssuing, noReason}, true
	case couponMove{sDead, pb.CouponEvent_COUPON_EVENT_DISCARD}:
		return target{sFailed, pb.Reason_REASON_DISCARDED}, true
	case couponMove{sPending, pb.CouponEvent_COUPON_EVENT_ORDER_REVERSED},
		couponMove{sValidating, pb.CouponEvent_COUPON_EVENT_ORDER_REVERSED},
		couponMove{sHeld, pb.CouponEvent_COUPON_EVENT_ORDER_REVERSED}:
		return target{sFailed, pb.Reason_REASON_ORDER_REVERSED}, true
	}
	return issuerTarget(m)
}

// issuerTarget is where the issuer's answers lead.
func issuerTarget(m couponMove) (target, bool) {
	if m.from != sIssuing {
		return target{}, false
	}
	switch m.event {
	case pb.CouponEvent_COUPON_EVENT_DONE:
		return target{sCompleted, noReason}, true
	case pb.CouponEvent_COUPON_EVENT_OUT_OF_STOCK:
		return target{sFailed, pb.Reason_REASON_OUT_OF_STOCK}, true
	case pb.CouponEvent_COUPON_EVENT_OUT_OF_BUDGET:
		return target{sFailed, pb.Reason_REASON_OUT_OF_BUDGET}, true
	case pb.CouponEvent_COUPON_EVENT_TRANSIENT, pb.CouponEvent_COUPON_EVENT_UNKNOWN:
		return target{sRetrying, anyReason}, true
	case pb.CouponEvent_COUPON_EVENT_EXHAUST:
		return target{sDead, pb.Reason_REASON_EXHAUSTED}, true
	case pb.CouponEvent_COUPON_EVENT_ISSUER_REFUSES:
		return target{sDead, pb.Reason_REASON_ISSUER_REJECTED}, true
	}
	return target{}, false
}

// finalRefusal says whether the issuer itself refused: then a redrive asks under a new round (X11).
func finalRefusal(r pb.Reason) bool {
	switch r {
	case pb.Reason_REASON_OUT_OF_STOCK, pb.Reason_REASON_OUT_OF_BUDGET, pb.Reason_REASON_ISSUER_REJECTED:
		return true
	}
	return false
}

const (
	vNone    = pb.VoucherState_VOUCHER_STATE_UNSPECIFIED
	vIssued  = pb.VoucherState_VOUCHER_STATE_ISSUED
	vUsed    = pb.VoucherState_VOUCHER_STATE_USED
	vExpired = pb.VoucherState_VOUCHER_STATE_EXPIRED
	vRevoked = pb.VoucherState_VOUCHER_STATE_REVOKED
)

// voucherTarget is the voucher machine, and the event type that its results carry.
func voucherTarget(from pb.VoucherState, event pb.VoucherEvent) (to pb.VoucherState, result string, ok bool) {
	switch {
	case from == vNone && event == pb.VoucherEvent_VOUCHER_EVENT_ISSUE:
		return vIssued, "voucher_issued", true
	case from == vIssued && event == pb.VoucherEvent_VOUCHER_EVENT_REDEEM:
		return vUsed, "voucher_used", true
	case from == vIssued && event == pb.VoucherEvent_VOUCHER_EVENT_EXPIRE:
		return vExpired, "voucher_expired", true
	case from == vIssued && event == pb.VoucherEvent_VOUCHER_EVENT_REVOKE:
		return vRevoked, "voucher_revoked", true
	case from == vUsed && event == pb.VoucherEvent_VOUCHER_EVENT_ROLL_BACK:
		return vIssued, "voucher_rolled_back", true
	}
	return vNone, "", false
}
