//go:build synctests

package sim

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// checkCommits is I3: whatever offset was committed stood for the end of a step that is in the log, written by the same
// producer, and every transaction's last fact had such an offset beside it.
func (s *sim) checkCommits(l *logs) {
	if n := len(s.watch.outside); n > 0 {
		s.fail("I3", "%d offsets were committed outside a transaction", n)
	}
	for p := range partitions {
		if s.expected.excuses(p) {
			continue
		}
		steps := map[int64]*fact{}
		for i := range l.facts[p] {
			if f := &l.facts[p][i]; f.GetStepEnded() != nil {
				steps[f.Seq] = f
			}
		}
		s.checkLast(l, p, steps)
		s.checkOffset(l, p, steps)
	}
}

// checkLast walks the transactions of facts[p], which end where the producer or its epoch changes or a step's promise was made.
func (s *sim) checkLast(l *logs, p int, steps map[int64]*fact) {
	byStep := map[string]bool{} // producer, epoch, seq, hash of what was promised
	for _, c := range s.watch.commits {
		if int(c.partition) != p {
			continue
		}
		m, ok := readMetadata(c.metadata)
		if !ok {
			s.fail("I3", "partition %d was committed with metadata %q", p, c.metadata)
			continue
		}
		byStep[fmt.Sprint(c.producer, c.epoch, m.seq, m.hash)] = true
		f := steps[m.seq]
		if f == nil || writer(f.rec) != (producer{c.producer, c.epoch}) {
			continue // that transaction was not committed in the end
		}
		if string(f.Hash) != m.hash || m.positions[schemas.TopicEvents.String()] != c.offset {
			s.fail("I3", "partition %d: offset %d was committed with hash %x at seq %d, the log has hash %x", p, c.offset, m.hash, m.seq, f.Hash)
		}
		for _, at := range f.GetStepEnded().Positions {
			if m.positions[at.Topic] != at.NextOffset {
				s.fail("I3", "partition %d seq %d: the metadata has position %d of %s, StepEnded %d", p, m.seq, m.positions[at.Topic], at.Topic, at.NextOffset)
			}
		}
	}
	for i := range l.facts[p] {
		f := &l.facts[p][i]
		if i+1 < len(l.facts[p]) && writer(l.facts[p][i+1].rec) == writer(f.rec) {
			continue
		}
		if f.GetStepEnded() == nil {
			s.fail("I3", "facts[%d] seq %d ends a transaction in mid-step (torn)", p, f.Seq)
		} else if !byStep[fmt.Sprint(f.rec.ProducerID, f.rec.ProducerEpoch, f.Seq, string(f.Hash))] {
			s.fail("I3", "facts[%d] seq %d ends what producer %d epoch %d wrote, and no offset went with it", p, f.Seq, f.rec.ProducerID, f.rec.ProducerEpoch)
		}
	}
}

// checkOffset holds the committed offset to the last fact.
func (s *sim) checkOffset(l *logs, p int, steps map[int64]*fact) {
	c := l.commits[p]
	if c.Offset < 0 {
		if len(l.facts[p]) > 0 {
			s.fail("I3", "partition %d has %d facts and no committed offset", p, len(l.facts[p]))
		}
		return
	}
	m, ok := readMetadata(c.Metadata)
	f := steps[m.seq]
	if !ok || f == nil || string(f.Hash) != m.hash || m.seq != int64(len(l.facts[p])) {
		s.fail("I3", "partition %d: the committed metadata names seq %d hash %x; the facts end at seq %d", p, m.seq, m.hash, len(l.facts[p]))
	}
}

// moves are those of domain.md section 6, by state.
var moves = map[string]string{
	"": "PENDING", "PENDING": "VALIDATING FAILED", "VALIDATING": "ISSUING HELD DEAD FAILED",
	"ISSUING": "COMPLETED FAILED RETRYING DEAD", "RETRYING": "ISSUING", "HELD": "ISSUING DEAD FAILED", "DEAD": "ISSUING FAILED", "FAILED": "ISSUING",
	"v": "ISSUED", "vISSUED": "USED EXPIRED REVOKED", "vUSED": "ISSUED",
}

