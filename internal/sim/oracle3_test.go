//go:build synctests

package sim

import (
	"context"
	"encoding/binary"
	"fmt"

	"hongbao/eventstore"
	"hongbao/fsm"
	"hongbao/projections"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// checkStates is I6: what a worker had in its store when it rested is a fold of the facts from zero, and of the step
// that the metadata names.
func (s *sim) checkStates(l *logs, owners [partitions]*instance) {
	stores := map[*instance]*eventstore.Store{}
	defer func() {
		for _, st := range stores {
			_ = st.Close()
		}
	}()
	for p := range int32(partitions) {
		i := owners[p]
		if i == nil || i.life.dead.Load() || s.expected.excuses(int(p)) {
			continue
		}
		if stores[i] == nil {
			st, err := eventstore.Open(eventstore.Config{
				Dir: "data", FS: i.disk.FS(), Partitions: partitions, CacheBytes: 1 << 20, MemTableBytes: 1 << 20, Logger: s.log,
				Fatal: func(error) {},
			})
			if err != nil {
				s.fail("I6", "the data directory of %s does not open: %v", i.name, err)
				return
			}
			stores[i] = st
		}
		if err := s.checkState(l, stores[i], p, i.name); err != nil {
			s.fail("I6", "partition %d of %s: %v", p, i.name, err)
		}
	}
}

func (s *sim) checkState(l *logs, st *eventstore.Store, p int32, who string) error {
	part, err := st.Partition(p)
	if err != nil {
		return err
	}
	defer func() { _ = part.Close() }()
	live, err := projections.Open(storeReader{part}, projections.Config{Campaigns: s.texts})
	if err != nil {
		return err
	}
	fold, err := projections.Open(nothing{}, projections.Config{Campaigns: s.texts})
	if err != nil {
		return err
	}
	var f schemas.Fact
	for i := range l.facts[p] {
		if l.facts[p][i].Seq > part.NodesSeq() {
			break
		}
		if err := f.Decode(l.facts[p][i].rec.Value); err != nil {
			return err
		}
		if err := fold.Fold(&f); err != nil {
			return fmt.Errorf("fold seq %d: %w", f.Seq, err)
		}
	}
	a, err := live.Hash()
	if err != nil {
		return err
	}
	b, err := fold.Hash()
	if err != nil {
		return err
	}
	if a != b {
		s.fail("I6", "partition %d of %s at seq %d: the state's hash is %x, a fold of the facts from zero has %x", p, who, part.NodesSeq(), a, b)
	}
	if m, ok := readMetadata(l.commits[p].Metadata); ok {
		last := part.Last()
		if last.Seq != m.seq || string(last.Hash[:]) != m.hash || part.NodesSeq() != m.seq {
			s.fail("I6", "partition %d of %s rests at seq %d hash %x (nodes %d), the metadata names seq %d hash %x", p, who, last.Seq, last.Hash, part.NodesSeq(), m.seq, m.hash)
		}
	}
	return nil
}

type storeReader struct{ p *eventstore.Partition }

func (r storeReader) Get(space projections.Space, key, dst []byte) ([]byte, bool, error) {
	return r.p.Get(byte(space), key, dst)
}

func (r storeReader) Scan(space projections.Space, prefix []byte, fn func(key, value []byte) error) error {
	return r.p.Scan(byte(space), prefix, fn)
}

// nothing is an empty store: the fold stays in memory.
type nothing struct{}

func (nothing) Get(projections.Space, []byte, []byte) ([]byte, bool, error) { return nil, false, nil }

func (nothing) Scan(projections.Space, []byte, func(key, value []byte) error) error { return nil }

// checkRest is I8: no transaction is open, nothing is unstable.
func (s *sim) checkRest(l *logs) {
	if open := s.ongoing(); len(open) > 0 {
		s.fail("I8", "transactions are still open: %v", open)
	}
	if l.open > 0 {
		s.fail("I8", "%d records belong to transactions without an end", l.open)
	}
	for t := range schemas.Topics {
		for p := range partitions {
			if l.stable[t][p] != l.ends[t][p] {
				s.fail("I8", "%s[%d] ends at offset %d, its last stable offset is %d", t, p, l.ends[t][p], l.stable[t][p])
			}
		}
	}
}

// checkModels is I9: Redis holds the claim of every member, and the issuer remembers every coupon that is COMPLETED.
func (s *sim) checkModels(l *logs) {
	claims := s.redis.Snapshot()
	shares := map[string]int{}
	members := map[string]int64{}
	for p := range partitions {
		if s.expected.excuses(p) {
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
				if chain, ok := members[k]; ok && chain != a.Chain && !s.expected.lossy {
					s.fail("I9", "user %d is in the chains %d and %d of campaign %d", a.User, chain, a.Chain, a.Campaign)
				}
				members[k] = a.Chain
				v := claims[k]
				if len(v) < 10 || int64(binary.BigEndian.Uint64([]byte(v[2:10]))) != a.Chain {
					if !s.expected.lossy && !s.expected.anyStop() {
						s.fail("I9", "facts[%d] seq %d puts user %d into chain %d, Redis holds %x", p, l.facts[p][i].Seq, a.User, a.Chain, v)
					}
				}
			}
			if a.Input.Kind == pb.EventKind_EVENT_KIND_SHARE_CREATED {
				shares[fmt.Sprint(a.User, a.Input.EventTimeMs/3600000)]++
			}
		}
	}
	for k, n := range shares {
		if n > 5 && !s.expected.lossy {
			s.fail("I9", "user and hour %s have %d accepted shares, the limit is 5", k, n)
		}
	}
	s.checkClaims(claims, members)
	s.checkCounts(l)
	s.checkIssuer(l)
}

