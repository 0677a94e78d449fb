package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"hongbao/fsm"
	"hongbao/internal/topiclog"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// couponLine is one coupon that waits for a person, as lists and decisions print it.
type couponLine struct {
	Coupon    string `json:"coupon"` // 32 hex digits
	State     string `json:"state"`  // DEAD, HELD or FAILED
	Reason    string `json:"reason"`
	Partition int32  `json:"partition"`
	Campaign  int64  `json:"campaign"`
	Chain     int64  `json:"chain"`
	User      int64  `json:"user"` // who is to get it
	Kind      string `json:"kind"`
	Rule      string `json:"rule"` // empty: another service asked for it
	Attempts  int32  `json:"attempts"`
	Round     int32  `json:"round"`
	Since     string `json:"since"` // RFC 3339, UTC: of the move to this state
	LastError string `json:"last_error"`

	id         schemas.CouponID
	state      pb.CouponState
	reason     schemas.Reason
	transition int32
	sinceMS    int64
}

// couponFilter says which coupons are wanted.
type couponFilter struct {
	state    pb.CouponState
	failed   bool                      // FAILED ones that can be redriven, too
	reason   schemas.Reason            // 0: any
	campaign int64                     // 0: any
	ids      map[schemas.CouponID]bool // empty: any
}

func (f *couponFilter) wants(c *couponLine) bool {
	state := c.state == f.state
	if f.failed && c.state == pb.CouponState_COUPON_STATE_FAILED {
		_, err := fsm.Redrive(c.state, c.reason)
		state = err == nil
	}
	return state && (f.reason == 0 || f.reason == c.reason) && (f.campaign == 0 || c.Campaign == 0 || f.campaign == c.Campaign)
}

// couponReading is one reading of the coupon facts. It keeps what may still be wanted and forgets what ended,
// so that its memory is the coupons under way, not all that ever were.
type couponReading struct {
	filter couponFilter
	kept   map[schemas.CouponID]*couponLine
	names  map[string]string // of kinds and rules: few, and each said millions of times
}

// readCoupons gives the coupons that a filter wants, in the order in which they came to their state.
func readCoupons(ctx context.Context, log *topiclog.Client, filter couponFilter, to []int64) ([]*couponLine, error) {
	r := &couponReading{filter: filter, kept: map[schemas.CouponID]*couponLine{}, names: map[string]string{}}
	if err := eachCouponMove(ctx, log, to, r.move); err != nil {
		return nil, err
	}
	strangers := false
	for id, c := range r.kept {
		if !filter.wants(c) {
			delete(r.kept, id)
			continue
		}
		strangers = strangers || c.Campaign == 0
	}
	// A coupon that came back from an end that was forgotten lacks what only its first fact says. They are few, if any.
	if strangers {
		if err := eachCouponMove(ctx, log, to, r.introduce); err != nil {
			return nil, err
		}
	}
	var lines []*couponLine
	for _, c := range r.kept {
		if filter.wants(c) { // now by campaign, too
			lines = append(lines, c.named())
		}
	}
	slices.SortFunc(lines, func(x, y *couponLine) int {
		return cmp.Or(cmp.Compare(x.sinceMS, y.sinceMS), cmp.Compare(x.Coupon, y.Coupon))
	})
	return lines, nil
}

func eachCouponMove(ctx context.Context, log *topiclog.Client, to []int64, fn func(partition int32, m *pb.CouponMoved)) error {
	var f schemas.Fact
	return log.Read(ctx, schemas.TopicFacts, topiclog.ReadOptions{To: to}, func(r *topiclog.Record) error {
		if err := f.Decode(r.Value); err != nil {
			return fmt.Errorf("%s/%d offset %d: %w", r.Topic, r.Partition, r.Offset, err)
		}
		if f.Kind != schemas.FactCouponMoved {
			return nil
		}
		m := f.Rare.GetCouponMoved()
		if len(m.GetCouponId()) != len(schemas.CouponID{}) {
			return fmt.Errorf("%s/%d offset %d: a coupon id has 16 bytes, not %d", r.Topic, r.Partition, r.Offset, len(m.GetCouponId()))
		}
		fn(r.Partition, m)
		return nil
	})
}

func (r *couponReading) move(partition int32, m *pb.CouponMoved) {
	id := schemas.CouponID(m.GetCouponId())
	if len(r.filter.ids) > 0 && !r.filter.ids[id] {
		return
	}
	c := r.kept[id]
	if c == nil {
		c = &couponLine{id: id, Partition: partition}
		r.kept[id] = c
	}
	if m.GetCommand() != nil {
		r.introduce(partition, m)
	}
	c.state, c.reason, c.transition, c.sinceMS = m.GetTo(), m.GetReason(), m.GetTransition(), m.GetTimeMs()
	c.Attempts, c.Round, c.LastError = m.GetAttempts(), m.GetRound(), m.GetLastError()
	if ended(c.state) && !r.filter.wants(c) {
		delete(r.kept, id)
	}
}

func ended(s pb.CouponState) bool {
	return s == pb.CouponState_COUPON_STATE_COMPLETED || s == pb.CouponState_COUPON_STATE_FAILED
}

// introduce takes from a coupon's first fact what no other says.
func (r *couponReading) introduce(_ int32, m *pb.CouponMoved) {
	c, cmd := r.kept[schemas.CouponID(m.GetCouponId())], m.GetCommand()
	if c == nil || cmd == nil {
		return
	}
	c.Campaign, c.Chain, c.User = cmd.GetCampaign(), cmd.GetChain(), cmd.GetBeneficiary()
	c.Kind, c.Rule = r.name(cmd.GetCoupon()), r.name(cmd.GetRuleId())
}

func (r *couponReading) name(s string) string {
	if known, ok := r.names[s]; ok {
		return known
	}
	r.names[s] = s
	return s
}

// named completes the words for printing.
func (c *couponLine) named() *couponLine {
	c.Coupon, c.State, c.Reason, c.Since = c.id.String(), fsm.CouponStateName(c.state), reasonName(c.reason), utc(c.sinceMS)
	return c
}
