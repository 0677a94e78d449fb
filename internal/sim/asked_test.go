//go:build synctests

package sim

import (
	"context"
	"fmt"

	"hongbao/fsm"
	pb "hongbao/schemas/invitepb"
)

// eachMove calls fn for every fact that moved a coupon, in order within its partition.
func (l *logs) eachMove(fn func(p int, id string, m *pb.CouponMoved)) {
	for p := range partitions {
		for i := range l.facts[p] {
			if m := l.facts[p][i].GetCouponMoved(); m != nil {
				fn(p, string(m.CouponId), m)
			}
		}
	}
}

// checkIssuer compares the issuer's memory with the coupons, and what it gave with what it had (I2).
func (s *sim) checkIssuer(l *logs) {
	done := map[string]int32{}  // COMPLETED by id, with the round
	asked := map[string]bool{}  // ISSUING was a fact
	where := map[string]int{}   // partition
	rounds := map[string]bool{} // id and round of COMPLETED
	l.eachMove(func(p int, id string, m *pb.CouponMoved) {
		where[id] = p
		switch m.To {
		case pb.CouponState_COUPON_STATE_ISSUING:
			asked[id] = true
		case pb.CouponState_COUPON_STATE_COMPLETED:
			done[id] = m.Round
			rounds[fmt.Sprintf("%x %d", id, m.Round)] = true
		}
	})
	given := map[string]int{}
	for _, c := range s.campaigns {
		_ = s.issuer.inner.Each(context.Background(), c.ID, func(k fsm.Key, a fsm.Answer) error {
			id := string(k.ID[:])
			if !asked[id] && !s.expected.factsUnread() {
				s.fail("I10", "the issuer remembers coupon %x, which never was ISSUING", id)
			}
			if a != fsm.Done {
				return nil
			}
			given[id]++
			if !rounds[fmt.Sprintf("%x %d", id, k.Round)] && !s.expected.stops[where[id]] {
				s.fail("I9", "the issuer issued coupon %x in round %d, the facts never completed it", id, k.Round)
			}
			return nil
		})
		counts, _ := s.issuer.inner.Counts(context.Background(), c.ID)
		for _, k := range counts.Kinds {
			if k.Left < 0 && !s.expected.issuerLost {
				s.fail("I2", "campaign %d: %d pieces of %s issued, %d declared", c.ID, k.Done, k.Kind, k.Declared)
			}
		}
		for _, b := range counts.Budgets {
			if b.Limited && b.Left < 0 && !s.expected.issuerLost {
				s.fail("I2", "campaign %d: %d of %s spent, %d declared", c.ID, b.Spent, b.Currency, b.Declared)
			}
		}
	}
	for id, n := range given {
		if n > 1 && !s.expected.issuerLost {
			s.fail("I10", "coupon %x was issued in %d rounds", id, n)
		}
	}
	for id := range done {
		if given[id] == 0 && !s.expected.issuerLost {
			s.fail("I9", "coupon %x of partition %d is COMPLETED, the issuer knows nothing of it", id, where[id])
		}
	}
}

// checkAsked is I10: at each call the ISSUING that it rests on had been committed.
func (s *sim) checkAsked(l *logs) {
	type turn struct{ seqs []int64 }
	issuing := map[string]*turn{}
	home := map[string]int{}
	for p := range partitions {
		for i := range l.facts[p] {
			f := &l.facts[p][i]
			if m := f.GetCouponMoved(); m != nil && m.To == pb.CouponState_COUPON_STATE_ISSUING {
				k := fmt.Sprintf("%x %d", m.CouponId, m.Round)
				if issuing[k] == nil {
					issuing[k] = &turn{}
				}
				issuing[k].seqs = append(issuing[k].seqs, f.Seq)
				home[k] = p
			}
		}
	}
	for _, a := range s.issuer.asked {
		k := fmt.Sprintf("%x %d", a.key.ID[:], a.key.Round)
		t := issuing[k]
		if t == nil && s.expected.factsUnread() {
			continue
		}
		if t == nil {
			s.fail("I10", "%s asked the issuer for coupon %s, which no committed fact made ISSUING", a.who, k)
			continue
		}
		if at := a.committed[home[k]]; t.seqs[0] > at {
			s.fail("I10", "%s asked the issuer for coupon %s when facts were committed up to seq %d; it is ISSUING from seq %d on", a.who, k, at, t.seqs[0])
		}
	}
}
