package processor

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/fsm"
	"hongbao/internal/crashpoint"
	"hongbao/internal/mutant"
	"hongbao/projections"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// commands turns coupon commands into coupons, only as fast as they can be issued: while open_max coupons
// are on their way the backlog stays in coupon.commands (domain.md section 6).
func (w *worker) commands() error {
	return w.eachRecord(schemas.TopicCommands, func(r *kgo.Record) (bool, error) {
		if w.state.Open() >= w.x.cfg.OpenMax {
			return false, nil
		}
		return true, w.create(r)
	})
}

// eachRecord hands the waiting records of a topic to fn until fn says that it wants no more now, or the step has
// had enough of them (X9); when none is left it lets the lane fetch the topic again.
func (w *worker) eachRecord(t schemas.Topic, fn func(*kgo.Record) (bool, error)) error {
	q := &w.in.inputs[t]
	if len(*q) == 0 {
		return nil
	}
	enough := w.draft.said() + stepInputBytes
	for len(*q) > 0 {
		recs := (*q)[0]
		for i, r := range recs {
			if w.draft.said() >= enough {
				(*q)[0] = recs[i:]
				return nil
			}
			if !w.skip(t, r) {
				more, err := fn(r)
				if err != nil {
					return err
				}
				if !more {
					(*q)[0] = recs[i:]
					return nil
				}
			}
			if bounded(t) {
				w.box.waiting.Add(-int64(weight(r)))
			}
			w.took(t, r)
		}
		(*q)[0] = nil
		*q = (*q)[1:]
	}
	*q = nil
	if t != schemas.TopicControl {
		w.life.resume(t, w.id)
	}
	return nil
}

// create answers one command: a new coupon, or nothing when its coupon exists (a redelivery).
func (w *worker) create(r *kgo.Record) error {
	var cmd schemas.Command
	if err := cmd.Decode(r.Value); err != nil {
		return w.deadLetter(schemas.TopicCouponDead, schemas.TopicCommands, r, asPoison(err))
	}
	if p := w.route(r, cmd.Chain); p != nil {
		return w.deadLetter(schemas.TopicCouponDead, schemas.TopicCommands, r, p)
	}
	if p := w.complete(&cmd); p != nil {
		return w.deadLetter(schemas.TopicCouponDead, schemas.TopicCommands, r, p)
	}
	_, known, err := w.state.Coupon(cmd.CouponID)
	if err != nil || known && !mutant.On(mutant.CouponTwice) {
		return err
	}
	c := &projections.Coupon{
		ID: cmd.CouponID, Campaign: cmd.Campaign, Chain: cmd.Chain, Beneficiary: cmd.Beneficiary,
		Kind: string(cmd.Coupon), Rule: string(cmd.Rule), OrderID: string(cmd.OrderID), Trace: string(cmd.Trace),
	}
	create := func(m *pb.CouponMoved) { m.Command, m.Offset = commandMessage(&cmd), r.Offset }
	if err := w.move(c, pb.CouponEvent_COUPON_EVENT_CREATE, 0, create); err != nil {
		return err
	}
	if reversed, err := w.orderReversed(c); err != nil || reversed {
		return err
	}
	if err := w.move(c, pb.CouponEvent_COUPON_EVENT_VALIDATE, 0, nil); err != nil {
		return err
	}
	err = w.move(c, pb.CouponEvent_COUPON_EVENT_ALLOW, 0, nil)
	crashpoint.Hit("coupon.create.after")
	return err
}

