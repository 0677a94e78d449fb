package projections

import (
	"bytes"
	"fmt"

	"github.com/zeebo/xxh3"
)

// Hash is over the logical content: campaigns by id, in each users, inviters, chains and shares in
// the order in which facts brought them in, then orders, coupons and command ids by key. It is the
// same whether pages are in memory or not, flushed or not (P5). It reads the whole state.
func (s *State) Hash() ([16]byte, error) {
	h := &stateHasher{h: xxh3.New128()}
	h.add(s.appendMeta(nil))
	for _, c := range s.campaigns {
		h.add(c.appendRules(campaignKey(nil, c.id)))
		h.add(c.Stats.appendTo(nil))
		hashTable(h, &c.members)
		hashTable(h, &c.inviters)
		hashTable(h, &c.chains)
		s.hashShares(h, c)
	}
	for _, more := range []func(*stateHasher) error{s.hashOrders, s.hashCoupons, s.hashSeen} {
		if err := more(h); err != nil {
			return [16]byte{}, fmt.Errorf("hash the state: %w", err)
		}
	}
	return h.h.Sum128().Bytes(), s.err
}

type stateHasher struct {
	h   *xxh3.Hasher128
	buf []byte
}

// add hashes one record, its length first.
func (h *stateHasher) add(record []byte) {
	h.buf = appendString(h.buf[:0], record)
	_, _ = h.h.Write(h.buf) // a hash takes everything
}

func hashTable[P any, C pageCodec[P]](h *stateHasher, t *table[P, C]) {
	scratch := new(P)
	var buf []byte
	for pg := uint32(0); int(pg) < len(t.pages); pg++ {
		buf = C(t.peek(pg, scratch)).appendTo(buf[:0])
		h.add(buf)
	}
	h.add(appendInt(nil, int64(t.next)))
}

// hashShares hashes the shares that live: which others are still kept is a matter of room.
func (s *State) hashShares(h *stateHasher, c *campaign) {
	scratch := new(sharePage)
	var buf []byte
	for pg := c.shareFloor; int(pg) < len(c.shares.pages); pg++ {
		if !before(s.watermarkMS, c.shareInfo[pg].until) {
			continue
		}
		p := c.shares.peek(pg, scratch)
		for i := range p {
			if v := &p[i]; v.lives(s.watermarkMS) {
				buf = appendInt(appendInt(appendInt(append(buf[:0], v.hash[:]...), v.timeMS), v.seq), int64(v.until))
				h.add(buf)
			}
		}
	}
}

// hashOrders merges the orders in memory with those in the store.
func (s *State) hashOrders(h *stateHasher) error {
	keys := s.orderKeys()
	take := func(until []byte) {
		for len(keys) > 0 && (until == nil || bytes.Compare(keys[0][:], until) <= 0) {
			o := s.orders[keys[0]]
			h.add(o.appendTo(keys[0][:]))
			keys = keys[1:]
		}
	}
	err := s.store.Scan(SpaceOrders, nil, func(key, value []byte) error {
		take(key)
		if _, newer := s.orders[orderKey(key)]; !newer {
			h.add(append(append([]byte(nil), key...), value...))
		}
		return nil
	})
	take(nil)
	return err
}

func (s *State) hashCoupons(h *stateHasher) error {
	return s.EachCoupon(func(k *Coupon) error {
		h.add(k.appendTo(append([]byte(nil), k.ID[:]...)))
		return nil
	})
}

// hashSeen hashes the command ids that are remembered.
func (s *State) hashSeen(h *stateHasher) error {
	all := map[[16]byte]int64{}
	err := s.store.Scan(SpaceSeen, nil, func(key, value []byte) error {
		id, err := idOf(key, 0)
		if err != nil || len(value) != 8 {
			return orElse(err, "%w: command id %x", errRecord, key)
		}
		if s.remembers(timeOf(value)) {
			all[id] = timeOf(value)
		}
		return nil
	})
	for id, at := range s.seen {
		if all[id] = at; !s.remembers(at) {
			delete(all, id)
		}
	}
	for _, id := range sortedIDs(all) {
		h.add(appendInt(append([]byte(nil), id[:]...), all[id]))
	}
	return err
}
