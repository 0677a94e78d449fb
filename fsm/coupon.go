package fsm

import pb "hongbao/schemas/invitepb"

// couponMove is one row of the coupon table.
type couponMove struct {
	event pb.CouponEvent
	from  []pb.CouponState
	to    pb.CouponState
}

// couponTable is domain.md section 6, with CREATE for the command's arrival.
// REDRIVE from FAILED stands here; that only OUT_OF_STOCK and OUT_OF_BUDGET may take
// it depends on the reason, which a table cannot see: Redrive guards it.
var couponTable = []couponMove{
	{pb.CouponEvent_COUPON_EVENT_CREATE, []pb.CouponState{pb.CouponState_COUPON_STATE_UNSPECIFIED}, pb.CouponState_COUPON_STATE_PENDING},
	{pb.CouponEvent_COUPON_EVENT_VALIDATE, []pb.CouponState{pb.CouponState_COUPON_STATE_PENDING}, pb.CouponState_COUPON_STATE_VALIDATING},
	{pb.CouponEvent_COUPON_EVENT_ALLOW, []pb.CouponState{pb.CouponState_COUPON_STATE_VALIDATING}, pb.CouponState_COUPON_STATE_ISSUING},
	{pb.CouponEvent_COUPON_EVENT_HOLD, []pb.CouponState{pb.CouponState_COUPON_STATE_VALIDATING}, pb.CouponState_COUPON_STATE_HELD},
	{pb.CouponEvent_COUPON_EVENT_REJECT, []pb.CouponState{pb.CouponState_COUPON_STATE_VALIDATING, pb.CouponState_COUPON_STATE_HELD}, pb.CouponState_COUPON_STATE_DEAD},
	{pb.CouponEvent_COUPON_EVENT_REFUSE, []pb.CouponState{pb.CouponState_COUPON_STATE_VALIDATING}, pb.CouponState_COUPON_STATE_FAILED},
	{pb.CouponEvent_COUPON_EVENT_DONE, []pb.CouponState{pb.CouponState_COUPON_STATE_ISSUING}, pb.CouponState_COUPON_STATE_COMPLETED},
	{pb.CouponEvent_COUPON_EVENT_OUT_OF_STOCK, []pb.CouponState{pb.CouponState_COUPON_STATE_ISSUING}, pb.CouponState_COUPON_STATE_FAILED},
	{pb.CouponEvent_COUPON_EVENT_OUT_OF_BUDGET, []pb.CouponState{pb.CouponState_COUPON_STATE_ISSUING}, pb.CouponState_COUPON_STATE_FAILED},
	{pb.CouponEvent_COUPON_EVENT_TRANSIENT, []pb.CouponState{pb.CouponState_COUPON_STATE_ISSUING}, pb.CouponState_COUPON_STATE_RETRYING},
	{pb.CouponEvent_COUPON_EVENT_UNKNOWN, []pb.CouponState{pb.CouponState_COUPON_STATE_ISSUING}, pb.CouponState_COUPON_STATE_RETRYING},
	{pb.CouponEvent_COUPON_EVENT_EXHAUST, []pb.CouponState{pb.CouponState_COUPON_STATE_ISSUING}, pb.CouponState_COUPON_STATE_DEAD},
	{pb.CouponEvent_COUPON_EVENT_ISSUER_REFUSES, []pb.CouponState{pb.CouponState_COUPON_STATE_ISSUING}, pb.CouponState_COUPON_STATE_DEAD},
	{pb.CouponEvent_COUPON_EVENT_DUE, []pb.CouponState{pb.CouponState_COUPON_STATE_RETRYING}, pb.CouponState_COUPON_STATE_ISSUING},
	{pb.CouponEvent_COUPON_EVENT_APPROVE, []pb.CouponState{pb.CouponState_COUPON_STATE_HELD}, pb.CouponState_COUPON_STATE_ISSUING},
	{pb.CouponEvent_COUPON_EVENT_REDRIVE, []pb.CouponState{pb.CouponState_COUPON_STATE_DEAD, pb.CouponState_COUPON_STATE_FAILED}, pb.CouponState_COUPON_STATE_ISSUING},
	{pb.CouponEvent_COUPON_EVENT_DISCARD, []pb.CouponState{pb.CouponState_COUPON_STATE_DEAD}, pb.CouponState_COUPON_STATE_FAILED},
	{pb.CouponEvent_COUPON_EVENT_ORDER_REVERSED, []pb.CouponState{
		pb.CouponState_COUPON_STATE_PENDING, pb.CouponState_COUPON_STATE_VALIDATING, pb.CouponState_COUPON_STATE_HELD,
	}, pb.CouponState_COUPON_STATE_FAILED},
}

