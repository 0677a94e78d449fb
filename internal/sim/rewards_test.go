//go:build synctests

package sim

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"

	"google.golang.org/protobuf/proto"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// checkCoupons is I2: ids are what their reason says, each once, and each reward has its command and coupon.
func (s *sim) checkCoupons(l *logs) {
	reasons, made := map[string]string{}, map[string]string{}
	for p := range partitions {
		var granted []string
		for i := range l.facts[p] {
			f := &l.facts[p][i]
			switch b := f.Body.(type) {
			case *pb.Fact_Accepted:
				for _, r := range b.Accepted.Rewards {
					where := fmt.Sprintf("facts[%d] seq %d", p, f.Seq)
					id := couponID(b.Accepted.Campaign, r.RuleId, r.Beneficiary, trigger(b.Accepted, r))
					if id != string(r.CouponId) {
						s.fail("I2", "%s grants %s coupon %x, its reason makes %x", where, r.RuleId, r.CouponId, id)
					}
					if before, ok := reasons[id]; ok {
						s.fail("I2", "%s grants %s coupon %x again, after %s", where, r.RuleId, r.CouponId, before)
					}
					reasons[id] = where
					granted = append(granted, fmt.Sprintf("%d %x", f.Seq, r.CouponId))
					s.reach("reward " + r.RuleId)
				}
			case *pb.Fact_CouponMoved:
				if m := b.CouponMoved; m.Transition == 1 {
					where := fmt.Sprintf("facts[%d] seq %d", p, f.Seq)
					if before, ok := made[string(m.CouponId)]; ok {
						s.fail("I2", "%s makes coupon %x again, after %s", where, m.CouponId, before)
					}
					made[string(m.CouponId)] = where
				}
			}
		}
		if !s.expected.unread[p] {
			s.checkGranted(l, p, granted)
		}
	}
}

// checkGranted compares rewards with the commands of the same partition, in order (I7).
func (s *sim) checkGranted(l *logs, p int, granted []string) {
	n := 0
	for _, r := range l.committed[schemas.TopicCommands][p] {
		var c pb.CouponCommand
		if !r.Attrs.IsTransactional() || proto.Unmarshal(r.Value, &c) != nil {
			continue
		}
		got := fmt.Sprintf("%d %x", c.FactSeq, c.CouponId)
		if n >= len(granted) || granted[n] != got {
			s.fail("I7", "coupon.commands[%d] offset %d is %s, which is not the next reward granted", p, r.Offset, got)
			return
		}
		n++
	}
	if n != len(granted) {
		s.fail("I7", "facts[%d] grant %d rewards, %d commands say so", p, len(granted), n)
	}
}

func trigger(a *pb.Accepted, r *pb.Reward) string {
	switch {
	case a.OrderId != "":
		return "P:" + a.OrderId
	case r.RuleId == "two" || r.RuleId == "one":
		return fmt.Sprintf("D:%d:%d", r.Beneficiary, r.Ordinal)
	default:
		return fmt.Sprintf("J:%d", a.User)
	}
}

// commandID is the coupon that a command is about.
func commandID(c *pb.CouponCommand) string {
	if c.FactSeq > 0 {
		return string(c.CouponId)
	}
	return couponID(c.Campaign, c.RuleId, c.Beneficiary, "C:"+c.CommandId)
}

// couponID is the formula of the documentation, said once more.
func couponID(campaign int64, rule string, beneficiary int64, trigger string) string {
	var b []byte
	for _, part := range []string{strconv.FormatInt(campaign, 10), rule, strconv.FormatInt(beneficiary, 10), trigger} {
		b = append(binary.AppendUvarint(b, uint64(len(part))), part...)
	}
	sum := sha256.Sum256(b)
	return string(sum[:16])
}
