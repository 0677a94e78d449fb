package projections

import "encoding/binary"

// Cold users (domain.md section 4): a page that nobody on it touched for ColdDays of watermark
// leaves memory. Of a member page every user first gets a key in the store, once; ordinals stay,
// so the key stays true for good. What a state answers and hashes is the same, hot or cold (P5).

const (
	coldPagesPerFlush = 64 // 4,096 keys: a day that turns does not stop the worker (X9)
	sharePagesKept    = 16 // the newest: a redelivery follows its event closely
)

func (s *State) isCold(day uint16) bool { return int(day)+s.cfg.ColdDays < int(s.today) }

// writeColdKeys gives the members of cold pages their keys.
func (s *State) writeColdKeys(c *campaign, w Writer) {
	if c.keyedDay == s.today {
		return
	}
	left := coldPagesPerFlush
	for pg := range c.members.pages {
		m := &c.members.meta[pg]
		if m.flags&pageKeyed != 0 || !s.isCold(m.day) || uint32(pg+1)<<memberShift > c.members.next {
			continue
		}
		if left == 0 {
			return // the rest at the next flush
		}
		left--
		day := m.day
		c.members.change(uint32(pg))
		m.day, m.flags = day, m.flags|pageKeyed
		s.writeKeysOf(c, uint32(pg), w)
	}
	c.keyedDay = s.today
}

func (s *State) writeKeysOf(c *campaign, pg uint32, w Writer) {
	p := c.members.pages[pg]
	c.sieveIn(p)
	p.each(pg, func(ord uint32, id int64) {
		s.key = appendKey(s.key[:0], uint64(c.id), uint64(id)) //nolint:gosec // ids are positive
		s.value = binary.BigEndian.AppendUint32(s.value[:0], ord)
		w.Set(SpaceCold, s.key, s.value)
	})
}

func (c *campaign) sieveIn(p *memberPage) {
	p.each(0, func(_ uint32, id int64) { c.cold.add(mixID(id)) })
}

// Evict lets cold pages leave memory and says how many users left the index. Call it after the
// batch of a Flush has been committed.
func (s *State) Evict() int {
	if s.err != nil {
		return 0
	}
	gone := 0
	for _, c := range s.campaigns {
		gone += s.evictMembers(c)
		evict(&c.inviters, s.isCold)
		evict(&c.chains, s.isCold)
		newest := max(len(c.shares.pages)-sharePagesKept, 0)
		for pg := range c.shares.pages[:newest] {
			if c.shares.meta[pg].flags&pageDirty == 0 {
				c.shares.leave(uint32(pg))
			}
		}
	}
	return gone
}

func (s *State) evictMembers(c *campaign) (gone int) {
	for pg, p := range c.members.pages {
		m := c.members.meta[pg]
		if p == nil || m.flags != pageKeyed || !s.isCold(m.day) {
			continue
		}
		p.each(uint32(pg), func(ord uint32, id int64) {
			c.users.remove(mixID(id), ord)
			gone++
		})
		c.members.leave(uint32(pg))
	}
	return gone
}

func evict[P any, C pageCodec[P]](t *table[P, C], isCold func(day uint16) bool) {
	for pg, p := range t.pages {
		if p != nil && t.meta[pg].flags&pageDirty == 0 && isCold(t.meta[pg].day) {
			t.leave(uint32(pg))
		}
	}
}

// dropShares deletes the oldest share pages while nobody will ask for them again.
func (s *State) dropShares(c *campaign, w Writer) {
	for int(c.shareFloor)+1 < len(c.shares.pages) {
		pg := c.shareFloor
		if !c.shareInfo[pg].over(s.watermarkMS) || c.shares.meta[pg].flags&pageDirty != 0 {
			return
		}
		w.Delete(SpaceShares, pageKey(nil, c.id, pg))
		c.shares.leave(pg)
		c.shareInfo[pg] = sharePageInfo{}
		c.shareFloor++
		c.changed = true
	}
}
