package processor

import (
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"hongbao/internal/crashpoint"
	"hongbao/internal/mutant"
	"hongbao/projections"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// wakeAtOnce bounds how many coupons a second are woken without their records.
const wakeAtOnce = 256

// delays are the retry topics, in the order in which they are looked at.
var delays = [...]schemas.Topic{schemas.TopicRetry1s, schemas.TopicRetry5s, schemas.TopicRetry30s}

// retries acts on due retry records. A record that is not due holds its topic's partition: never early.
func (w *worker) retries() error {
	for _, t := range delays {
		if err := w.eachRecord(t, func(r *kgo.Record) (bool, error) { return w.retry(t, r) }); err != nil {
			return err
		}
	}
	return nil
}

func (w *worker) retry(t schemas.Topic, r *kgo.Record) (bool, error) {
	var e pb.RetryEnvelope
	if err := proto.Unmarshal(r.Value, &e); err != nil || len(e.CouponId) != len(schemas.CouponID{}) {
		return true, w.deadLetter(schemas.TopicCouponDead, t, r, &schemas.Poison{
			Reason: pb.Reason_REASON_UNDECODABLE, Sentence: "the value is no RetryEnvelope with a coupon id of 16 bytes",
		})
	}
	if p := w.route(r, e.ChainId); p != nil {
		return true, w.deadLetter(schemas.TopicCouponDead, t, r, p)
	}
	if e.NotBeforeMs > w.clockMS {
		w.coupons.wait(e.NotBeforeMs)
		return false, nil
	}
	c, ok, err := w.coupon(schemas.CouponID(e.CouponId))
	if err != nil || !ok {
		return true, err
	}
	// It names coupon, round and attempt: a redelivery finds the coupon gone on and does nothing.
	same := c.Attempts == e.RetryCount && c.Round == e.Round && c.DueMS <= w.clockMS || mutant.On(mutant.RetryAny)
	if c.State != pb.CouponState_COUPON_STATE_RETRYING || !same {
		return true, nil
	}
	err = w.move(c, pb.CouponEvent_COUPON_EVENT_DUE, 0, nil)
	crashpoint.Hit("coupon.due.after")
	return true, err
}

func (t *couponTurn) wait(dueMS int64) {
	if t.dueMS == 0 || dueMS < t.dueMS {
		t.dueMS = dueMS
	}
}

// untilDue is how long the worker may sleep before a waiting retry record is due.
func (t *couponTurn) untilDue(clockMS int64) time.Duration {
	if t.dueMS == 0 {
		return idleWait
	}
	return max(time.Millisecond, time.Duration(t.dueMS-clockMS)*time.Millisecond)
}

// wakeDue wakes all that is past due, at a takeover.
func (w *worker) wakeDue() error { return w.wake(math.MaxInt) }

// wake wakes coupons that are past due without their records, which may lie behind ones that are not. A record finds its coupon gone on.
func (w *worker) wake(limit int) error {
	return w.each(func(fn func(*projections.Coupon) error) error {
		return w.state.EachDue(w.clockMS, limit, fn)
	}, func(c *projections.Coupon) error {
		return w.move(c, pb.CouponEvent_COUPON_EVENT_DUE, 0, nil)
	})
}

// timers wakes coupons whose records are held up and ends the validity of vouchers, about once a second.
func (w *worker) timers() error {
	if w.now.Sub(w.expiryAt) < expiryEvery {
		return nil
	}
	w.expiryAt = w.now
	if err := w.wake(wakeAtOnce); err != nil {
		return err
	}
	return w.each(func(fn func(*projections.Coupon) error) error {
		return w.state.EachExpiring(w.clockMS, expiringAtOnce, fn)
	}, func(c *projections.Coupon) error {
		err := w.voucher(c, pb.VoucherEvent_VOUCHER_EVENT_EXPIRE, pb.Reason_REASON_VALIDITY_ENDED, "")
		crashpoint.Hit("coupon.expire.after")
		return err
	})
}

// each collects the coupons first and acts then: acting changes what is iterated over.
func (w *worker) each(scan func(func(*projections.Coupon) error) error, act func(*projections.Coupon) error) error {
	var ids []schemas.CouponID
	if err := scan(func(c *projections.Coupon) error {
		ids = append(ids, c.ID)
		return nil
	}); err != nil {
		return err
	}
	for _, id := range ids {
		c, ok, err := w.coupon(id)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if err := act(c); err != nil {
			return err
		}
	}
	return nil
}