// checkResults is I4: results per voucher are a path of the machine, numbered without gap, and are what the facts say.
func (s *sim) checkResults(l *logs) {
	type life struct {
		number  int32
		coupon  string
		voucher string
	}
	said := map[string]string{} // by voucher and number, what facts say
	writers := map[string]producer{}
	for p := range partitions {
		for i := range l.facts[p] {
			f := &l.facts[p][i]
			switch b := f.Body.(type) {
			case *pb.Fact_CouponMoved:
				m := b.CouponMoved
				k := fmt.Sprintf("%x %d", m.CouponId, m.Transition)
				if said[k] != "" {
					s.fail("I4", "facts[%d] seq %d is transition %s once more", p, f.Seq, k)
				}
				said[k] = stateName(m.To.String())
				writers[k] = writer(f.rec)
				s.reach("state " + stateName(m.To.String()))
				if m.Reason != 0 {
					s.reach("transition " + m.Reason.String())
				}
			case *pb.Fact_VoucherMoved:
				m := b.VoucherMoved
				k := fmt.Sprintf("%x %d", m.VoucherId, m.Transition)
				if said[k] != "" {
					s.fail("I4", "facts[%d] seq %d is transition %s once more", p, f.Seq, k)
				}
				said[k] = "v" + stateName(m.To.String())
				writers[k] = writer(f.rec)
				s.reach("voucher " + stateName(m.To.String()))
				if m.Reason != 0 {
					s.reach("transition " + m.Reason.String())
				}
			}
		}
	}
	lives, ids := map[string]*life{}, map[string]bool{}
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
			v := lives[r.VoucherId]
			if v == nil {
				v = &life{}
				lives[r.VoucherId] = v
			}
			for _, t := range r.Transitions {
				if v.number++; t.Transition != v.number {
					s.fail("I4", "voucher %s: transition %d follows %d", r.VoucherId, t.Transition, v.number-1)
					v.number = t.Transition
				}
				k := fmt.Sprintf("%s %d", r.VoucherId, t.Transition)
				at, state := &v.coupon, ""
				if len(t.EventType) > 8 && t.EventType[:8] == "voucher_" {
					at, state = &v.voucher, "v"
				}
				if t.FromState != *at || !word(moves[state+*at], t.ToState) {
					s.fail("I4", "voucher %s: transition %d goes from %q (it was %q) to %q", r.VoucherId, t.Transition, t.FromState, *at, t.ToState)
				}
				*at = t.ToState
				if said[k] != state+t.ToState && !s.expected.factsLost {
					s.fail("I4", "voucher %s: transition %d is %q, the facts say %q", r.VoucherId, t.Transition, state+t.ToState, said[k])
				}
				if writers[k] != writer(rec) && !s.expected.factsLost {
					s.fail("I7", "voucher %s: transition %d and its fact are of different transactions", r.VoucherId, t.Transition)
				}
				delete(said, k)
			}
		}
	}
	if !s.expected.anyStop() {
		for k, v := range said {
			s.fail("I4", "transition %s to %s is a fact and no result", k, v)
		}
	}
}

func word(list, w string) bool {
	for len(list) > 0 {
		i := 0
		for i < len(list) && list[i] != ' ' {
			i++
		}
		if list[:i] == w {
			return true
		}
		list = list[min(i+1, len(list)):]
	}
	return false
}

func stateName(s string) string {
	for _, prefix := range []string{"COUPON_STATE_", "VOUCHER_STATE_"} {
		if len(s) > len(prefix) && s[:len(prefix)] == prefix {
			return s[len(prefix):]
		}
	}
	return s
}