// couponStates are the names in use, by number: the enum's without its prefix.
// The state before the creation has no name, as a result record has none for it.
var couponStates = [...]string{
	pb.CouponState_COUPON_STATE_UNSPECIFIED: "",
	pb.CouponState_COUPON_STATE_PENDING:     "PENDING",
	pb.CouponState_COUPON_STATE_VALIDATING:  "VALIDATING",
	pb.CouponState_COUPON_STATE_HELD:        "HELD",
	pb.CouponState_COUPON_STATE_ISSUING:     "ISSUING",
	pb.CouponState_COUPON_STATE_RETRYING:    "RETRYING",
	pb.CouponState_COUPON_STATE_COMPLETED:   "COMPLETED",
	pb.CouponState_COUPON_STATE_FAILED:      "FAILED",
	pb.CouponState_COUPON_STATE_DEAD:        "DEAD",
}

var couponResultTypes = [...]string{
	pb.CouponState_COUPON_STATE_PENDING:    "coupon_pending",
	pb.CouponState_COUPON_STATE_VALIDATING: "coupon_validating",
	pb.CouponState_COUPON_STATE_HELD:       "coupon_held",
	pb.CouponState_COUPON_STATE_ISSUING:    "coupon_issuing",
	pb.CouponState_COUPON_STATE_RETRYING:   "coupon_retrying",
	pb.CouponState_COUPON_STATE_COMPLETED:  "coupon_completed",
	pb.CouponState_COUPON_STATE_FAILED:     "coupon_failed",
	pb.CouponState_COUPON_STATE_DEAD:       "coupon_dead",
}

var couponEvents = [...]string{
	pb.CouponEvent_COUPON_EVENT_CREATE:         "create",
	pb.CouponEvent_COUPON_EVENT_VALIDATE:       "validate",
	pb.CouponEvent_COUPON_EVENT_ALLOW:          "allow",
	pb.CouponEvent_COUPON_EVENT_HOLD:           "hold",
	pb.CouponEvent_COUPON_EVENT_REJECT:         "reject",
	pb.CouponEvent_COUPON_EVENT_REFUSE:         "refuse",
	pb.CouponEvent_COUPON_EVENT_DONE:           "done",
	pb.CouponEvent_COUPON_EVENT_OUT_OF_STOCK:   "out_of_stock",
	pb.CouponEvent_COUPON_EVENT_OUT_OF_BUDGET:  "out_of_budget",
	pb.CouponEvent_COUPON_EVENT_TRANSIENT:      "transient",
	pb.CouponEvent_COUPON_EVENT_UNKNOWN:        "unknown",
	pb.CouponEvent_COUPON_EVENT_ISSUER_REFUSES: "issuer_refuses",
	pb.CouponEvent_COUPON_EVENT_DUE:            "due",
	pb.CouponEvent_COUPON_EVENT_APPROVE:        "approve",
	pb.CouponEvent_COUPON_EVENT_REDRIVE:        "redrive",
	pb.CouponEvent_COUPON_EVENT_DISCARD:        "discard",
	pb.CouponEvent_COUPON_EVENT_ORDER_REVERSED: "order_reversed",
	pb.CouponEvent_COUPON_EVENT_EXHAUST:        "exhaust",
}

// CouponStateName is the state as results and pages write it: "PENDING"; empty for
// no state and for a number that is none.
func CouponStateName(s pb.CouponState) string { return nameAt(couponStates[:], int32(s)) }

// CouponEventName is the event as the table writes it: "out_of_stock"; empty for a
// number that is none.
func CouponEventName(e pb.CouponEvent) string { return nameAt(couponEvents[:], int32(e)) }

// CouponResultType is the event_type of the result of a move to that state:
// "coupon_issuing"; empty for a number that is no state (domain.md section 6).
func CouponResultType(to pb.CouponState) string { return nameAt(couponResultTypes[:], int32(to)) }

func nameAt(names []string, n int32) string {
	if n < 0 || int(n) >= len(names) {
		return ""
	}
	return names[n]
}
