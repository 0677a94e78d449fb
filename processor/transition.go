package processor

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"hongbao/fsm"
	"hongbao/internal/crashpoint"
	"hongbao/projections"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// couponTurn collects what happens to coupons in one step: one result record per coupon, its transitions in order.
type couponTurn struct {
	results []*pb.CouponResult
	byID    map[schemas.CouponID]*pb.CouponResult
	traces  map[schemas.CouponID]string
	dueMS   int64 // of the earliest retry record that waits here; 0: none
}

func (t *couponTurn) begin() {
	t.results = t.results[:0]
	clear(t.byID)
	t.dueMS = 0
}

// move makes one legal transition of a coupon a fact, folds it and notes its result. set completes the fact.
func (w *worker) move(c *projections.Coupon, ev pb.CouponEvent, reason schemas.Reason, set func(*pb.CouponMoved)) error {
	to, err := w.machine.Coupon(c.State, ev)
	if err != nil {
		return err
	}
	m := &pb.CouponMoved{
		CouponId: c.ID[:], From: c.State, Event: ev, To: to, Transition: c.Transition + 1, Reason: reason,
		Attempts: c.Attempts, Round: c.Round, TimeMs: w.clockMS, FirstError: c.FirstError, LastError: c.LastError,
	}
	if set != nil {
		set(m)
	}
	w.note(c, &pb.Transition{
		EventType: fsm.CouponResultType(to), FromState: fsm.CouponStateName(m.From), ToState: fsm.CouponStateName(to),
		Transition: m.Transition, TimeMs: m.TimeMs, Reason: reason,
	})
	if err := w.rare(c, &pb.Fact{Body: &pb.Fact_CouponMoved{CouponMoved: m}}, schemas.FactCouponMoved); err != nil {
		return err
	}
	w.x.metrics.coupon(to)
	switch to {
	case pb.CouponState_COUPON_STATE_ISSUING:
		w.issue.add(c.ID, w.draft.seq)
	case pb.CouponState_COUPON_STATE_DEAD:
		return w.deadCoupon(m, c.Chain)
	case pb.CouponState_COUPON_STATE_RETRYING:
		return w.retryLater(c, m)
	}
	return nil
}

// voucher makes one legal transition of a coupon's voucher a fact.
func (w *worker) voucher(c *projections.Coupon, ev pb.VoucherEvent, reason schemas.Reason, commandID string) error {
	to, err := w.machine.Voucher(c.Voucher, ev)
	if err != nil {
		return err
	}
	m := &pb.VoucherMoved{
		VoucherId: c.ID[:], From: c.Voucher, Event: ev, To: to, Transition: c.Transition + 1, Reason: reason,
		TimeMs: w.clockMS, CommandId: commandID, ExpiresMs: c.VoucherExpiresMS,
	}
	if ev == pb.VoucherEvent_VOUCHER_EVENT_ISSUE {
		m.ExpiresMs = w.clockMS + c.ValidForMS
	}
	w.note(c, &pb.Transition{
		EventType: fsm.VoucherResultType(ev), FromState: fsm.VoucherStateName(m.From), ToState: fsm.VoucherStateName(to),
		Transition: m.Transition, TimeMs: m.TimeMs, Reason: reason,
	})
	w.x.metrics.voucher(ev)
	return w.rare(c, &pb.Fact{Body: &pb.Fact_VoucherMoved{VoucherMoved: m}}, schemas.FactVoucherMoved)
}

// rare emits a fact of a kind that is a generated message, and brings c up to date.
func (w *worker) rare(c *projections.Coupon, f *pb.Fact, kind schemas.FactKind) error {
	w.fact.Kind, w.fact.Rare = kind, f
	var chain int64
	var trace string
	if c != nil {
		chain, trace = c.Chain, c.Trace
	}
	if err := w.emit(chain, []byte(trace)); err != nil {
		return err
	}
	if c == nil || kind == schemas.FactReviewDecided {
		return nil
	}
	now, ok, err := w.state.Coupon(c.ID)
	if err != nil {
		return err
	}
	if !ok {
		return w.impossible(fmt.Errorf("coupon %s is unknown after fact %d", c.ID, w.draft.seq))
	}
	*c = *now
	return nil
}

// note appends a transition to the coupon's result of this step.
func (w *worker) note(c *projections.Coupon, t *pb.Transition) {
	turn := &w.coupons
	r := turn.byID[c.ID]
	if r == nil {
		r = &pb.CouponResult{
			Id:        fmt.Sprintf("%d-%d-0", w.id, w.draft.seq+1),
			VoucherId: c.ID.String(), UserId: c.Beneficiary, Campaign: c.Campaign, ChainId: c.Chain,
			Coupon: c.Kind, RuleId: c.Rule, OrderId: c.OrderID,
		}
		r.TraceId, r.SpanId = traceIDs(c.Trace)
		if turn.byID == nil {
			turn.byID, turn.traces = map[schemas.CouponID]*pb.CouponResult{}, map[schemas.CouponID]string{}
		}
		turn.byID[c.ID], turn.traces[c.ID] = r, c.Trace
		turn.results = append(turn.results, r)
	}
	r.Transitions = append(r.Transitions, t)
}

// results writes this step's result records, in the order in which their coupons first moved.
func (w *worker) results() error {
	for _, r := range w.coupons.results {
		if err := w.out.message(r); err != nil {
			return w.impossible(err)
		}
		w.out.key = strconv.AppendInt(w.out.key[:0], r.UserId, 10)
		w.out.id = append(w.out.id[:0], r.Id...)
		id := couponID(r.VoucherId)
		w.attributes(schemas.TopicResults, resultType, []byte(w.coupons.traces[id]))
		delete(w.coupons.traces, id)
	}
	return nil
}

func couponID(text string) (id schemas.CouponID) {
	b, err := hex.DecodeString(text)
	if err == nil {
		copy(id[:], b)
	}
	return id
}

// traceIDs takes trace id and parent span id out of a W3C traceparent.
func traceIDs(traceparent string) (trace, span string) {
	parts := strings.Split(traceparent, "-")
	if len(parts) < 4 {
		return "", ""
	}
	return parts[1], parts[2]
}

// retryLater writes the record that wakes the coupon again, to the delay topic of its attempt.
func (w *worker) retryLater(c *projections.Coupon, m *pb.CouponMoved) error {
	topic, _ := fsm.RetryAfter(c.ID, m.Round, m.Attempts, w.clockMS)
	e := &pb.RetryEnvelope{
		TaskId:   fmt.Sprintf("%s/%d/%d", c.ID, m.Round, m.Attempts),
		CouponId: m.CouponId, StateFrom: m.From, StateTo: m.To, RetryCount: m.Attempts, Round: m.Round,
		CreatedAtMs: w.clockMS, NotBeforeMs: m.DueMs, FirstError: m.FirstError, LastError: m.LastError, ChainId: c.Chain,
	}
	if err := w.out.message(e); err != nil {
		return w.impossible(err)
	}
	w.out.key = schemas.AppendKey(w.out.key[:0], c.Chain)
	w.draft.out(topic, w.out.key, w.out.value, 0)
	crashpoint.Hit("coupon.retry.after")
	return nil
}
