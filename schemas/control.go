package schemas

import (
	pb "hongbao/schemas/invitepb"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// DecodeControl decodes and checks a value of hongbao.control: Protobuf, or the JSON of the same
// message if it begins with '{', in which an id of a coupon or voucher is 32 hex digits, as results
// have it. Control commands are rare, so the generated code reads them. The error is a *Poison.
func DecodeControl(value []byte) (*pb.ControlCommand, error) {
	if len(value) > MaxRecordBytes {
		return nil, poison(pb.Reason_REASON_TOO_LARGE, "the value has %d bytes; a record has at most %d", len(value), MaxRecordBytes)
	}
	c := new(pb.ControlCommand)
	if len(value) > 0 && value[0] == '{' {
		if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(value, c); err != nil {
			return nil, poison(pb.Reason_REASON_UNDECODABLE, "the value %s is no JSON ControlCommand: %s", quote(value), protoSentence(err))
		}
		controlIDs(c)
	} else if err := proto.Unmarshal(value, c); err != nil {
		return nil, poison(pb.Reason_REASON_UNDECODABLE, "the value %s is no Protobuf ControlCommand: %s", quote(value), protoSentence(err))
	}
	if p := checkControl(c); p != nil {
		return nil, p
	}
	return c, nil
}

func checkControl(c *pb.ControlCommand) *Poison {
	if c.CommandId == "" {
		return poison(pb.Reason_REASON_INVALID_FIELD, "command_id is empty; a redelivery is known by it")
	}
	if p := checkText("command_id", []byte(c.CommandId), MaxStringBytes); p != nil {
		return p
	}
	switch body := c.Body.(type) {
	case *pb.ControlCommand_Redeem:
		return checkVoucherCommand(body.Redeem)
	case *pb.ControlCommand_RollBack:
		return checkVoucherCommand(body.RollBack)
	case *pb.ControlCommand_Revoke:
		return checkVoucherCommand(body.Revoke)
	case *pb.ControlCommand_Review:
		return checkReview(body.Review)
	case *pb.ControlCommand_CampaignChange:
		return checkChange(body.CampaignChange)
	case *pb.ControlCommand_CampaignApply:
		return checkApply(body.CampaignApply)
	}
	return poison(pb.Reason_REASON_UNKNOWN_TYPE, "the control command %s has no body that this version of hongbao knows", quoteString(c.CommandId))
}

func checkVoucherCommand(v *pb.VoucherCommand) *Poison {
	if p := checkCouponID("voucher_id", v.GetVoucherId()); p != nil {
		return p
	}
	if p := checkText("reason", []byte(v.GetReason()), MaxStringBytes); p != nil {
		return p
	}
	return checkID("chain", v.GetChain())
}

func checkReview(r *pb.ReviewCommand) *Poison {
	if p := checkCouponID("coupon_id", r.GetCouponId()); p != nil {
		return p
	}
	if _, known := pb.ReviewDecision_name[int32(r.GetDecision())]; !known || r.GetDecision() == 0 {
		return poison(pb.Reason_REASON_INVALID_FIELD, "decision is %d; want approve, reject, redrive or discard", r.GetDecision())
	}
	if p := checkText("operator", []byte(r.GetOperator()), MaxStringBytes); p != nil {
		return p
	}
	if p := checkText("note", []byte(r.GetNote()), MaxStringBytes); p != nil {
		return p
	}
	return checkID("chain", r.GetChain())
}

func checkApply(a *pb.CampaignApply) *Poison {
	if p := checkID("campaign", a.GetCampaign()); p != nil {
		return p
	}
	if p := checkID("version", a.GetVersion()); p != nil {
		return p
	}
	return checkText("text", []byte(a.GetText()), MaxCampaignBytes)
}

func checkCouponID(field string, id []byte) *Poison {
	if len(id) != len(CouponID{}) {
		return poison(pb.Reason_REASON_INVALID_FIELD, "%s %s has %d bytes; a coupon id has 16", field, quote(id), len(id))
	}
	return nil
}
