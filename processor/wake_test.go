package processor

import (
	"testing"
	"time"

	"hongbao/projections"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// TestHeldUpRetry: a coupon whose retry record waits behind one that is due later is woken by the timer, never early, once.
func TestHeldUpRetry(t *testing.T) {
	t.Parallel()
	w := foldWorker(t, 0, 1, schemas.DemoCampaign())
	c := &projections.Coupon{ID: schemas.CouponID{1}, Campaign: 1, Chain: 7, Beneficiary: 7}
	cmd := &pb.CouponCommand{CouponId: c.ID[:], Campaign: 1, Chain: 7, Beneficiary: 7, Coupon: "five_off", CommandId: "c"}
	due := w.clockMS + 5000
	for _, do := range []error{
		w.move(c, pb.CouponEvent_COUPON_EVENT_CREATE, 0, func(m *pb.CouponMoved) { m.Command = cmd }),
		w.move(c, pb.CouponEvent_COUPON_EVENT_VALIDATE, 0, nil),
		w.move(c, pb.CouponEvent_COUPON_EVENT_ALLOW, 0, nil),
		w.move(c, pb.CouponEvent_COUPON_EVENT_TRANSIENT, 0, func(m *pb.CouponMoved) { m.Attempts, m.DueMs = 1, due }),
	} {
		if do != nil {
			t.Fatal(do)
		}
	}
	for _, at := range []int64{due - 1, due, due + 2000} {
		w.clockMS, w.now = at, time.UnixMilli(at).Add(time.Duration(at)*time.Second)
		seq := w.draft.seq
		if err := w.timers(); err != nil {
			t.Fatal(err)
		}
		now, _, err := w.coupon(c.ID)
		if err != nil {
			t.Fatal(err)
		}
		woken := now.State == pb.CouponState_COUPON_STATE_ISSUING
		if woken != (at >= due) || w.draft.seq-seq > 1 || at > due && w.draft.seq != seq {
			t.Errorf("%d ms after it is due the coupon is %s, %d facts", at-due, now.State, w.draft.seq-seq)
		}
	}
}
