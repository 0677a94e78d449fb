package fsm

import pb "hongbao/schemas/invitepb"

// voucherMove is one row of the voucher table.
type voucherMove struct {
	event pb.VoucherEvent
	from  []pb.VoucherState
	to    pb.VoucherState
}

// voucherTable is domain.md section 6.
var voucherTable = []voucherMove{
	{pb.VoucherEvent_VOUCHER_EVENT_ISSUE, []pb.VoucherState{pb.VoucherState_VOUCHER_STATE_UNSPECIFIED}, pb.VoucherState_VOUCHER_STATE_ISSUED},
	{pb.VoucherEvent_VOUCHER_EVENT_REDEEM, []pb.VoucherState{pb.VoucherState_VOUCHER_STATE_ISSUED}, pb.VoucherState_VOUCHER_STATE_USED},
	{pb.VoucherEvent_VOUCHER_EVENT_EXPIRE, []pb.VoucherState{pb.VoucherState_VOUCHER_STATE_ISSUED}, pb.VoucherState_VOUCHER_STATE_EXPIRED},
	{pb.VoucherEvent_VOUCHER_EVENT_REVOKE, []pb.VoucherState{pb.VoucherState_VOUCHER_STATE_ISSUED}, pb.VoucherState_VOUCHER_STATE_REVOKED},
	{pb.VoucherEvent_VOUCHER_EVENT_ROLL_BACK, []pb.VoucherState{pb.VoucherState_VOUCHER_STATE_USED}, pb.VoucherState_VOUCHER_STATE_ISSUED},
}

var voucherStates = [...]string{
	pb.VoucherState_VOUCHER_STATE_UNSPECIFIED: "",
	pb.VoucherState_VOUCHER_STATE_ISSUED:      "ISSUED",
	pb.VoucherState_VOUCHER_STATE_USED:        "USED",
	pb.VoucherState_VOUCHER_STATE_EXPIRED:     "EXPIRED",
	pb.VoucherState_VOUCHER_STATE_REVOKED:     "REVOKED",
}

var voucherEvents = [...]string{
	pb.VoucherEvent_VOUCHER_EVENT_ISSUE:     "issue",
	pb.VoucherEvent_VOUCHER_EVENT_REDEEM:    "redeem",
	pb.VoucherEvent_VOUCHER_EVENT_EXPIRE:    "expire",
	pb.VoucherEvent_VOUCHER_EVENT_REVOKE:    "revoke",
	pb.VoucherEvent_VOUCHER_EVENT_ROLL_BACK: "roll_back",
}

var voucherResultTypes = [...]string{
	pb.VoucherEvent_VOUCHER_EVENT_ISSUE:     "voucher_issued",
	pb.VoucherEvent_VOUCHER_EVENT_REDEEM:    "voucher_used",
	pb.VoucherEvent_VOUCHER_EVENT_EXPIRE:    "voucher_expired",
	pb.VoucherEvent_VOUCHER_EVENT_REVOKE:    "voucher_revoked",
	pb.VoucherEvent_VOUCHER_EVENT_ROLL_BACK: "voucher_rolled_back",
}

// VoucherStateName is the state as results and pages write it: "ISSUED"; empty for
// no state and for a number that is none.
func VoucherStateName(s pb.VoucherState) string { return nameAt(voucherStates[:], int32(s)) }

// VoucherEventName is the event as the table writes it: "roll_back"; empty for a
// number that is none.
func VoucherEventName(e pb.VoucherEvent) string { return nameAt(voucherEvents[:], int32(e)) }

// VoucherResultType is the event_type of the result of that move: "voucher_used";
// empty for a number that is no event. It goes by event, not by state: ISSUED is
// entered by issue and by roll_back.
func VoucherResultType(e pb.VoucherEvent) string { return nameAt(voucherResultTypes[:], int32(e)) }
