package projections

// What Redis must be told after it has forgotten (X10). Everything is read from folded facts; what
// is not in memory is read from the store and not brought back.

// Claim is a claim that a fact established.
type Claim struct {
	Campaign int64
	User     int64
	Chain    int64
	Seq      int64 // of the fact: an accepted join, or the first share of a seed
}

// EachClaim goes through all members, cold ones included, by campaign and seq.
func (s *State) EachClaim(fn func(Claim) error) error {
	var (
		members  memberPage
		inviters pageCache[inviterPage, *inviterPage]
		chains   pageCache[chainPage, *chainPage]
	)
	for _, c := range s.campaigns {
		inviters.of, chains.of = &c.inviters, &c.chains
		for pg := uint32(0); int(pg) < len(c.members.pages); pg++ {
			p := c.members.peek(pg, &members)
			for i, id := range p.id {
				if i == 0 || id == 0 {
					continue
				}
				own := p.ref[i] &^ ownBit
				ch := inviters.at(own >> inviterShift)[own&(inviterPageLen-1)].chain
				seed := chains.at(ch >> chainShift)[ch&(chainPageLen-1)].seed
				if s.err != nil {
					return s.err
				}
				if err := fn(Claim{Campaign: c.id, User: id, Chain: seed, Seq: p.seq(uint32(i))}); err != nil {
					return err
				}
			}
		}
	}
	return s.err
}

// pageCache reads absent pages without bringing them back, and keeps the last few read.
type pageCache[P any, C pageCodec[P]] struct {
	of    *table[P, C]
	slots []cachedPage[P, C]
}

type cachedPage[P any, C pageCodec[P]] struct {
	of   *table[P, C]
	page uint32
	data P
}

const pageCacheSlots = 256

func (k *pageCache[P, C]) at(pg uint32) *P {
	if int(pg) < len(k.of.pages) && k.of.pages[pg] != nil {
		return k.of.pages[pg]
	}
	if k.slots == nil {
		k.slots = make([]cachedPage[P, C], pageCacheSlots)
	}
	v := &k.slots[pg%pageCacheSlots]
	if v.of != k.of || v.page != pg {
		v.of, v.page = k.of, pg
		k.of.read(pg, &v.data)
	}
	return &v.data
}

// Share is an accepted share.
type Share struct {
	User   int64
	TimeMS int64
	Event  [16]byte // EventHash
}

// EachShareSince goes through the accepted shares with an event time of sinceMS or later, by
// campaign and seq. Those 30 days of watermark past their code's expiry may be missing.
func (s *State) EachShareSince(sinceMS int64, fn func(Share) error) error {
	scratch := new(sharePage)
	var (
		members  pageCache[memberPage, *memberPage]
		inviters pageCache[inviterPage, *inviterPage]
	)
	for _, c := range s.campaigns {
		members.of, inviters.of = &c.members, &c.inviters
		for pg := c.shareFloor; int(pg) < len(c.shares.pages); pg++ {
			if c.shareInfo[pg].day < dayOf(sinceMS) {
				continue // no event time lies beyond the watermark
			}
			p := c.shares.peek(pg, scratch)
			for i := range p {
				v := &p[i]
				if v.seq == 0 || v.timeMS < sinceMS {
					continue
				}
				ord := inviters.at(v.inviter >> inviterShift)[v.inviter&(inviterPageLen-1)].member
				user := members.at(ord >> memberShift).id[ord&(memberPageLen-1)]
				if s.err != nil {
					return s.err
				}
				if err := fn(Share{User: user, TimeMS: v.timeMS, Event: v.hash}); err != nil {
					return err
				}
			}
		}
	}
	return s.err
}

// ShareIDs appends the EventHash of the user's accepted shares, in all campaigns, with
// fromMS <= event time < untilMS. It walks the user's own shares only.
func (s *State) ShareIDs(user, fromMS, untilMS int64, dst [][16]byte) ([][16]byte, error) {
	for _, c := range s.campaigns {
		var who person
		if c.person(user, &who); who.own == 0 {
			continue
		}
		for ord := c.inviter(who.own).share; ord>>shareShift >= c.shareFloor && ord != 0; {
			v := c.share(ord)
			if v.timeMS >= fromMS && v.timeMS < untilMS {
				dst = append(dst, v.hash)
			}
			ord = v.next
		}
	}
	return dst, s.err
}
