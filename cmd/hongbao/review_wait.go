package main

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// reviewWait gathers what became of decisions, by command id.
type reviewWait struct {
	left    map[string]*reviewed
	refused bool
	fact    schemas.Fact
}

// see takes one record of facts or coupon.dead; enough, when every decision has its answer.
func (w *reviewWait) see(t schemas.Topic, r *topiclog.Record) (enough bool, err error) {
	if t == schemas.TopicCouponDead {
		w.seeLetter(r)
		return len(w.left) == 0, nil
	}
	if err := w.fact.Decode(r.Value); err != nil {
		return false, fmt.Errorf("%s/%d offset %d: %w", r.Topic, r.Partition, r.Offset, err)
	}
	if w.fact.Kind == schemas.FactReviewDecided {
		w.settle(w.fact.Rare.GetReviewDecided().GetCommandId(), outcomeDecided, "")
	}
	return len(w.left) == 0, nil
}

// seeLetter: a decision that came too late, or on a coupon that is not there, is a dead letter.
func (w *reviewWait) seeLetter(r *topiclog.Record) {
	var d pb.DeadLetter
	if proto.Unmarshal(r.Value, &d) != nil || d.GetOriginTopic() != schemas.TopicControl.String() {
		return
	}
	if cmd, err := schemas.DecodeControl(d.GetValue()); err == nil {
		w.settle(cmd.GetCommandId(), outcomeRefused, reasonName(d.GetReason())+": "+d.GetSentence())
	}
}

func (w *reviewWait) settle(commandID, outcome, sentence string) {
	if c := w.left[commandID]; c != nil {
		c.Outcome, c.Sentence = outcome, sentence
		w.refused = w.refused || outcome == outcomeRefused
		delete(w.left, commandID)
	}
}