// complete fills in what a command of another service leaves to hongbao: the id of its trigger
// C:command_id, and what its coupon kind is worth.
func (w *worker) complete(cmd *schemas.Command) *schemas.Poison {
	camp, ok := w.state.Campaign(cmd.Campaign)
	if !ok {
		return &schemas.Poison{Reason: pb.Reason_REASON_UNKNOWN_CAMPAIGN, Sentence: fmt.Sprintf("command %q names campaign %d, which is not known here", cmd.CommandID, cmd.Campaign)}
	}
	if cmd.FactSeq > 0 && w.signed.Verify(cmd) != schemas.CodeGood {
		return &schemas.Poison{Reason: pb.Reason_REASON_INVALID_FIELD, Sentence: fmt.Sprintf(
			"command %s names fact_seq %d, and hongbao did not sign it under a live key; a service's own command has neither fact_seq nor coupon_id", cmd.CouponID, cmd.FactSeq)}
	}
	if cmd.FactSeq > w.store.Last().Seq {
		return &schemas.Poison{Reason: pb.Reason_REASON_INVALID_FIELD, Sentence: fmt.Sprintf(
			"command %s names fact_seq %d, but there are %d facts; a service's own command has none", cmd.CouponID, cmd.FactSeq, w.store.Last().Seq)}
	}
	if cmd.FactSeq > 0 {
		return nil // hongbao's own: worth and validity were fixed when it was granted
	}
	k := camp.Rules.Kind(cmd.Coupon)
	if k == nil {
		return &schemas.Poison{Reason: pb.Reason_REASON_UNKNOWN_COUPON, Sentence: fmt.Sprintf("command %q names coupon %q, which campaign %d does not have", cmd.CommandID, cmd.Coupon, cmd.Campaign)}
	}
	cmd.ValueMinor, cmd.Currency, cmd.ValidForMS = k.ValueMinor, k.Currency, k.ValidForMS
	schemas.MakeCouponID(&cmd.CouponID, cmd.Campaign, cmd.Rule, cmd.Beneficiary, schemas.AppendTriggerCommand(nil, cmd.CommandID))
	return nil
}

func commandMessage(c *schemas.Command) *pb.CouponCommand {
	return &pb.CouponCommand{
		CouponId: c.CouponID[:], Campaign: c.Campaign, Chain: c.Chain, Beneficiary: c.Beneficiary, Coupon: string(c.Coupon),
		RuleId: string(c.Rule), FactSeq: c.FactSeq, ValueMinor: c.ValueMinor, Currency: string(c.Currency),
		ValidForMs: c.ValidForMS, OrderId: string(c.OrderID), CommandId: string(c.CommandID), Traceparent: string(c.Trace),
	}
}

// orderReversed fails a coupon whose order was refunded before its command was read.
func (w *worker) orderReversed(c *projections.Coupon) (bool, error) {
	if c.OrderID == "" {
		return false, nil
	}
	o, ok, err := w.state.Order(c.Campaign, c.OrderID)
	if err != nil || !ok || o.ReversedSeq == 0 {
		return false, err
	}
	return true, w.move(c, pb.CouponEvent_COUPON_EVENT_ORDER_REVERSED, pb.Reason_REASON_ORDER_REVERSED, nil)
}

