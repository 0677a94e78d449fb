package main

import (
	"bytes"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// campaignWait gathers what became of an order, by partition.
type campaignWait struct {
	order   *campaignOrder
	left    map[int32]bool
	sent    map[int32]int64 // offset of our record on hongbao.control
	changed map[int32]int64 // offset of the record that took effect under our number
	refused []campaignRefuse
	fact    schemas.Fact
}

func newCampaignWait(o *campaignOrder) *campaignWait {
	w := &campaignWait{order: o, left: map[int32]bool{}, sent: map[int32]int64{}, changed: map[int32]int64{}, refused: []campaignRefuse{}}
	for _, p := range o.waiting {
		w.left[p] = true
	}
	return w
}

func (w *campaignWait) waiting() []int32 {
	left := []int32{}
	for p := range w.left {
		left = append(left, p)
	}
	slices.Sort(left)
	return left
}

// see takes one record of facts, control or coupon.dead; enough, when every partition has answered.
func (w *campaignWait) see(t schemas.Topic, r *topiclog.Record) (enough bool, err error) {
	switch t {
	case schemas.TopicFacts:
		if err := w.fact.Decode(r.Value); err != nil {
			return false, fmt.Errorf("%s/%d offset %d: %w", r.Topic, r.Partition, r.Offset, err)
		}
		w.seeFact(r.Partition)
	case schemas.TopicControl:
		if cmd, err := schemas.DecodeControl(r.Value); err == nil && cmd.GetCommandId() == w.order.command.GetCommandId() {
			w.sent[r.Partition] = r.Offset
		}
	case schemas.TopicCouponDead:
		w.seeLetter(r)
	}
	w.compare(r.Partition)
	return len(w.left) == 0, nil
}

func (w *campaignWait) seeFact(p int32) {
	switch w.fact.Kind {
	case schemas.FactCampaignActivated:
		m := w.fact.Rare.GetCampaignActivated()
		if c := w.order.rules; c != nil && m.GetCampaign() == c.ID && m.GetVersion() == c.Version && bytes.Equal(m.GetSha256(), c.SHA256[:]) {
			delete(w.left, p)
		}
	case schemas.FactCampaignChanged:
		m := w.fact.Rare.GetCampaignChanged()
		if c := w.order.change; c != nil && m.GetChange().GetCampaign() == c.GetCampaign() && m.GetChange().GetNumber() == c.GetNumber() {
			w.changed[p] = m.GetOffset()
		}
	}
}

// compare tells our change from another that took the same number: two commands that ran at the same time. A
// number takes effect once, so of the two one did nothing in this partition.
func (w *campaignWait) compare(p int32) {
	sent, ok1 := w.sent[p]
	took, ok2 := w.changed[p]
	switch {
	case !ok1 || !ok2 || !w.left[p]:
	case sent == took:
		delete(w.left, p)
	default:
		w.refuse(p, pb.Reason_REASON_STALE_CHANGE, fmt.Sprintf("another command took number %d at the same time, and took effect instead: look at `hongbao campaign list`, then send yours again",
			w.order.change.GetNumber()))
	}
}

func (w *campaignWait) seeLetter(r *topiclog.Record) {
	var d pb.DeadLetter
	if proto.Unmarshal(r.Value, &d) != nil || d.GetOriginTopic() != schemas.TopicControl.String() {
		return
	}
	if cmd, err := schemas.DecodeControl(d.GetValue()); err == nil && cmd.GetCommandId() == w.order.command.GetCommandId() {
		w.refuse(d.GetOriginPartition(), d.GetReason(), d.GetSentence())
	}
}

func (w *campaignWait) refuse(p int32, reason schemas.Reason, sentence string) {
	if w.left[p] {
		delete(w.left, p)
		w.refused = append(w.refused, campaignRefuse{Partition: p, Reason: reasonName(reason), Sentence: sentence})
	}
}
