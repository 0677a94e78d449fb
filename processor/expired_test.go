package processor

import (
	"testing"

	"hongbao/projections"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// vouchered makes a coupon COMPLETED with a voucher ISSUED.
func (w *worker) vouchered(t *testing.T, n byte) *projections.Coupon {
	t.Helper()
	cmd := &pb.CouponCommand{CouponId: make([]byte, 16), Campaign: 1, Chain: 7, Beneficiary: 7, Coupon: "five_off", ValidForMs: 1000, CommandId: "c"}
	cmd.CouponId[0] = n
	c := &projections.Coupon{ID: schemas.CouponID(cmd.CouponId), Campaign: 1, Chain: 7, Beneficiary: 7}
	step := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if c, _, err = w.coupon(c.ID); err != nil {
			t.Fatal(err)
		}
	}
	step(w.move(c, pb.CouponEvent_COUPON_EVENT_CREATE, 0, func(m *pb.CouponMoved) { m.Command = cmd }))
	for _, ev := range []pb.CouponEvent{pb.CouponEvent_COUPON_EVENT_VALIDATE, pb.CouponEvent_COUPON_EVENT_ALLOW, pb.CouponEvent_COUPON_EVENT_DONE} {
		step(w.move(c, ev, 0, nil))
	}
	step(w.voucher(c, pb.VoucherEvent_VOUCHER_EVENT_ISSUE, 0, ""))
	return c
}

// TestRedeemAfterValidity: a voucher whose validity has ended is not redeemed, also where the worker has not come to expire
// it yet, for it expires a bounded number a second; one whose validity lasts is.
func TestRedeemAfterValidity(t *testing.T) {
	t.Parallel()
	for late, want := range map[int64]pb.VoucherState{
		-1: pb.VoucherState_VOUCHER_STATE_USED, 0: pb.VoucherState_VOUCHER_STATE_EXPIRED, 5000: pb.VoucherState_VOUCHER_STATE_EXPIRED,
	} {
		w := foldWorker(t, 0, 1, schemas.DemoCampaign())
		c := w.vouchered(t, 1)
		w.clockMS = c.VoucherExpiresMS + late
		p, err := w.voucherCommand(&pb.VoucherCommand{VoucherId: c.ID[:], Chain: c.Chain}, pb.VoucherEvent_VOUCHER_EVENT_REDEEM, 0, "redeem")
		if err != nil {
			t.Fatal(err)
		}
		if refused := p != nil; refused != (want == pb.VoucherState_VOUCHER_STATE_EXPIRED) || refused && p.Reason != pb.Reason_REASON_ILLEGAL_MOVE {
			t.Errorf("%d ms after its end: %+v", late, p)
		}
		if c, _, err = w.coupon(c.ID); err != nil || c.Voucher != want {
			t.Errorf("%d ms after its end the voucher is %s, want %s (%v)", late, c.Voucher, want, err)
		}
	}
}