// reverse reaches the coupons of a refunded order (domain.md section 6): those on their way to the issuer go
// on, since it may have paid, and are revoked when done; a voucher in hand is revoked; a used one is listed.
func (w *worker) reverse(v *schemas.Verdict) error {
	var ids []schemas.CouponID
	err := w.state.OrderCoupons(v.Campaign, string(v.OrderID), func(c *projections.Coupon) error {
		ids = append(ids, c.ID)
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		c, ok, err := w.coupon(id)
		if err != nil || !ok {
			return err
		}
		switch c.State {
		case pb.CouponState_COUPON_STATE_PENDING, pb.CouponState_COUPON_STATE_VALIDATING, pb.CouponState_COUPON_STATE_HELD:
			err = w.move(c, pb.CouponEvent_COUPON_EVENT_ORDER_REVERSED, pb.Reason_REASON_ORDER_REVERSED, nil)
		case pb.CouponState_COUPON_STATE_COMPLETED:
			if c.Voucher == pb.VoucherState_VOUCHER_STATE_ISSUED {
				err = w.voucher(c, pb.VoucherEvent_VOUCHER_EVENT_REVOKE, pb.Reason_REASON_ORDER_REVERSED, "")
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// coupon is a copy that later folds do not change.
func (w *worker) coupon(id schemas.CouponID) (*projections.Coupon, bool, error) {
	c, ok, err := w.state.Coupon(id)
	if err != nil || !ok {
		return nil, false, err
	}
	own := *c
	return &own, true, nil
}

// answers folds what the issuer said. Only the answer to the present attempt of a coupon in ISSUING counts;
// one to an earlier ownership, round or attempt is dropped (X11).
func (w *worker) answers() error {
	for i := range w.in.answers {
		if err := w.answered(&w.in.answers[i]); err != nil {
			return err
		}
	}
	clear(w.in.answers)
	w.in.answers = w.in.answers[:0]
	return nil
}

func (w *worker) answered(o *fsm.Outcome) error {
	if o.Task.Ticket != w.ticket && !mutant.On(mutant.LateAnswer) {
		return nil
	}
	id := o.Task.Request.ID
	w.issue.back(id)
	c, ok, err := w.coupon(id)
	if mutant.On(mutant.LateAnswer) && ok { // as the task remembers it
		c.State, c.Round, c.Attempts = pb.CouponState_COUPON_STATE_ISSUING, o.Task.Request.Round, o.Task.Attempts
	}
	if err != nil || !ok || c.State != pb.CouponState_COUPON_STATE_ISSUING || c.Round != o.Task.Request.Round || c.Attempts != o.Task.Attempts {
		return err
	}
	attempts := c.Attempts + 1
	ev := fsm.AfterAttempt(o.Result.Answer, attempts)
	if ev == pb.CouponEvent_COUPON_EVENT_UNSPECIFIED {
		w.issue.add(id, w.committed.Load()) // no attempt was made: again, once the lease is proved
		return nil
	}
	err = w.move(c, ev, attemptReason(ev), func(m *pb.CouponMoved) {
		m.Attempts = attempts
		if o.Result.Detail != "" {
			m.LastError = clip(o.Result.Detail)
			if m.FirstError == "" {
				m.FirstError = m.LastError
			}
		}
		if m.To == pb.CouponState_COUPON_STATE_RETRYING {
			_, m.DueMs = fsm.RetryAfter(c.ID, m.Round, attempts, w.clockMS)
		}
	})
	crashpoint.Hit("coupon.answer.after")
	if err != nil || c.State != pb.CouponState_COUPON_STATE_COMPLETED {
		return err
	}
	if err := w.voucher(c, pb.VoucherEvent_VOUCHER_EVENT_ISSUE, 0, ""); err != nil || !c.OrderReversed {
		return err
	}
	return w.voucher(c, pb.VoucherEvent_VOUCHER_EVENT_REVOKE, pb.Reason_REASON_ORDER_REVERSED, "")
}

func attemptReason(ev pb.CouponEvent) schemas.Reason {
	switch ev {
	case pb.CouponEvent_COUPON_EVENT_OUT_OF_STOCK:
		return pb.Reason_REASON_OUT_OF_STOCK
	case pb.CouponEvent_COUPON_EVENT_OUT_OF_BUDGET:
		return pb.Reason_REASON_OUT_OF_BUDGET
	case pb.CouponEvent_COUPON_EVENT_ISSUER_REFUSES:
		return pb.Reason_REASON_ISSUER_REJECTED
	case pb.CouponEvent_COUPON_EVENT_TRANSIENT:
		return pb.Reason_REASON_ISSUER_TRANSIENT
	case pb.CouponEvent_COUPON_EVENT_UNKNOWN:
		return pb.Reason_REASON_ISSUER_UNKNOWN
	case pb.CouponEvent_COUPON_EVENT_EXHAUST:
		return pb.Reason_REASON_EXHAUSTED
	default:
		return 0
	}
}

// clip bounds an error text that travels in facts.
func clip(s string) string { return validUTF8(s[:min(len(s), schemas.MaxStringBytes)]) }

// illegalMove makes a command for a state that does not allow it a dead letter, not a stop.
func illegalMove(err error, what string, id schemas.CouponID) *schemas.Poison {
	var im *fsm.IllegalMove
	if !errors.As(err, &im) {
		return nil
	}
	return &schemas.Poison{Reason: pb.Reason_REASON_ILLEGAL_MOVE, Sentence: what + " of " + id.String() + ": " + strconv.Quote(im.Error())}
}
