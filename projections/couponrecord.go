package projections

import (
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

const couponFormat = 1

func (k *Coupon) appendTo(dst []byte) []byte {
	dst = append(dst, couponFormat, byte(k.State), byte(k.Voucher)) //nolint:gosec // states are few
	for _, v := range [...]int64{
		k.Campaign, k.Chain, k.Beneficiary, k.FactSeq, k.ValueMinor, k.ValidForMS, k.CreatedMS,
		int64(k.Transition), int64(k.Attempts), int64(k.Round), k.DueMS, int64(k.Reason), k.VoucherExpiresMS,
	} {
		dst = appendInt(dst, v)
	}
	for _, v := range [...]string{k.Kind, k.Rule, k.OrderID, k.CommandID, k.Trace, k.Currency, k.FirstError, k.LastError, k.Operator} {
		dst = appendString(dst, v)
	}
	return appendBool(dst, k.OrderReversed)
}

// readFrom fills in everything but the id, which is the key.
func (k *Coupon) readFrom(src []byte) error {
	r := recordReader{b: src}
	if r.small(couponFormat) != couponFormat {
		r.bad = true
	}
	k.State = pb.CouponState(r.small(int64(pb.CouponState_COUPON_STATE_DEAD)))         //nolint:gosec // bounded
	k.Voucher = pb.VoucherState(r.small(int64(pb.VoucherState_VOUCHER_STATE_REVOKED))) //nolint:gosec // bounded
	for _, f := range [...]*int64{&k.Campaign, &k.Chain, &k.Beneficiary, &k.FactSeq, &k.ValueMinor, &k.ValidForMS, &k.CreatedMS} {
		*f = r.int()
	}
	k.Transition, k.Attempts, k.Round = r.int32(), r.int32(), r.int32()
	k.DueMS = r.int()
	k.Reason = schemas.Reason(r.int32())
	k.VoucherExpiresMS = r.int()
	for _, f := range [...]*string{&k.Kind, &k.Rule, &k.OrderID, &k.CommandID, &k.Trace, &k.Currency, &k.FirstError, &k.LastError, &k.Operator} {
		*f = r.string()
	}
	k.OrderReversed = r.bool()
	return r.end("coupon")
}
