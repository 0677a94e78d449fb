package verify

import (
	"slices"
	"testing"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// controlled: what else comes over hongbao.control, beside the changes and the voucher commands that the facts before it tell of.
func (sc *scenario) controlled() {
	p := sc.p
	c := sc.campaign
	p.ask(&pb.ControlCommand{CommandId: "apply", Body: &pb.ControlCommand_CampaignApply{CampaignApply: &pb.CampaignApply{
		Campaign: c.ID, Version: c.Version, Text: string(c.Text), // in force already
	}}})
	p.ask(&pb.ControlCommand{CommandId: "change1", Body: &pb.ControlCommand_CampaignChange{CampaignChange: &pb.CampaignChange{
		Campaign: c.ID, Number: 1, Kind: pb.ChangeKind_CHANGE_KIND_PAUSE, // a redelivery
	}}})
	sc.refuseControl(p.ask(&pb.ControlCommand{CommandId: "late", Body: &pb.ControlCommand_Revoke{Revoke: &pb.VoucherCommand{
		VoucherId: make([]byte, 16), Chain: sc.s,
	}}}), pb.Reason_REASON_UNKNOWN_COUPON)
	garbage := p.ask(&pb.ControlCommand{})
	p.control[len(p.control)-1].Value = []byte("\xff garbage")
	sc.refuseControl(garbage, pb.Reason_REASON_UNDECODABLE)
	id := sc.coupons["l12"].id
	review := &pb.ReviewCommand{CouponId: id[:], Chain: sc.s, Decision: pb.ReviewDecision_REVIEW_DECISION_DISCARD}
	offset := p.ask(&pb.ControlCommand{CommandId: "review", Body: &pb.ControlCommand_Review{Review: review}})
	p.rare(&pb.Fact{Body: &pb.Fact_ReviewDecided{ReviewDecided: &pb.ReviewDecided{
		CouponId: id[:], Decision: review.Decision, CommandId: "review", Offset: offset,
	}}}, schemas.FactReviewDecided)
	p.end()
}

func (sc *scenario) refuseControl(offset int64, reason schemas.Reason) {
	sc.couponDead = append(sc.couponDead, &pb.DeadLetter{
		OriginTopic: "hongbao.control", OriginPartition: sc.p.id, OriginOffset: offset, Key: schemas.AppendKey(nil, sc.s), Reason: reason,
	})
}

// dropLetter drops the dead letter about a control record.
func (sc *scenario) dropLetter(reason schemas.Reason) {
	sc.couponDead = slices.DeleteFunc(sc.couponDead, func(d *pb.DeadLetter) bool { return d.OriginTopic == "hongbao.control" && d.Reason == reason })
}

func TestControlBroken(t *testing.T) {
	t.Parallel()
	asked := func(l *memLog) *[]*topiclog.Record { return &l.topics[schemas.TopicControl][0] }
	runDamages(t, []damage{
		{
			name: "a redemption passed over", check: CheckControl, says: "(command use) was read; it was not carried out",
			before: func(sc *scenario) { sc.coupons["welcome1"].facts[5].f.Rare.GetVoucherMoved().CommandId = "" },
		},
		{
			name: "a redemption under another id", check: CheckControl, says: "carry out 1 commands more",
			before: func(sc *scenario) { sc.coupons["welcome1"].facts[5].f.Rare.GetVoucherMoved().CommandId = "other" },
		},
		{
			name: "a review passed over", check: CheckControl, says: "(command review) was read; it was not carried out",
			before: func(sc *scenario) { sc.p.drop(sc.p.kind(schemas.FactReviewDecided, 0)) },
		},
		{
			name: "a review decided twice", check: CheckControl, says: "carry out 1 commands more",
			before: func(sc *scenario) { sc.p.double(sc.p.kind(schemas.FactReviewDecided, 0)) },
		},
		{
			name: "a redelivery carried out", check: CheckControl, says: "carry out 1 commands more",
			before: func(sc *scenario) {
				sc.coupons["welcome1"].facts[6].f.Rare.GetVoucherMoved().CommandId = "use"
			},
		},
		{
			name: "a change passed over", check: CheckControl, says: "(change 2 of campaign 1) was read; it was not carried out",
			before: func(sc *scenario) { sc.p.drop(sc.p.kind(schemas.FactCampaignChanged, 1)) },
		},
		{
			name: "a change out of nowhere", check: CheckControl, says: "a campaign is changed by offset 1 of hongbao.control",
			after: func(_ *scenario, l *memLog) { *asked(l) = slices.Delete(*asked(l), 1, 2) },
		},
		{
			name: "a file passed over", check: CheckControl, says: "(version 2 of campaign 1) was read; it was not carried out",
			before: func(sc *scenario) {
				sc.p.ask(&pb.ControlCommand{CommandId: "newer", Body: &pb.ControlCommand_CampaignApply{CampaignApply: &pb.CampaignApply{
					Campaign: 1, Version: 2, Text: string(sc.campaign.Text) + "# newer\n",
				}}})
				sc.p.end()
			},
		},
		{
			name: "a command that nobody can execute", check: CheckControl, says: "(which nobody can execute) was read",
			before: func(sc *scenario) { sc.dropLetter(pb.Reason_REASON_UNDECODABLE) },
		},
		{
			name: "a dead letter dropped", check: CheckControl, says: "(command late) was read; it was not carried out and is not in coupon.dead",
			before: func(sc *scenario) { sc.dropLetter(pb.Reason_REASON_UNKNOWN_COUPON) },
		},
		{
			name: "a dead letter doubled", check: CheckControl, says: "has 2 dead letters",
			before: func(sc *scenario) {
				sc.refuseControl(0, pb.Reason_REASON_ILLEGAL_MOVE)
				sc.refuseControl(0, pb.Reason_REASON_ILLEGAL_MOVE)
			},
		},
		{
			name: "a dead letter about what was carried out", check: CheckControl, says: "carry out 1 commands more",
			before: func(sc *scenario) { sc.refuseControl(4, pb.Reason_REASON_ILLEGAL_MOVE) },
		},
		{
			name: "a dead letter about nothing", check: CheckControl, says: "names offset 3 of hongbao.control, where no committed record is",
			before: func(sc *scenario) { sc.refuseControl(3, pb.Reason_REASON_ILLEGAL_MOVE) },
			after:  func(_ *scenario, l *memLog) { *asked(l) = slices.Delete(*asked(l), 3, 4) },
		},
		{
			name: "a dead letter of nowhere", check: CheckControl, says: "names partition 9 of hongbao.control",
			before: func(sc *scenario) {
				sc.refuseControl(4, pb.Reason_REASON_ILLEGAL_MOVE)
				sc.couponDead[len(sc.couponDead)-1].OriginPartition = 9
			},
		},
	})
}

// What retention has taken from hongbao.control is believed of the facts.
func TestGoneControlIsBelieved(t *testing.T) {
	t.Parallel()
	sc := newScenario(t)
	for _, r := range sc.p.control[1:3] {
		again := edit(r)
		again.Offset = int64(len(sc.p.control))
		sc.p.control = append(sc.p.control, again)
	}
	sc.p.end()
	log := sc.build()
	log.starts[schemas.TopicControl] = []int64{6, 0} // behind the changes and the redemption, before redeliveries of them
	if r := mustRun(t, config(log)); !r.OK {
		t.Errorf("report:\n%s", printed(t, r))
	}
}