func claimKey(campaign, user int64) string {
	b := binary.AppendUvarint([]byte("{sim}:c:"), uint64(campaign))
	return string(binary.BigEndian.AppendUint64(b, uint64(user)))
}

// checkIssuer compares the issuer's memory with the coupons, and what it gave with what it had (I2).
func (s *sim) checkIssuer(l *logs) {
	done := map[string]int32{}  // COMPLETED by id, with the round
	asked := map[string]bool{}  // ISSUING was a fact
	where := map[string]int{}   // partition
	rounds := map[string]bool{} // id and round of COMPLETED
	for p := range partitions {
		for i := range l.facts[p] {
			m := l.facts[p][i].GetCouponMoved()
			if m == nil {
				continue
			}
			id := string(m.CouponId)
			where[id] = p
			switch m.To {
			case pb.CouponState_COUPON_STATE_ISSUING:
				asked[id] = true
			case pb.CouponState_COUPON_STATE_COMPLETED:
				done[id] = m.Round
				rounds[fmt.Sprintf("%x %d", id, m.Round)] = true
			}
		}
	}
	given := map[string]int{}
	for _, c := range s.campaigns {
		_ = s.issuer.inner.Each(context.Background(), c.ID, func(k fsm.Key, a fsm.Answer) error {
			id := string(k.ID[:])
			if !asked[id] && !s.expected.factsLost {
				s.fail("I10", "the issuer remembers coupon %x, which never was ISSUING", id)
			}
			if a != fsm.Done {
				return nil
			}
			given[id]++
			if !rounds[fmt.Sprintf("%x %d", id, k.Round)] && !s.expected.anyStop() {
				s.fail("I9", "the issuer issued coupon %x in round %d, the facts never completed it", id, k.Round)
			}
			return nil
		})
		counts, _ := s.issuer.inner.Counts(context.Background(), c.ID)
		for _, k := range counts.Kinds {
			if k.Left < 0 && !s.expected.lossy {
				s.fail("I2", "campaign %d: %d pieces of %s issued, %d declared", c.ID, k.Done, k.Kind, k.Declared)
			}
		}
		for _, b := range counts.Budgets {
			if b.Limited && b.Left < 0 && !s.expected.lossy {
				s.fail("I2", "campaign %d: %d of %s spent, %d declared", c.ID, b.Spent, b.Currency, b.Declared)
			}
		}
	}
	for id, n := range given {
		if n > 1 && !s.expected.lossy {
			s.fail("I10", "coupon %x was issued in %d rounds", id, n)
		}
	}
	for id := range done {
		if given[id] == 0 && !s.expected.anyStop() {
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
		if t == nil && s.expected.factsLost {
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
