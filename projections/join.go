package projections

import (
	"fmt"

	"hongbao/internal/mutant"
	"hongbao/schemas"
)

// judgeJoin: a user is invited once in a campaign, into a begun chain, by a member with an active
// share (domain.md section 2).
func (s *State) judgeJoin(c *campaign, e *schemas.Event, r *ruling) {
	s.lookup(c, e.User, &r.user)
	if r.user.known && !r.user.seed && (!mutant.On(mutant.SecondInviter) || c.invitedBy(&r.user, e.Inviter)) {
		if r.user.chain == e.Chain && c.invitedBy(&r.user, e.Inviter) {
			r.duplicate(c.seqOf(r.user.member))
		} else {
			r.refuse(reasonAlreadyInvited)
		}
		return
	}
	if !judgeCode(e, r) || !judgeCampaign(c, e, r) {
		return
	}
	if e.User == e.Inviter {
		r.refuse(reasonSelfInvite)
		return
	}
	s.lookup(c, e.Inviter, &r.inviter)
	in := &r.inviter
	switch {
	case !in.known || in.chain != e.Chain:
		r.refuse(reasonUnknownInviter)
	case e.User == e.Chain:
		r.refuse(reasonCycle)
	case !before(e.TimeMS, in.until):
		r.refuse(reasonNoActiveShare)
	case c.Rules.Refuse && tooDeep(c, in.depth+1):
		r.refuse(reasonDepthExceeded)
	case r.user.seed:
		r.refuse(reasonClaimedElsewhere) // the seed of another chain: Redis need not say so
	default:
		r.accept(AskClaim)
	}
}

func tooDeep(c *campaign, depth uint32) bool {
	if mutant.On(mutant.DepthOff) {
		depth--
	}
	return int64(depth) > int64(c.Rules.MaxDepth)
}

// seqOf is the seq of the fact that brought a member in; 0 of one that only an overlay knows.
func (c *campaign) seqOf(ord uint32) int64 {
	if ord == 0 {
		return 0
	}
	page, i := c.member(ord)
	return page.seq(i)
}

// supposeJoin puts a join into the overlay as if it had been accepted.
func (s *State) supposeJoin(c *campaign, e *schemas.Event, r *ruling) {
	s.guess.putUser(c.id, e.User, person{known: true, chain: e.Chain, inviter: e.Inviter, depth: r.inviter.depth + 1})
}

// foldJoin links the invitee below the inviter and counts along the path. A cycle cannot arise:
// only a user whom the campaign does not know is linked (P3).
func (s *State) foldJoin(c *campaign, f *schemas.Fact) error {
	v := &f.Verdict
	if c.find(v.User) != 0 {
		return fmt.Errorf("join of user %d, who is in campaign %d already", v.User, c.id)
	}
	ord := c.find(v.Inviter)
	if ord == 0 {
		return fmt.Errorf("join below user %d, whom campaign %d does not know", v.Inviter, c.id)
	}
	page, i := c.member(ord)
	own := page.ref[i]
	if own&ownBit == 0 {
		return fmt.Errorf("join below user %d, who never shared in campaign %d", v.Inviter, c.id)
	}
	own &^= ownBit
	rec := c.changeInviter(own)
	if seed := c.chain(rec.chain).seed; seed != v.Chain || int64(rec.depth)+1 != int64(v.Depth) {
		return fmt.Errorf("join of user %d into chain %d at depth %d below user %d, who is in chain %d at depth %d",
			v.User, v.Chain, v.Depth, v.Inviter, seed, rec.depth)
	}
	c.members.touch(ord >> memberShift)
	c.addMember(v.User, own, f.Seq)
	rec.direct++
	c.countPath(own)
	tree := c.changeChain(rec.chain)
	tree.joins++
	tree.maxDepth = max(tree.maxDepth, rec.depth+1)
	c.Stats.join(rec.depth + 1)
	return nil
}

// countPath counts a new descendant for max_depth ancestors, the inviter first: an event through
// a user keeps the user in memory.
func (c *campaign) countPath(own uint32) {
	for range c.Rules.MaxDepth {
		rec := c.changeInviter(own)
		rec.total++
		if own = rec.parent; own == 0 {
			return
		}
	}
}
