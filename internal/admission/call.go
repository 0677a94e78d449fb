package admission

// call is one Admit under way. Its owner encodes it; from then on until ready it belongs to the
// gate. An owner that stops waiting leaves it to the garbage collector: nothing of the caller is
// referred to, so a round trip that still carries it harms nobody.
type call struct {
	arena []byte
	ops   []op
	done  int           // ops answered
	again bool          // the epoch changed: no answer may be used
	ready chan struct{} // holds one token when the gate is through with the call
}

func newCall() *call { return &call{ready: make(chan struct{}, 1)} }

// encode takes the asks of partition p over. Strings of ops point into the arena, which
// therefore must not grow afterwards.
func (c *call) encode(k *keys, limit Limit, p int32, asks []Ask) {
	need := 0
	for i := range asks {
		need += len(k.claim) + len(k.share) + 2*keyIDsMax + claimMax + shareFields + shareIDSize*(1+len(asks[i].Known))
	}
	if cap(c.arena) < need {
		c.arena = make([]byte, 0, need)
	}
	c.arena, c.ops, c.done, c.again = c.arena[:0], c.ops[:0], 0, false
	for i := range asks {
		a := &asks[i]
		o := op{want: a.Want}
		if a.Want&WantClaim != 0 {
			o.claimKey = c.take(k.appendClaim(c.arena, a.Campaign, a.User))
			o.value = c.take(appendValue(c.arena, 0, a.Chain, p, a.Event, a.Offset, true))
			o.hash = keyHash(a.Campaign, a.User)
		}
		if a.Want&WantShare != 0 {
			o.shareKey = c.take(k.appendShare(c.arena, a.User, limit.Bucket(a.EventTimeMS)))
			o.field = c.take(appendField(c.arena, a.User))
			o.shareHash = keyHash(limit.Bucket(a.EventTimeMS), a.User)
			o.shareID = c.take(appendPlace(c.arena, a.Event, a.Offset))
			known := c.arena
			for j := range a.Known {
				known = appendPlace(known, a.Known[j], factOffset)
			}
			o.known = c.take(known)
		}
		c.ops = append(c.ops, o)
	}
}

// take keeps what was appended to the arena and returns it.
func (c *call) take(grown []byte) string {
	s := text(grown[len(c.arena):])
	c.arena = grown
	return s
}

// keyHash spreads users over a batch's table; ids of one campaign may be dense.
func keyHash(campaign, user int64) uint32 {
	return uint32((bits(user)*0x9e3779b97f4a7c15 ^ bits(campaign)*0xc2b2ae3d27d4eb4f) >> 32)
}
