//go:build synctests

package sim

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"sort"
	"strings"

	"github.com/zeebo/xxh3"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// trace is the hash of what happened: per partition, in order, facts, commands and results, then the faults that hit. Offsets,
// producers and the order of requests are not in it.
func (s *sim) trace(l *logs) string {
	h := xxh3.New()
	add := func(b []byte) {
		_, _ = h.Write(binary.AppendUvarint(nil, uint64(len(b))))
		_, _ = h.Write(b)
	}
	for _, t := range []schemas.Topic{schemas.TopicFacts, schemas.TopicCommands, schemas.TopicResults, schemas.TopicCouponDead, schemas.TopicInviteDead} {
		for p := range partitions {
			add([]byte{byte(t), byte(p)})
			for _, r := range l.committed[t][p] {
				add(r.Key)
				add(r.Value)
			}
		}
	}
	var hits []string
	for k, n := range s.result.Hits {
		hits = append(hits, fmt.Sprintf("%s %d", k, n))
	}
	sort.Strings(hits)
	for _, k := range hits {
		add([]byte(k))
	}
	sum := h.Sum128().Bytes()
	return hex.EncodeToString(sum[:])
}

// reach notes that something was covered.
func (s *sim) reach(what string) {
	s.hitMu.Lock()
	defer s.hitMu.Unlock()
	s.result.Reached[what]++
}

// cover notes what the facts and the faults show, and which rule had to hold.
func (s *sim) cover(l *logs) {
	for p := range partitions {
		open := map[string]bool{}
		for i := range l.facts[p] {
			f := &l.facts[p][i]
			s.reach("fact " + strings.TrimPrefix(fmt.Sprintf("%T", f.Body), "*invitepb."))
			if r := f.GetRefused(); r != nil {
				s.reach("refused " + r.Reason.String())
			}
			if m := f.GetCouponMoved(); m != nil {
				if open[string(m.CouponId)] = m.To <= pb.CouponState_COUPON_STATE_ISSUING && m.To != pb.CouponState_COUPON_STATE_HELD; !open[string(m.CouponId)] {
					delete(open, string(m.CouponId))
				}
				if len(open) >= s.plan.OpenMax {
					s.reach("rule X9")
				}
			}
		}
	}
	s.coverX4(l)
	s.rules()
}

// coverX4 notes a transaction that carried several steps of a partition with one offset. Each transaction ends where its writer promised an offset.
func (s *sim) coverX4(l *logs) {
	type end struct {
		partition int32
		by        producer
		seq       int64
	}
	ends := map[end]bool{}
	for _, c := range s.watch.commits {
		if m, ok := readMetadata(c.metadata); ok {
			ends[end{c.partition, producer{c.producer, c.epoch}, m.seq}] = true
		}
	}
	for p := range int32(partitions) {
		steps := 0
		for i := range l.facts[p] {
			f := &l.facts[p][i]
			if f.GetStepEnded() == nil {
				continue
			}
			steps++
			if ends[end{p, writer(f.rec), f.Seq}] {
				if steps > 1 {
					s.reach("rule X4")
				}
				steps = 0
			}
		}
	}
}

// rules says which rules of the protocol this seed called upon: by what was logged, by what hit.
func (s *sim) rules() {
	shows := []struct{ rule, in string }{
		{"X1", "hit fence"},
		{"X1", "hit directory doubled"},
		{"X2", "log X2"},
		{"X3", "dead letter "},
		{"X5c", "log X5c"},
		{"X5d", "stop X5d"},
		{"X5e", "log X5e"},
		{"X5f", "stop X5f"},
		{"X6", "log X6"},
		{"X7", "log: partitions revoked"},
		{"X7", "log: partitions lost"},
		{"X8", "log: partition restored"},
		{"X10", "hit redis"},
	}
	seen := map[string]bool{}
	for k := range s.result.Reached {
		seen[k] = true
	}
	for k := range s.result.Hits {
		seen["hit "+k] = true
	}
	for k := range seen {
		for _, x := range shows {
			if strings.HasPrefix(k, x.in) {
				s.reach("rule " + x.rule)
			}
		}
	}
	if s.watch.beats() > 0 {
		s.reach("rule X5b")
	}
	if len(s.issuer.asked) > 0 {
		s.reach("rule X11")
	}
}
