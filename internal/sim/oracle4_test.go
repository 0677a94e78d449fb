//go:build synctests

package sim

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	pb "hongbao/schemas/invitepb"
)

// calm says that nothing went wrong and nobody moved: then claims are exact both ways. (A process that dies between a commit and a release leaves a
// claim to the next rebuild.)
func (s *sim) calm() bool {
	return len(s.result.Hits) == 0 && len(s.fleet) == 1 && s.fleet[0].lives == 1 && s.result.Reached["log X6: lane starts again at X5"] == 0
}

// checkClaims is I9 the other way round: no claim without a member.
func (s *sim) checkClaims(claims map[string]string, members map[string]int64) {
	if !s.calm() {
		return
	}
	for k, v := range claims {
		if strings.HasPrefix(k, "{sim}:c:") && (len(v) < 10 || members[k] != int64(binary.BigEndian.Uint64([]byte(v[2:10])))) {
			s.fail("I9", "Redis holds the claim %x of %x, which no fact made a member", v, k)
		}
	}
}

// checkCounts is I9 for what the issuer took from its stock: the pieces and the money of the coupons that are COMPLETED.
func (s *sim) checkCounts(l *logs) {
	if s.expected.lossy || s.expected.anyStop() || s.expected.factsLost {
		return
	}
	commands := map[string]*pb.CouponCommand{}
	done, spent := map[string]int64{}, map[string]int64{}
	for p := range partitions {
		for i := range l.facts[p] {
			m := l.facts[p][i].GetCouponMoved()
			if m == nil {
				continue
			}
			id := string(m.CouponId)
			if m.Command != nil {
				commands[id] = m.Command
			}
			if c := commands[id]; c != nil && m.To == pb.CouponState_COUPON_STATE_COMPLETED {
				done[fmt.Sprint(c.Campaign, " ", c.Coupon)]++
				spent[fmt.Sprint(c.Campaign, " ", c.Currency)] += c.ValueMinor
			}
		}
	}
	for _, c := range s.campaigns {
		counts, _ := s.issuer.inner.Counts(context.Background(), c.ID)
		for _, k := range counts.Kinds {
			if n := done[fmt.Sprint(c.ID, " ", k.Kind)]; n != k.Done {
				s.fail("I9", "the issuer took %d pieces of %s, %d coupons are COMPLETED", k.Done, k.Kind, n)
			}
		}
		for _, b := range counts.Budgets {
			if n := spent[fmt.Sprint(c.ID, " ", b.Currency)]; n != b.Spent {
				s.fail("I9", "the issuer spent %d of %s, the coupons that are COMPLETED are worth %d", b.Spent, b.Currency, n)
			}
		}
	}
}

// checkReasons is I8 for what has stopped, before anybody restarts it: only a refused record stops a partition that can go on (X6).
func (s *sim) checkReasons() {
	for _, i := range s.fleet {
		if !i.running() {
			continue
		}
		for _, stop := range i.life.x.Status().Stopped {
			if !s.expected.stops[stop.Partition] && (stop.Rule != "X6" || s.result.Hits["code Produce MESSAGE_TOO_LARGE"]+s.result.Hits["record refused"] == 0) {
				s.fail("I8", "partition %d of %s has stopped for nothing: %v", stop.Partition, i.name, stop)
			}
		}
	}
}
