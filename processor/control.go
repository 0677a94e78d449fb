package processor

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/fsm"
	"hongbao/internal/crashpoint"
	"hongbao/internal/mutant"
	"hongbao/projections"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// control answers hongbao.control at once, whatever else waits.
func (w *worker) control() error {
	before := w.draft.seq
	return w.eachRecord(schemas.TopicControl, func(r *kgo.Record) (bool, error) {
		if mutant.On(mutant.ControlSkipped) && w.draft.seq > before {
			return true, nil
		}
		p, err := w.controlled(r)
		if err == nil && p != nil {
			err = w.deadLetter(schemas.TopicCouponDead, schemas.TopicControl, r, p)
		}
		return true, err
	})
}

// controlled carries out one command. A *Poison means that it cannot be: it goes to coupon.dead.
func (w *worker) controlled(r *kgo.Record) (*schemas.Poison, error) {
	crashpoint.Hit("control.command.before")
	cmd, err := schemas.DecodeControl(r.Value)
	if err != nil {
		return asPoison(err), nil
	}
	if p := w.controlRoute(r, cmd); p != nil {
		return p, nil
	}
	switch body := cmd.Body.(type) {
	case *pb.ControlCommand_CampaignChange:
		return w.changeCampaign(body.CampaignChange, r.Offset)
	case *pb.ControlCommand_CampaignApply:
		return w.applyCampaign(body.CampaignApply)
	}
	if seen, err := w.state.Seen(cmd.CommandId); err != nil || seen {
		return nil, err
	}
	switch body := cmd.Body.(type) {
	case *pb.ControlCommand_Redeem:
		return w.voucherCommand(body.Redeem, pb.VoucherEvent_VOUCHER_EVENT_REDEEM, 0, cmd.CommandId)
	case *pb.ControlCommand_RollBack:
		return w.voucherCommand(body.RollBack, pb.VoucherEvent_VOUCHER_EVENT_ROLL_BACK, 0, cmd.CommandId)
	case *pb.ControlCommand_Revoke:
		return w.voucherCommand(body.Revoke, pb.VoucherEvent_VOUCHER_EVENT_REVOKE, pb.Reason_REASON_REVOKED_BY_SERVICE, cmd.CommandId)
	case *pb.ControlCommand_Review:
		return w.review(body.Review, cmd.CommandId, r.Offset)
	}
	return nil, nil //nolint:nilnil // DecodeControl knows no other body
}

// controlRoute checks the key: the chain's, or campaign/<id> for what goes to every partition.
func (w *worker) controlRoute(r *kgo.Record, cmd *pb.ControlCommand) *schemas.Poison {
	switch body := cmd.Body.(type) {
	case *pb.ControlCommand_CampaignChange, *pb.ControlCommand_CampaignApply:
		if !strings.HasPrefix(string(r.Key), "campaign/") {
			return &schemas.Poison{Reason: pb.Reason_REASON_MISROUTED, Sentence: fmt.Sprintf("key %.40q of a campaign command; it must be campaign/<id>, one record to every partition", r.Key)}
		}
		return nil
	case *pb.ControlCommand_Redeem:
		return w.route(r, body.Redeem.GetChain())
	case *pb.ControlCommand_RollBack:
		return w.route(r, body.RollBack.GetChain())
	case *pb.ControlCommand_Revoke:
		return w.route(r, body.Revoke.GetChain())
	case *pb.ControlCommand_Review:
		return w.route(r, body.Review.GetChain())
	}
	return nil
}

func (w *worker) voucherCommand(v *pb.VoucherCommand, ev pb.VoucherEvent, reason schemas.Reason, commandID string) (*schemas.Poison, error) {
	c, p, err := w.known(v.GetVoucherId(), v.GetChain())
	if c == nil {
		return p, err
	}
	if err := w.expireFirst(c); err != nil {
		return nil, err
	}
	err = w.voucher(c, ev, reason, commandID)
	if p := illegalMove(err, strings.ToLower(fsm.VoucherEventName(ev)), c.ID); p != nil {
		return p, nil
	}
	return nil, err
}

// expireFirst ends a voucher whose validity is over before anything else befalls it: timers may not have come to it yet.
func (w *worker) expireFirst(c *projections.Coupon) error {
	if c.Voucher != pb.VoucherState_VOUCHER_STATE_ISSUED || c.VoucherExpiresMS > w.clockMS {
		return nil
	}
	return w.voucher(c, pb.VoucherEvent_VOUCHER_EVENT_EXPIRE, pb.Reason_REASON_VALIDITY_ENDED, "")
}

func (w *worker) known(id []byte, chain int64) (*projections.Coupon, *schemas.Poison, error) {
	cid := schemas.CouponID(id)
	c, ok, err := w.coupon(cid)
	if err != nil {
		return nil, nil, err
	}
	if !ok || c.Chain != chain {
		return nil, &schemas.Poison{Reason: pb.Reason_REASON_UNKNOWN_COUPON, Sentence: fmt.Sprintf("coupon %s of chain %d is not known here", cid, chain)}, nil
	}
	return c, nil, nil
}

var reviewEvents = map[pb.ReviewDecision]pb.CouponEvent{
	pb.ReviewDecision_REVIEW_DECISION_APPROVE: pb.CouponEvent_COUPON_EVENT_APPROVE,
	pb.ReviewDecision_REVIEW_DECISION_REJECT:  pb.CouponEvent_COUPON_EVENT_REJECT,
	pb.ReviewDecision_REVIEW_DECISION_REDRIVE: pb.CouponEvent_COUPON_EVENT_REDRIVE,
	pb.ReviewDecision_REVIEW_DECISION_DISCARD: pb.CouponEvent_COUPON_EVENT_DISCARD,
}

// review carries out a person's decision: the decision is a fact of its own, then the move.
func (w *worker) review(v *pb.ReviewCommand, commandID string, offset int64) (*schemas.Poison, error) {
	c, p, err := w.known(v.GetCouponId(), v.GetChain())
	if c == nil {
		return p, err
	}
	ev := reviewEvents[v.GetDecision()]
	if _, err := w.machine.Coupon(c.State, ev); err != nil {
		return illegalMove(err, "review", c.ID), nil
	}
	round, attempts, reason := c.Round, c.Attempts, schemas.Reason(0)
	switch ev {
	case pb.CouponEvent_COUPON_EVENT_REDRIVE:
		next, err := fsm.Redrive(c.State, c.Reason)
		if err != nil {
			return &schemas.Poison{Reason: pb.Reason_REASON_ILLEGAL_MOVE, Sentence: err.Error()}, nil
		}
		if attempts = 0; next {
			round++
		}
	case pb.CouponEvent_COUPON_EVENT_REJECT:
		reason = pb.Reason_REASON_REVIEW_REJECTED
	case pb.CouponEvent_COUPON_EVENT_DISCARD:
		reason = pb.Reason_REASON_DISCARDED
	}
	decided := &pb.ReviewDecided{
		CouponId: v.GetCouponId(), Decision: v.GetDecision(), Operator: v.GetOperator(), Note: v.GetNote(), CommandId: commandID, Offset: offset,
	}
	if err := w.rare(c, &pb.Fact{Body: &pb.Fact_ReviewDecided{ReviewDecided: decided}}, schemas.FactReviewDecided); err != nil {
		return nil, err
	}
	return nil, w.move(c, ev, reason, func(m *pb.CouponMoved) { m.Round, m.Attempts = round, attempts })
}
