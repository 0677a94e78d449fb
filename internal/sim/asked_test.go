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
			p, known := where[id]
			excused := known && s.expected.stops[p] || !known && s.expected.factsUnread()
			if !excused && !rounds[fmt.Sprintf("%x %d", id, k.Round)] {
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

// checkAsked is I10: when a call was made, what was committed had its coupon in ISSUING, in that round. A request names no attempt (its key is coupon and
// round, X11), and one attempt may be asked for again after a takeover, so calls are not counted: the call for the next attempt is too early while the
// coupon is committed as RETRYING, and one for an attempt that is over comes from nobody who still owns the partition.
func (s *sim) checkAsked(l *logs) {
	type move struct {
		seq     int64
		round   int32
		issuing bool
	}
	home, path := map[string]int{}, map[string][]move{}
	for p := range partitions {
		for i := range l.facts[p] {
			if m := l.facts[p][i].GetCouponMoved(); m != nil {
				id := string(m.CouponId)
				home[id], path[id] = p, append(path[id], move{l.facts[p][i].Seq, m.Round, m.To == pb.CouponState_COUPON_STATE_ISSUING})
			}
		}
	}
	for _, a := range s.issuer.asked {
		id := string(a.key.ID[:])
		p, known := home[id]
		if !known && s.expected.factsUnread() || known && s.expected.unread[p] {
			continue
		}
		var last move
		for _, m := range path[id] {
			if m.seq <= a.committed[p] {
				last = m
			}
		}
		if !last.issuing || last.round != a.key.Round {
			s.fail("I10", "%s asked the issuer for coupon %x in round %d when facts[%d] were committed up to seq %d, where it is not ISSUING in that round: %+v",
				a.who, id, a.key.Round, p, a.committed[p], path[id])
		}
	}
}
