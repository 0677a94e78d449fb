//go:build synctests

package sim

import (
	"encoding/hex"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// moves are those of domain.md section 6, by state.
var moves = map[string]string{
	"": "PENDING", "PENDING": "VALIDATING FAILED", "VALIDATING": "ISSUING HELD DEAD FAILED",
	"ISSUING": "COMPLETED FAILED RETRYING DEAD", "RETRYING": "ISSUING", "HELD": "ISSUING DEAD FAILED", "DEAD": "ISSUING FAILED", "FAILED": "ISSUING",
	"v": "ISSUED", "vISSUED": "USED EXPIRED REVOKED", "vUSED": "ISSUED",
}

// transition is one numbered move of a coupon or its voucher.
type transition struct {
	voucher string // in hex
	number  int32
}

// said is what a fact says of a transition.
type said struct {
	state string // a voucher's has a v before it
	by    producer
}

// progress is how far the results of one voucher have come.
type progress struct {
	number          int32
	coupon, voucher string
}

// checkResults is I4: results per voucher are a path of the machine, numbered without gap, and are what the facts say.
func (s *sim) checkResults(l *logs) {
	facts := s.transitions(l)
	of, ids := map[string]*progress{}, map[string]bool{}
	for p := range partitions {
		for _, rec := range l.committed[schemas.TopicResults][p] {
			var r pb.CouponResult
			if err := proto.Unmarshal(rec.Value, &r); err != nil {
				s.fail("I4", "coupon.results[%d] offset %d does not decode: %v", p, rec.Offset, err)
				continue
			}
			if ids[r.Id] {
				s.fail("I7", "coupon.results[%d] offset %d has id %s once more", p, rec.Offset, r.Id)
			}
			ids[r.Id] = true
			v := of[r.VoucherId]
			if v == nil {
				v = &progress{}
				of[r.VoucherId] = v
			}
			for _, t := range r.Transitions {
				state := s.follow(v, r.VoucherId, t)
				s.checkSaid(facts, transition{r.VoucherId, t.Transition}, said{state, writer(rec)})
			}
		}
	}
	for k, f := range facts {
		s.fail("I4", "transition %s %d to %s is a fact and no result", k.voucher, k.number, f.state)
	}
}

// transitions are those of the facts.
func (s *sim) transitions(l *logs) map[transition]said {
	out := map[transition]said{}
	note := func(f *fact, p int, id []byte, number int32, kind, prefix, state string, reason pb.Reason) {
		k := transition{hex.EncodeToString(id), number}
		if out[k].state != "" {
			s.fail("I4", "facts[%d] seq %d is transition %s %d once more", p, f.Seq, k.voucher, k.number)
		}
		out[k] = said{prefix + state, writer(f.rec)}
		s.reach(kind + " " + state)
		if reason != 0 {
			s.reach("transition " + reason.String())
		}
	}
	for p := range partitions {
		for i := range l.facts[p] {
			f := &l.facts[p][i]
			switch b := f.Body.(type) {
			case *pb.Fact_CouponMoved:
				m := b.CouponMoved
				note(f, p, m.CouponId, m.Transition, "state", "", stateName(m.To.String()), m.Reason)
			case *pb.Fact_VoucherMoved:
				m := b.VoucherMoved
				note(f, p, m.VoucherId, m.Transition, "voucher", "v", stateName(m.To.String()), m.Reason)
			}
		}
	}
	return out
}

// follow goes one step on the path of a voucher, and returns where it leads.
func (s *sim) follow(v *progress, id string, t *pb.Transition) string {
	if v.number++; t.Transition != v.number {
		s.fail("I4", "voucher %s: transition %d follows %d", id, t.Transition, v.number-1)
		v.number = t.Transition
	}
	at, prefix := &v.coupon, ""
	if strings.HasPrefix(t.EventType, "voucher_") {
		at, prefix = &v.voucher, "v"
	}
	if t.FromState != *at || !slices.Contains(strings.Fields(moves[prefix+*at]), t.ToState) {
		s.fail("I4", "voucher %s: transition %d goes from %q (it was %q) to %q", id, t.Transition, t.FromState, *at, t.ToState)
	}
	*at = t.ToState
	return prefix + t.ToState
}

// checkSaid holds a transition to its fact, and takes it out of facts.
func (s *sim) checkSaid(facts map[transition]said, k transition, is said) {
	f := facts[k]
	delete(facts, k)
	if s.expected.factsUnread() {
		return
	}
	if f.state != is.state {
		s.fail("I4", "voucher %s: transition %d is %q, the facts say %q", k.voucher, k.number, is.state, f.state)
	}
	if f.by != is.by {
		s.fail("I7", "voucher %s: transition %d and its fact are of different transactions", k.voucher, k.number)
	}
}

func stateName(s string) string {
	return strings.TrimPrefix(strings.TrimPrefix(s, "COUPON_STATE_"), "VOUCHER_STATE_")
}
