//go:build synctests

package sim

import (
	"crypto/sha256"
	"sort"
	"strconv"

	"google.golang.org/protobuf/proto"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// control sends what other services and people send: commands, redemptions, reviews, campaign changes.
func (f *feed) control(burst int) {
	for range f.rng.IntN(4) {
		f.command()
	}
	for range 1 + f.rng.IntN(4) {
		f.coupon()
	}
	f.flush()
	switch {
	case burst == 4 && f.rng.IntN(3) == 0:
		f.change(&pb.CampaignChange{Kind: pb.ChangeKind_CHANGE_KIND_PAUSE, Reason: "a pause"})
	case burst == 5 && f.number > 0:
		f.change(&pb.CampaignChange{Kind: pb.ChangeKind_CHANGE_KIND_RESUME})
	case burst == 7 && f.rng.IntN(3) == 0:
		f.change(&pb.CampaignChange{Kind: pb.ChangeKind_CHANGE_KIND_TOP_UP, Coupon: "five", StockDelta: 20})
	case burst == 8 && f.rng.IntN(3) == 0:
		f.change(&pb.CampaignChange{Kind: pb.ChangeKind_CHANGE_KIND_TOP_UP, BudgetCurrency: "CNY", BudgetDeltaMinor: 5000})
	case burst == 9 && f.rng.IntN(6) == 0 && f.number > 0:
		f.number--
		f.change(&pb.CampaignChange{Kind: pb.ChangeKind_CHANGE_KIND_RESUME}) // an old number
	case burst == 10 && f.rng.IntN(6) == 0:
		f.stale()
	case burst == 11 && f.rng.IntN(6) == 0:
		f.change(&pb.CampaignChange{Kind: pb.ChangeKind_CHANGE_KIND_STOP, Reason: "enough"})
	}
}

func (f *feed) change(c *pb.CampaignChange) {
	f.number++
	c.Campaign, c.Number = 1, f.number
	f.everywhere(&pb.ControlCommand{CommandId: "change" + f.id(), Body: &pb.ControlCommand_CampaignChange{CampaignChange: c}})
}

// stale applies another text under a version that is in force (STALE_CHANGE).
func (f *feed) stale() {
	text := f.s.plan.campaign(1, 1, "1990-01-01", "2090-01-01") + "# not the same\n"
	sum := sha256.Sum256([]byte(text))
	f.everywhere(&pb.ControlCommand{CommandId: "stale" + f.id(), Body: &pb.ControlCommand_CampaignApply{
		CampaignApply: &pb.CampaignApply{Campaign: 1, Version: 1, Sha256: sum[:], Text: text},
	}})
}

// everywhere sends a command to every partition.
func (f *feed) everywhere(c *pb.ControlCommand) {
	value, err := proto.Marshal(c)
	f.s.must(err)
	for range 5 {
		if f.s.tool.Broadcast(f.s.ctx, schemas.TopicControl, []byte("campaign/1"), value, nil) == nil {
			return
		}
	}
}

// to sends a message to the partition of a chain.
func (f *feed) to(t schemas.Topic, chain int64, m proto.Message) *input {
	value, err := proto.Marshal(m)
	f.s.must(err)
	key := strconv.AppendInt(nil, chain, 10)
	f.out = append(f.out, input{topic: t, partition: schemas.Partition(key, partitions), key: key, value: value, headers: []topiclog.Header{}})
	return &f.out[len(f.out)-1]
}

// command is one of another service, good or bad, sometimes sent twice, or under the same id as it was meant.
func (f *feed) command() {
	c := f.pick()
	cmd := &pb.CouponCommand{
		Campaign: 1, Chain: c.seed, Beneficiary: member(f.rng, c.members), Coupon: []string{"five", "brief"}[f.rng.IntN(2)], RuleId: "service", CommandId: "s" + f.id(),
	}
	switch f.rng.IntN(12) {
	case 0:
		f.to(schemas.TopicCommands, c.seed, cmd)
	case 1:
		meant := cmd.Coupon
		cmd.Coupon = "nothing"
		f.to(schemas.TopicCommands, c.seed, cmd)
		if f.ids%2 == 0 {
			cmd.Coupon = meant
		}
	case 2:
		cmd.Campaign = 77
	case 3:
		f.to(schemas.TopicCommands, c.seed, cmd).value = []byte("hostile")
		return
	case 4:
		in := f.to(schemas.TopicCommands, c.seed, cmd)
		in.partition = (in.partition + 1) % partitions
		return
	case 5:
		f.to(schemas.TopicControl, c.seed, cmd).value = []byte("\xff\xff hostile")
		return
	case 6:
		f.to(schemas.TopicRetry1s, c.seed, cmd).topic = schemas.TopicControl
		return
	}
	f.to(schemas.TopicCommands, c.seed, cmd)
}

// coupon sends a command about a coupon that a subscriber has seen, legal or not.
func (f *feed) coupon() {
	id, chain, coupon, voucher, ok := f.s.reader.draw(f)
	if !ok {
		return
	}
	cmd := &pb.ControlCommand{CommandId: "c" + f.id()}
	v := &pb.VoucherCommand{VoucherId: []byte(id), Chain: chain, Reason: "asked for"}
	switch {
	case coupon == pb.CouponState_COUPON_STATE_DEAD || coupon == pb.CouponState_COUPON_STATE_FAILED || f.rng.IntN(12) == 0:
		d := []pb.ReviewDecision{pb.ReviewDecision_REVIEW_DECISION_REDRIVE, pb.ReviewDecision_REVIEW_DECISION_DISCARD, pb.ReviewDecision_REVIEW_DECISION_REDRIVE}[f.rng.IntN(3)]
		if f.rng.IntN(10) == 0 {
			d = pb.ReviewDecision_REVIEW_DECISION_APPROVE
		}
		cmd.Body = &pb.ControlCommand_Review{Review: &pb.ReviewCommand{CouponId: []byte(id), Chain: chain, Decision: d, Operator: "o", Note: "n"}}
	case voucher == pb.VoucherState_VOUCHER_STATE_USED:
		cmd.Body = &pb.ControlCommand_RollBack{RollBack: v}
	case f.rng.IntN(3) == 0:
		cmd.Body = &pb.ControlCommand_Revoke{Revoke: v}
	default:
		cmd.Body = &pb.ControlCommand_Redeem{Redeem: v}
	}
	if f.rng.IntN(15) == 0 {
		v.VoucherId = make([]byte, 16) // UNKNOWN_COUPON
	}
	f.to(schemas.TopicControl, chain, cmd)
	if f.rng.IntN(5) == 0 {
		f.to(schemas.TopicControl, chain, cmd) // a redelivery
	}
}

// draw picks a coupon that has been seen, those that failed rather than the others.
func (r *reader) draw(f *feed) (id string, chain int64, c pb.CouponState, v pb.VoucherState, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ids := make([]string, 0, len(r.chains))
	failed := f.rng.IntN(2) == 0
	for id := range r.chains {
		if s := r.states[id]; !failed || s == pb.CouponState_COUPON_STATE_DEAD || s == pb.CouponState_COUPON_STATE_FAILED {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return "", 0, 0, 0, false
	}
	sort.Strings(ids)
	id = ids[f.rng.IntN(len(ids))]
	return id, r.chains[id], r.states[id], r.vouchers[id], true
}
