package projections

import (
	"fmt"

	"hongbao/schemas"
)

// judgeShare: a share is the same event while its code has not expired by the watermark, its
// code must be its own and good at the share's time, and its user must be in the chain or be
// the chain's seed, whose first accepted share begins it (domain.md section 2).
func (s *State) judgeShare(c *campaign, e *schemas.Event, r *ruling) {
	h := EventHash(e)
	if seq, ok := s.sameShare(c, h); ok {
		r.duplicate(seq)
		return
	}
	if !judgeCode(e, r) || !judgeCampaign(c, e, r) {
		return
	}
	s.lookup(c, e.User, &r.user)
	begins := e.User == e.Chain && (!r.user.known || r.user.chain != e.Chain)
	switch {
	case begins && r.user.known:
		r.refuse(reasonClaimedElsewhere) // in another chain of this partition: Redis need not say so
	case begins:
		r.accept(AskShare | AskClaim)
	case !r.user.known || r.user.chain != e.Chain:
		r.refuse(reasonUnknownUser)
	default:
		r.accept(AskShare)
	}
}

// sameShare looks for an accepted share that is the same event.
func (s *State) sameShare(c *campaign, h [16]byte) (seq int64, ok bool) {
	if s.probing && s.guess.hasShare(h) {
		return 0, true
	}
	return c.findShare(h, s.watermarkMS)
}

// supposeShare puts a share into the overlay as if it had been accepted.
func (s *State) supposeShare(c *campaign, e *schemas.Event, r *ruling) {
	until := secondsOf(e.CodeExpiresS)
	if !r.user.known {
		s.guess.putUser(c.id, e.User, person{known: true, seed: true, chain: e.Chain, until: until})
	} else if r.user.until < until {
		r.user.until = until
		s.guess.putUser(c.id, e.User, r.user)
	}
	s.guess.putShare(EventHash(e))
}

// foldShare: the user gets an inviter record with the first accepted share, a chain with its
// seed's first. A new share replaces the active one; codes handed out before stay valid, so what
// counts is the latest expiry.
func (s *State) foldShare(c *campaign, f *schemas.Fact) error {
	v := &f.Verdict
	h := eventHash(v.Campaign, v.Chain, v.Source, v.ID)
	if seq, ok := c.findShare(h, s.watermarkMS); ok {
		return fmt.Errorf("share %q of %q was accepted by fact %d already", v.ID, v.Source, seq)
	}
	own, err := s.sharer(c, f)
	if err != nil {
		return err
	}
	rec := c.changeInviter(own)
	rec.until = max(rec.until, secondsOf(v.CodeExpiresS))
	rec.share = c.addShare(share{
		hash: h, timeMS: v.TimeMS, seq: f.Seq, until: secondsOf(v.CodeExpiresS), inviter: own, next: rec.share,
	}, s.watermarkMS)
	c.changeChain(rec.chain).shares++
	return nil
}

// sharer is the inviter record of who shares, made if this is the first time.
func (s *State) sharer(c *campaign, f *schemas.Fact) (uint32, error) {
	v := &f.Verdict
	ord := c.find(v.User)
	if ord == 0 {
		if v.User != v.Chain {
			return 0, fmt.Errorf("share of user %d, whom campaign %d does not know", v.User, c.id)
		}
		own := c.addInviter(inviter{member: c.nextMember(f.Seq), chain: c.addChain(v.User)})
		c.addMember(v.User, own|ownBit, f.Seq)
		return own, nil
	}
	p, i := c.member(ord)
	c.members.touch(ord >> memberShift)
	ref := p.ref[i]
	rec := c.inviter(ref &^ ownBit)
	if seed := c.chain(rec.chain).seed; seed != v.Chain {
		return 0, fmt.Errorf("share of user %d in chain %d, who is in chain %d of campaign %d", v.User, v.Chain, seed, c.id)
	}
	if ref&ownBit != 0 {
		return ref &^ ownBit, nil
	}
	own := c.addInviter(inviter{parent: ref, member: ord, chain: rec.chain, depth: rec.depth + 1})
	p.ref[i] = own | ownBit
	c.members.change(ord >> memberShift)
	return own, nil
}
