package schemas

import (
	"encoding/base64"
	"encoding/hex"
	"strings"

	pb "hongbao/schemas/invitepb"
)

// checkChange holds a change to its kind: only a top-up adds, and it adds to one thing.
func checkChange(c *pb.CampaignChange) *Poison {
	if p := checkID("campaign", c.GetCampaign()); p != nil {
		return p
	}
	if p := checkID("number", c.GetNumber()); p != nil {
		return p
	}
	if p := checkText("reason", []byte(c.GetReason()), MaxStringBytes); p != nil {
		return p
	}
	switch c.GetKind() {
	case pb.ChangeKind_CHANGE_KIND_PAUSE, pb.ChangeKind_CHANGE_KIND_RESUME, pb.ChangeKind_CHANGE_KIND_STOP:
		if c.Coupon != "" || c.StockDelta != 0 || c.BudgetCurrency != "" || c.BudgetDeltaMinor != 0 {
			return poison(pb.Reason_REASON_INVALID_FIELD, "coupon, stock_delta, budget_currency and budget_delta_minor belong to a TOP_UP, the kind is %s", c.Kind)
		}
		return nil
	case pb.ChangeKind_CHANGE_KIND_TOP_UP:
		return checkTopUp(c)
	}
	return poison(pb.Reason_REASON_INVALID_FIELD, "kind is %d; want pause, resume, stop or top-up", c.GetKind())
}

func checkTopUp(c *pb.CampaignChange) *Poison {
	stock := isName(c.Coupon) && c.StockDelta > 0 && c.StockDelta <= MaxCount
	budget := isCurrency([]byte(c.BudgetCurrency)) && c.BudgetDeltaMinor > 0 && c.BudgetDeltaMinor <= MaxCount
	noStock := c.Coupon == "" && c.StockDelta == 0
	noBudget := c.BudgetCurrency == "" && c.BudgetDeltaMinor == 0
	if stock && noBudget || budget && noStock {
		return nil
	}
	return poison(pb.Reason_REASON_INVALID_FIELD, "coupon is %s with stock_delta %d, budget_currency is %s with budget_delta_minor %d;"+
		" a TOP_UP adds 1..2^53-1 to the stock of one coupon kind or to the budget in one currency",
		quoteString(c.Coupon), c.StockDelta, quoteString(c.BudgetCurrency), c.BudgetDeltaMinor)
}

// controlIDs puts right the ids of a command in JSON.
func controlIDs(c *pb.ControlCommand) {
	switch body := c.Body.(type) {
	case *pb.ControlCommand_Redeem:
		body.Redeem.VoucherId = jsonID(body.Redeem.VoucherId)
	case *pb.ControlCommand_RollBack:
		body.RollBack.VoucherId = jsonID(body.RollBack.VoucherId)
	case *pb.ControlCommand_Revoke:
		body.Revoke.VoucherId = jsonID(body.Revoke.VoucherId)
	case *pb.ControlCommand_Review:
		body.Review.CouponId = jsonID(body.Review.CouponId)
	}
}

// jsonID is the id that a JSON command gave as 32 hex digits. JSON has bytes in base64, and 32 hex
// digits happen to be base64 of 24 bytes: no id has 24, so nothing else can have been meant.
func jsonID(decoded []byte) []byte {
	const base64OfHex = 24
	if len(decoded) == base64OfHex {
		if id, err := hex.DecodeString(base64.StdEncoding.EncodeToString(decoded)); err == nil {
			return id
		}
	}
	return decoded
}

// protoSentence is a Protobuf library error without its prefix, which on purpose varies from build
// to build ("proto:" with a plain or a hard space): a dead letter's sentence does not.
func protoSentence(err error) string {
	text := strings.ReplaceAll(err.Error(), "\u00a0", " ")
	text = strings.TrimSpace(strings.TrimPrefix(text, "proto:"))
	if strings.Contains(text, "for int64 ") {
		text += " (" + stringIDs + ")"
	}
	return text
}
