//go:build synctests

package sim

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	pb "hongbao/schemas/invitepb"
)

// checkModels is I9: Redis holds the claim of every member and the place of every share of late, whatever it has lost in between, and the issuer remembers every coupon that is COMPLETED.
func (s *sim) checkModels(l *logs) {
	claims := s.redis.Snapshot()
	shares := map[string]int{}
	var places []place
	members := map[string]int64{}
	for p := range partitions {
		if s.expected.unread[p] {
			continue
		}
		for i := range l.facts[p] {
			a := l.facts[p][i].GetAccepted()
			if a == nil {
				continue
			}
			seed := a.Input.Kind == pb.EventKind_EVENT_KIND_SHARE_CREATED && a.User == a.Chain
			if a.Input.Kind == pb.EventKind_EVENT_KIND_INVITE_JOINED || seed {
				k := claimKey(a.Campaign, a.User)
				if chain, ok := members[k]; ok && chain != a.Chain {
					s.fail("I9", "user %d is in the chains %d and %d of campaign %d", a.User, chain, a.Chain, a.Campaign)
				}
				members[k] = a.Chain
				v := claims[k]
				if len(v) < 10 || int64(binary.BigEndian.Uint64([]byte(v[2:10]))) != a.Chain {
					s.fail("I9", "facts[%d] seq %d puts user %d into chain %d, Redis holds %x", p, l.facts[p][i].Seq, a.User, a.Chain, v)
				}
			}
			if a.Input.Kind == pb.EventKind_EVENT_KIND_SHARE_CREATED {
				shares[fmt.Sprint(a.User, a.Input.EventTimeMs/hourMS)]++
				places = append(places, placeOf(p, l.facts[p][i].Seq, a))
			}
		}
	}
	for k, n := range shares {
		if n > 5 {
			s.fail("I9", "user and hour %s have %d accepted shares, the limit is 5", k, n)
		}
	}
	s.checkClaims(claims, members)
	s.checkPlaces(claims, places)
	s.checkCounts(l)
	s.checkIssuer(l)
}

func claimKey(campaign, user int64) string {
	b := binary.AppendUvarint([]byte("{sim}:c:"), uint64(campaign))
	return string(binary.BigEndian.AppendUint64(b, uint64(user)))
}

// undisturbed says that nobody died, joined or began again, whatever befell Redis and the network: then claims are exact both ways. (A process that dies between a commit and a release leaves a
// claim to the next rebuild.)
func (s *sim) undisturbed() bool {
	return len(s.fleet) == 1 && s.fleet[0].lives == 1 && s.result.Reached["log X6: lane starts again at X5"] == 0
}

// checkClaims is I9 the other way round: no claim without a member.
func (s *sim) checkClaims(claims map[string]string, members map[string]int64) {
	if !s.undisturbed() {
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
	if s.expected.issuerLost || s.expected.anyStop() {
		return
	}
	commands := map[string]*pb.CouponCommand{}
	done, spent := map[string]int64{}, map[string]int64{}
	l.eachMove(func(_ int, id string, m *pb.CouponMoved) {
		if m.Command != nil {
			commands[id] = m.Command
		}
		if c := commands[id]; c != nil && m.To == pb.CouponState_COUPON_STATE_COMPLETED {
			done[fmt.Sprint(c.Campaign, " ", c.Coupon)]++
			spent[fmt.Sprint(c.Campaign, " ", c.Currency)] += c.ValueMinor
		}
	})
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
